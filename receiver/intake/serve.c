/* One peer's session: moves its bytes, keeps time, tells how it went.
 * Doesn't know frames or files. */
#include "receiver/intake/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
#include "receiver/intake/stop.h"
#include "receiver/session/heartbeat.h"
#include "wire/transport.h"

enum {
	INPUT_BYTES = 256 << 10,
	WAIT_MS = 1000,
	GOODBYE_MS = 3000,
	ANSWER_MIN_MS = 15000,
	RETRY_S = 5, /* when this side is stopped, its operator may start it again */

	/* How often it is looked whether somebody wants the dump, or the place. */
	LOOK_MS = 200,

	/* What work of ours counts as, which the sender waits for. */
	WORK_BYTES = 1 << 20,
};

struct serving {
	struct transport *transport;
	struct session *session;
	struct store *store;
	struct heartbeat *patience; /* in between */
	uint64_t answer_ms;	    /* how long that may keep the sender */
	sigset_t while_waiting;
	uint8_t *input;
	bool oneway;
	struct error failure; /* of the session; code 0: none */
	struct error unheard; /* why nothing can be said any more; code 0: it can */
	serve_look_fn *look;
	void *look_ctx;
	uint64_t begun_ms, looked_ms;
	uint64_t worked_bytes;
	const char
		*who; /* for the operator, while the store has no name for it; "": nobody knows */
};

/* What the session wants to say: 1 if some of it went out; *left_ret: whether some is left. */
static int push(struct serving *s, bool *left_ret, struct error *err)
{
	size_t size_bytes;
	const uint8_t *bytes = session_output(s->session, &size_bytes);
	ssize_t n = 0;

	if (size_bytes)
		n = transport_send(s->transport, bytes, size_bytes, err);
	if (n < 0)
		return (int)n;
	session_sent(s->session, (size_t)n, clock_ms());
	*left_ret = (size_t)n < size_bytes;
	return n > 0;
}

static int feed(struct serving *s, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	const int r = session_feed(s->session, bytes, size_bytes, clock_ms(), err);

	session_listens(s->session, clock_ms());
	return r;
}

static int pull(struct serving *s, struct error *err)
{
	const ssize_t n = transport_recv(s->transport, s->input, INPUT_BYTES, err);
	int r;

	if (n == -ENODATA)
		return error_set(err, -ECONNRESET, "the sender closed the link");
	if (n <= 0)
		return (int)n;
	r = feed(s, s->input, (size_t)n, err);
	return r < 0 ? r : 1;
}

static int check_stop(struct serving *s, struct error *err)
{
	if (!stop_signal())
		return 0;
	error_set(err, -ECANCELED, "stopped by signal %d", stop_signal());
	session_abort(s->session, -ECANCELED, RETRY_S, err->msg);
	return err->code;
}

/* Whether the dump is another session's from now on, or the place another's. */
static int look(struct serving *s, bool working, struct error *err)
{
	const uint64_t now_ms = clock_ms();
	int r = 0;

	if (now_ms - s->looked_ms < LOOK_MS)
		return 0;
	s->looked_ms = now_ms;
	s->worked_bytes += working ? WORK_BYTES : 0;
	if (s->look)
		r = s->look(s->look_ctx, session_state(s->session) >= SESSION_GOING,
			    store_stream_bytes(s->store) + s->worked_bytes, err);
	if (r < 0 || !store_is_wanted(s->store))
		return r;
	return error_set(err, -EALREADY, "a newer link has taken the dump over");
}

/* A disk that hangs has no heartbeats: the sender, which waits for WELCOME or GO, is told to come
 * later, or goes elsewhere. */
static int check_answer(struct serving *s, struct error *err)
{
	const uint64_t still_ms = heartbeat_still_ms(s->patience);

	if (s->oneway || !session_is_asked(s->session) || still_ms < s->answer_ms)
		return 0;
	error_set(err, -ETIME, "the disk has not answered for %" PRIu64 " s", still_ms / 1000);
	session_fail(s->session, err);
	return err->code;
}

/* What takes long goes on as long as somebody wants it, who hears of us. But what the sender has
 * said is taken, though it may have gone: there may be more that wasn't read yet. */
static int stay_alive(void *ctx, struct error *err)
{
	struct serving *s = ctx;
	struct error unused;
	bool left;
	int r = check_stop(s, err);

	if (r < 0) {
		/* What doesn't end at once isn't the sender's to wait for. */
		(void)!push(s, &left, &unused);
		return r;
	}
	/* One way, the end of the pipe is no news. */
	if (!s->oneway && transport_hung_up(s->transport))
		r = error_set(err, -ECONNRESET, "the sender closed the link");
	if (r == 0)
		r = check_answer(s, err);
	if (r == 0)
		r = session_beat(s->session, clock_ms(), err);
	if (r == 0 || r == -ETIME)
		r = MIN(push(s, &left, r ? &unused : err), r);
	return session_is_asked(s->session) ? r : 0;
}

static int still_wanted(void *ctx, struct error *err)
{
	struct serving *s = ctx;
	const int r = heartbeat_wanted(s->patience, err);

	return r < 0 ? r : look(s, true, err);
}

/* Both ways, and wait where nothing moved. What has come is looked at before the time is: it may
 * have come while a disk kept us. */
static int turn(struct serving *s, struct error *err)
{
	uint64_t wait_ms = LOOK_MS, now, tick_ms;
	bool left = false;
	int out, in, r = check_stop(s, err);

	if (r == 0 && (r = look(s, false, err)) < 0)
		session_fail(s->session, err);
	if (r < 0)
		return r;
	in = pull(s, err);
	if (in < 0)
		return in;
	if (s->unheard.code) {
		*err = s->unheard;
		return in ? 0 : err->code;
	}
	now = clock_ms();
	r = session_tick(s->session, now, err);
	if (r < 0)
		return r;
	out = push(s, &left, err);
	if (out < 0)
		s->unheard = *err; /* what it said before it went is still to be read */
	if (in || out)
		return 0;
	tick_ms = session_next_tick_ms(s->session);
	wait_ms = tick_ms > now ? MIN(wait_ms, tick_ms - now) : 1;
	r = transport_wait(s->transport, left, (int)wait_ms, &s->while_waiting, err);
	return MIN(r, 0);
}

/* Until the session is done, or has failed. */
static int run(struct serving *s, const struct serve_setup *setup, struct error *err)
{
	int r = 0;

	if (setup->first_bytes)
		r = feed(s, setup->first, setup->first_bytes, err);
	while (r == 0 && session_state(s->session) != SESSION_DONE)
		r = turn(s, err);
	return r;
}

/* What is left to say, the reason of a failure among it. */
static void say_goodbye(struct serving *s)
{
	const uint64_t until_ms = clock_ms() + GOODBYE_MS;
	bool left = true;
	struct error unused;

	while (left && clock_ms() < until_ms) {
		if (push(s, &left, &unused) < 0)
			return;
		if (left && transport_wait(s->transport, true, WAIT_MS, NULL, &unused) < 0)
			return;
	}
	(void)!transport_finish(s->transport, GOODBYE_MS, &unused);
}

static void tell_complete(const struct serving *s, const struct store_result *res)
{
	const double seconds = (double)(clock_ms() - s->begun_ms) / 1000;
	char size[16], time[24];

	if (res->was_there) {
		log_note("%s: %s is here already", res->host, res->path);
		return;
	}
	log_note("%s: %s: complete and verified, %" PRIu64 " pages, %s in %s%s", res->host,
		 res->path, res->pages, format_size(size, sizeof(size), res->file_bytes),
		 format_duration(time, sizeof(time), seconds),
		 res->resumed ? ", after a resume" : "");
	if (res->pages_lost)
		log_warning("%s: %s: the sender could not read %" PRIu64 " of the pages", res->host,
			    res->path, res->pages_lost);
	if (res->name_unsure)
		log_warning(DUMPFILE_NAME_UNSURE, res->path);
}

static enum exit_status tell_failed(const struct serving *s, const struct store_result *res)
{
	const struct error *err = &s->failure;
	const char *who = *res->host ? res->host : s->who;
	enum exit_status status = error_exit_status(err->code);

	if (res->usable)
		log_error("%s: %s; %s has %" PRIu64 " of %" PRIu64 " pages", who, err->msg,
			  res->path, res->pages - res->pages_missing, res->pages);
	else
		log_error("%s%s%s", who, *who ? ": " : "", err->msg);
	if (res->usable && status != EXIT_REFUSED)
		return EXIT_INCOMPLETE;
	/* Into a pipe, a stream that is cut short is the link's doing. */
	return err->code == -ENODATA ? EXIT_TRANSPORT : status;
}

static int start(struct serving *s, const struct serve_setup *setup, struct error *err)
{
	struct session_setup session = {
		.ops = &heartbeat_ops,
		.admit = setup->admit,
		.admit_ctx = setup->admit_ctx,
		.retry_s = setup->retry_s,
		.oneway = setup->oneway,
		.timeout_ms = setup->timeout_ms,
	};
	struct store_setup store = setup->store;
	int r;

	store.alive = (struct keepalive){still_wanted, s};
	r = store_new(&store, &s->store, err);
	if (r == 0)
		r = heartbeat_new(&store_ops, s->store, &(struct keepalive){stay_alive, s},
				  &s->patience, err);
	if (r < 0)
		return r;
	session.ctx = s->patience;
	s->input = io_buffer(INPUT_BYTES);
	if (!s->input)
		return error_set(err, -ENOMEM, "out of memory");
	return session_new(&session, s->begun_ms, &s->session, err);
}

static const char *who_is(const struct serve_setup *setup)
{
	const struct store_setup *store = &setup->store;

	if (store->host && *store->host)
		return store->host;
	return store->peer && !setup->oneway ? store->peer : "";
}

enum exit_status serve(struct transport *transport, const struct serve_setup *setup)
{
	struct serving s = {.transport = transport,
			    .oneway = setup->oneway,
			    .look = setup->look,
			    .look_ctx = setup->look_ctx,
			    .begun_ms = clock_ms(),
			    .answer_ms = setup->answer_ms ? setup->answer_ms
							  : MAX(2 * (uint64_t)setup->timeout_ms,
								(uint64_t)ANSWER_MIN_MS),
			    .who = who_is(setup)};
	struct store_result res = {0};
	enum exit_status status = EXIT_COMPLETE;
	int r;

	stop_catch(&s.while_waiting);
	r = start(&s, setup, &s.failure);
	if (r == 0)
		r = run(&s, setup, &s.failure);
	if (r < 0 && s.session) {
		struct error unused;
		bool left;

		/* The sender need not wait until the part is mended. */
		(void)!push(&s, &left, &unused);
	}
	if (s.store)
		store_close(s.store, r < 0 ? &s.failure : NULL, &res);
	if (s.session)
		say_goodbye(&s);
	if (res.complete) {
		tell_complete(&s, &res);
		if (r < 0)
			log_warning("%s: %s", res.path, s.failure.msg);
	} else if (r < 0) {
		status = tell_failed(&s, &res);
	}
	session_free(s.session);
	store_free(s.store);
	heartbeat_free(s.patience);
	free(s.input);
	transport_free(transport);
	sigprocmask(SIG_SETMASK, &s.while_waiting, NULL);
	return status;
}
