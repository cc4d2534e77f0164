/*
 * LD_PRELOAD: a file system that has trouble with directories.
 *
 *   DIRSYNC_ERRNO=N   fsync() of a directory fails with that errno; without it nothing happens
 *   DIRSYNC_FROM=K    from the K-th on that the process tries (1: all of them)
 *   DIRSYNC_COUNT=M   and only M times; then all is well
 *   DIRSYNC_SYNCFS=N  syncfs() fails with that errno, too
 *   DIRSYNC_BELOW=DIR only what lies in DIR counts
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int number(const char *name, int otherwise)
{
	const char *text = getenv(name);

	return text ? atoi(text) : otherwise;
}

static bool counts(int fd)
{
	const char *below = getenv("DIRSYNC_BELOW");
	char link[40], path[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return !below || strncmp(path, below, strlen(below)) == 0;
}

int fsync(int fd)
{
	static int calls;
	const int code = number("DIRSYNC_ERRNO", 0), from = number("DIRSYNC_FROM", 1);

	if (code && counts(fd)) {
		calls++;
		if (calls >= from && calls - from < number("DIRSYNC_COUNT", INT_MAX)) {
			errno = code;
			return -1;
		}
	}
	return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int syncfs(int fd)
{
	const int code = number("DIRSYNC_SYNCFS", 0);

	if (code) {
		errno = code;
		return -1;
	}
	return ((int (*)(int))dlsym(RTLD_NEXT, "syncfs"))(fd);
}
