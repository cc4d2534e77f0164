/* Names of files.
 * Doesn't know what the files are, and doesn't print. */
#include "base/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

bool names_lead_to(int dir_fd, const char *name, int fd)
{
	struct stat opened, there;

	return fstat(fd, &opened) == 0 && fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

const char *names_owner_text(int dir_fd, const char *name, char text[static 48])
{
	struct stat st;

	*text = '\0';
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != geteuid())
		snprintf(text, 48, " (of uid %u, mode %04o)", (unsigned)st.st_uid,
			 (unsigned)st.st_mode & 07777);
	return text;
}

int names_replace(int dir_fd, const char *from, const char *to)
{
	return renameat(dir_fd, from, dir_fd, to) == 0 ? 0 : -errno;
}

int names_change(int dir_fd, const char *from, const char *to)
{
	if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return -errno;
	/* A file system without it (NFS, some FUSE): link() doesn't replace either. */
	if (linkat(dir_fd, from, dir_fd, to, 0) == 0)
		return unlinkat(dir_fd, from, 0) < 0 ? -errno : 0;
	if (errno == EEXIST)
		return -errno;
	/* Nor has it hard links (FAT): look, then rename. A file that
	   gets this name between the two is replaced. */
	if (io_exists_at(dir_fd, to))
		return -EEXIST;
	return names_replace(dir_fd, from, to);
}
