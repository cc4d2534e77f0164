/* What lies below a collector's DIR.
 * Doesn't know rules, and changes nothing. */
#include "receiver/retention/stock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/owner.h"
#include "receiver/store/journal.h"

enum { BLOCK_BYTES = 512 }; /* of st_blocks, on Linux */

bool stock_time(const char *name, int64_t *time_s_ret, unsigned *number_ret)
{
	struct tm tm = {0};
	const char *rest = strptime(name, "%Y-%m-%dT%H-%M-%SZ", &tm);
	char again[40];

	/* strptime() takes more than what strftime() makes. */
	if (!rest || strftime(again, sizeof(again), "%Y-%m-%dT%H-%M-%SZ", &tm) == 0 ||
	    strncmp(again, name, strlen(again)) != 0 || (size_t)(rest - name) != strlen(again))
		return false;
	*number_ret = 1;
	*time_s_ret = timegm(&tm);
	if (!*rest)
		return true;
	return *rest == '-' && rest[1] >= '1' && rest[1] <= '9' && strlen(rest) <= 4 &&
	       strspn(rest + 1, "0123456789") == strlen(rest + 1) &&
	       sscanf(rest + 1, "%u", number_ret) == 1;
}

int stock_open(int dir_fd, const char *name)
{
	AUTO_CLOSE int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct error unused;
	struct stat st;

	if (fd < 0 && errno != EACCES)
		return -errno;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || owner_check(&st, dir_fd, name, &unused) < 0)
		return -EACCES;
	return fd < 0 ? -EPERM : TAKE_FD(fd);
}

/* --- one dump ------------------------------------------------------------------------------- */

static void read_reservation(int fd, struct stored *d)
{
	AUTO_CLOSE int file =
		openat(fd, STOCK_RESERVED, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[100] = "";
	uint64_t bytes, bound;
	unsigned level;

	if (file < 0 || io_read_full(file, text, sizeof(text) - 1) < 0 ||
	    sscanf(text, "%" SCNu64 " of %" SCNu64 " level %u", &bytes, &bound, &level) != 3)
		return;
	d->reserved_bytes = bytes;
	d->bound_bytes = bound;
	d->level = level;
}

static bool is_locked(int fd, const char *name)
{
	AUTO_CLOSE int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return file >= 0 && flock(file, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static void take_file(struct stored *d, const char *name, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return;
	d->bytes += (uint64_t)st->st_blocks * BLOCK_BYTES;
	/* A dump's age is that of its bytes, not of a word that an operator leaves beside them. */
	if (strncmp(name, "vmcore", strlen("vmcore")) == 0)
		d->changed_s = MAX(d->changed_s, (int64_t)st->st_mtime);
	if (strcmp(name, "vmcore") == 0)
		d->complete = d->has_pages = true;
	if (strcmp(name, "vmcore.part") == 0)
		d->has_pages |= st->st_size > 0;
	if (strcmp(name, STOCK_RESERVED) == 0)
		d->has_reservation = true;
	if (strcmp(name, STOCK_KEEP) == 0)
		d->pinned = true;
}

/* All that is in a dump's directory. What goes meanwhile counts or doesn't. */
static int look_into(int fd, struct stored *d)
{
	const int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;
	struct stat st;
	int e;

	if (!dir) {
		e = -errno;
		if (own >= 0)
			close(own);
		return e;
	}
	for (errno = 0; (entry = readdir(dir)); errno = 0)
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			take_file(d, entry->d_name, &st);
	e = -errno;
	closedir(dir);
	if (e < 0)
		return e;
	if (d->has_reservation)
		read_reservation(fd, d);
	if (!d->complete)
		d->busy = is_locked(fd, "vmcore.part") || journal_is_held(fd, "vmcore.segments");
	if (!d->busy)
		d->reserved_bytes = 0;
	d->has_pages |= d->reserved_bytes > 0;
	return 0;
}

static struct stored *add_dump(struct stock *s)
{
	if (s->count == s->room) {
		const size_t room = s->room ? 2 * s->room : 64;
		struct stored *dumps = reallocarray(s->dumps, room, sizeof(*dumps));

		if (!dumps)
			return NULL;
		s->dumps = dumps;
		s->room = room;
	}
	s->dumps[s->count] = (struct stored){0};
	return &s->dumps[s->count++];
}

static void remark(struct stock *s, int code, const char *host, const char *name)
{
	if (!s->remark.code)
		error_set(&s->remark, code, "%s/%s: %s; its files don't count", host, name,
			  strerror(-code));
}

static int take_dump(struct stock *s, int host_fd, const char *host, const char *name,
		     struct error *err)
{
	struct stored *d;
	int64_t time_s;
	unsigned number;
	AUTO_CLOSE int fd = -1;
	int r;

	if (!stock_time(name, &time_s, &number))
		return 0;
	fd = stock_open(host_fd, name);
	if (fd < 0) { /* gone, or not ours */
		if (fd == -EPERM)
			remark(s, -EACCES, host, name);
		return 0;
	}
	d = add_dump(s);
	if (!d)
		return error_set(err, -ENOMEM, "out of memory for a list of dumps");
	d->host = host;
	d->time_s = time_s;
	d->number = number;
	snprintf(d->name, sizeof(d->name), "%s", name);
	r = look_into(fd, d);
	if (r < 0)
		remark(s, r, host, name);
	return 0;
}

/* --- hosts ---------------------------------------------------------------------------------- */

static const char *add_host(struct stock *s, const char *name)
{
	if (s->host_count == s->host_room) {
		const size_t room = s->host_room ? 2 * s->host_room : 16;
		char **hosts = reallocarray(s->hosts, room, sizeof(*hosts));

		if (!hosts)
			return NULL;
		s->hosts = hosts;
		s->host_room = room;
	}
	s->hosts[s->host_count] = strdup(name);
	return s->hosts[s->host_count] ? s->hosts[s->host_count++] : NULL;
}

typedef int entry_fn(struct stock *s, int dir_fd, const char *host, const char *name,
		     struct error *err);

static int walk(struct stock *s, int dir_fd, const char *host, entry_fn *fn, struct error *err)
{
	const int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = error_sys(err, "%s", host ? host : "the directory of all dumps");
		if (fd >= 0)
			close(fd);
		return r;
	}
	for (errno = 0; r == 0 && (entry = readdir(dir)); errno = 0)
		if (*entry->d_name != '.')
			r = fn(s, dir_fd, host, entry->d_name, err);
	if (r == 0 && errno)
		r = error_sys(err, "%s", host ? host : "the directory of all dumps");
	closedir(dir);
	return r;
}

static int take_host(struct stock *s, int dir_fd, const char *host UNUSED, const char *name,
		     struct error *err)
{
	AUTO_CLOSE int fd = stock_open(dir_fd, name);
	const char *own;
	int r;

	if (fd < 0) { /* a file, or the operator's */
		if (fd == -EPERM)
			remark(s, -EACCES, name, "");
		return 0;
	}
	own = add_host(s, name);
	if (!own)
		return error_set(err, -ENOMEM, "out of memory for a list of dumps");
	r = walk(s, fd, own, take_dump, err);
	if (r < 0 && r != -ENOMEM) {
		remark(s, r, name, "");
		r = 0;
	}
	return r;
}

int stock_take(int dir_fd, struct stock *s_ret, struct error *err)
{
	*s_ret = (struct stock){0};
	return walk(s_ret, dir_fd, NULL, take_host, err);
}

void stock_deinit(struct stock *s)
{
	for (size_t i = 0; i < s->host_count; i++)
		free(s->hosts[i]);
	free(s->hosts);
	free(s->dumps);
	*s = (struct stock){0};
}

struct stored *stock_find(const struct stock *s, const char *host, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->dumps[i].host, host) == 0 && strcmp(s->dumps[i].name, name) == 0)
			return &s->dumps[i];
	return NULL;
}
