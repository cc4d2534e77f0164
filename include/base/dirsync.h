/*
 * Making names durable: a new file, or a rename, is sure to survive a power cut once the directory
 * that has the name is synced.
 *
 * Some directories can't be synced. Either their file system has no such call (network and FUSE
 * file systems answer EINVAL, EBADF, …), or we may write to the directory but not read it, so that
 * it can't be opened. The whole file system is synced then, by way of a file in it.
 */
#ifndef DIRSYNC_H
#define DIRSYNC_H

#include "base/compiler.h"

enum dirsync {
	DIRSYNC_DONE,	/* the names in the directory are durable */
	DIRSYNC_UNSURE, /* all was done that this file system knows, and it doesn't promise that */
};

/*
 * Sync the directory `dir_fd`; -1, or one that was opened with O_PATH, can't be synced by itself.
 * `within_fd` is any file or directory on the same file system that is open for reading or writing;
 * -1: there is none. Returns enum dirsync, or -errno of a true failure, as EIO is.
 */
NODISCARD int dirsync(int dir_fd, int within_fd);

/*
 * The same for the directory that holds `path`, which is as openat() has it: below the directory
 * `dir_fd`, or AT_FDCWD. Without a `within_fd`, what `path` leads to serves, if it is there.
 */
NODISCARD int dirsync_parent_at(int dir_fd, const char *path, int within_fd);
NODISCARD int dirsync_parent(const char *path, int within_fd);

#endif
