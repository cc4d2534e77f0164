/*
 * The bytes of an SSH connection, shared by what sets it up and what uses it. Only the ssh_*.c know
 * libssh2.
 *
 * libssh2 never touches the socket: what it sends is collected in `out`, where there is always
 * room, so no packet of it is ever sent in part. It would want the rest to be asked for in the very
 * same way, before anything else is sent; and what it has to say for itself, in a change of keys,
 * is something else. What it reads is there or isn't: the end of the connection is told by us.
 */
#ifndef SSH_CHANNEL_H
#define SSH_CHANNEL_H

#include <libssh2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/transport/remote_lines.h"
#include "wire/transport.h"

enum {
	/* Packets are collected that far before they are sent: a system call for each 32 KiB costs
	   a tenth of a second per GB. */
	SSH_BATCH_BYTES = 256 << 10,

	/* A packet, and what libssh2 says for itself: answers, changes of keys. */
	SSH_SLACK_BYTES = 128 << 10,

	/* The most that it takes at once. libssh2, _libssh2_channel_write(). */
	SSH_WRITE_BYTES = 32700,
};

struct ssh {
	struct transport t;
	int fd;
	LIBSSH2_SESSION *session;
	LIBSSH2_CHANNEL *channel;

	uint8_t *out; /* [begin, end): on its way to the socket */
	size_t out_begin, out_end;
	bool dry;     /* the socket had nothing more when it was last asked */
	bool ended;   /* the server has closed the connection */
	int broken;   /* or it failed: errno */
	bool leaving; /* the library is to forget it all */

	/* What was to be written, but for the window or a change of keys: taken, as libssh2 wants
	   the same bytes again. */
	uint8_t staged[SSH_WRITE_BYTES];
	size_t staged_begin, staged_end;

	uint64_t eof_ms; /* when the command's output was seen to have ended; 0: it hasn't */

	char greeting[REMOTE_LINE_BYTES]; /* the first bytes that came */
	size_t greeting_bytes;
	char farewell[REMOTE_LINE_BYTES]; /* of a server that disconnects; "" */

	struct remote_lines errors; /* the command's standard error */
};

/* Takes `fd`. */
NODISCARD int ssh_new(int fd, const char *peer, struct ssh **ssh_ret, struct error *err);
void ssh_free(struct ssh *ssh);
DEFINE_AUTO(struct ssh, ssh_free)

/* Why a call of libssh2 failed that wasn't only too early: the connection, or what it says. `code`
 * is that of a failure which the server meant. */
int ssh_failed(struct ssh *ssh, int code, const char *what, struct error *err);

/* The library wants to be called again when something has come: 0 after a moment of waiting, or why
 * there is no use in it. */
NODISCARD int ssh_await(struct ssh *ssh, int timeout_ms, const char *what, struct error *err);

#endif
