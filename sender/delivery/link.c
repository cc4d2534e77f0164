/* Moves a session's bytes over a transport.
 * Doesn't know what they say, nor where the transport leads. */
#include "sender/delivery/link.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "wire/transport.h"

enum {
	/* A receiver says little: acknowledgements and heartbeats. */
	INPUT_BYTES = 16 << 10,

	/* How long a signal or the deadline may go unseen while nothing moves. */
	WAIT_MS = 250,

	/* What may be sent at once of a limited rate: a tenth of a second of it. */
	BURST_PER_S = 10,

	GOODBYE_MS = 2000,

	/* What is read before something is sent again: a receiver that talks and talks is slow, but
	   doesn't keep us. */
	READS_AT_ONCE = 16,
};

struct link {
	struct transport *transport;
	struct upload *session;
	struct link_setup setup;
	uint64_t sent_bytes;

	uint64_t allowance;  /* bytes that the rate allows now */
	uint64_t allowed_ms; /* when it was last added to */
	bool oneway;
	bool broken;
	uint8_t input[INPUT_BYTES];
};

int link_new(struct transport *transport, const struct upload_setup *session,
	     const struct link_setup *setup, struct link **l_ret, struct error *err)
{
	AUTO(link_free) struct link *l = calloc(1, sizeof(*l));
	int r;

	if (!l) {
		transport_free(transport);
		return error_set(err, -ENOMEM, "out of memory for a link");
	}
	l->transport = transport;
	l->setup = *setup;
	l->oneway = session->oneway;
	l->allowed_ms = clock_ms();
	r = upload_new(session, l->allowed_ms, &l->session, err);
	if (r < 0)
		return r;
	*l_ret = TAKE_PTR(l);
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	upload_free(l->session);
	transport_free(l->transport);
	free(l);
}

struct upload *link_session(struct link *l)
{
	return l->session;
}

bool link_is_broken(const struct link *l)
{
	return l->broken;
}

/* The result of a call of ours. */
static int note(struct link *l, int r)
{
	l->broken |= r < 0;
	return r;
}

uint64_t link_sent_bytes(const struct link *l)
{
	return l->sent_bytes;
}

uint64_t link_waiting_bytes(const struct link *l)
{
	size_t pending;

	upload_output(l->session, &pending);
	return pending + transport_unsent_bytes(l->transport);
}

/* How much of `size_bytes` may be sent now. */
static size_t allowed(struct link *l, size_t size_bytes, uint64_t now_ms)
{
	/* No link is that fast, and a second's worth in milliseconds has room. */
	const uint64_t rate = MIN(l->setup.bytes_per_s, UINT64_MAX / 1000);
	const uint64_t burst = MAX(rate / BURST_PER_S, UINT64_C(1));

	if (!rate)
		return size_bytes;
	/* Time that isn't enough for a byte yet is kept for the next call. */
	if (now_ms - l->allowed_ms >= 1000) {
		l->allowance = burst;
		l->allowed_ms = now_ms;
	} else if ((now_ms - l->allowed_ms) * rate >= 1000) {
		l->allowance = MIN(burst, l->allowance + (now_ms - l->allowed_ms) * rate / 1000);
		l->allowed_ms = now_ms;
	}
	return (size_t)MIN((uint64_t)size_bytes, l->allowance);
}

/* 1: some went out; 0: none could, and `*blocked_ret` says whether it was the transport. */
static int push(struct link *l, uint64_t now_ms, bool *blocked_ret, struct error *err)
{
	const uint8_t *bytes;
	size_t size_bytes;
	ssize_t n;

	*blocked_ret = false;
	bytes = upload_output(l->session, &size_bytes);
	size_bytes = allowed(l, size_bytes, now_ms);
	if (size_bytes == 0)
		return 0;
	n = transport_send(l->transport, bytes, size_bytes, err);
	if (n < 0)
		return (int)n;
	*blocked_ret = n == 0;
	upload_sent(l->session, (size_t)n, now_ms);
	l->sent_bytes += (uint64_t)n;
	if (l->setup.bytes_per_s)
		l->allowance -= (uint64_t)n;
	return n > 0;
}

static int pull(struct link *l, uint64_t now_ms, struct error *err)
{
	bool some = false;

	for (int i = 0; i < READS_AT_ONCE && !l->oneway; i++) {
		const ssize_t n = transport_recv(l->transport, l->input, sizeof(l->input), err);
		int r;

		if (n <= 0)
			return n < 0 ? (int)n : some;
		r = upload_feed(l->session, l->input, (size_t)n, now_ms, err);
		if (r < 0)
			return r;
		some = true;
	}
	return some;
}

/* The other side has closed, for a reason that the transport may know. What a shell printed in
 * place of a receiver tells more, or the same. */
static int link_ended(struct link *l, struct error *err)
{
	const char *noise = upload_noise(l->session);

	err->code = -ECONNRESET;
	if (*noise)
		error_set(err, -ECONNRESET, "%s; it printed: %s", err->msg, noise);
	return err->code;
}

/* Both ways once: 1 if anything moved. */
static int move(struct link *l, bool *blocked_ret, struct error *err)
{
	const uint64_t now_ms = clock_ms();
	int out, in = pull(l, now_ms, err), r;

	*blocked_ret = false;
	/* The end of a link is news only to a session that isn't done. */
	if (in == -ENODATA && upload_state(l->session) == UPLOAD_DONE)
		return 1;
	if (in == -ENODATA)
		return link_ended(l, err);
	if (in < 0)
		return in;
	/* Not before: what came while nobody looked was no silence. */
	r = upload_tick(l->session, now_ms, err);
	if (r < 0)
		return r;
	out = push(l, now_ms, blocked_ret, err);
	/* What the peer said before it hung up tells more than that it did. */
	if (out < 0) {
		struct error why;

		in = pull(l, now_ms, &why);
		if (in < 0 && in != -ENODATA && in != -ECONNRESET && in != -EPIPE)
			*err = why;
		return err->code == -ENODATA ? link_ended(l, err) : err->code;
	}
	return out || in;
}

int link_pump(struct link *l, struct error *err)
{
	bool blocked;
	int r;

	do {
		r = stop_check(&l->setup.stop, err);
		if (r == 0)
			r = move(l, &blocked, err);
	} while (r > 0 && upload_state(l->session) != UPLOAD_DONE);
	return note(l, MIN(r, 0));
}

/* Until something can move, or a moment has passed. */
static int pause_until(struct link *l, bool blocked, struct error *err)
{
	const uint64_t now_ms = clock_ms(), tick_ms = upload_next_tick_ms(l->session);
	uint64_t wait_ms = WAIT_MS;
	size_t pending;
	int r;

	upload_output(l->session, &pending);
	if (pending && !blocked && l->setup.bytes_per_s)
		wait_ms = 1000 / BURST_PER_S / 2;
	wait_ms = tick_ms > now_ms ? MIN(wait_ms, tick_ms - now_ms) : 1;
	r = transport_wait(l->transport, blocked, (int)wait_ms, NULL, err);
	return r < 0 ? r : 0;
}

/* Both ways; wait if nothing moved. */
int link_turn(struct link *l, struct error *err)
{
	bool blocked;
	int r = move(l, &blocked, err);

	if (r < 0 || upload_state(l->session) == UPLOAD_DONE)
		return MIN(r, 0);
	/* Also of a link on which something always moves. */
	if (stop_check(&l->setup.stop, err) < 0)
		return err->code;
	return r ? 0 : pause_until(l, blocked, err);
}

int link_await(struct link *l, enum upload_state state, struct error *err)
{
	int r = 0;

	while (r == 0 && upload_state(l->session) <= state)
		r = link_turn(l, err);
	return note(l, r);
}

/* Until there is room for most of what a frame can be. */
static int drain(struct link *l, struct error *err)
{
	size_t pending;
	int r;

	do {
		r = link_turn(l, err);
		upload_output(l->session, &pending);
	} while (r == 0 && pending > UPLOAD_LOW_WATER_BYTES);
	return note(l, r);
}

/*
 * With what the session returned for a message: true where it had no room, and has some now, so
 * that it is worth another call. False where it took the message (1 in *r) or where the link ends
 * (*r is negative).
 */
static bool has_new_room(struct link *l, int *r, struct error *err)
{
	const bool full = *r == 0;

	if (full)
		*r = drain(l, err);
	return full && *r == 0;
}

int link_attach(struct link *l, const struct attach *piece, struct error *err)
{
	int r;

	do
		r = upload_attach(l->session, piece, err);
	while (has_new_room(l, &r, err));
	return r < 0 ? note(l, r) : link_pump(l, err);
}

int link_totals(struct link *l, const struct totals *totals, struct error *err)
{
	int r;

	do
		r = upload_totals(l->session, totals, err);
	while (has_new_room(l, &r, err));
	return note(l, MIN(r, 0));
}

int link_data(struct link *l, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	while (size_bytes) {
		const int64_t n = upload_data(l->session, bytes, size_bytes, err);
		int r = 0;

		if (n < 0)
			return note(l, (int)n);
		bytes += n;
		size_bytes -= (size_t)n;
		if (n == 0)
			r = drain(l, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int link_checkpoint(struct link *l, const struct checkpoint *checkpoint, struct error *err)
{
	int r;

	do
		r = upload_checkpoint(l->session, checkpoint, err);
	while (has_new_room(l, &r, err));
	return r < 0 ? note(l, r) : link_pump(l, err);
}

int link_end(struct link *l, const struct end *end, struct error *err)
{
	int r;

	do
		r = upload_end(l->session, end, err);
	while (has_new_room(l, &r, err));
	if (r > 0)
		r = link_await(l, UPLOAD_ENDING, err);
	/* The dump is there; how the link ends no longer matters. */
	if (r == 0) {
		struct error unused;

		(void)!transport_finish(l->transport, GOODBYE_MS, &unused);
	}
	return note(l, r);
}

void link_abort(struct link *l, enum reason reason, const char *text)
{
	const uint64_t until_ms = clock_ms() + GOODBYE_MS;
	struct error unused;
	size_t pending = 1;

	upload_abort(l->session, reason, text);
	while (pending && clock_ms() < until_ms) {
		bool blocked;
		const int r = move(l, &blocked, &unused);

		if (r < 0 ||
		    (r == 0 && transport_wait(l->transport, blocked, WAIT_MS, NULL, &unused) < 0))
			return;
		upload_output(l->session, &pending);
	}
	(void)!transport_finish(l->transport, GOODBYE_MS, &unused);
}
