/* How a dump file becomes durable and gets its final name: syncs and their failures, and the order
 * of system calls that publishes it. */
#include "common/format/dumpfile_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"
#include "base/names.h"

/*
 * fsync(), or fdatasync(). A sync that once failed counts as failed from then on: the kernel tells
 * of a failure one time, may have dropped what it couldn't write, and says that all is well when
 * asked again.
 */
int dumpfile_sync_all(struct dumpfile *df, bool data_only, struct error *err)
{
	if (df->sync_failed)
		return dumpfile_fail(err, df, "an earlier fsync failed", df->sync_failed);
	if ((data_only ? fdatasync : fsync)(df->fd) == 0)
		return 0;
	df->sync_failed = -errno;
	return error_sys(err, "%s: %s", df->part_path, data_only ? "fdatasync" : "fsync");
}

int dumpfile_sync(struct dumpfile *df, struct error *err)
{
	return dumpfile_sync_all(df, true, err);
}

bool dumpfile_name_is_unsure(const struct dumpfile *df)
{
	return df->unsure;
}

/* The directory's names, ours among them: as dirsync(). */
static int sync_names(const struct dumpfile *df, struct error *err)
{
	const int r = dirsync_parent_at(df->dir_fd, df->path, df->fd);

	return r < 0 ? dumpfile_fail(err, df, "its directory can't be synced", r) : r;
}

int dumpfile_sync_name(const struct dumpfile *df, struct error *err)
{
	return MIN(sync_names(df, err), 0);
}

static int sync_length(struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	const int r = dumpfile_set_length(df, size_bytes, err);

	return r < 0 ? r : dumpfile_sync_all(df, false, err);
}

static int rename_final(struct dumpfile *df, struct error *err)
{
	int r;

	if (!names_lead_to(df->dir_fd, df->part_path, df->fd))
		return error_set(err, -EEXIST, "%s was replaced by somebody else", df->part_path);
	if (df->replace == DUMPFILE_REPLACE_ALL)
		r = names_replace(df->dir_fd, df->part_path, df->path);
	else
		r = names_change(df->dir_fd, df->part_path, df->path);
	if (r < 0) {
		errno = -r;
		return error_sys(err, "%s: can't become %s", df->part_path, df->path);
	}
	return 0;
}

/*
 * It has its final name, which couldn't be made durable: back to the .part, so that another try
 * isn't refused because of it. Where the name may have been another file's before, that one is
 * gone, and a try may replace this one: it stays. A disk that fails may not let us take the name
 * back, either. Where the dump stays the error says so.
 */
static int unpublish(struct dumpfile *df, int code, struct error *err)
{
	struct error ignored;

	if (df->replace != DUMPFILE_REPLACE_ALL && names_lead_to(df->dir_fd, df->path, df->fd) &&
	    names_change(df->dir_fd, df->path, df->part_path) == 0) {
		if (df->sums)
			sums_file_drop(df->sums);
		(void)!dumpfile_write_status(df, false, &ignored);
		(void)!sync_names(df, &ignored);
		return dumpfile_fail(err, df, "its directory can't be synced", code);
	}
	df->published = true;
	return error_set(err, code,
			 "%s is complete, but its directory can't be synced, so that a power cut"
			 " may lose the name: %s",
			 df->path, strerror(-code));
}

/* FILE.part.sums of what the file is, or is about to be if it is `final`. */
static int store_sums(struct dumpfile *df, bool final, uint64_t size_bytes, struct error *err)
{
	uint8_t head[DUMPFILE_HEAD_BYTES];

	if (!df->sums)
		return 0;
	df->final = final;
	dumpfile_head(df, head);
	return sums_file_store(df->sums, df->fd, head, size_bytes, err);
}

/* The name, and that of the sums. There is no moment at which those of one dump are beside another:
 * --check looks for FILE.part.sums, too, where FILE.part is gone. */
static int rename_all(struct dumpfile *df, struct error *err)
{
	int r;

	if (df->sums)
		sums_file_clear_way(df->sums);
	r = rename_final(df, err);
	if (r == 0 && df->sums)
		sums_file_settle(df->sums);
	return r;
}

int dumpfile_publish(struct dumpfile *df, struct error *err)
{
	int r = sync_length(df, df->end, err);

	if (r == 0)
		r = store_sums(df, true, df->end, err);
	/* Find out whether names can be synced before there is one. */
	if (r == 0)
		r = sync_names(df, err);
	if (r < 0) {
		df->final = false;
		if (df->sums)
			sums_file_drop(df->sums);
		return r;
	}
	/*
	 * Only now that every page is stable may the header say so, and only then may the name:
	 * whenever the power goes, a file without the bit has all its bytes, and the final name is
	 * on a finished file.
	 */
	r = dumpfile_write_status(df, true, err);
	if (r == 0)
		r = rename_all(df, err);
	if (r < 0) {
		struct error ignored;

		if (df->sums)
			sums_file_drop(df->sums);
		(void)!dumpfile_write_status(df, false, &ignored);
		return r;
	}
	r = dirsync_parent_at(df->dir_fd, df->path, df->fd);
	if (r < 0)
		return unpublish(df, r, err);
	df->published = true;
	df->unsure = r == DIRSYNC_UNSURE;
	return 0;
}

int dumpfile_keep_part(struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	struct error unused;
	struct stat st;
	int r;

	if (df->published)
		return 0;
	df->wrote = true;
	if (fstat(df->fd, &st) < 0)
		return error_sys(err, "%s", df->part_path);
	/* Never shorter: a write that failed may have left good bytes beyond `end`. */
	df->end = MAX(df->end, size_bytes);
	r = sync_length(df, MAX(df->end, (uint64_t)st.st_size), err);
	if (r < 0)
		return r;
	/* Without them it is a part all the same. */
	(void)!store_sums(df, false, MAX(df->end, (uint64_t)st.st_size), &unused);
	return dumpfile_sync_name(df, err);
}
