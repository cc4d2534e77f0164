/* Directories of hosts and dumps.
 * Doesn't know what a dump is, but for the journal that says which one it is. */
#include "receiver/store/dumpdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"
#include "base/owner.h"
#include "receiver/store/census.h"
#include "receiver/store/journal.h"

enum {
	/* To begin a dump takes another session some syncs of small files. */
	LOCK_MS = 10000,
	LOCK_STEP_MS = 20,

	SAME_SECOND_MAX = 100,

	/* How often a host's directory may go while we want it. */
	REMOVED_MAX = 10,
};

enum { ROOM = sizeof(((struct dumpdir *)0)->path) };

static const char new_name[] = ".new";

/* The names in directory `at` are to be durable, that of `fd` among them. */
static int sync_names(int at, int fd, const char *name, struct error *err)
{
	const int r = dirsync(at, fd);

	return r < 0 ? error_set(err, r, "%s: the directory that has it can't be synced: %s", name,
				 strerror(-r))
		     : 0;
}

/* A directory below `at`, made if need be; never by way of a symbolic link. */
static int open_dir(int at, const char *name, bool make, struct error *err)
{
	const bool made = make && mkdirat(at, name, 0700) == 0;
	AUTO_CLOSE int fd = -1;
	int r;

	if (make && !made && errno != EEXIST)
		return error_sys(err, "%s: can't make it", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "%s", name);
	r = made ? sync_names(at, fd, name, err) : 0;
	return r < 0 ? r : TAKE_FD(fd);
}

/* The operator's own directory may be a link, if nobody else has put it there; it may be in a
 * directory that all may write to. */
static int check_root(int fd, const char *dir, struct error *err)
{
	struct stat st;
	int r;

	if (lstat(dir, &st) < 0)
		return error_sys(err, "%s", dir);
	if (S_ISLNK(st.st_mode)) {
		r = owner_check_top(&st, fd, dir, err);
		if (r < 0)
			return error_prefix(err, "a link");
	}
	if (fstat(fd, &st) < 0)
		return error_sys(err, "%s", dir);
	return owner_check_top(&st, fd, dir, err);
}

/* It may be one that may be written and not read, as a drop directory is. */
static int open_root(const char *dir, struct error *err)
{
	const bool made = mkdir(dir, 0700) == 0;
	AUTO_CLOSE int fd = -1;
	int r;

	if (!made && errno != EEXIST)
		return error_sys(err, "%s: can't make it", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, "%s", dir);
	r = made ? dirsync_parent(dir, fd) : 0;
	if (r < 0)
		return error_set(err, r, "%s: the directory that has it can't be synced: %s", dir,
				 strerror(-r));
	r = check_root(fd, dir, err);
	return r < 0 ? r : TAKE_FD(fd);
}

/* That of a host, made if need be: not one that somebody else has put there. */
static int open_host_in(int root_fd, bool make, const char *dir, const char *host,
			struct error *err)
{
	AUTO_CLOSE int fd = open_dir(root_fd, host, make, err);
	char path[ROOM];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%.3300s/%.255s", dir, host);
	/* Somebody has to see to it: no later try ends better. */
	if ((fd == -ENOTDIR || fd == -ELOOP) &&
	    fstatat(root_fd, host, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, -EACCES,
				 "%s (uid %u, mode %04o) is a link or a file, and a directory is to"
				 " be there: remove it",
				 path, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
	if (fd < 0)
		return fd;
	r = fstat(fd, &st) < 0 ? error_sys(err, "%s", path) : owner_check(&st, root_fd, path, err);
	return r < 0 ? r : TAKE_FD(fd);
}

int dumpdir_check(const char *dir, const char *host, struct error *err)
{
	AUTO_CLOSE int fd = open_root(dir, err), host_fd = -1;

	if (fd < 0)
		return fd;
	if (access(dir, W_OK | X_OK) < 0)
		return error_sys(err, "%s", dir);
	if (!host)
		return 0;
	host_fd = open_host_in(fd, false, dir, host, err);
	return host_fd == -ENOENT ? 0 : MIN(host_fd, 0);
}

/* A file system without locks loses only the protection. */
static int lock_host(int host_fd, const struct keepalive *alive, struct error *err)
{
	const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};

	for (int ms = 0; flock(host_fd, LOCK_EX | LOCK_NB) < 0; ms += LOCK_STEP_MS) {
		int r;

		if (errno != EWOULDBLOCK && errno != EINTR)
			return 0;
		r = keepalive(alive, err);
		if (r < 0)
			return r;
		if (ms >= LOCK_MS)
			return error_set(err, -EBUSY, "another session of this host is beginning");
		nanosleep(&step, NULL);
	}
	return 0;
}

/* That of a host, locked. One that was empty may have been removed before we had the lock. */
static int open_locked(const char *dir, const char *host, const struct keepalive *alive,
		       struct error *err)
{
	AUTO_CLOSE int root_fd = open_root(dir, err);

	if (root_fd < 0)
		return root_fd;
	for (int i = 0; i < REMOVED_MAX; i++) {
		AUTO_CLOSE int fd = open_host_in(root_fd, true, dir, host, err);
		struct stat st;
		int r = fd < 0 ? fd : lock_host(fd, alive, err);

		if (r < 0 && (fd >= 0 || r != -ENOENT))
			return r;
		if (r == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0)
			return TAKE_FD(fd);
	}
	return error_set(err, -EBUSY, "%.255s: other sessions of this host end too often", host);
}

/* Whether a host may begin one more dump. */
static int check_beginnings(int host_fd, const struct dumpdir *p, struct error *err)
{
	struct census census;
	const int r = census_take(host_fd, ".", -1, &census, err);

	if (r < 0 || census.beginnings < BEGINNINGS_MAX)
		return r;
	return error_set(
		err, -EDQUOT,
		"%s has %u dumps without a page, or streams of less than 1 MiB, and no more "
		"are begun: remove some",
		p->path, census.beginnings);
}

/* The next entry of a directory but "." and "..", NULL after the last one; errno is not 0 where
 * that isn't the end but a failure. */
static const struct dirent *next_entry(DIR *dir)
{
	const struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	return entry;
}

/* All that is in the dump's directory: not what somebody else has put there. */
static int check_files(int fd, const char *path, struct error *err)
{
	const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		if (own >= 0)
			close(own);
		return error_sys(err, "%s", path);
	}
	while (r == 0 && (entry = next_entry(dir))) {
		char name[ROOM];
		struct stat st;

		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone since */
		snprintf(name, sizeof(name), "%.3600s/%.255s", path, entry->d_name);
		r = owner_check(&st, fd, name, err);
	}
	closedir(dir);
	return r;
}

/* Whether the journal in a directory is that of the dump. */
static bool is_of_dump(int fd, const uint8_t dump_id[static DIGEST_BYTES])
{
	struct hello hello;
	struct error unused;

	return journal_read_hello(fd, "vmcore.segments", &hello, &unused) == 0 &&
	       memcmp(hello.dump_id, dump_id, DIGEST_BYTES) == 0;
}

/*
 * The directory `name` of the host's at `path`, if it has the dump; -ENOENT if it hasn't; another
 * error if it seems to and isn't ours, or not all that is in it.
 */
static int open_if_has(int host_fd, const char *path, const char *name,
		       const uint8_t dump_id[static DIGEST_BYTES], struct error *err)
{
	struct error unused;
	AUTO_CLOSE int fd = open_dir(host_fd, name, false, &unused);
	char whole[ROOM];
	struct stat st;
	int r;

	if (fd < 0 || !is_of_dump(fd, dump_id))
		return -ENOENT;
	snprintf(whole, sizeof(whole), "%.3600s%.255s", path, name);
	r = fstat(fd, &st) < 0 ? error_sys(err, "%s", whole)
			       : owner_check(&st, host_fd, whole, err);
	if (r == 0)
		r = check_files(fd, whole, err);
	return r < 0 ? r : TAKE_FD(fd);
}

/* The directory of the dump, if a session began it: its descriptor, or -ENOENT. */
static int search(int host_fd, const uint8_t dump_id[static DIGEST_BYTES], struct dumpdir *p,
		  struct error *err)
{
	const int fd = dup(host_fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int found = -ENOENT;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return error_sys(err, "can't read the host's directory");
	}
	rewinddir(dir);
	while (found == -ENOENT && (entry = next_entry(dir))) {
		if (*entry->d_name == '.')
			continue;
		found = open_if_has(host_fd, p->path, entry->d_name, dump_id, err);
		if (found >= 0)
			snprintf(p->name, sizeof(p->name), "%s", entry->d_name);
	}
	/* Where it isn't to be found the dump would begin anew, in another place. */
	if (found == -ENOENT && errno)
		found = error_sys(err, "can't read the host's directory");
	closedir(dir);
	return found;
}

/* What a process that ended too early has left under the name of a new one. */
static int remove_new(int host_fd, struct error *err)
{
	struct error unused;
	const int fd = open_dir(host_fd, new_name, false, &unused);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	/* What can't be read can't be empty, as is found below. */
	while (dir && (entry = next_entry(dir)))
		unlinkat(fd, entry->d_name, 0);
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (unlinkat(host_fd, new_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno == ENOTDIR && unlinkat(host_fd, new_name, 0) == 0)
		return 0;
	return error_sys(err, "%s, which an earlier session left: can't remove it", new_name);
}

/* An empty directory in a host's that is locked: its descriptor. */
static int make_new(int host_fd, struct error *err)
{
	int r = remove_new(host_fd, err);

	if (r < 0)
		return r;
	if (mkdirat(host_fd, new_name, 0700) < 0)
		return error_sys(err, "a new directory: can't make it");
	return open_dir(host_fd, new_name, false, err);
}

/* Where it will be, as far as that is known. */
static void set_path(struct dumpdir *p, const char *dir, const char *host)
{
	snprintf(p->path, sizeof(p->path), "%.3300s/%.255s/", dir, host);
	snprintf(p->host, sizeof(p->host), "%.255s", host);
}

static void add_name(struct dumpdir *p)
{
	const size_t n = strlen(p->path);

	snprintf(p->path + n, sizeof(p->path) - n, "%s/", p->name);
}

/* A new one below the host's directory, which is locked and taken. */
static int begin_new(struct dumpdir *p, int *host_fd, struct error *err)
{
	const int fd = make_new(*host_fd, err);

	if (fd < 0)
		return fd;
	p->fd = fd;
	p->host_fd = TAKE_FD(*host_fd);
	return 0;
}

int dumpdir_find(struct dumpdir *p, const char *dir, const char *host,
		 const uint8_t dump_id[static DIGEST_BYTES], const struct keepalive *alive,
		 struct error *err)
{
	AUTO_CLOSE int host_fd = open_locked(dir, host, alive, err);
	int r;

	*p = dumpdir_none();
	if (host_fd < 0)
		return host_fd;
	set_path(p, dir, host);
	r = search(host_fd, dump_id, p, err);
	if (r >= 0) {
		p->fd = r;
		add_name(p);
		return 1;
	}
	if (r != -ENOENT)
		return r;
	r = check_beginnings(host_fd, p, err);
	return r < 0 ? r : begin_new(p, &host_fd, err);
}

int dumpdir_make(struct dumpdir *p, const char *dir, const char *host, struct error *err)
{
	AUTO_CLOSE int host_fd = open_locked(dir, host, NULL, err);
	int r;

	*p = dumpdir_none();
	if (host_fd < 0)
		return host_fd;
	set_path(p, dir, host);
	r = check_beginnings(host_fd, p, err);
	return r < 0 ? r : begin_new(p, &host_fd, err);
}

/* rename() that replaces nothing: an empty directory can be replaced, too. 0, or -errno. */
static int rename_new(int host_fd, const char *name)
{
	struct stat st;

	if (renameat2(host_fd, new_name, host_fd, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return -errno;
	/* Not every file system has that; but others like us are locked out. */
	if (fstatat(host_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(host_fd, new_name, host_fd, name) == 0 ? 0 : -errno;
}

int dumpdir_settle(struct dumpdir *p, struct error *err)
{
	const time_t now = time(NULL);
	struct tm tm;
	char text[32];

	if (p->host_fd < 0)
		return 0;
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H-%M-%SZ", &tm);
	for (int i = 1; i < SAME_SECOND_MAX; i++) {
		int r;

		snprintf(p->name, sizeof(p->name), i == 1 ? "%.30s" : "%.30s-%d", text, i);
		r = rename_new(p->host_fd, p->name);
		if (r == -EEXIST)
			continue;
		if (r < 0)
			return error_set(err, r, "%s%s: can't make it: %s", p->path, p->name,
					 strerror(-r));
		/* It has its name, whatever comes of the sync: so it is found again, or removed. */
		r = sync_names(p->host_fd, p->host_fd, p->path, err);
		close(p->host_fd);
		p->host_fd = -1;
		add_name(p);
		return r;
	}
	return error_set(err, -EAGAIN, "too many dumps at once");
}

/* The dump's directory, and then the host's, if nothing is in them. */
static void drop_empty(const struct dumpdir *p)
{
	AUTO_CLOSE int host_fd = openat(p->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int root_fd =
		host_fd < 0 ? -1 : openat(host_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (host_fd >= 0 && unlinkat(host_fd, p->name, AT_REMOVEDIR) == 0 && root_fd >= 0)
		census_drop_host(root_fd, p->host);
}

/* One that has no name yet, with all that is in it, and then the host's if nothing is in that. */
static void drop_new(struct dumpdir *p)
{
	AUTO_CLOSE int root_fd = openat(p->host_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error unused;

	(void)!remove_new(p->host_fd, &unused);
	close(p->host_fd);
	if (root_fd >= 0)
		census_drop_host(root_fd, p->host);
}

void dumpdir_deinit(struct dumpdir *p)
{
	if (p->host_fd >= 0)
		drop_new(p);
	else if (*p->name)
		drop_empty(p);
	if (p->fd >= 0)
		close(p->fd);
	*p = dumpdir_none();
}
