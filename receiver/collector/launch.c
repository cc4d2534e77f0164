/* Starts a session's process.
 * Doesn't know what the process does. */
#include "receiver/collector/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/parse.h"

enum { CHILD_FILES = 128 }; /* descriptors that a session may have */

/* All other descriptors close by themselves. */
static bool keep_open(int fd)
{
	return fd < 0 || fcntl(fd, F_SETFD, 0) == 0;
}

static _Noreturn void become(const struct launch *l, int queue_fd)
{
	const struct rlimit files = {CHILD_FILES, CHILD_FILES};
	char number[16];
	char program[] = "vmrecv", word[] = LAUNCH_WORD, name[sizeof(l->name)];
	char *const argv[] = {program, word, number, name, NULL}; /* the name is for ps(1) */
	bool kept = keep_open(queue_fd) && keep_open(l->connection_fd);

	for (size_t i = 0; i < KEY_FILES; i++)
		kept = kept && keep_open(l->keys.fds[i]);
	memcpy(name, l->name, sizeof(name));
	snprintf(number, sizeof(number), "%d", queue_fd);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (kept)
		execve("/proc/self/exe", argv, environ);
	_exit(LAUNCH_FAILED);
}

int launch(const struct launch *l, int queue_fd, pid_t *pid_ret, struct error *err)
{
	const pid_t pid = fork();

	if (pid < 0)
		return error_sys(err, "fork");
	if (pid == 0)
		become(l, queue_fd);
	*pid_ret = pid;
	return 0;
}

int launch_receive(const char *fd_text, struct launch *l_ret, int *queue_fd_ret, struct error *err)
{
	long long fd;

	if (parse_number(fd_text, 0, INT_MAX, &fd, err) < 0 ||
	    recv((int)fd, l_ret, sizeof(*l_ret), 0) != (ssize_t)sizeof(*l_ret))
		return error_set(err, -EINVAL, LAUNCH_WORD " is for a collector's own use");
	prctl(PR_SET_NAME, "vmrecv", 0, 0, 0); /* else the kernel takes the name from the path */
	*queue_fd_ret = (int)fd;
	return 0;
}
