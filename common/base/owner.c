/* Owners and modes.
 * Doesn't know what the files are for. */
#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WRITE_BY_OTHERS = S_IWGRP | S_IWOTH };

/* The owner and mode of a directory that was made just now. */
static bool make_sample(int dir_fd, struct stat *st_ret)
{
	char name[40];
	bool good;

	snprintf(name, sizeof(name), ".owner-%d", (int)getpid());
	if (mkdirat(dir_fd, name, 0700) < 0)
		return false;
	good = fstatat(dir_fd, name, st_ret, AT_SYMLINK_NOFOLLOW) == 0;
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
	return good;
}

static bool is_our_group(gid_t gid)
{
	const int count = getgroups(0, NULL);
	AUTO_FREE gid_t *groups = count > 0 ? calloc((size_t)count, sizeof(*groups)) : NULL;
	const int n = groups ? getgroups(count, groups) : 0;

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return gid == getegid();
}

static int refuse_owner(const struct stat *st, const char *path, struct error *err)
{
	char trusted[40] = "root is";

	if (geteuid() != 0)
		snprintf(trusted, sizeof(trusted), "uid %u and root are", (unsigned)geteuid());
	return error_set(
		err, -EACCES,
		"%s belongs to uid %u (mode %04o), and only %s trusted here: remove it, or "
		"chown it",
		path, (unsigned)st->st_uid, (unsigned)st->st_mode & 07777, trusted);
}

static int refuse_mode(const struct stat *st, const char *path, const char *remedy,
		       struct error *err)
{
	return error_set(err, -EACCES, "%s (uid %u, mode %04o) may be written by others: %s it",
			 path, (unsigned)st->st_uid, (unsigned)st->st_mode & 07777, remedy);
}

/* `writers`: bits of the mode that are wrong. */
static int check(const struct stat *st, int dir_fd, mode_t writers, const char *path,
		 const char *remedy, struct error *err)
{
	bool foreign = st->st_uid != geteuid() && st->st_uid != 0;
	struct stat sample;

	if ((foreign || writers) && make_sample(dir_fd, &sample)) {
		foreign &= st->st_uid != sample.st_uid;
		writers &= ~sample.st_mode;
	}
	if (foreign)
		return refuse_owner(st, path, err);
	return writers ? refuse_mode(st, path, remedy, err) : 0;
}

int owner_check(const struct stat *st, int dir_fd, const char *path, struct error *err)
{
	/* For a symbolic link, only the owner counts. */
	const mode_t writers = S_ISLNK(st->st_mode) ? 0 : st->st_mode & WRITE_BY_OTHERS;

	return check(st, dir_fd, writers, path, "if it is all yours, chmod go-w", err);
}

int owner_check_top(const struct stat *st, int dir_fd, const char *path, struct error *err)
{
	mode_t writers = st->st_mode & WRITE_BY_OTHERS;

	if (S_ISLNK(st->st_mode) || st->st_mode & S_ISVTX)
		writers = 0;
	else if (is_our_group(st->st_gid))
		writers &= ~(mode_t)S_IWGRP;
	return check(st, dir_fd, writers, path, "chmod +t", err);
}
