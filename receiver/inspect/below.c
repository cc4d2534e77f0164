/* Looks for dumps below a directory.
 * Reads no more of a file than its first bytes, and doesn't check it. */
#include "receiver/inspect/below.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "format/flat.h"
#include "format/kdump.h"

/* A directory that is being searched. */
struct folder {
	DIR *dir; /* ours */
	const char *path;
	unsigned depth; /* below the one of the command line */
};

void below_deinit(struct below *b)
{
	for (size_t i = 0; i < b->count; i++) {
		free(b->items[i].path);
		free(b->items[i].trouble);
	}
	free(b->items);
	*b = (struct below){0};
}

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "out of memory");
}

/* Add an item. Copies both; `trouble` may be NULL. */
static int add(struct below *b, const char *path, const struct error *trouble, struct error *err)
{
	struct below_item item = {0};

	if (b->count == b->room) {
		const size_t room = b->room ? 2 * b->room : 16;
		struct below_item *items = reallocarray(b->items, room, sizeof(*items));

		if (!items)
			return no_memory(err);
		b->items = items;
		b->room = room;
	}
	item.path = strdup(path);
	if (trouble)
		item.trouble = malloc(sizeof(*trouble));
	if (!item.path || (trouble && !item.trouble)) {
		free(item.path);
		free(item.trouble);
		return no_memory(err);
	}
	if (trouble)
		*item.trouble = *trouble;
	b->items[b->count++] = item;
	return 0;
}

/* Add an item with the system's error as its trouble. */
static int add_failure(struct below *b, const char *path, const char *what, struct error *err)
{
	struct error trouble;

	error_sys(&trouble, "%s", what);
	return add(b, path, &trouble, err);
}

static bool has_end(const char *name, const char *end)
{
	const size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* 1 if the file begins as a dump does, 0 if not, -errno if it can't be read. */
static int begins_as_dump(int dirfd, const char *name)
{
	AUTO_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char bytes[sizeof(FLAT_SIGNATURE)];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = io_pread_full(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return (int)n;
	return (n >= (ssize_t)strlen(KDUMP_SIGNATURE) &&
		memcmp(bytes, KDUMP_SIGNATURE, strlen(KDUMP_SIGNATURE)) == 0) ||
	       (n == sizeof(bytes) && memcmp(bytes, FLAT_SIGNATURE, sizeof(bytes)) == 0);
}

static bool has_beside(int dirfd, const char *name, const char *suffix)
{
	char beside[NAME_MAX + sizeof(".segments")];

	snprintf(beside, sizeof(beside), "%s%s", name, suffix);
	return faccessat(dirfd, beside, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The same, by the beginning or by the name of the file. */
static int is_dump(int dirfd, const char *name)
{
	if (strcmp(name, "vmcore") == 0 || has_end(name, ".part"))
		return 1;
	if (has_beside(dirfd, name, ".segments") || has_beside(dirfd, name, ".sums"))
		return 1;
	return begins_as_dump(dirfd, name);
}

static int take_file(struct below *b, int dirfd, const char *name, const char *path,
		     struct error *err)
{
	const int r = is_dump(dirfd, name);

	if (r >= 0)
		return r ? add(b, path, NULL, err) : 0;
	if (r == -ENOENT) /* the file has gone meanwhile */
		return 0;
	errno = -r;
	return add_failure(b, path, "whether it is a dump can't be told", err);
}

static int walk(struct below *b, const struct folder *f, struct error *err);

/* Search the directory `fd`, which is taken. */
static int enter(struct below *b, int fd, const char *path, unsigned depth, struct error *err)
{
	struct folder f = {.path = path, .depth = depth};
	struct error deep;
	int r;

	if (depth > BELOW_DEPTH_MAX) {
		close(fd);
		error_set(&deep, -EFBIG, "not looked into: it lies more than %d folders deep",
			  BELOW_DEPTH_MAX);
		return add(b, path, &deep, err);
	}
	f.dir = fdopendir(fd);
	if (!f.dir) {
		r = add_failure(b, path, "can't look into it", err);
		close(fd);
		return r;
	}
	r = walk(b, &f, err);
	closedir(f.dir);
	return r;
}

static int take_entry(struct below *b, const struct folder *f, const char *name, struct error *err)
{
	const int at = dirfd(f->dir);
	const size_t len = strlen(f->path);
	AUTO_FREE char *path = NULL;
	struct stat st;
	int fd;

	if (asprintf(&path, "%s%s%s", f->path, len && f->path[len - 1] == '/' ? "" : "/", name) <
	    0) {
		path = NULL; /* asprintf leaves it undefined */
		return no_memory(err);
	}
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : add_failure(b, path, "can't look at it", err);
	if (S_ISREG(st.st_mode))
		return take_file(b, at, name, path, err);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : add_failure(b, path, "can't look into it", err);
	return enter(b, fd, path, f->depth + 1, err);
}

static int walk(struct below *b, const struct folder *f, struct error *err)
{
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(f->dir);
		if (!entry)
			return errno ? add_failure(b, f->path, "can't look into all of it", err)
				     : 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = take_entry(b, f, entry->d_name, err);
		if (r < 0)
			return r;
	}
}

/* A folder's contents stand together: '/' sorts before all other characters. */
static int compare_items(const void *a, const void *b)
{
	const char *x = ((const struct below_item *)a)->path;
	const char *y = ((const struct below_item *)b)->path;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return (*x == '/' ? 1 : (unsigned char)*x) - (*y == '/' ? 1 : (unsigned char)*y);
}

static int find(const char *path, struct below *b, struct error *err)
{
	const struct error none = {-ENODATA, "no dump lies below it"};
	struct stat st;
	int fd, r;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		r = add(b, path, NULL, err);
		if (r == 0)
			b->items[0].named = true;
		return r;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return add_failure(b, path, "can't look into it", err);
	r = enter(b, fd, path, 0, err);
	if (r == 0 && b->count == 0)
		r = add(b, path, &none, err);
	if (b->count > 0)
		qsort(b->items, b->count, sizeof(*b->items), compare_items);
	return r;
}

int below_find(const char *path, struct below *b_ret, struct error *err)
{
	struct below b = {0};
	const int r = find(path, &b, err);

	if (r < 0)
		below_deinit(&b);
	else
		*b_ret = b;
	return r;
}

bool below_is_there(struct below_item *item)
{
	static const char part[] = ".part";

	if (item->named || io_exists(item->path))
		return true;
	if (!has_end(item->path, part))
		return false;
	item->path[strlen(item->path) - strlen(part)] = '\0';
	return io_exists(item->path);
}
