/*
 * Whether a file or directory that is there may be trusted: only root and our own user can have put
 * it there, and can write to it. Only then does a receiver go on with it, or tell others of it. In
 * a directory where everybody may make files (/var/crash is 1777 on some systems), another user may
 * have been there first.
 *
 * Some file systems have owners and modes of their own (an NFS server that takes root for nobody,
 * FAT): there each file that we make belongs to somebody else. So where an owner or a mode looks
 * wrong, a directory is made beside it, and owner and mode of that new one count as right, too.
 */
#ifndef OWNER_H
#define OWNER_H

#include <sys/stat.h>

#include "base/error.h"

/*
 * Check a file or directory of ours, of which lstat() says `st`. `dir_fd` is the directory that
 * holds it (AT_FDCWD: where the process is), and was checked before. Fails -EACCES; the error has
 * `path`, the owner, the mode, and what to do.
 */
NODISCARD int owner_check(const struct stat *st, int dir_fd, const char *path, struct error *err);

/*
 * The same for the operator's own directory, in which ours are made. Others may write to it if it
 * is sticky, and a group may if it is ours.
 */
NODISCARD int owner_check_top(const struct stat *st, int dir_fd, const char *path,
			      struct error *err);

#endif
