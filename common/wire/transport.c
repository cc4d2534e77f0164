/* What all transports share, and the one of two descriptors.
 * Doesn't know what the bytes are. */
#include "wire/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

void transport_free(struct transport *t)
{
	if (t)
		t->ops->free(t);
}

ssize_t transport_send(struct transport *t, const void *bytes, size_t size_bytes, struct error *err)
{
	return t->ops->send(t, bytes, size_bytes, err);
}

ssize_t transport_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	return t->ops->recv(t, bytes, size_bytes, err);
}

int transport_wait(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
		   struct error *err)
{
	return t->ops->wait(t, to_send, timeout_ms, mask, err);
}

int transport_finish(struct transport *t, int timeout_ms, struct error *err)
{
	return t->ops->finish(t, timeout_ms, err);
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

void transport_finish_socket(int fd, int timeout_ms)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;
	int left;

	shutdown(fd, SHUT_WR);
	while ((left = clock_left_ms(until_ms, timeout_ms)) > 0) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		char rest[4096];
		ssize_t n;

		if (poll(&pfd, 1, left) <= 0)
			continue;
		n = recv(fd, rest, sizeof(rest), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && !would_block()))
			return;
	}
}

bool transport_hung_up(struct transport *t)
{
	return t->ops->hung_up && t->ops->hung_up(t);
}

bool transport_fd_hung_up(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLRDHUP};

	return poll(&pfd, 1, 0) > 0 && pfd.revents & (POLLRDHUP | POLLHUP | POLLERR);
}

size_t transport_unsent_bytes(const struct transport *t)
{
	return t->ops->unsent ? t->ops->unsent(t) : 0;
}

size_t transport_fd_unsent_bytes(int fd)
{
	int n = 0;

	/* TCP's first, which leaves out what is on its way and not acknowledged: on a long way that
	 * is much, though the link may idle. Then those of other sockets and of pipes. */
	if (ioctl(fd, SIOCOUTQNSD, &n) < 0 && ioctl(fd, SIOCOUTQ, &n) < 0 &&
	    ioctl(fd, FIONREAD, &n) < 0)
		return 0;
	return (size_t)MAX(n, 0);
}

/* --- two descriptors ------------------------------------------------------------------------ */

enum {
	/* A pipe's write blocks for what has no room: this much always has when poll() says so.
	   POSIX: PIPE_BUF, which Linux's poll() goes by. */
	PIPE_WRITE_BYTES = 4096,
};

struct fds {
	struct transport t;
	int in, out; /* -1: none */
	bool in_is_socket, out_is_socket;
};

static bool is_socket(int fd)
{
	int type;
	socklen_t len = sizeof(type);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

/* Whether a descriptor that may block is ready now. (O_NONBLOCK would be shared with other
 * processes.) */
static bool is_ready(int fd, short events)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	return poll(&pfd, 1, 0) > 0;
}

static ssize_t fds_send(struct transport *t, const void *bytes, size_t size_bytes,
			struct error *err)
{
	const struct fds *f = (const struct fds *)t;
	size_t done = 0;

	while (done < size_bytes) {
		const char *p = (const char *)bytes + done;
		ssize_t n;

		if (f->out_is_socket)
			n = send(f->out, p, size_bytes - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		else if (!is_ready(f->out, POLLOUT))
			break;
		else
			n = write(f->out, p, MIN(size_bytes - done, (size_t)PIPE_WRITE_BYTES));
		if (n < 0 && would_block())
			break;
		if (n < 0)
			return error_sys(err, "sending");
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t fds_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	const struct fds *f = (const struct fds *)t;
	ssize_t n;

	if (f->in < 0)
		return 0;
	if (f->in_is_socket)
		n = recv(f->in, bytes, size_bytes, MSG_DONTWAIT);
	else if (!is_ready(f->in, POLLIN))
		return 0;
	else
		n = read(f->in, bytes, size_bytes);
	if (n < 0 && would_block())
		return 0;
	if (n < 0)
		return error_sys(err, "receiving");
	return n ? n : error_set(err, -ENODATA, "the other end has closed the connection");
}

static int fds_wait(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
		    struct error *err)
{
	const struct fds *f = (const struct fds *)t;
	struct pollfd pfd[2] = {{.fd = f->in, .events = POLLIN},
				{.fd = to_send ? f->out : -1, .events = POLLOUT}};
	const struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	const int n = ppoll(pfd, 2, timeout_ms < 0 ? NULL : &limit, mask);

	if (n < 0 && errno != EINTR)
		return error_sys(err, "waiting for the connection");
	return n > 0;
}

/* What was sent is with the kernel. */
static int fds_finish(struct transport *t, int timeout_ms, struct error *err UNUSED)
{
	const struct fds *f = (const struct fds *)t;

	if (f->out_is_socket && f->in >= 0)
		transport_finish_socket(f->out, timeout_ms);
	else if (f->out_is_socket)
		shutdown(f->out, SHUT_WR); /* nothing that it says is heard */
	return 0;
}

static bool fds_hung_up(struct transport *t)
{
	const struct fds *f = (const struct fds *)t;

	return f->in >= 0 && transport_fd_hung_up(f->in);
}

static size_t fds_unsent(const struct transport *t)
{
	return transport_fd_unsent_bytes(((const struct fds *)t)->out);
}

static void fds_free(struct transport *t)
{
	struct fds *f = (struct fds *)t;

	if (f->in >= 0)
		close(f->in);
	if (f->out >= 0 && f->out != f->in)
		close(f->out);
	free(f);
}

int transport_new_fds(int in, int out, const char *peer, struct transport **t_ret,
		      struct error *err)
{
	static const struct transport_ops ops = {fds_send, fds_recv,	fds_wait,  fds_finish,
						 fds_free, fds_hung_up, fds_unsent};
	struct fds *f = calloc(1, sizeof(*f));

	if (!f) {
		if (in >= 0)
			close(in);
		if (out >= 0 && out != in)
			close(out);
		return error_set(err, -ENOMEM, "out of memory for a connection");
	}
	f->t.ops = &ops;
	snprintf(f->t.peer, sizeof(f->t.peer), "%s", peer);
	f->in = in;
	f->out = out;
	f->in_is_socket = is_socket(in);
	f->out_is_socket = is_socket(out);
	*t_ret = &f->t;
	return 0;
}
