/* Names made durable.
 * Doesn't know what has the names, and doesn't print. */
#include "base/dirsync.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether that says "this can't be done here", and nothing of the disk: the call isn't known to the
 * file system, or isn't permitted to us. */
static bool is_not_to_be_had(int code)
{
	switch (code) {
	case -EINVAL:
	case -EBADF:
	case -ENOTSUP:
	case -ENOSYS:
	case -EACCES:
	case -EPERM:
		return true;
	default:
		return false;
	}
}

/* fsync() or syncfs(): 0 or -errno. A server behind FUSE may be interrupted in it. */
static int sync_by(int (*call)(int fd), int fd)
{
	int r;

	if (fd < 0)
		return -EBADF;
	do
		r = call(fd);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Whether it was opened for more than its place. */
static bool is_open(int fd)
{
	const int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && !(flags & O_PATH);
}

int dirsync(int dir_fd, int within_fd)
{
	int r = sync_by(fsync, dir_fd), all;

	if (r == 0 || !is_not_to_be_had(r))
		return r;
	all = sync_by(syncfs, within_fd);
	if (all < 0 && !is_not_to_be_had(all))
		return all;
	/* Where only we couldn't open the directory, its names are among all that was synced. A
	 * file system that refuses to sync a directory may not sync it in syncfs() either. */
	return all < 0 || is_open(dir_fd) ? DIRSYNC_UNSURE : DIRSYNC_DONE;
}

int dirsync_parent_at(int dir_fd, const char *path, int within_fd)
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_CLOSE int parent_fd = -1, own_fd = -1;

	if (!copy)
		return -ENOMEM;
	parent_fd = openat(dir_fd, dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd < 0 && errno != EACCES && errno != EPERM)
		return -errno;
	if (within_fd < 0)
		within_fd = own_fd =
			openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return dirsync(parent_fd, within_fd);
}

int dirsync_parent(const char *path, int within_fd)
{
	return dirsync_parent_at(AT_FDCWD, path, within_fd);
}
