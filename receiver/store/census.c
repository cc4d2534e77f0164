/* What hosts have begun, and what is empty.
 * Doesn't know sessions. */
#include "receiver/store/census.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "receiver/store/journal.h"

static const char journal_name[] = "vmcore.segments", part_name[] = "vmcore.part",
		  meta_name[] = "meta.json", meta_part_name[] = "meta.json.part",
		  new_name[] = ".new", reserved_name[] = ".reserved",
		  attachment_prefix[] = "vmcore-";

/* --- directories ---------------------------------------------------------------------------- */

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Told of each entry but "." and ".."; ends the walk by returning false. */
typedef bool entry_fn(void *ctx, int dir_fd, const char *name);

/* Through a directory of its own descriptor: false if it could not be read to its end. */
static bool walk(int dir_fd, entry_fn *fn, void *ctx)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool more = true;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	for (errno = 0; more && (entry = readdir(dir)); errno = more ? 0 : errno)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			more = fn(ctx, dir_fd, entry->d_name);
	more = !more || errno == 0;
	closedir(dir);
	return more;
}

static bool has(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static uint64_t size_of(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
		       ? (uint64_t)st.st_size
		       : 0;
}

static bool is_same(int one_fd, int other_fd)
{
	struct stat one, other;

	return fstat(one_fd, &one) == 0 && fstat(other_fd, &other) == 0 &&
	       one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool is_attachment(const char *name)
{
	return strncmp(name, attachment_prefix, sizeof(attachment_prefix) - 1) == 0;
}

/* --- counting ------------------------------------------------------------------------------- */

struct taking {
	struct census census;
	int own_fd; /* the caller's dump, or -1 */
};

static bool add_bytes(void *ctx, int dir_fd, const char *name)
{
	struct taking *t = ctx;

	if (is_attachment(name))
		t->census.attached_bytes += size_of(dir_fd, name);
	return true;
}

/* Whether somebody writes it: a stream has no journal, and its sender may say nothing for long. */
static bool is_being_written(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Whether a stream, which has no journal, ended with next to nothing in its part. */
static bool is_short_stream(int fd)
{
	return !has(fd, journal_name) && has(fd, part_name) &&
	       size_of(fd, part_name) < SHORT_STREAM_BYTES && !is_being_written(fd, part_name);
}

static bool count_dump(void *ctx, int dir_fd, const char *name)
{
	struct taking *t = ctx;
	AUTO_CLOSE int fd = *name == '.' ? -1 : open_dir(dir_fd, name);
	struct journal_state state = {0};

	if (fd < 0 || has(fd, "vmcore"))
		return true;
	if (is_short_stream(fd)) {
		t->census.beginnings++;
		return true;
	}
	if (!is_same(fd, t->own_fd)) {
		if (journal_look(fd, journal_name, &state) < 0 || state.has_pages)
			return true;
		t->census.beginnings += !state.is_held;
	}
	(void)walk(fd, add_bytes, t);
	return true;
}

int census_take(int dir_fd, const char *name, int own_fd, struct census *census_ret,
		struct error *err)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct taking t = {.own_fd = own_fd};

	if (fd < 0 || !walk(fd, count_dump, &t))
		return error_sys(err, "can't read the host's directory");
	*census_ret = t.census;
	return 0;
}

struct counting {
	const char *but;
	unsigned count;
};

static bool count_attachment(void *ctx, int dir_fd UNUSED, const char *name)
{
	struct counting *c = ctx;

	c->count += is_attachment(name) && strcmp(name, c->but) != 0;
	return true;
}

unsigned census_attachments(int dir_fd, const char *name)
{
	struct counting c = {.but = name};

	(void)walk(dir_fd, count_attachment, &c);
	return c.count;
}

/* --- what is empty -------------------------------------------------------------------------- */

static bool is_trifle(void *ctx, int dir_fd, const char *name)
{
	bool *only = ctx;

	*only = strcmp(name, journal_name) == 0 || strcmp(name, meta_name) == 0 ||
		strcmp(name, meta_part_name) == 0 || strcmp(name, reserved_name) == 0 ||
		(strcmp(name, part_name) == 0 && size_of(dir_fd, name) == 0);
	return *only;
}

/* Whether a session has its journal, or it isn't as empty as it looks. */
static bool is_in_use(int fd)
{
	struct journal_state state = {0};

	if (is_being_written(fd, part_name))
		return true;
	return has(fd, journal_name) && (journal_look(fd, journal_name, &state) < 0 ||
					 state.is_held || state.has_checkpoints);
}

bool census_clear(int fd, bool own)
{
	bool only = true;

	if (!walk(fd, is_trifle, &only) || !only || (!own && is_in_use(fd)))
		return false;
	/* The journal last: until then it is a dump that has begun. */
	unlinkat(fd, part_name, 0);
	unlinkat(fd, meta_name, 0);
	unlinkat(fd, meta_part_name, 0);
	unlinkat(fd, reserved_name, 0);
	unlinkat(fd, journal_name, 0);
	return true;
}

void census_drop_host(int root_fd, const char *host)
{
	AUTO_CLOSE int fd = open_dir(root_fd, host);

	/* Who makes a place in it has it locked. */
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		unlinkat(root_fd, host, AT_REMOVEDIR);
}

/* "2026-12-01T03-02-05Z", perhaps with a number. */
static bool is_time(const char *name)
{
	static const char form[] = "dddd-dd-ddTdd-dd-ddZ";

	for (size_t i = 0; i < sizeof(form) - 1; i++)
		if (form[i] == 'd' ? !isdigit((unsigned char)name[i]) : name[i] != form[i])
			return false;
	return true;
}

static bool is_ours(int fd, int dir_fd, const char *name)
{
	struct error unused;
	struct stat st;

	return fstat(fd, &st) == 0 && owner_check(&st, dir_fd, name, &unused) == 0;
}

static bool sweep_place(void *ctx UNUSED, int host_fd, const char *name)
{
	AUTO_CLOSE int fd =
		is_time(name) || strcmp(name, new_name) == 0 ? open_dir(host_fd, name) : -1;

	if (fd >= 0 && !has(fd, "vmcore") && is_ours(fd, host_fd, name) && census_clear(fd, false))
		unlinkat(host_fd, name, AT_REMOVEDIR);
	return true;
}

static bool sweep_host(void *ctx UNUSED, int root_fd, const char *name)
{
	AUTO_CLOSE int fd = *name == '.' ? -1 : open_dir(root_fd, name);
	struct stat st;

	/* An operator's own has another mode. */
	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & 07777) != 0700 ||
	    !is_ours(fd, root_fd, name) || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return true;
	(void)walk(fd, sweep_place, NULL);
	unlinkat(root_fd, name, AT_REMOVEDIR);
	return true;
}

void census_sweep(const char *dir)
{
	AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)walk(fd, sweep_host, NULL);
}
