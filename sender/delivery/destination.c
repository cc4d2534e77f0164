/* One destination: connecting to it, and what its failures mean.
 * Doesn't know of others, nor when one's turn is. */
#include "sender/delivery/destination.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sender/delivery/queueing.h"
#include "sender/machine/entropy.h"
#include "sender/machine/network.h"
#include "sender/transport/command.h"
#include "sender/transport/ssh.h"

enum {
	CONNECT_MS = 15000, /* of one attempt, with the handshake */
	DENIALS_MAX = 2,
	MISMATCHES_MAX = 2,
	PUT_OFF_MAX = 4, /* doublings of the time that a server wants to be left alone */

	/* A server that is there has no less time for an answer than for a connection, however
	   short --retry is: it may be busy. */
	ANSWER_MS = CONNECT_MS,
	PROBE_PATIENCE_MS = 120000,

	/* What is slower than a modem brings no dump over. */
	LEAST_BYTES_PER_S = 4096,
};

bool destination_is_server(const struct destination *to)
{
	return to->url.scheme != URL_FILE;
}

bool destination_is_out(const struct destination *to)
{
	return to->refused || to->queue_is_over;
}

static void say_remote(void *ctx, const char *line)
{
	const struct destination *to = ctx;

	log_note("%s: %s: %s", to->url.text, to->url.scheme == URL_EXEC ? "command" : "remote",
		 line);
}

/* Keys are made of random numbers. */
static int await_entropy(const struct connect_setup *connect, const struct url *url,
			 struct error *err)
{
	if (url->scheme == URL_TCP || url->scheme == URL_EXEC || entropy_is_there())
		return 0;
	log_note("%s: waiting for the kernel's random numbers", url->text);
	return entropy_await(connect->timeout_ms, &connect->stop, err);
}

static int connect_by_scheme(const struct url *url, const struct connect_setup *connect,
			     struct transport **transport_ret, struct error *err)
{
	switch (url->scheme) {
	case URL_TLS:
		return transport_tls_connect(url, connect, transport_ret, err);
	case URL_EXEC:
		return transport_command_start(url, connect, transport_ret, err);
	case URL_SSH:
		return transport_ssh_connect(url, connect, transport_ret, err);
	default:
		return transport_tcp_connect(url, connect, transport_ret, err);
	}
}

static int connect_transport(struct destination *to, const struct destination_setup *setup,
			     struct transport **transport_ret, struct error *err)
{
	const struct url *url = &to->url;
	struct connect_setup connect = setup->connect;
	int r = stop_check(&setup->stop, err);

	if (r < 0)
		return r;
	connect.timeout_ms = CONNECT_MS;
	connect.stop = setup->stop;
	connect.not_before_s = setup->hello.crash_time_s;
	connect.said = say_remote;
	connect.said_ctx = to;
	r = await_entropy(&connect, url, err);
	return r < 0 ? r : connect_by_scheme(url, &connect, transport_ret, err);
}

/*
 * As long as the receiver has no place for us: it may be long, after a power cut of many machines.
 * A queue that doesn't get shorter is no better than a server that doesn't answer.
 */
static int wait_in_queue(struct destination *to, const struct destination_setup *setup, bool probe,
			 struct link *link, struct error *err)
{
	const uint64_t stall_ms = probe ? (uint64_t)PROBE_PATIENCE_MS : setup->retry_ms;
	const uint64_t total_ms = probe ? (uint64_t)PROBE_PATIENCE_MS : setup->queue_ms;
	const uint64_t begin_ms = clock_ms();
	struct upload *session = link_session(link);
	struct queueing q;
	int r = 0;

	/* Links that are made anew don't make it longer. */
	queueing_begin(&q, stall_ms, total_ms - MIN(to->queued_ms, total_ms - 1), begin_ms);
	while (r == 0 && upload_state(session) == UPLOAD_QUEUED) {
		const uint32_t place = upload_place(session);

		if (queueing_tells(&q, place, clock_ms()))
			log_note("%s: has no place so far: number %" PRIu32 " in the queue",
				 to->url.text, place);
		r = queueing_check(&q, clock_ms(), &to->queue_is_over, err);
		if (r == 0)
			r = link_turn(link, err);
	}
	to->queued_ms += q.moved_ms - begin_ms;
	return r;
}

static uint64_t answer_ms(const struct destination_setup *setup, bool probe)
{
	const uint64_t retry_ms =
		probe ? MAX(setup->retry_ms, (uint64_t)PROBE_PATIENCE_MS) : setup->retry_ms;

	return MAX(retry_ms, (uint64_t)MIN(setup->timeout_ms, (uint32_t)ANSWER_MS));
}

static uint64_t least_bytes_per_s(const struct destination_setup *setup)
{
	const uint64_t least = LEAST_BYTES_PER_S;

	return setup->bytes_per_s ? MIN(least, setup->bytes_per_s / 2) : least;
}

int destination_connect(struct destination *to, const struct destination_setup *setup, bool probe,
			struct link **link_ret, struct error *err)
{
	const struct link_setup link_setup = {
		.bytes_per_s = setup->bytes_per_s,
		.stop = setup->stop,
	};
	struct upload_setup session = {
		.hello = setup->hello,
		.oneway = to->oneway,
		.skip_noise =
			(to->url.scheme == URL_SSH || to->url.scheme == URL_EXEC) && !to->oneway,
		.timeout_ms = setup->timeout_ms,
		.answer_ms = answer_ms(setup, probe),
		.least_bytes_per_s = least_bytes_per_s(setup),
	};
	struct transport *transport;
	int r;

	*link_ret = NULL;
	session.hello.probe = probe;
	r = to->oneway ? transport_new_fds(-1, dup(STDOUT_FILENO), to->url.text, &transport, err)
		       : connect_transport(to, setup, &transport, err);
	if (r == 0)
		r = link_new(transport, &session, &link_setup, link_ret, err);
	if (r == 0)
		r = link_await(*link_ret, UPLOAD_HELLO, err);
	return r < 0 ? r : wait_in_queue(to, setup, probe, *link_ret, err);
}

/* What the network lacks, as " (eth0 has no address)", where that may be why. */
static const char *why_unreachable(int code, char *text, size_t room)
{
	char missing[64];

	*text = '\0';
	if ((code == -ENETUNREACH || code == -EHOSTUNREACH || code == -ENETDOWN ||
	     code == -ETIMEDOUT) &&
	    *network_missing(missing, sizeof(missing)))
		snprintf(text, room, " (%s)", missing);
	return text;
}

/* It said to come again so much later. Who says so again and again has to be waited for longer. */
static void put_off(struct destination *to, uint32_t retry_after_s)
{
	const uint64_t ms = UINT64_C(1000) * retry_after_s
			    << MIN(to->put_off, (unsigned)PUT_OFF_MAX);

	to->put_off++;
	to->not_before_ms = clock_ms() + ms;
}

/*
 * Its queue is full, and our turn is kept: the wait counts as one in the queue, as long as the time
 * that we are told gets shorter. Otherwise it counts as that of a queue that doesn't.
 */
static void keep_turn(struct destination *to, uint32_t retry_after_s, uint64_t queue_ms)
{
	const uint64_t now_ms = clock_ms();

	to->not_before_ms = now_ms + UINT64_C(1000) * retry_after_s;
	to->away_ms = !to->turn_s || retry_after_s < to->turn_s ? now_ms : 0;
	to->turn_s = retry_after_s;
	if (to->away_ms)
		to->queued_ms += UINT64_C(1000) * retry_after_s;
	to->queue_is_over = to->queued_ms >= queue_ms;
}

uint64_t destination_away_ms(const struct destination *to)
{
	return to->away_ms ? MIN(clock_ms(), to->not_before_ms) - to->away_ms : 0;
}

bool destination_note_sent(struct destination *to, struct link *link)
{
	const struct upload *session = link ? link_session(link) : NULL;

	if (!session || to->has_part || to->oneway || upload_state(session) < UPLOAD_GOING)
		return false;
	to->was_sent |= upload_stream_off(session) > 0;
	to->was_taken |= upload_was_taken(session);
	if (to->was_sent)
		snprintf(to->part, sizeof(to->part), "%s", upload_welcome(session)->part);
	return to->was_taken;
}

void destination_say_part(const struct destination *to)
{
	const char *colon = *to->part ? ": " : "";

	if (to->has_part)
		log_note("%s: a part of the dump is there%s%s", to->url.text, colon, to->part);
	else if (to->was_taken)
		log_note("%s: a part of the dump is there%s%s (not acknowledged)", to->url.text,
			 colon, to->part);
	else if (to->was_sent && *to->part)
		log_note("%s: a part of the dump may be there%s%s", to->url.text, colon, to->part);
}

static bool is_denial(int code)
{
	return code == -EACCES || code == -ENOTSUP;
}

bool destination_may_be_wronged(const struct destination *to, int code)
{
	return is_denial(code) && !to->welcomed && !to->refused;
}

/*
 * Whether no other try can end better. Keys, names and addresses that are wrong stay wrong; what
 * was right once is so still, whatever a link made of it.
 */
static bool is_for_good(struct destination *to, enum upload_failure failure, int code)
{
	if (failure == UPLOAD_REFUSED || !destination_is_server(to) || to->oneway)
		return true;
	if (failure == UPLOAD_DIFFERS || code == -ESTALE)
		return ++to->mismatches >= MISMATCHES_MAX;
	if (to->welcomed)
		return false;
	return is_denial(code) ? ++to->denials >= DENIALS_MAX : code == -EINVAL;
}

/* Whether a server has sent us away from its queue. */
static bool is_sent_away(const struct upload *session, const struct error *err)
{
	return upload_state(session) <= UPLOAD_QUEUED && err->code == -EAGAIN;
}

void destination_failed(struct destination *to, struct link *link, uint64_t queue_ms,
			const struct error *err)
{
	enum upload_failure failure = UPLOAD_BROKEN;
	char why[72];

	if (link) {
		failure = upload_failure(link_session(link));
		if (failure == UPLOAD_LATER && is_sent_away(link_session(link), err))
			keep_turn(to, upload_retry_after_s(link_session(link)), queue_ms);
		else if (failure == UPLOAD_LATER)
			put_off(to, upload_retry_after_s(link_session(link)));
	}
	if (is_for_good(to, failure, err->code))
		to->refused = true;
	/* The only one there is: its error is the program's, which says it. */
	if (!to->oneway)
		log_warning("%s: %s%s%s", to->url.text, err->msg,
			    why_unreachable(err->code, why, sizeof(why)),
			    destination_is_out(to) ? "; not tried again" : "");
}
