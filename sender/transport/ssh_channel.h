/*
 * The bytes of an SSH connection, shared by the files that set it up and the file that uses it.
 * Only the ssh_*.c know libssh2.
 *
 * libssh2 never touches the socket: its packets are collected in `out`, where there is always room,
 * so no packet is ever sent in part. After a part, libssh2 would want the very same call again
 * before it sends any other packet; but in a change of keys it has packets of its own to send. When
 * it reads, it gets bytes or none: we find the end of the connection ourselves.
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
	/* So many bytes of packets are collected before they are sent: a system call for each 32
	 * KiB costs a tenth of a second per GB. */
	SSH_BATCH_BYTES = 256 << 10,

	/* Room for a packet, and for packets of libssh2's own: answers, changes of keys. */
	SSH_SLACK_BYTES = 128 << 10,

	/* The most that libssh2 takes at once. Source: _libssh2_channel_write(). */
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
	bool leaving; /* the library shall drop all output */

	/* Bytes that couldn't be written because of a full window or a change of keys. They count
	 * as taken, since libssh2 wants the same bytes again. */
	uint8_t staged[SSH_WRITE_BYTES];
	size_t staged_begin, staged_end;

	uint64_t eof_ms; /* when the end of the command's output was seen; 0: not yet */

	char greeting[REMOTE_LINE_BYTES]; /* the first bytes that came */
	size_t greeting_bytes;
	char farewell[REMOTE_LINE_BYTES]; /* of a server that disconnects; "" */

	struct remote_lines errors; /* the command's standard error */
};

/* Takes `fd`. */
NODISCARD int ssh_new(int fd, const char *peer, struct ssh **ssh_ret, struct error *err);
void ssh_free(struct ssh *ssh);
DEFINE_AUTO(struct ssh, ssh_free)

/* The error for a failed call of libssh2 (not one that was only too early): the end of the
 * connection, or the library's error. `code` is used for a failure that the server intended. */
int ssh_failed(struct ssh *ssh, int code, const char *what, struct error *err);

/* For a call that the library wants again when bytes have come: 0 after a moment of waiting, or
 * fails where another call is of no use. */
NODISCARD int ssh_await(struct ssh *ssh, int timeout_ms, const char *what, struct error *err);

#endif
