/* Finds dumps by name.
 * Doesn't know what is done with them. */
#include "receiver/dumps/found.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "receiver/inspect/escape.h"

static int by_age(const void *a, const void *b)
{
	const struct stored *x = a, *y = b;

	if (x->time_s != y->time_s)
		return x->time_s < y->time_s ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->host, y->host);
}

int found_take(struct found *f, const char *dir, struct error *err)
{
	int r;

	*f = (struct found){.dir = dir};
	f->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return error_sys(err, "%s", dir);
	r = stock_take(f->dir_fd, &f->stock, err);
	if (r < 0)
		return error_prefix(err, "%s", dir);
	if (f->stock.count)
		qsort(f->stock.dumps, f->stock.count, sizeof(*f->stock.dumps), by_age);
	return 0;
}

void found_deinit(struct found *f)
{
	stock_deinit(&f->stock);
	if (f->dir_fd >= 0)
		close(f->dir_fd);
	f->dir_fd = -1;
}

bool found_matches(const struct stored *d, const char *word)
{
	const size_t len = strlen(d->host);
	const char *rest;
	size_t name_len;

	if (strncmp(word, d->host, len) != 0)
		return false;
	if (!word[len] || strcmp(word + len, "/") == 0)
		return true;
	if (word[len] != '/')
		return false;
	/* A shell completes a directory's name with a slash. */
	rest = word + len + 1;
	name_len = strlen(d->name);
	return strncmp(rest, d->name, name_len) == 0 &&
	       (!rest[name_len] || strcmp(rest + name_len, "/") == 0);
}

int found_named(const struct found *f, const char *word, const struct stored **d_ret,
		struct error *err)
{
	char text[200];

	for (size_t i = f->stock.count; i-- > 0;)
		if (found_matches(&f->stock.dumps[i], word)) {
			*d_ret = &f->stock.dumps[i];
			return 0;
		}
	return error_set(err, -ENOENT, "%s has no dump \"%s\": name HOST or HOST/TIME, see list",
			 f->dir, escape_text(text, sizeof(text), word));
}

int found_open(const struct found *f, const struct stored *d, struct error *err)
{
	AUTO_CLOSE int host_fd = stock_open(f->dir_fd, d->host);
	const int fd = host_fd < 0 ? host_fd : stock_open(host_fd, d->name);

	if (fd < 0)
		return error_set(err, fd, "%s/%s/%s: %s", f->dir, d->host, d->name, strerror(-fd));
	return fd;
}

const char *found_status(const struct stored *d)
{
	if (d->complete)
		return "complete";
	if (d->busy)
		return "receiving";
	return d->has_pages ? "incomplete" : "log only";
}
