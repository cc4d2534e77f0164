/* A home in the one FILE of a pipe, and beside it: what tells of FILE.part begins with that name,
 * and is renamed when FILE is. Each pipe has a dump of its own: none is found again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "format/dumpfile.h"
#include "receiver/store/home_ops.h"
#include "receiver/store/sidecars.h"

struct home_file {
	struct home h;
	char *part_journal, *part_meta;			   /* what h.journal and h.meta are */
	char attached[ATTACH_COUNT_MAX][ATTACH_NAME_ROOM]; /* that have begun */
	unsigned attachments;				   /* how many */
};

static int file_check(struct home *h UNUSED, const char *host UNUSED, struct error *err UNUSED)
{
	return 0;
}

static int file_find(struct home *h UNUSED, const char *host UNUSED, const uint8_t *dump_id UNUSED,
		     struct error *err UNUSED)
{
	return 0;
}

static int file_settle(struct home *h UNUSED, struct error *err UNUSED)
{
	return 0;
}

static uint64_t file_free_bytes(const struct home *h)
{
	return io_free_bytes_beside(h->dump);
}

static int file_create(struct home *h, struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	/* The part first: a FILE that isn't to be replaced keeps its journal, too. */
	int r = dumpfile_create(h->dump, dumpfile_replace_if(h->setup.force), &df, err);

	/* The journal has digests of a session's dump; sums are of another one. */
	if (r == 0)
		r = dumpfile_keep_sums(df, SUMS_NONE, NULL, err);
	if (r == 0)
		r = h->setup.force ? sidecars_drop_part(h->dump, err)
				   : sidecars_check(h->dump, true, err);
	if (r == 0)
		*df_ret = TAKE_PTR(df);
	return r;
}

/* What lies beside FILE.part goes with it, all that can. The first error. */
static int file_publish(struct home *h, struct error *err)
{
	const struct home_file *f = (const struct home_file *)h;
	struct error first = {0}, other;

	(void)!sidecars_settle(h->dump, &first);
	for (unsigned i = 0; i < f->attachments; i++)
		if (sidecars_settle_other(h->dump, home_bare_name(f->attached[i]), h->setup.force,
					  &other) < 0 &&
		    first.code == 0)
			first = other;
	if (home_sync(h, &other) < 0 && first.code == 0)
		first = other;
	*err = first;
	return first.code;
}

static bool was_attached(const struct home_file *f, const char *name)
{
	for (unsigned i = 0; i < f->attachments; i++)
		if (strcmp(f->attached[i], name) == 0)
			return true;
	return false;
}

/* Beside FILE, what isn't this session's may be anybody's, and the sender chooses the name. */
static int file_attach(struct home *h, const struct attach *a, bool has_pages UNUSED,
		       struct dumpfile **df_ret, struct error *err)
{
	struct home_file *f = (struct home_file *)h;
	const char *name = home_bare_name(a->name);
	AUTO_FREE char *path = NULL;
	int r = h->setup.force || was_attached(f, a->name)
			? 0
			: sidecars_check_other(h->dump, name, err);

	if (r < 0)
		return r;
	if (asprintf(&path, "%s.part-%s", h->dump, name) < 0) {
		path = NULL; /* asprintf leaves it undefined */
		return error_set(err, -ENOMEM, "out of memory");
	}
	r = dumpfile_create(path, DUMPFILE_REPLACE_ALL, df_ret, err);
	if (r == 0)
		memcpy(f->attached[f->attachments++], a->name, ATTACH_NAME_ROOM);
	return r;
}

/* FILE.part was removed, for it was empty: what tells of it goes, too. */
static bool file_clear(struct home *h, bool untouched UNUSED)
{
	struct error unused;

	(void)!sidecars_drop_part(h->dump, &unused);
	return true;
}

static void file_free(struct home *h)
{
	struct home_file *f = (struct home_file *)h;

	free(f->part_journal);
	free(f->part_meta);
	free(f);
}

static char *beside_part(const char *file, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s.part%s", file, suffix) < 0 ? NULL : name;
}

int home_file_new(const struct home_setup *setup, struct home **h_ret, struct error *err)
{
	static const struct home_ops ops = {
		.check = file_check,
		.find = file_find,
		.settle = file_settle,
		.free_bytes = file_free_bytes,
		.create = file_create,
		.publish = file_publish,
		.attach = file_attach,
		.clear = file_clear,
		.free = file_free,
	};
	struct home_file *f = calloc(1, sizeof(*f));

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	f->part_journal = beside_part(setup->file, ".segments");
	f->part_meta = beside_part(setup->file, ".json");
	f->h = (struct home){
		.ops = &ops,
		.setup = *setup,
		.dir_fd = AT_FDCWD,
		.where = "",
		.dump = setup->file,
		.journal = f->part_journal,
		.meta = f->part_meta,
	};
	if (!f->part_journal || !f->part_meta) {
		file_free(&f->h);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*h_ret = &f->h;
	return 0;
}
