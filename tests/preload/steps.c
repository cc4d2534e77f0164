/* LD_PRELOAD: asks before and after each step that a program takes with its files, so that a test
 * can act at that very point, or make it fail.
 *
 *   STEPS_SOCKET=PATH     a SOCK_SEQPACKET socket that answers; without it nothing happens
 *
 * A message is "WHEN CALL PATH [PATH]", separated by NUL: WHEN is before or after, a path as the
 * call has it, below where its descriptor leads if it has one. The answer is a byte: 0 to go on,
 * else the errno that the call fails with (in answer to `before`). Nobody there: it goes on. Only
 * regular files and directories count; of writes there is no `after`. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int fd = -1;
static pid_t fd_owner; /* a child of fork() needs a connection of its own */

/* The connection, or -1. */
static int connect_once(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("STEPS_SOCKET");

	if (fd_owner == getpid())
		return fd;
	fd_owner = getpid();
	fd = -1;
	if (!path || strlen(path) >= sizeof(to.sun_path))
		return -1;
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* 0, or the errno that the call shall fail with. */
static int ask(const char *when, const char *call, const char *a, const char *b)
{
	char text[4 * PATH_MAX + 64];
	const int saved = errno;
	unsigned char answer = 0;
	int n = snprintf(text, sizeof(text), "%s%c%s%c%s%c%s", when, 0, call, 0, a, 0, b ? b : "");

	pthread_mutex_lock(&lock);
	if (connect_once() >= 0 && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n)
		while (recv(fd, &answer, 1, 0) < 0 && errno == EINTR)
			;
	pthread_mutex_unlock(&lock);
	errno = saved;
	return answer;
}

/* Where a descriptor leads: false if that is neither a file nor a directory. */
static bool path_of(int of, char path[static PATH_MAX])
{
	char link[40];
	struct stat st;
	ssize_t n;

	if (!getenv("STEPS_SOCKET") || fstat(of, &st) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", of);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return true;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/* A call on a descriptor, with its `after`. */
#define STEP_FD(name, of, call)                                                                    \
	char path[PATH_MAX];                                                                       \
	const bool is_file = path_of(of, path);                                                    \
	const int answer = is_file ? ask("before", #name, path, NULL) : 0;                         \
	int result;                                                                                \
                                                                                                   \
	if (answer) {                                                                              \
		errno = answer;                                                                    \
		return -1;                                                                         \
	}                                                                                          \
	result = (call);                                                                           \
	if (is_file)                                                                               \
		ask("after", #name, path, NULL);                                                   \
	return result

int fdatasync(int of)
{
	STEP_FD(fdatasync, of, REAL(fdatasync)(of));
}

int fsync(int of)
{
	STEP_FD(fsync, of, REAL(fsync)(of));
}

int ftruncate64(int of, off64_t size)
{
	STEP_FD(ftruncate, of, REAL(ftruncate64)(of, size));
}

int fallocate64(int of, int mode, off64_t off, off64_t size)
{
	STEP_FD(fallocate, of, REAL(fallocate64)(of, mode, off, size));
}

ssize_t pwrite64(int of, const void *buf, size_t n, off64_t off)
{
	char path[PATH_MAX];
	const int answer = path_of(of, path) ? ask("before", "pwrite", path, NULL) : 0;

	if (answer) {
		errno = answer;
		return -1;
	}
	return REAL(pwrite64)(of, buf, n, off);
}

ssize_t write(int of, const void *buf, size_t n)
{
	char path[PATH_MAX];
	const int answer = path_of(of, path) ? ask("before", "write", path, NULL) : 0;

	if (answer) {
		errno = answer;
		return -1;
	}
	return REAL(write)(of, buf, n);
}

/* A call that changes names. */
#define STEP_NAME(name, a, b, call)                                                                \
	const int answer = ask("before", #name, a, b);                                             \
	int result;                                                                                \
                                                                                                   \
	if (answer) {                                                                              \
		errno = answer;                                                                    \
		return -1;                                                                         \
	}                                                                                          \
	result = (call);                                                                           \
	ask("after", #name, a, b);                                                                 \
	return result

/* The name that a call has below a directory of its own, as whoever hears of it can find it. */
static const char *name_at(int at, const char *name, char path[static 2 * PATH_MAX])
{
	char dir[PATH_MAX];

	if (at == AT_FDCWD || *name == '/' || !path_of(at, dir))
		return name;
	snprintf(path, 2 * PATH_MAX, "%s/%s", dir, name);
	return path;
}

#define STEP_NAMES_AT(name, from_fd, from, to_fd, to, call)                                        \
	char from_path[2 * PATH_MAX], to_path[2 * PATH_MAX];                                       \
	const char *const a = name_at(from_fd, from, from_path);                                   \
	const char *const b = name_at(to_fd, to, to_path);                                         \
                                                                                                   \
	STEP_NAME(name, a, b, call)

#define STEP_NAME_AT(name, at, of, call)                                                           \
	char of_path[2 * PATH_MAX];                                                                \
	const char *const a = name_at(at, of, of_path);                                            \
                                                                                                   \
	STEP_NAME(name, a, NULL, call)

int rename(const char *from, const char *to)
{
	STEP_NAME(rename, from, to, REAL(rename)(from, to));
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	STEP_NAMES_AT(rename, from_fd, from, to_fd, to, REAL(renameat)(from_fd, from, to_fd, to));
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	STEP_NAMES_AT(rename, from_fd, from, to_fd, to,
		      REAL(renameat2)(from_fd, from, to_fd, to, flags));
}

int unlink(const char *path)
{
	STEP_NAME(unlink, path, NULL, REAL(unlink)(path));
}

int unlinkat(int at, const char *path, int flags)
{
	STEP_NAME_AT(unlink, at, path, REAL(unlinkat)(at, path, flags));
}

int mkdir(const char *path, mode_t mode)
{
	STEP_NAME(mkdir, path, NULL, REAL(mkdir)(path, mode));
}

int mkdirat(int at, const char *path, mode_t mode)
{
	STEP_NAME_AT(mkdir, at, path, REAL(mkdirat)(at, path, mode));
}
