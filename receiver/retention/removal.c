/* Removes dumps.
 * Doesn't know why they go. */
#include "receiver/retention/removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"
#include "receiver/retention/stock.h"
#include "receiver/store/census.h"
#include "receiver/store/journal.h"

enum {
	LOCK_STEP_MS = 20,
	LOCK_STEPS = 250, /* a session has the lock for some syncs */

	DEPTH_MAX = 16, /* of an operator's folders in a dump's directory */
	GONE_ROOM = 64,
};

static const char gone_end[] = ".gone";

int removal_lock_host(int host_fd)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};

	for (int i = 0; flock(host_fd, LOCK_EX | LOCK_NB) < 0; i++) {
		/* A file system without locks loses only the protection. */
		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0;
		if (i == LOCK_STEPS)
			return -EBUSY;
		nanosleep(&step, NULL);
	}
	return 0;
}

/* --- who has it ----------------------------------------------------------------------------- */

/*
 * Whether another program has the file open. A lease for writing is given only while nobody else
 * has; where leases aren't to be had nobody knows, and the answer is no. The lease is left at once:
 * an open() would wait for that.
 */
static bool is_open_elsewhere(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		return errno == EAGAIN;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}

/* The lock of a file, for the time of the removal: its descriptor, -EBUSY, or -ENOENT. */
static int lock_file(int fd, const char *name)
{
	AUTO_CLOSE int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (file < 0)
		return -errno;
	if ((flock(file, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) || is_open_elsewhere(file))
		return -EBUSY;
	return TAKE_FD(file);
}

/* --- removing ------------------------------------------------------------------------------- */

static int wipe(int fd, int depth);

static int wipe_entry(int fd, const char *name, int depth)
{
	AUTO_CLOSE int sub = -1;
	int e;

	if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return -errno;
	e = depth ? wipe(sub, depth - 1) : -ELOOP;
	return e < 0 ? e : unlinkat(fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

/* All that is in a directory: 0 or the first -errno; the rest goes all the same. */
static int wipe(int fd, int depth)
{
	const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;
	int e = 0;

	if (!dir) {
		e = -errno;
		if (own >= 0)
			close(own);
		return e;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;
		int one = 0;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			one = wipe_entry(fd, name, depth);
		e = e ? e : one;
	}
	closedir(dir);
	return e;
}

static int remove_gone(int host_fd, const char *gone)
{
	AUTO_CLOSE int fd = stock_open(host_fd, gone);
	int e = fd < 0 ? fd : wipe(fd, DEPTH_MAX);

	if (e == 0 && unlinkat(host_fd, gone, AT_REMOVEDIR) < 0)
		e = -errno;
	return e == -ENOENT ? 0 : e;
}

/* The name is durable before the first file goes: else a power cut might leave a dump with files
 * missing. */
static int rename_gone(int host_fd, const char *name, const char *gone)
{
	int r = remove_gone(host_fd, gone);

	if (r < 0)
		return r;
	if (renameat(host_fd, name, host_fd, gone) < 0)
		return -errno;
	r = dirsync(host_fd, host_fd);
	return MIN(r, 0);
}

static int remove_locked(int host_fd, const char *name)
{
	AUTO_CLOSE int fd = stock_open(host_fd, name);
	AUTO_CLOSE int journal = -1, part = -1, dump = -1;
	char gone[GONE_ROOM];
	int r;

	if (fd < 0)
		return fd;
	if (io_exists_at(fd, STOCK_KEEP))
		return -EBUSY;
	journal = journal_lock(fd, "vmcore.segments");
	part = lock_file(fd, "vmcore.part");
	dump = lock_file(fd, "vmcore");
	if (journal == -EBUSY || part == -EBUSY || dump == -EBUSY)
		return -EBUSY;
	snprintf(gone, sizeof(gone), ".%s%s", name, gone_end);
	r = rename_gone(host_fd, name, gone);
	return r < 0 ? r : remove_gone(host_fd, gone);
}

int removal_do(int dir_fd, const char *host, const char *name, struct error *err)
{
	int host_fd = stock_open(dir_fd, host);
	int r = host_fd < 0 ? host_fd : removal_lock_host(host_fd);

	if (r == 0)
		r = remove_locked(host_fd, name);
	if (host_fd >= 0)
		close(host_fd);
	if (r == -EBUSY)
		return error_set(err, r, "%s/%s: it is being received or read", host, name);
	if (r < 0)
		return error_set(err, r, "%s/%s: can't be removed: %s", host, name, strerror(-r));
	census_drop_host(dir_fd, host);
	return 0;
}

/* --- what was cut short --------------------------------------------------------------------- */

/* ".TIME.gone" */
static bool is_gone(const char *name)
{
	const size_t len = strlen(name), end = sizeof(gone_end) - 1;
	char time[GONE_ROOM];
	int64_t unused;
	unsigned number;

	if (*name != '.' || len <= end || len >= sizeof(time) ||
	    strcmp(name + len - end, gone_end) != 0)
		return false;
	snprintf(time, sizeof(time), "%.*s", (int)(len - end - 1), name + 1);
	return stock_time(time, &unused, &number);
}

static unsigned finish_host(int dir_fd, const char *host, struct error *remark_ret)
{
	const int host_fd = stock_open(dir_fd, host);
	DIR *dir = host_fd < 0 ? NULL : fdopendir(host_fd);
	const struct dirent *entry;
	unsigned count = 0;

	if (!dir) {
		if (host_fd >= 0)
			close(host_fd);
		return 0;
	}
	while ((entry = readdir(dir))) {
		int r;

		if (!is_gone(entry->d_name))
			continue;
		r = remove_gone(host_fd, entry->d_name);
		count += r == 0;
		if (r < 0 && !remark_ret->code)
			error_set(remark_ret, r, "%s/%s: can't be removed: %s", host, entry->d_name,
				  strerror(-r));
	}
	closedir(dir);
	if (count)
		census_drop_host(dir_fd, host);
	return count;
}

unsigned removal_finish(int dir_fd, struct error *remark_ret)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	unsigned count = 0;

	*remark_ret = (struct error){0};
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.')
			count += finish_host(dir_fd, entry->d_name, remark_ret);
	closedir(dir);
	return count;
}
