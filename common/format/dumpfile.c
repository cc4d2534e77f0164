/* A dump file while it is written: PATH.part, bytes in any order, holes. Its incomplete bit is in
 * dumpfile_incomplete.c, how it gets its final name in dumpfile_publish.c.
 * Doesn't know of streams, records or pages. */
#include "format/dumpfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/names.h"
#include "base/zero.h"
#include "common/format/dumpfile_parts.h"

enum {
	/* Smaller holes save little space and cost extents; file systems allocate in blocks up to
	   this. */
	HOLE_BYTES = 64 << 10,

	/* Bytes after which writeback is started, so that the fsync at the end finds little to do.
	 */
	WRITEBACK_BYTES = 8 << 20,
};

int dumpfile_fail(struct error *err, const struct dumpfile *df, const char *what, int r)
{
	errno = -r;
	return error_sys(err, "%s: %s", df->part_path, what);
}

/* Refuse what must not become, or isn't, a dump file of ours. */
static int check_existing(const struct dumpfile *df, const char *path, bool may_go,
			  struct error *err)
{
	char owner[48];
	struct stat st;

	if (fstatat(df->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EEXIST, "%s%s exists and isn't a regular file", path,
				 names_owner_text(df->dir_fd, path, owner));
	if (!may_go)
		return error_set(err, -EEXIST, "%s%s exists; --force replaces it", path,
				 names_owner_text(df->dir_fd, path, owner));
	return 0;
}

/* The error for a file that is in the place of the .part, by errno. */
static int cant_remove(const struct dumpfile *df, struct error *err)
{
	const int saved = errno;
	char owner[48];

	names_owner_text(df->dir_fd, df->part_path, owner);
	errno = saved;
	return error_sys(err, "%s%s: can't replace it: remove it, or name another file",
			 df->part_path, owner);
}

/*
 * Make room for ours. An old .part that another process is writing stays: that process would rename
 * ours when it is done. The writer's lock goes with the process, so a .part left by a crash isn't
 * locked. With the lock nobody gives it its final name any more: only now it is clear whether
 * there is one.
 */
static int make_room(const struct dumpfile *df, struct error *err)
{
	AUTO_CLOSE int fd =
		openat(df->dir_fd, df->part_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;

	if (fd < 0 && errno != ENOENT)
		return cant_remove(df, err);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return error_set(err, -EBUSY, "%s is being written by another process",
				 df->part_path);
	r = check_existing(df, df->path, df->replace == DUMPFILE_REPLACE_ALL, err);
	if (r < 0 || fd < 0)
		return r;
	if (!names_lead_to(df->dir_fd, df->part_path, fd))
		return error_set(err, -EBUSY, "%s was replaced by another process", df->part_path);
	return unlinkat(df->dir_fd, df->part_path, 0) < 0 ? cant_remove(df, err) : 0;
}

static int open_part(struct dumpfile *df, struct error *err)
{
	int r = check_existing(df, df->part_path, df->replace != DUMPFILE_REPLACE_NOTHING, err);

	if (r == 0)
		r = make_room(df, err);
	if (r < 0)
		return r;
	df->fd = openat(df->dir_fd, df->part_path,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (df->fd < 0)
		return error_sys(err, "%s", df->part_path);
	/* A file system without locks loses only the protection from a second --force. */
	(void)flock(df->fd, LOCK_EX | LOCK_NB);
	return 0;
}

static int make(int dir_fd, const char *path, enum dumpfile_replace replace,
		struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = calloc(1, sizeof(*df));

	if (!df)
		return error_set(err, -ENOMEM, "out of memory");
	df->fd = -1;
	df->dir_fd = dir_fd;
	df->replace = replace;
	df->path = strdup(path);
	if (!df->path || asprintf(&df->part_path, "%s.part", path) < 0) {
		df->part_path = NULL; /* asprintf leaves it undefined */
		return error_set(err, -ENOMEM, "out of memory");
	}
	*df_ret = TAKE_PTR(df);
	return 0;
}

int dumpfile_create_at(int dir_fd, const char *path, enum dumpfile_replace replace,
		       struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r = make(dir_fd, path, replace, &df, err);

	if (r == 0)
		r = open_part(df, err);
	if (r < 0)
		return r;
	*df_ret = TAKE_PTR(df);
	return 0;
}

int dumpfile_keep_sums(struct dumpfile *df, enum sums_kind kind, const struct keepalive *alive,
		       struct error *err)
{
	return sums_file_new(df->dir_fd, df->path, kind, df->replace == DUMPFILE_REPLACE_ALL, alive,
			     &df->sums, err);
}

struct error dumpfile_sums_failure(const struct dumpfile *df)
{
	return df->sums ? *sums_file_failure(df->sums) : (struct error){0};
}

void dumpfile_free(struct dumpfile *df)
{
	if (!df)
		return;
	if (df->fd >= 0) {
		if (!df->wrote && !df->published)
			unlinkat(df->dir_fd, df->part_path, 0);
		close(df->fd);
	}
	sums_file_free(df->sums);
	free(df->part_path);
	free(df->path);
	free(df);
}

/* Start writeback of what is dirty once it is much. Only advice: what fails here fails again at
 * fsync. */
static void note_dirty(struct dumpfile *df, uint64_t off, size_t size_bytes)
{
	if (df->dirty_bytes == 0 || off < df->dirty_begin)
		df->dirty_begin = off;
	df->dirty_end = MAX(df->dirty_bytes ? df->dirty_end : 0, off + size_bytes);
	df->dirty_bytes += size_bytes;
	if (df->dirty_bytes < WRITEBACK_BYTES)
		return;
	(void)sync_file_range(df->fd, (off64_t)df->dirty_begin,
			      (off64_t)(df->dirty_end - df->dirty_begin), SYNC_FILE_RANGE_WRITE);
	df->dirty_bytes = 0;
}

int dumpfile_write_out(struct dumpfile *df, uint64_t off, const uint8_t *bytes, size_t size_bytes,
		       struct error *err)
{
	int r;

	if (size_bytes == 0)
		return 0;
	/* Also if it fails: some of it may be there. */
	df->wrote = true;
	df->written = MAX(df->written, off + size_bytes);
	r = io_pwrite_full(df->fd, bytes, size_bytes, off);
	if (r < 0)
		return dumpfile_fail(err, df, "write", r);
	note_dirty(df, off, size_bytes);
	return 0;
}

static int open_again(struct dumpfile *df, struct error *err)
{
	struct stat st;
	bool marked;
	ssize_t n;

	df->wrote = true; /* whatever comes of this, it isn't ours to remove */
	df->fd = openat(df->dir_fd, df->part_path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (df->fd < 0 || fstat(df->fd, &st) < 0)
		return error_sys(err, "%s", df->part_path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) /* under another name it may be another
							 program's */
		return error_set(err, -EEXIST, "%s isn't a regular file of its own", df->part_path);
	if (flock(df->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return error_set(err, -EBUSY, "%s is being written by another process",
				 df->part_path);
	n = io_pread_full(df->fd, df->shadow, sizeof(df->shadow), 0);
	if (n < 0)
		return dumpfile_fail(err, df, "read", (int)n);
	df->end = df->written = (uint64_t)st.st_size;
	if (!dumpfile_is_kdump(df))
		return 0;
	marked = df->shadow[KDUMP_STATUS_OFFSET] & KDUMP_INCOMPLETE;
	df->shadow[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
	/* The file was about to be published, but isn't now. */
	return marked ? 0 : dumpfile_write_head(df, KDUMP_STATUS_OFFSET, KDUMP_STATUS_OFFSET, err);
}

int dumpfile_resume_at(int dir_fd, const char *path, struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r = make(dir_fd, path, DUMPFILE_REPLACE_NOTHING, &df, err);

	if (r == 0)
		r = open_again(df, err);
	if (r < 0)
		return r;
	*df_ret = TAKE_PTR(df);
	return 0;
}

/*
 * The first whole block of the file in [off, off + size_bytes) that is all zero, or the end of the
 * range: what stands before it has to be written.
 */
static size_t bytes_before_hole(uint64_t off, const uint8_t *bytes, size_t size_bytes)
{
	size_t at = (size_t)(-off % HOLE_BYTES);

	for (; at < size_bytes && size_bytes - at >= HOLE_BYTES; at += HOLE_BYTES)
		if (is_zero(bytes + at, HOLE_BYTES))
			return at;
	return size_bytes;
}

/*
 * Zeros in place of what a write that failed got through. It may have ended inside of a descriptor,
 * and half of one reads as a page that is there. Only as far as the file system takes it: what has
 * its place on a full disk can be written.
 */
static void wipe(const struct dumpfile *df, uint64_t off, size_t size_bytes)
{
	static const uint8_t zeros[4096];

	while (size_bytes > 0) {
		const ssize_t n = pwrite(df->fd, zeros, MIN(size_bytes, sizeof(zeros)), (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		off += (uint64_t)n;
		size_bytes -= (size_t)n;
	}
}

static int write_sparse(struct dumpfile *df, uint64_t off, const uint8_t *bytes, size_t size_bytes,
			struct error *err)
{
	while (size_bytes > 0) {
		/* Below `written` there may be other bytes, which zeros have to replace. */
		const size_t n = off < df->written ? (size_t)MIN(size_bytes, df->written - off)
						   : bytes_before_hole(off, bytes, size_bytes);
		const int r = dumpfile_write_out(df, off, bytes, n, err);

		if (r < 0) {
			wipe(df, off, n);
			return r;
		}
		off += n;
		bytes += n;
		size_bytes -= n;
		/* All of that was below `written`, or has moved it: here the file ends. */
		while (size_bytes >= HOLE_BYTES && off % HOLE_BYTES == 0 &&
		       is_zero(bytes, HOLE_BYTES)) {
			off += HOLE_BYTES;
			bytes += HOLE_BYTES;
			size_bytes -= HOLE_BYTES;
		}
	}
	return 0;
}

/* The same with the sums: what stood there counts no more. */
static int write_summed(struct dumpfile *df, uint64_t off, const uint8_t *bytes, size_t size_bytes,
			struct error *err)
{
	int r;

	if (!df->sums)
		return write_sparse(df, off, bytes, size_bytes, err);
	sums_file_turn(df->sums, df->fd, off, size_bytes, df->written);
	r = write_sparse(df, off, bytes, size_bytes, err);
	if (r == 0)
		sums_file_add(df->sums, off, bytes, size_bytes);
	else /* some of it is there, or zeros are */
		sums_file_turn(df->sums, df->fd, off, size_bytes, UINT64_MAX);
	return r;
}

int dumpfile_write(struct dumpfile *df, uint64_t off, const void *bytes, size_t size_bytes,
		   struct error *err)
{
	const uint8_t *p = bytes;
	const uint64_t end = off + size_bytes;
	int r;

	if (off < DUMPFILE_HEAD_BYTES && size_bytes > 0) {
		const size_t n = (size_t)MIN(size_bytes, DUMPFILE_HEAD_BYTES - off);

		memcpy(df->shadow + off, p, n);
		r = dumpfile_write_head(df, (size_t)off, (size_t)off + n, err);
		if (r < 0)
			return r;
		df->end = MAX(df->end, off + n);
		off += n;
		p += n;
		size_bytes -= n;
	}
	r = size_bytes ? write_summed(df, off, p, size_bytes, err) : 0;
	if (r < 0)
		return r;
	df->wrote = true; /* even if all of it was a hole */
	df->end = MAX(df->end, end);
	return 0;
}

int dumpfile_read(struct dumpfile *df, uint64_t off, void *bytes, size_t size_bytes,
		  struct error *err)
{
	uint8_t *p = bytes;
	ssize_t n;

	if (off < DUMPFILE_HEAD_BYTES) {
		const size_t head = (size_t)MIN(size_bytes, DUMPFILE_HEAD_BYTES - off);

		memcpy(p, df->shadow + off, head);
		off += head;
		p += head;
		size_bytes -= head;
	}
	n = io_pread_full(df->fd, p, size_bytes, off);
	if (n < 0)
		return dumpfile_fail(err, df, "read", (int)n);
	memset(p + n, 0, size_bytes - (size_t)n);
	return 0;
}

int dumpfile_next_data(struct dumpfile *df, uint64_t off, uint64_t end, uint64_t *begin_ret,
		       uint64_t *end_ret, struct error *err)
{
	/* The file has the same bytes as the shadow, except for our bit. */
	const int r = io_next_data(df->fd, off, end, begin_ret, end_ret);

	return r < 0 ? dumpfile_fail(err, df, "holes", r) : r;
}

uint64_t dumpfile_size(const struct dumpfile *df)
{
	return df->end;
}

uint64_t dumpfile_free_bytes(const struct dumpfile *df)
{
	return io_free_bytes_of(df->fd);
}

const char *dumpfile_part_path(const struct dumpfile *df)
{
	return df->part_path;
}

const char *dumpfile_where(const struct dumpfile *df)
{
	return df->published ? df->path : df->part_path;
}

int dumpfile_set_length(const struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	return ftruncate(df->fd, (off_t)size_bytes) == 0
		       ? 0
		       : error_sys(err, "%s: can't set its length to %" PRIu64, df->part_path,
				   size_bytes);
}

int dumpfile_truncate(struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	int r;

	if (df->sums && size_bytes < df->written)
		sums_file_turn(df->sums, df->fd, MAX(size_bytes, (uint64_t)DUMPFILE_HEAD_BYTES),
			       df->written - size_bytes, df->written);
	r = dumpfile_set_length(df, size_bytes, err);
	if (r < 0)
		return r;
	df->end = size_bytes;
	df->written = MIN(df->written, size_bytes);
	if (size_bytes < DUMPFILE_HEAD_BYTES)
		memset(df->shadow + size_bytes, 0, DUMPFILE_HEAD_BYTES - (size_t)size_bytes);
	return 0;
}

int dumpfile_clear(struct dumpfile *df, uint64_t off, uint64_t size_bytes, struct error *err)
{
	static const uint8_t zeros[HOLE_BYTES];
	const uint64_t end = off + size_bytes;
	int r = 0;

	/* The first bytes are in the shadow, too. */
	if (off < DUMPFILE_HEAD_BYTES) {
		const size_t n = (size_t)MIN(size_bytes, DUMPFILE_HEAD_BYTES - off);

		r = dumpfile_write(df, off, zeros, n, err);
		off += n;
	}
	if (r == 0 && off < end && !df->sums &&
	    fallocate(df->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
		      (off_t)(end - off)) == 0)
		return 0;
	for (; off < end && r == 0; off += HOLE_BYTES)
		r = dumpfile_write(df, off, zeros, (size_t)MIN(end - off, (uint64_t)HOLE_BYTES),
				   err);
	return r;
}
