/* One peer of the collector: who it is, whether it may send, and what.
 * Doesn't know the other peers. */
#include "receiver/collector/attend.h"

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

/* The handshake. What it takes of secrets is gone when this returns: who has shaken hands may say
 * what it likes. */
static int accept_tls(struct launch *l, struct transport **transport_ret, struct error *err)
{
	struct tls_server *server;
	int r;

	tls_wipe_memory(true);
	r = keys_use(&l->keys, &server, err);
	keys_close(&l->keys);
	if (r < 0) {
		close(l->connection_fd);
		return r;
	}
	r = transport_tls_accept(server, l->connection_fd, HANDSHAKE_MS, is_stopped, transport_ret,
				 err);
	tls_server_free(server);
	tls_wipe_memory(false);
	return r;
}

static enum exit_status attend_tls(struct launch *l, struct serve_setup *setup)
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
	if (!*transport->identity) {
		setup->admit = refuse;
		setup->admit_ctx = &transport->unproved;
	}
	return serve(transport, setup);
}

/* A close that is no reset. */
static enum exit_status turn_away(const struct launch *l, const char *why)
{
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

static enum exit_status attend_stream(const struct launch *l, struct place *place)
{
	const struct options o = {
		.dir = l->dir,
		.max_size_bytes = l->max_size_bytes,
		.shown = (enum log_level)l->shown,
	};
	struct error err;

	if (await_place(place, &err) < 0)
		return turn_away(l, err.msg);
	return receive_connection(&o, l->connection_fd, l->name);
}

/* Over plain TCP a host is its address. */
static enum exit_status attend_plain(const struct launch *l, struct place *place,
				     const struct serve_setup *usual)
{
	struct serve_setup setup = *usual;
	struct transport *transport;
	struct error err;
	char first;

	if (!peek(l->connection_fd, &first))
		return turn_away(l, is_stopped() ? "stopped by a signal" : "said nothing");
	if (!l->is_trusted) {
		error_set(&err, -EACCES, "%s is in no network of --plain-from", l->name);
		setup.admit = refuse;
		setup.admit_ctx = &err;
	}
	if (first == TLS_FIRST_BYTE)
		return turn_away(l, "speaks TLS, and this listens without (--tls-cert, --tls-psk)");
	if (first != FRAME_MAGIC[0] && !l->is_trusted)
		return turn_away(l, "is in no network of --plain-from");
	if (first == FLAT_SIGNATURE[0])
		return attend_stream(l, place);
	if (transport_new_fds(l->connection_fd, l->connection_fd, l->name, &transport, &err) < 0) {
		log_error("%s: %s", l->name, err.msg);
		return EXIT_FAILED;
	}
	setup.store.host = l->name;
	setup.store.proof = "address";
	return serve(transport, &setup);
}

static enum exit_status attend_as(struct launch *l, int queue_fd)
{
	struct place place = {.fd = queue_fd, .place = 1};
	struct serve_setup setup = {
		.store = {.dir = l->dir, .peer = l->name, .max_size_bytes = l->max_size_bytes},
		.admit = ask_place,
		.admit_ctx = &place,
		.timeout_ms = l->timeout_ms,
	};

	return keys_given(&l->keys) ? attend_tls(l, &setup) : attend_plain(l, &place, &setup);
}

enum exit_status attend(const char *fd_text)
{
	struct launch l;
	sigset_t while_waiting;
	struct error err;
	int queue_fd;

	/* The collector has them blocked, so none was missed so far. */
	stop_catch(&while_waiting);
	if (launch_receive(fd_text, &l, &queue_fd, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	log_init("vmrecv", (enum log_level)l.shown);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	return attend_as(&l, queue_fd);
}
