/* A home in a directory of its own, below a collector's: DIR/HOST/TIME/.
 * Doesn't know how that directory is found. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "format/dumpfile.h"
#include "receiver/store/census.h"
#include "receiver/store/dumpdir.h"
#include "receiver/store/home_ops.h"

struct home_dir {
	struct home h;
	struct dumpdir place;
};

static int dir_check(struct home *h, const char *host, struct error *err)
{
	return dumpdir_check(h->setup.dir, host, err);
}

static int dir_find(struct home *h, const char *host, const uint8_t *dump_id, struct error *err)
{
	struct home_dir *d = (struct home_dir *)h;
	const int r = dumpdir_find(&d->place, h->setup.dir, host, dump_id, &h->setup.alive, err);

	h->dir_fd = d->place.fd;
	return r;
}

static int dir_settle(struct home *h, struct error *err)
{
	return dumpdir_settle(&((struct home_dir *)h)->place, err);
}

static uint64_t dir_free_bytes(const struct home *h)
{
	return h->dir_fd < 0 ? io_free_bytes(h->setup.dir) : io_free_bytes_of(h->dir_fd);
}

static int dir_create(struct home *h, struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r = dumpfile_create_at(h->dir_fd, h->dump, dumpfile_replace_if(h->setup.force), &df,
				   err);

	/* The journal has digests of a session's dump; sums are of another one. */
	if (r == 0)
		r = dumpfile_keep_sums(df, SUMS_NONE, NULL, err);
	if (r == 0)
		*df_ret = TAKE_PTR(df);
	return r;
}

/* All names are final from the first. */
static int dir_publish(struct home *h UNUSED, struct error *err UNUSED)
{
	return 0;
}

/* What attachments without a dump may take of the disk. */
static int check_room(const struct home *h, const char *name, uint64_t more_bytes,
		      struct error *err)
{
	struct census census;
	const int r = census_take(h->dir_fd, "..", h->dir_fd, &census, err);

	if (r < 0)
		return r;
	if (census.attached_bytes + more_bytes > ATTACHED_BYTES_MAX)
		return error_set(err, -EDQUOT,
				 "%s: the host has %" PRIu64 " MiB of attachments of dumps without "
				 "a page, and more aren't taken",
				 name, census.attached_bytes >> 20);
	return 0;
}

static int dir_attach(struct home *h, const struct attach *a, bool has_pages,
		      struct dumpfile **df_ret, struct error *err)
{
	char name[2 * ATTACH_NAME_ROOM];
	int r;

	snprintf(name, sizeof(name), "%s-%s", h->dump, home_bare_name(a->name));
	r = has_pages ? 0 : check_room(h, name, a->total_bytes, err);
	if (r < 0)
		return r;
	/* Those of earlier sessions count, too. */
	if (census_attachments(h->dir_fd, name) >= ATTACH_COUNT_MAX)
		return error_set(err, -EFBIG, "more than %d attachments", ATTACH_COUNT_MAX);
	return dumpfile_create_at(h->dir_fd, name, DUMPFILE_REPLACE_ALL, df_ret, err);
}

static bool dir_clear(struct home *h, bool untouched)
{
	return untouched && census_clear(h->dir_fd, true);
}

static void dir_free(struct home *h)
{
	dumpdir_deinit(&((struct home_dir *)h)->place);
	free(h);
}

int home_dir_new(const struct home_setup *setup, struct home **h_ret, struct error *err)
{
	static const struct home_ops ops = {
		.check = dir_check,
		.find = dir_find,
		.settle = dir_settle,
		.free_bytes = dir_free_bytes,
		.create = dir_create,
		.publish = dir_publish,
		.attach = dir_attach,
		.clear = dir_clear,
		.free = dir_free,
	};
	struct home_dir *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(err, -ENOMEM, "out of memory");
	d->place = dumpdir_none();
	d->h = (struct home){
		.ops = &ops,
		.setup = *setup,
		.dir_fd = -1,
		.where = d->place.path,
		.dump = "vmcore",
		.journal = "vmcore.segments",
		.meta = "meta.json",
	};
	*h_ret = &d->h;
	return 0;
}
