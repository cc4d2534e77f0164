/* A command as a transport.
 * Doesn't know what the bytes are, nor where the command takes them. */
#include "sender/transport/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sender/transport/remote_lines.h"

enum {
	/* The time for a command to end after its output has ended, or after it was told to end. */
	END_MS = 2000,
	STEP_MS = 10,
};

struct command {
	struct transport t;
	int fd;	       /* its standard input and output: our end of a pair of sockets */
	int errors;    /* its standard error; -1: that has ended */
	pid_t pid;     /* and its group's number, which is nobody else's until the last */
	siginfo_t end; /* how the command has ended; si_pid 0: not yet */
	struct remote_lines lines;
};

static bool would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* --- its beginning and its end -------------------------------------------------------------- */

/* Start the command in a session of its own: the terminal's signals come to us alone, and no
 * command asks there for a password. The command doesn't inherit the signals that we ignore and
 * block. Returns 0 or an error's number. */
static int spawn(const char *command, int in_out, int errors, pid_t *pid_ret)
{
	char shell[] = "sh", option[] = "-c";
	char *const argv[] = {shell, option, (char *)(uintptr_t)command, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	r = posix_spawn_file_actions_adddup2(&actions, in_out, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, in_out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	if (r == 0) {
		posix_spawnattr_setsigmask(&attr, &none);
		posix_spawnattr_setsigdefault(&attr, &all);
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
							POSIX_SPAWN_SETSIGDEF);
		r = posix_spawn(pid_ret, "/bin/sh", &actions, &attr, argv, environ);
	}
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Whether the command has ended. Its status is left with the kernel, so that its process number
 * stays taken: programs that it has started may run on. */
static bool has_ended(struct command *c)
{
	if (c->end.si_pid == 0 &&
	    waitid(P_PID, (id_t)c->pid, &c->end, WEXITED | WNOHANG | WNOWAIT) < 0)
		return false;
	return c->end.si_pid != 0;
}

/* Read its standard error, but no more than a pipe holds: the command may write all the time. */
static void read_errors(struct command *c)
{
	char bytes[1024];
	ssize_t n = 0;

	if (c->errors < 0)
		return;
	for (size_t i = 0; i < REMOTE_BYTES_AT_ONCE / sizeof(bytes); i++) {
		n = read(c->errors, bytes, sizeof(bytes));
		if (n <= 0)
			break;
		remote_lines_take(&c->lines, bytes, (size_t)n);
	}
	if (n == 0 || (n < 0 && !would_block())) {
		close(c->errors);
		c->errors = -1;
	}
}

/* Whether the command ends within that time; with `all`, also every program that has its standard
 * error. Lines that come meanwhile are read, since a writer might wait for that. */
static bool await_end(struct command *c, int timeout_ms, bool all)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;

	for (;;) {
		const bool ended = has_ended(c) && !(all && c->errors >= 0);
		const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};

		read_errors(c);
		if (ended || clock_ms() >= until_ms)
			return ended;
		nanosleep(&step, NULL);
	}
}

/* The command's output has ended: the error says how the command has ended, with its last line. */
static int describe_end(struct command *c, struct error *err)
{
	const char *last = c->lines.line;
	char how[64] = "the command has closed its output";
	int code = -ENODATA;

	/* It may wait for us to close, too. */
	shutdown(c->fd, SHUT_WR);
	if (await_end(c, END_MS, false)) {
		const int status = c->end.si_status;
		const bool exited = c->end.si_code == CLD_EXITED;

		if (!exited)
			snprintf(how, sizeof(how), "the command was killed by signal %d", status);
		else if (status)
			snprintf(how, sizeof(how), "the command ended with status %d", status);
		else
			snprintf(how, sizeof(how), "the command has ended");
		/* The shell's status, here or at the far end: there is no such program, or it can't
		 * be run. POSIX, 2.8.2. */
		if (exited && (status == 127 || status == 126))
			code = -ENOTSUP;
	}
	return error_set(err, code, "%s%s%s", how, *last ? ": " : "", last);
}

/* --- the transport -------------------------------------------------------------------------- */

static ssize_t command_send(struct transport *t, const void *bytes, size_t size_bytes,
			    struct error *err)
{
	struct command *c = (struct command *)t;
	const ssize_t n = send(c->fd, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n >= 0)
		return n;
	if (would_block())
		return 0;
	/* The command reads no more. Its last line may say why. */
	return errno == EPIPE || errno == ECONNRESET ? describe_end(c, err)
						     : error_sys(err, "sending");
}

static ssize_t command_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	struct command *c = (struct command *)t;
	const ssize_t n = recv(c->fd, bytes, size_bytes, MSG_DONTWAIT);

	read_errors(c);
	if (n > 0)
		return n;
	if (n < 0 && would_block())
		return 0;
	/* A socket whose other end has closed with our bytes unread is reset. */
	return n == 0 || errno == ECONNRESET ? describe_end(c, err) : error_sys(err, "receiving");
}

static int command_wait(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
			struct error *err)
{
	const struct command *c = (const struct command *)t;
	struct pollfd pfd[2] = {{.fd = c->fd, .events = (short)(POLLIN | (to_send ? POLLOUT : 0))},
				{.fd = c->errors, .events = POLLIN}};
	const struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	const int n = ppoll(pfd, 2, timeout_ms < 0 ? NULL : &limit, mask);

	if (n < 0 && errno != EINTR)
		return error_sys(err, "waiting for the command");
	return n > 0;
}

/* We send nothing more; the command may bring its bytes to the far end, and end. */
static int command_finish(struct transport *t, int timeout_ms, struct error *err UNUSED)
{
	struct command *c = (struct command *)t;
	const uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;

	transport_finish_socket(c->fd, timeout_ms);
	await_end(c, clock_left_ms(until_ms, END_MS), false);
	return 0;
}

static bool command_hung_up(struct transport *t)
{
	return transport_fd_hung_up(((struct command *)t)->fd);
}

static size_t command_unsent(const struct transport *t)
{
	return transport_fd_unsent_bytes(((const struct command *)t)->fd);
}

/* Tell the command to end, and all programs that it has left in its group, which may be there after
 * the command itself has ended. */
static void end_group(struct command *c)
{
	kill(-c->pid, SIGTERM);
	await_end(c, END_MS, true);
	kill(-c->pid, SIGKILL);
	await_end(c, END_MS, false);
	(void)!waitpid(c->pid, NULL, WNOHANG);
}

static void command_free(struct transport *t)
{
	struct command *c = (struct command *)t;

	close(c->fd);
	if (c->pid) /* else it never began */
		end_group(c);
	if (c->errors >= 0)
		close(c->errors);
	free(c);
}

/* A pair of sockets takes bytes both ways, any number at once. */
static int open_pipes(int pair[2], int errors[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, "a socket for the command");
	if (pipe2(errors, O_CLOEXEC) < 0)
		return error_sys(err, "a pipe for the command");
	/* Only our end doesn't block: the command may rely on an end that does. */
	return fcntl(errors[0], F_SETFL, O_NONBLOCK) < 0 ? error_sys(err, "a pipe for the command")
							 : 0;
}

int transport_command_start(const struct url *url, const struct connect_setup *setup,
			    struct transport **t_ret, struct error *err)
{
	static const struct transport_ops ops = {command_send,	 command_recv, command_wait,
						 command_finish, command_free, command_hung_up,
						 command_unsent};
	struct command *c = calloc(1, sizeof(*c));
	int pair[2] = {-1, -1}, errors[2] = {-1, -1}, r;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory for a command");
	c->t.ops = &ops;
	snprintf(c->t.peer, sizeof(c->t.peer), "%.79s", url->text);
	remote_lines_init(&c->lines, setup);
	r = open_pipes(pair, errors, err);
	c->fd = pair[0];
	c->errors = errors[0];
	if (r == 0) {
		errno = spawn(url->path, pair[1], errors[1], &c->pid);
		r = errno ? error_sys(err, "/bin/sh") : 0;
		/* As for a command that isn't there: a later try won't find it. */
		if (r == -ENOENT)
			r = err->code = -ENOTSUP;
	}
	if (pair[1] >= 0)
		close(pair[1]);
	if (errors[1] >= 0)
		close(errors[1]);
	if (r < 0) {
		command_free(&c->t);
		return r;
	}
	if (setup->passed)
		setup->passed(setup->ctx, "command", url->path);
	*t_ret = &c->t;
	return 0;
}
