/*
 * Whether what is there may be trusted, to be gone on with or to be told of: nobody but us and root
 * can have put it there, or can write to it. In a directory where everybody may make files
 * (/var/crash is 1777 on some systems) anybody may have been there first.
 *
 * Some file systems have owners and modes of their own (an NFS server that takes root for nobody,
 * FAT): there all that we make belongs to somebody else. So if an owner or a mode is wrong, a
 * directory is made beside it, and what that one has is right, too.
 */
#ifndef OWNER_H
#define OWNER_H

#include <sys/stat.h>

#include "base/error.h"

/*
 * Judge a file or directory of ours, `st` as lstat() has it. `dir_fd` is the directory that has it
 * (AT_FDCWD: where the process is), which was judged itself. Fails -EACCES; the error has `path`,
 * the owner, the mode, and what to do.
 */
NODISCARD int owner_check(const struct stat *st, int dir_fd, const char *path, struct error *err);

/*
 * The same of the operator's own directory, in which ours are to be. There others may write if it
 * is sticky, or by a group that is ours.
 */
NODISCARD int owner_check_top(const struct stat *st, int dir_fd, const char *path,
			      struct error *err);

#endif
