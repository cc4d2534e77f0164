/* A channel of SSH as a transport.
 * Doesn't know how the channel was opened, nor what the bytes are. */
#include "sender/transport/ssh_channel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/printable.h"

enum {
	/* A command's status comes right after the end of its output, if at all. */
	STATUS_MS = 2000,

	/* Sent without waiting for an answer; for the devices between us and the server. */
	KEEPALIVE_S = 15,
};

/* --- the socket ----------------------------------------------------------------------------- */

static size_t pending(const struct ssh *ssh)
{
	return ssh->out_end - ssh->out_begin;
}

static LIBSSH2_SEND_FUNC(put_out)
{
	struct ssh *ssh = *abstract;

	(void)socket;
	(void)flags;
	if (ssh->leaving)
		return (ssize_t)length;
	if (SSH_BATCH_BYTES + SSH_SLACK_BYTES - ssh->out_end < length && ssh->out_begin) {
		memmove(ssh->out, ssh->out + ssh->out_begin, pending(ssh));
		ssh->out_end -= ssh->out_begin;
		ssh->out_begin = 0;
	}
	/* The server asks and asks, and doesn't read the answers. */
	if (SSH_BATCH_BYTES + SSH_SLACK_BYTES - ssh->out_end < length)
		return -EAGAIN;
	memcpy(ssh->out + ssh->out_end, buffer, length);
	ssh->out_end += length;
	return (ssize_t)length;
}

static void keep_greeting(struct ssh *ssh, const char *bytes, size_t n)
{
	for (; n && ssh->greeting_bytes < sizeof(ssh->greeting) - 1; n--, bytes++)
		ssh->greeting[ssh->greeting_bytes++] = *bytes;
}

static LIBSSH2_RECV_FUNC(take_in)
{
	struct ssh *ssh = *abstract;
	ssize_t n;

	(void)flags;
	if (ssh->leaving)
		return 0;
	if (ssh->dry || ssh->ended || ssh->broken)
		return -EAGAIN;
	n = recv(socket, buffer, length, MSG_DONTWAIT);
	if (n > 0) {
		keep_greeting(ssh, buffer, (size_t)n);
		return n;
	}
	if (n == 0)
		ssh->ended = true;
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		ssh->broken = errno;
	/* Not 0 at the end: the library would drop bytes that it still has to give. */
	ssh->dry = true;
	return -EAGAIN;
}

/* Send waiting bytes: 1 if some are left, 0, or a failure. */
NODISCARD static int ssh_flush(struct ssh *ssh, struct error *err)
{
	while (pending(ssh)) {
		const ssize_t n = send(ssh->fd, ssh->out + ssh->out_begin, pending(ssh),
				       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return 1;
		if (n < 0) {
			ssh->broken = errno;
			return error_sys(err, "sending");
		}
		ssh->out_begin += (size_t)n;
	}
	ssh->out_begin = ssh->out_end = 0;
	return 0;
}

/* --- what the server says ------------------------------------------------------------------- */

static LIBSSH2_DISCONNECT_FUNC(keep_farewell)
{
	struct ssh *ssh = *abstract;

	(void)session;
	(void)reason;
	(void)language;
	(void)language_len;
	if (message && message_len > 0)
		printable_text(ssh->farewell, sizeof(ssh->farewell), message, (size_t)message_len);
}

/* Read its standard error, but not to the end: the command may write all the time. */
static void read_errors(struct ssh *ssh)
{
	char bytes[1024];

	for (size_t i = 0; i < REMOTE_BYTES_AT_ONCE / sizeof(bytes); i++) {
		const ssize_t n = libssh2_channel_read_stderr(ssh->channel, bytes, sizeof(bytes));

		if (n <= 0)
			return;
		remote_lines_take(&ssh->errors, bytes, (size_t)n);
	}
}

/* The first bytes of a server that doesn't speak SSH, or not to us. */
static const char *rude_greeting(struct ssh *ssh)
{
	char text[REMOTE_LINE_BYTES];
	const size_t n = ssh->greeting_bytes;

	if (n == 0 || strncmp(ssh->greeting, "SSH-", MIN(n, (size_t)4)) == 0)
		return "";
	ssh->greeting[n] = '\0';
	printable_text(text, sizeof(text), ssh->greeting, strcspn(ssh->greeting, "\r\n"));
	memcpy(ssh->greeting, text, sizeof(text));
	return ssh->greeting;
}

/* The connection has ended. */
static int connection_lost(struct ssh *ssh, const char *what, struct error *err)
{
	const char *greeting = rude_greeting(ssh);
	const char *said = *ssh->farewell ? ssh->farewell : greeting;

	if (ssh->broken) {
		errno = ssh->broken;
		return error_sys(err, "%s", what);
	}
	return error_set(err, -ECONNRESET, "%s: the server has closed the connection%s%s", what,
			 *said ? ": " : "", said);
}

int ssh_failed(struct ssh *ssh, int code, const char *what, struct error *err)
{
	char *text = NULL;
	const int why = libssh2_session_last_error(ssh->session, &text, NULL, 0);

	/* The text gives the reason, while the library only says that the connection ended. */
	if (ssh->ended || ssh->broken || *ssh->farewell)
		return connection_lost(ssh, what, err);
	if (why == LIBSSH2_ERROR_ALLOC)
		code = -ENOMEM;
	return error_set(err, code, "%s: %s", what, text && *text ? text : "failed");
}

/* --- waiting -------------------------------------------------------------------------------- */

/* As ppoll() on the socket, for sending if there is anything to be sent. */
static int poll_socket(struct ssh *ssh, int timeout_ms, const sigset_t *mask, struct error *err)
{
	const struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	struct pollfd pfd = {.fd = ssh->fd,
			     .events = (short)(POLLIN | (pending(ssh) ? POLLOUT : 0))};
	const int n = ppoll(&pfd, 1, timeout_ms < 0 ? NULL : &limit, mask);

	ssh->dry = false;
	if (n < 0 && errno != EINTR)
		return error_sys(err, "waiting for the connection");
	return n > 0;
}

int ssh_await(struct ssh *ssh, int timeout_ms, const char *what, struct error *err)
{
	int r = ssh_flush(ssh, err);

	if (ssh->ended || ssh->broken)
		return connection_lost(ssh, what, err);
	if (r >= 0)
		r = poll_socket(ssh, timeout_ms, NULL, err);
	return r < 0 ? error_prefix(err, "%s", what) : 0;
}

/* --- the transport -------------------------------------------------------------------------- */

static int channel_failed(struct ssh *ssh, const char *what, struct error *err)
{
	return ssh_failed(ssh, -ECONNRESET, what, err);
}

/* Send staged bytes, and those that wait for the socket: 1 if some are left. */
static int push(struct ssh *ssh, struct error *err)
{
	while (ssh->staged_begin < ssh->staged_end) {
		const ssize_t n =
			libssh2_channel_write(ssh->channel, (char *)ssh->staged + ssh->staged_begin,
					      ssh->staged_end - ssh->staged_begin);

		if (n == LIBSSH2_ERROR_EAGAIN || n == 0) {
			const int r = ssh_flush(ssh, err);

			return r < 0 ? r : 1;
		}
		if (n < 0)
			return channel_failed(ssh, "sending", err);
		ssh->staged_begin += (size_t)n;
	}
	return ssh_flush(ssh, err);
}

static ssize_t ssh_send(struct transport *t, const void *bytes, size_t size_bytes,
			struct error *err)
{
	struct ssh *ssh = (struct ssh *)t;
	size_t done = 0;
	int left;

	ssh->dry = false;
	left = push(ssh, err);
	while (left == 0 && done < size_bytes) {
		const char *p = (const char *)bytes + done;
		const size_t n = MIN(size_bytes - done, (size_t)SSH_WRITE_BYTES);
		const ssize_t taken = libssh2_channel_write(ssh->channel, p, n);

		if (taken == LIBSSH2_ERROR_EAGAIN || taken == 0) {
			memcpy(ssh->staged, p, n);
			ssh->staged_begin = 0;
			ssh->staged_end = n;
			done += n;
			left = ssh_flush(ssh, err) < 0 ? err->code : 1;
			break;
		}
		if (taken < 0)
			return channel_failed(ssh, "sending", err);
		done += (size_t)taken;
		if (pending(ssh) >= SSH_BATCH_BYTES) {
			left = ssh_flush(ssh, err);
			ssh->dry = false;
		}
	}
	if (left == 0)
		left = ssh_flush(ssh, err);
	return left < 0 ? left : (ssize_t)done;
}

/* The command has ended, and its output was read to the end: the error says how it ended, with its
 * last line. */
static int command_ended(struct ssh *ssh, struct error *err)
{
	const int status = libssh2_channel_get_exit_status(ssh->channel);
	char *signal_name = NULL, name[17], how[64] = "the remote command has ended";
	int code = -ENODATA;

	(void)libssh2_channel_get_exit_signal(ssh->channel, &signal_name, NULL, NULL, NULL, NULL,
					      NULL);
	if (signal_name)
		snprintf(how, sizeof(how), "the remote command was killed by SIG%s",
			 printable_text(name, sizeof(name), signal_name, strlen(signal_name)));
	else if (status)
		snprintf(how, sizeof(how), "the remote command ended with status %d", status);
	libssh2_free(ssh->session, signal_name);
	/* The shell's status: the program isn't there, or can't be run. POSIX, 2.8.2. */
	if (status == 127 || status == 126)
		code = -ENOTSUP;
	return error_set(err, code, "%s%s%s", how, *ssh->errors.line ? ": " : "", ssh->errors.line);
}

/* There is nothing to read. Is there ever going to be? */
static ssize_t check_silence(struct ssh *ssh, struct error *err)
{
	if (libssh2_channel_eof(ssh->channel)) {
		const uint64_t now = clock_ms();

		if (!ssh->eof_ms)
			ssh->eof_ms = now;
		if (libssh2_channel_wait_closed(ssh->channel) == 0 || ssh->ended || ssh->broken ||
		    now - ssh->eof_ms >= STATUS_MS) {
			read_errors(ssh);
			return command_ended(ssh, err);
		}
		return 0;
	}
	if (ssh->ended || ssh->broken)
		return connection_lost(ssh, "receiving", err);
	return 0;
}

static ssize_t ssh_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	struct ssh *ssh = (struct ssh *)t;
	ssize_t n;
	int left;

	ssh->dry = false;
	n = libssh2_channel_read(ssh->channel, bytes, size_bytes);
	read_errors(ssh);
	if (n > 0)
		return n;
	if (n < 0 && n != LIBSSH2_ERROR_EAGAIN)
		return channel_failed(ssh, "receiving", err);
	n = check_silence(ssh, err);
	if (n < 0)
		return n;
	left = push(ssh, err); /* the bytes that came may have opened the window */
	return MIN(left, 0);
}

static bool has_input(struct ssh *ssh)
{
	return ssh->ended || ssh->broken || libssh2_poll_channel_read(ssh->channel, 0) ||
	       libssh2_poll_channel_read(ssh->channel, 1);
}

static int ssh_wait(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
		    struct error *err)
{
	struct ssh *ssh = (struct ssh *)t;
	const int left = push(ssh, err);
	int unused;

	if (left < 0)
		return left;
	/* With a full window or during a change of keys, staged bytes wait until the server
	 * sends. */
	if (has_input(ssh) || (to_send && left == 0))
		return 1;
	/* The packet's bytes are on the stack of that call: all of them have to be taken, or none
	 * be sent. */
	if (!pending(ssh))
		(void)!libssh2_keepalive_send(ssh->session, &unused);
	/* The command's status may have come already, in what the library has read. */
	if (libssh2_channel_eof(ssh->channel))
		timeout_ms = timeout_ms < 0 ? 10 : MIN(timeout_ms, 10);
	return poll_socket(ssh, timeout_ms, mask, err);
}

/* We send nothing more; the command may write its last bytes, and end. */
static int ssh_finish(struct transport *t, int timeout_ms, struct error *err)
{
	struct ssh *ssh = (struct ssh *)t;
	const uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;
	bool said = false;
	char rest[4096];

	for (;;) {
		const uint64_t now_ms = clock_ms();
		const int left = push(ssh, err);
		ssize_t n;
		int r;

		if (left < 0)
			return left;
		if (!said && ssh->staged_begin == ssh->staged_end)
			said = libssh2_channel_send_eof(ssh->channel) == 0;
		/* The command may write all the time. */
		do
			n = ssh_recv(t, rest, sizeof(rest), err);
		while (n > 0 && clock_ms() < until_ms);
		if (n < 0)
			return n == -ENODATA ? 0 : (int)n;
		if (now_ms >= until_ms)
			return 0;
		r = ssh_wait(t, false, (int)(until_ms - now_ms), NULL, err);
		if (r < 0)
			return r;
	}
}

static size_t ssh_unsent(const struct transport *t)
{
	return transport_fd_unsent_bytes(((const struct ssh *)t)->fd);
}

static void ssh_free_transport(struct transport *t)
{
	ssh_free((struct ssh *)t);
}

int ssh_new(int fd, const char *peer, struct ssh **ssh_ret, struct error *err)
{
	static const struct transport_ops ops = {
		ssh_send, ssh_recv, ssh_wait, ssh_finish, ssh_free_transport, NULL, ssh_unsent};
	AUTO(ssh_free) struct ssh *ssh = calloc(1, sizeof(*ssh));

	if (!ssh) {
		close(fd);
		return error_set(err, -ENOMEM, "out of memory for SSH");
	}
	ssh->t.ops = &ops;
	ssh->fd = fd;
	snprintf(ssh->t.peer, sizeof(ssh->t.peer), "%s", peer);
	ssh->out = malloc(SSH_BATCH_BYTES + SSH_SLACK_BYTES);
	ssh->session = libssh2_session_init_ex(NULL, NULL, NULL, ssh);
	if (!ssh->out || !ssh->session)
		return error_set(err, -ENOMEM, "out of memory for SSH");
	libssh2_session_set_blocking(ssh->session, 0);
	libssh2_keepalive_config(ssh->session, 0, KEEPALIVE_S);
#if LIBSSH2_VERSION_NUM >= 0x010b01
	libssh2_session_callback_set2(ssh->session, LIBSSH2_CALLBACK_SEND,
				      (libssh2_cb_generic *)put_out);
	libssh2_session_callback_set2(ssh->session, LIBSSH2_CALLBACK_RECV,
				      (libssh2_cb_generic *)take_in);
	libssh2_session_callback_set2(ssh->session, LIBSSH2_CALLBACK_DISCONNECT,
				      (libssh2_cb_generic *)keep_farewell);
#else
	libssh2_session_callback_set(ssh->session, LIBSSH2_CALLBACK_SEND, (void *)put_out);
	libssh2_session_callback_set(ssh->session, LIBSSH2_CALLBACK_RECV, (void *)take_in);
	libssh2_session_callback_set(ssh->session, LIBSSH2_CALLBACK_DISCONNECT,
				     (void *)keep_farewell);
#endif
	*ssh_ret = TAKE_PTR(ssh);
	return 0;
}

void ssh_free(struct ssh *ssh)
{
	struct error unused;

	if (!ssh)
		return;
	if (ssh->session) {
		/* As far as that is possible without waiting. */
		(void)!libssh2_session_disconnect(ssh->session, "done");
		(void)!ssh_flush(ssh, &unused);
		ssh->leaving = true;
		(void)!libssh2_session_free(ssh->session);
	}
	if (ssh->fd >= 0)
		close(ssh->fd);
	free(ssh->out);
	free(ssh);
}
