/* The collector: accepts, forks, and counts its children.
 * Doesn't know what is said over a connection. */
#include "listen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "networks.h"
#include "options.h"
#include "receive.h"
#include "serve.h"
#include "stop.h"
#include "transport.h"

enum {
	HANDSHAKE_MS = 15000,
	FIRST_BYTES_MS = 15000,
	WAIT_MS = 1000,
	/* What children may take to end when the collector does. */
	CHILDREN_END_MS = 10000,
};

struct collector {
	const struct options *o;
	struct tls_server *tls; /* NULL: plain TCP */
	int fds[LISTEN_MAX];
	size_t count;
	pid_t children[SESSIONS_MAX];
	unsigned child_count;
	sigset_t while_waiting;
};

static int open_all(struct collector *c, struct error *err)
{
	const struct options *o = c->o;
	int r = 0;

	if (o->tls_cert || o->tls_psk)
		r = tls_server_new(o->tls_cert, o->tls_key, o->tls_ca, o->tls_psk, &c->tls, err);
	while (r == 0 && c->count < o->listen_count) {
		char address[64];

		r = tcp_listen(o->listen[c->count], &c->fds[c->count], address, err);
		if (r == 0) {
			log_note("listening on %s, %s", address, c->tls ? "TLS" : "plain TCP");
			c->count++;
		}
	}
	return r;
}

/* Over plain TCP a host is its address. */
static enum exit_status serve_plain_tcp(const struct options *o, int fd,
					const struct sockaddr_storage *from,
					struct serve_setup *setup)
{
	struct transport *transport;
	struct error err;
	char name[64];

	address_name(from, name);
	setup->store.host = name;
	setup->store.peer = name;
	setup->store.proof = "address";
	if (!networks_have(o->plain_from, o->plain_from_count, from)) {
		log_warning("%s: not from a network of --plain-from: closed", name);
		close(fd);
		return EXIT_REFUSED;
	}
	if (receive_is_plain(fd, FIRST_BYTES_MS))
		return receive_connection(o, fd, name);
	if (transport_new_fds(fd, fd, name, &transport, &err) < 0) {
		log_error("%s: %s", name, err.msg);
		return EXIT_FAILED;
	}
	return serve(transport, setup);
}

static enum exit_status serve_tls(const struct collector *c, int fd,
				  const struct sockaddr_storage *from, struct serve_setup *setup)
{
	struct transport *transport;
	struct error err;
	char name[64];

	address_name(from, name);
	if (transport_tls_accept(c->tls, fd, HANDSHAKE_MS, &transport, &err) < 0) {
		log_warning("%s: %s", name, err.msg);
		return EXIT_REFUSED;
	}
	setup->store.host = transport->identity;
	setup->store.peer = name;
	setup->store.proof = c->o->tls_psk ? "pre-shared key" : "certificate";
	return serve(transport, setup);
}

/* The child: never comes back. */
static _Noreturn void be_child(struct collector *c, int fd, const struct sockaddr_storage *from)
{
	const struct options *o = c->o;
	struct serve_setup setup = {
		.store = {.dir = o->dir, .max_size_bytes = o->max_size_bytes},
		.timeout_ms = o->timeout_ms,
	};
	enum exit_status status;

	for (size_t i = 0; i < c->count; i++)
		close(c->fds[i]);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (c->tls)
		status = serve_tls(c, fd, from, &setup);
	else
		status = serve_plain_tcp(o, fd, from, &setup);
	exit((int)status);
}

static void take_one(struct collector *c, int listen_fd)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	const int fd = accept4(listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
	char name[64];
	pid_t pid;

	if (fd < 0) {
		if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
			log_warning("accept: %s", strerror(errno));
		return;
	}
	address_name(&from, name);
	if (c->child_count >= c->o->max_sessions) {
		log_warning("%s: there are %u sessions already: closed", name, c->child_count);
		close(fd);
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &c->while_waiting, NULL);
		be_child(c, fd, &from);
	}
	if (pid < 0)
		log_warning("%s: fork: %s", name, strerror(errno));
	else
		c->children[c->child_count++] = pid;
	close(fd);
}

static void reap(struct collector *c)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < c->child_count; i++)
			if (c->children[i] == pid)
				c->children[i--] = c->children[--c->child_count];
		/* What ends well or badly says so itself; what is killed can't. */
		if (WIFSIGNALED(status))
			log_error("session %d: ended by signal %d", (int)pid, WTERMSIG(status));
	}
}

static void collect(struct collector *c)
{
	struct pollfd pfd[LISTEN_MAX];
	const struct timespec limit = {.tv_sec = WAIT_MS / 1000};

	while (!stop_signal()) {
		for (size_t i = 0; i < c->count; i++)
			pfd[i] = (struct pollfd){.fd = c->fds[i], .events = POLLIN};
		reap(c);
		if (ppoll(pfd, c->count, &limit, &c->while_waiting) <= 0)
			continue;
		for (size_t i = 0; i < c->count; i++)
			if (pfd[i].revents)
				take_one(c, c->fds[i]);
	}
}

/* Sessions end in order: each tells its sender, and mends what it has. */
static void end_children(struct collector *c)
{
	const struct timespec step = {.tv_nsec = 100000000};

	for (unsigned i = 0; i < c->child_count; i++)
		kill(c->children[i], SIGTERM);
	for (int ms = 0; c->child_count && ms < CHILDREN_END_MS; ms += 100) {
		reap(c);
		nanosleep(&step, NULL);
	}
}

enum exit_status listen_for_senders(const struct options *o)
{
	struct collector c = {.o = o};
	struct error err;
	int r;

	stop_catch(&c.while_waiting);
	r = open_all(&c, &err);
	if (r == 0)
		collect(&c);
	else
		log_error("%s", err.msg);
	for (size_t i = 0; i < c.count; i++)
		close(c.fds[i]);
	if (r == 0)
		end_children(&c);
	tls_server_free(c.tls);
	return r < 0 ? error_exit_status(r) : EXIT_COMPLETE;
}
