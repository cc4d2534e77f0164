/* One peer of the collector: its name, whether it may send, and its session or stream.
 * Doesn't know the other peers. */
#include "receiver/collector/connection.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "format/flat.h"
#include "receiver/collector/keys.h"
#include "receiver/collector/launch.h"
#include "receiver/collector/queue.h"
#include "receiver/collector/words.h"
#include "receiver/intake/receive.h"
#include "receiver/intake/serve.h"
#include "receiver/intake/stop.h"
#include "wire/frame.h"
#include "wire/transport.h"

enum {
	/* From the connection to the first byte of a session or stream. */
	HANDSHAKE_MS = 15000,
	FIRST_BYTES_MS = 15000,

	LOOK_MS = 100,
	ANSWER_MS = 10000, /* how long the collector itself may take */
	PROGRESS_MS = 2000,
	GOODBYE_MS = 3000,

	TLS_FIRST_BYTE = 0x16, /* a handshake record. RFC 8446, 5.1 */
};

/* --- the collector -------------------------------------------------------------------------- */

struct turn {
	int fd;
	const char *host; /* the peer's name once it is known, before that its address */
	bool asked;
	int place;	  /* as in queue.h */
	uint32_t retry_s; /* of PLACE_FULL: when to come again */
	bool waits_for_space;
	struct space_answer answer; /* the last one */
	bool going;
	uint64_t bytes, told_ms; /* the progress that the collector was told last */
};

/* Take the collector's next word within that time: false if none comes. Without a collector nobody
 * counts places any more, so the session is in. */
static bool hear_order(struct turn *p, int timeout_ms)
{
	struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
	struct order o;
	int r;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return false;
	r = order_hear(p->fd, &o);
	if (r < 0)
		p->place = PLACE_IN;
	if (r < 0 && p->waits_for_space)
		p->answer = (struct space_answer){.code = 0, .granted_bytes = UINT64_MAX};
	if (r > 0 && o.is_answer)
		p->answer = o.answer;
	if (r > 0 && !o.is_answer) {
		p->place = o.place;
		p->retry_s = o.retry_s;
	}
	p->waits_for_space &= r == 0 || (r > 0 && !o.is_answer);
	return r > 0;
}

static void say(const struct turn *p, struct word *w)
{
	snprintf(w->host, sizeof(w->host), "%s", p->host);
	(void)word_say(p->fd, w);
}

static void say_proved(const struct turn *p)
{
	struct word w = {.kind = WORD_PROVED};

	say(p, &w);
}

/* `hello` is NULL for a stream, which has no identity. */
static void ask(struct turn *p, const struct hello *hello)
{
	struct word w = {.kind = WORD_ASK, .has_dump = hello};

	if (hello)
		memcpy(w.dump_id, hello->dump_id, DIGEST_BYTES);
	p->asked = true;
	say(p, &w);
}

/* The error for a place that is a reason to leave. */
static int check_place(const struct turn *p, struct error *err)
{
	switch (p->place) {
	case PLACE_FULL:
		return error_set(err, -EAGAIN,
				 "too many others wait for a place; the turn of %s is "
				 "kept",
				 p->host);
	case PLACE_OVERTAKEN:
		return error_set(err, -EALREADY, "a newer link has taken the dump over");
	case PLACE_SLOW:
		return error_set(err, -EUSERS,
				 "others wait for a place, and too little has come in this one");
	case PLACE_SHARE:
		return error_set(err, -EUSERS,
				 "other hosts wait for a place, and %s has more than its share",
				 p->host);
	case PLACE_CROWDED:
		return error_set(err, -EAGAIN, "gives way to newer connections of %s", p->host);
	default:
		return MAX(p->place, 0);
	}
}

/* A session's admit(). A probe takes no place. */
static int ask_place(void *ctx, const struct hello *hello, struct error *err)
{
	struct turn *p = ctx;

	if (hello && hello->probe) {
		say_proved(p);
		return 0;
	}
	if (!p->asked) {
		ask(p, hello);
		if (!hear_order(p, ANSWER_MS) && p->place)
			return error_set(err, -EAGAIN, "the collector is too busy");
	}
	while (p->place > 0 && hear_order(p, 0))
		;
	return check_place(p, err);
}

/* Wait for a place, for a stream: its sender can't be told to wait, but waits because nothing is
 * read. */
static int await_place(struct turn *p, struct error *err)
{
	int r;

	while ((r = ask_place(p, NULL, err)) > 0) {
		if (stop_signal())
			return error_set(err, -ECANCELED, "stopped by a signal");
		(void)hear_order(p, 1000);
	}
	return r;
}

/* A session's look(). */
static int look_around(void *ctx, bool going, uint64_t bytes, struct error *err)
{
	struct turn *p = ctx;
	const uint64_t now_ms = clock_ms();
	int r;

	while (hear_order(p, 0))
		;
	r = check_place(p, err);
	if (r < 0 || !p->asked)
		return MIN(r, 0);
	if (going != p->going || (bytes != p->bytes && now_ms - p->told_ms >= PROGRESS_MS)) {
		struct word w = {.kind = WORD_PROGRESS, .going = going, .bytes = bytes};

		p->going = going;
		p->bytes = bytes;
		p->told_ms = now_ms;
		say(p, &w);
	}
	return 0;
}

/* A store's reserve(): the collector answers, when it has made room if need be. */
static int ask_space(void *ctx, const struct reserve_want *want, const struct keepalive *alive,
		     uint64_t *granted_ret, struct error *err)
{
	struct turn *p = ctx;
	struct word w = {.kind = WORD_RESERVE,
			 .bytes = want->bound_bytes,
			 .least_bytes = want->least_bytes,
			 .dump_level = want->level,
			 .raw = want->raw};
	const uint64_t until_ms = clock_ms() + SPACE_ANSWER_MS;
	int r = 0;

	snprintf(w.name, sizeof(w.name), "%s", want->name);
	p->waits_for_space = true;
	say(p, &w);
	while (r == 0 && p->waits_for_space && clock_ms() < until_ms) {
		(void)hear_order(p, LOOK_MS);
		r = keepalive(alive, err);
	}
	if (r < 0)
		return r;
	if (p->waits_for_space)
		return error_set(err, -ENOBUFS, "no space could be made in %d s",
				 SPACE_ANSWER_MS / 1000);
	if (p->answer.code < 0)
		return error_set(err, p->answer.code, "no space: %s", p->answer.text);
	*granted_ret = p->answer.granted_bytes;
	return 0;
}

/* A line for the operator goes by way of the collector, which limits how many lines there are.
 * Without a collector it goes out here. */
static bool pass_line(void *ctx, enum log_level level, const char *text)
{
	const struct turn *p = ctx;
	struct word w = {.kind = WORD_LINE, .level = (int)level};

	snprintf(w.text, sizeof(w.text), "%s", text);
	return word_say(p->fd, &w);
}

/* The admit() for a peer that is refused: its session is begun only to tell it why. */
static int refuse(void *ctx, const struct hello *hello UNUSED, struct error *err)
{
	const struct error *why = ctx;

	*err = *why;
	return why->code;
}

/* --- kinds of peers ------------------------------------------------------------------------- */

static bool is_stopped(void)
{
	return stop_signal();
}

/* The handshake. Its secrets are gone from memory when this returns, before the peer may send
 * anything else. */
static int accept_tls(struct launch *l, struct transport **transport_ret, struct error *err)
{
	const struct stop stop = {.signalled = is_stopped};
	struct tls_server *server;
	int r;

	tls_wipe_memory(true);
	r = keys_use(&l->keys, &server, err);
	keys_close(&l->keys);
	if (r < 0) {
		close(l->connection_fd);
		return r;
	}
	r = transport_tls_accept(server, l->connection_fd, HANDSHAKE_MS, &stop, transport_ret, err);
	tls_server_free(server);
	tls_wipe_memory(false);
	return r;
}

static enum exit_status connection_tls(struct launch *l, struct turn *place,
				       struct serve_setup *setup)
{
	struct transport *transport;
	struct error err;

	if (accept_tls(l, &transport, &err) < 0) {
		if (err.code != -ECANCELED)
			log_warning("%s: %s", l->name, err.msg);
		return EXIT_REFUSED;
	}
	setup->store.host = transport->identity;
	setup->store.proof = transport->proof;
	if (*transport->identity) {
		place->host = transport->identity;
		say_proved(place);
	} else {
		setup->admit = refuse;
		setup->admit_ctx = &transport->unproved;
	}
	return serve(transport, setup);
}

/* Tell the peer why it is refused, and close without a reset. */
static enum exit_status turn_away(const struct launch *l, const char *why)
{
	if (!is_stopped()) /* an operator who stops it knows why */
		log_warning("%s: %s", l->name, why);
	transport_finish_socket(l->connection_fd, GOODBYE_MS);
	close(l->connection_fd);
	return EXIT_REFUSED;
}

/* Look at the first byte: false if none comes. */
static bool peek(int fd, char *first_ret)
{
	const uint64_t until_ms = clock_ms() + FIRST_BYTES_MS;
	int left;

	while (!stop_signal() && (left = clock_left_ms(until_ms, 1000)) > 0) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};

		if (poll(&pfd, 1, left) > 0)
			return recv(fd, first_ret, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
	}
	return false;
}

static enum exit_status connection_stream(const struct launch *l, struct turn *place)
{
	/* Of many streams at once nobody could read the progress. */
	const struct receive_setup setup = {
		.dir = l->dir,
		.max_size_bytes = l->max_size_bytes,
		.sums = (enum sums_kind)l->sums,
		.progress = PROGRESS_NONE,
		.reserve = ask_space,
		.reserve_ctx = place,
	};
	struct error err;

	if (await_place(place, &err) < 0)
		return turn_away(l, err.msg);
	return receive_connection(&setup, l->connection_fd, l->name);
}

/* Over plain TCP a host is known by its address. */
static enum exit_status connection_plain(const struct launch *l, struct turn *place,
					 const struct serve_setup *usual)
{
	struct serve_setup setup = *usual;
	struct transport *transport;
	struct error err;
	char first;

	if (!peek(l->connection_fd, &first))
		return turn_away(l, "said nothing");
	if (first == TLS_FIRST_BYTE)
		return turn_away(l, "speaks TLS, and this listens without (--tls-cert, --tls-psk)");
	if (first == FLAT_SIGNATURE[0])
		return connection_stream(l, place);
	if (transport_new_fds(l->connection_fd, l->connection_fd, l->name, &transport, &err) < 0) {
		log_error("%s: %s", l->name, err.msg);
		return EXIT_FAILED;
	}
	setup.store.host = l->name;
	setup.store.proof = "address";
	return serve(transport, &setup);
}

static enum exit_status connection_as(struct launch *l, int queue_fd)
{
	struct turn place = {.fd = queue_fd, .host = l->name, .place = 1};
	struct serve_setup setup = {
		.store = {.dir = l->dir,
			  .peer = l->name,
			  .max_size_bytes = l->max_size_bytes,
			  .reserve = ask_space,
			  .reserve_ctx = &place},
		.admit = ask_place,
		.admit_ctx = &place,
		.retry_s = &place.retry_s,
		.look = look_around,
		.look_ctx = &place,
		.timeout_ms = l->timeout_ms,
	};
	enum exit_status status;

	log_divert(pass_line, &place);
	status = keys_given(&l->keys) ? connection_tls(l, &place, &setup)
				      : connection_plain(l, &place, &setup);
	log_divert(NULL, NULL);
	return status;
}

enum exit_status connection_serve(const char *fd_text)
{
	struct launch l;
	sigset_t while_waiting;
	struct error err;
	int queue_fd;

	/* The collector started us with these signals blocked, so none was missed before. */
	stop_catch(&while_waiting);
	if (launch_receive(fd_text, &l, &queue_fd, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	log_init("vmrecv", (enum log_level)l.shown);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	return connection_as(&l, queue_fd);
}
