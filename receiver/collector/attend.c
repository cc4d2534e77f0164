/* One peer of the collector: who it is, whether it may send, and what.
 * Doesn't know the other peers. */
#include "receiver/collector/attend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "format/flat.h"
#include "receiver/intake/receive.h"
#include "receiver/intake/serve.h"
#include "receiver/intake/stop.h"
#include "receiver/options.h"
#include "wire/frame.h"
#include "wire/transport.h"

enum {
	/* From the connection to the first byte of what it is about. */
	HANDSHAKE_MS = 15000,
	FIRST_BYTES_MS = 15000,

	ANSWER_MS = 10000, /* of the collector itself */
	GOODBYE_MS = 3000,

	TLS_FIRST_BYTE = 0x16, /* a handshake record. RFC 8446, 5.1 */
};

/* --- a place -------------------------------------------------------------------------------- */

struct place {
	int fd;
	bool asked;
	attend_place place;
};

/* What the collector says next, within so long: false if it says nothing. Without a collector
 * nobody counts places any more. */
static bool hear_place(struct place *p, int timeout_ms)
{
	struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
	ssize_t n;

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return false;
	n = recv(p->fd, &p->place, sizeof(p->place), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		p->place = 0;
	return n > 0;
}

/* A session's admit(). A probe takes no place. */
static int ask_place(void *ctx, bool probe, struct error *err)
{
	struct place *p = ctx;

	if (probe)
		return 0;
	if (!p->asked) {
		p->asked = true;
		(void)!send(p->fd, "", 1, MSG_NOSIGNAL);
		if (!hear_place(p, ANSWER_MS) && p->place)
			return error_set(err, -EAGAIN, "the collector is too busy");
	}
	while (p->place > 0 && hear_place(p, 0))
		;
	if (p->place < 0)
		return error_set(err, -EAGAIN, "too many others wait for a place");
	return p->place;
}

/* For what can't be told to wait: not read, it waits all the same. */
static int await_place(struct place *p, struct error *err)
{
	int r;

	while ((r = ask_place(p, false, err)) > 0) {
		if (stop_signal())
			return error_set(err, -ECANCELED, "stopped by a signal");
		(void)hear_place(p, 1000);
	}
	return r;
}

/* The admit() of who is let in only to be told why not. */
static int refuse(void *ctx, bool probe UNUSED, struct error *err)
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

static enum exit_status attend_tls(const struct attendance *a, struct serve_setup *setup)
{
	struct transport *transport;
	struct error err;

	if (transport_tls_accept(a->tls, a->fd, HANDSHAKE_MS, is_stopped, &transport, &err) < 0) {
		if (err.code != -ECANCELED)
			log_warning("%s: %s", a->name, err.msg);
		return EXIT_REFUSED;
	}
	setup->store.host = transport->identity;
	setup->store.proof = transport->proof;
	if (!*transport->identity) {
		setup->admit = refuse;
		setup->admit_ctx = &transport->unproved;
	}
	return serve(transport, setup);
}

/* A close that is no reset. */
static enum exit_status turn_away(const struct attendance *a, const char *why)
{
	log_warning("%s: %s", a->name, why);
	transport_finish_socket(a->fd, GOODBYE_MS);
	close(a->fd);
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

static enum exit_status attend_stream(const struct attendance *a, struct place *place)
{
	struct error err;

	if (await_place(place, &err) < 0)
		return turn_away(a, err.msg);
	return receive_connection(a->o, a->fd, a->name);
}

/* Over plain TCP a host is its address. */
static enum exit_status attend_plain(const struct attendance *a, struct place *place,
				     const struct serve_setup *usual)
{
	struct serve_setup setup = *usual;
	struct transport *transport;
	struct error err;
	char first;

	if (!peek(a->fd, &first))
		return turn_away(a, is_stopped() ? "stopped by a signal" : "said nothing");
	if (!a->is_trusted) {
		error_set(&err, -EACCES, "%s is in no network of --plain-from", a->name);
		setup.admit = refuse;
		setup.admit_ctx = &err;
	}
	if (first == TLS_FIRST_BYTE)
		return turn_away(a, "speaks TLS, and this listens without (--tls-cert, --tls-psk)");
	if (first != FRAME_MAGIC[0] && !a->is_trusted)
		return turn_away(a, "is in no network of --plain-from");
	if (first == FLAT_SIGNATURE[0])
		return attend_stream(a, place);
	if (transport_new_fds(a->fd, a->fd, a->name, &transport, &err) < 0) {
		log_error("%s: %s", a->name, err.msg);
		return EXIT_FAILED;
	}
	setup.store.host = a->name;
	setup.store.proof = "address";
	return serve(transport, &setup);
}

enum exit_status attend(const struct attendance *a)
{
	struct place place = {.fd = a->queue_fd, .place = 1};
	struct serve_setup setup = {
		.store = {.dir = a->o->dir,
			  .peer = a->name,
			  .max_size_bytes = a->o->max_size_bytes},
		.admit = ask_place,
		.admit_ctx = &place,
		.timeout_ms = a->o->timeout_ms,
	};

	return a->tls ? attend_tls(a, &setup) : attend_plain(a, &place, &setup);
}
