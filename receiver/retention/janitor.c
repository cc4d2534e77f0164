/* A child that tidies.
 * Doesn't know when that is due. */
#include "receiver/retention/janitor.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The descriptors of the parent, which may be listening sockets, don't outlive it here. Returns the
 * place of `fd` among those that stay. */
static int keep_only(int fd)
{
	if (dup2(fd, STDERR_FILENO + 1) < 0)
		_exit(1);
	(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	return STDERR_FILENO + 1;
}

static void obey_signals(void)
{
	sigset_t none;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_IGN); /* a reload is no reason to stop */
	signal(SIGUSR1, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void work(const struct janitor_task *task, int fd)
{
	const struct tidy_setup setup = {
		.dir = task->dir, .rules = task->limits.rules, .told = task->told};
	struct tidy t;
	struct error err;
	int r;

	obey_signals();
	fd = keep_only(fd);
	prctl(PR_SET_NAME, "vmrecv-tidy", 0, 0, 0);
	r = tidy_open(&t, &setup, &err);
	if (r < 0) {
		task->failed(&err);
		_exit(1);
	}
	for (size_t i = 0; i < task->want_count; i++) {
		struct space_answer answer;

		space_admit(&t, &task->limits, &task->wants[i], &answer);
		if (send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer))
			break;
	}
	tidy_remove(&t, &task->limits.rules);
	if (task->say)
		task->say(&t.result);
	tidy_close(&t);
	_exit(0);
}

int janitor_start(struct janitor *j, const struct janitor_task *task, struct error *err)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, "socketpair");
	pid = fork();
	if (pid == 0)
		work(task, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return error_sys(err, "fork");
	}
	j->pid = pid;
	j->fd = pair[0];
	return 0;
}

int janitor_hear(struct janitor *j, struct space_answer *answer_ret)
{
	ssize_t n;

	if (!j->pid)
		return -1;
	n = recv(j->fd, answer_ret, sizeof(*answer_ret), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return n == (ssize_t)sizeof(*answer_ret) ? 1 : -1;
}

static void forget(struct janitor *j)
{
	close(j->fd);
	*j = (struct janitor){.fd = -1};
}

bool janitor_is_done(struct janitor *j)
{
	if (j->pid && waitpid(j->pid, NULL, WNOHANG) != 0)
		forget(j);
	return !j->pid;
}

void janitor_wait(struct janitor *j)
{
	if (!j->pid)
		return;
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(j);
}

void janitor_stop(struct janitor *j)
{
	if (j->pid)
		kill(j->pid, SIGTERM);
	janitor_wait(j);
}
