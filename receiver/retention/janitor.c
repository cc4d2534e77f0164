/* A child that tidies.
 * Doesn't know when that is due. */
#include "receiver/retention/janitor.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void work(const struct janitor_task *task)
{
	const struct tidy_setup setup = {
		.dir = task->dir, .rules = task->rules, .told = task->told};
	struct tidy_result res;
	struct error err;
	sigset_t none;
	int r;

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_IGN); /* a reload is no reason to stop */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Else a listening socket would outlive the collector. */
	(void)close_range(STDERR_FILENO + 1, ~0U, 0);
	prctl(PR_SET_NAME, "vmrecv-tidy", 0, 0, 0);
	r = tidy_once(&setup, &res, &err);
	if (r < 0)
		task->failed(&err);
	else if (task->say)
		task->say(&res);
	_exit(r < 0);
}

int janitor_start(struct janitor *j, const struct janitor_task *task, struct error *err)
{
	const pid_t pid = fork();

	if (pid < 0)
		return error_sys(err, "fork");
	if (pid == 0)
		work(task);
	j->pid = pid;
	return 0;
}

bool janitor_is_done(struct janitor *j)
{
	if (j->pid && (waitpid(j->pid, NULL, WNOHANG) != 0))
		j->pid = 0;
	return !j->pid;
}

void janitor_stop(struct janitor *j)
{
	if (!j->pid)
		return;
	kill(j->pid, SIGTERM);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	j->pid = 0;
}
