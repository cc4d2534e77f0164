/* A dump file while it is written: PATH.part, holes, the incomplete bit (set, and cleared), syncs
 * and their failures, and the order of system calls that publishes it.
 * Doesn't know of streams, records or pages; of the kdump format, only where the status lies. */
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
#include "base/dirsync.h"
#include "base/io.h"
#include "base/names.h"
#include "base/zero.h"
#include "format/kdump.h"
#include "format/sums_file.h"

enum {
	SHADOW_BYTES = SUMS_HEAD_BYTES,
	STATUS_END = KDUMP_STATUS_OFFSET + 4,
	SIGNATURE_BYTES = 8,

	/* Smaller holes save little space and cost extents; file systems allocate in blocks up to
	   this. */
	HOLE_BYTES = 64 << 10,

	/* Bytes after which writeback is started, so that the fsync at the end finds little to do.
	 */
	WRITEBACK_BYTES = 8 << 20,
};

struct dumpfile {
	int fd;
	int dir_fd; /* which the two names are below; borrowed */
	char *path, *part_path;
	enum dumpfile_replace replace;
	bool wrote;	 /* anything, ever */
	bool published;	 /* the .part has become `path` */
	bool final;	 /* the header in the file is the true one, without our incomplete bit */
	bool unsure;	 /* published, and the name isn't certain to survive a power cut */
	int sync_failed; /* the -errno of the first sync that did */

	struct sums_file *sums; /* NULL: nothing is known of any */

	uint64_t end;	  /* end of the bytes that the caller wrote, holes included */
	uint64_t written; /* end of the bytes that reached the file: from here on it reads as
			     zeros */

	/* The first bytes as the caller wrote them, without our bit; zeros where none came. */
	uint8_t shadow[SHADOW_BYTES];

	/* The range that was written since writeback was last started. */
	uint64_t dirty_begin, dirty_end, dirty_bytes;
};

/* error_sys() for a result of io.h. */
static int fail(struct error *err, const struct dumpfile *df, const char *what, int r)
{
	errno = -r;
	return error_sys(err, "%s: %s", df->part_path, what);
}

/*
 * fsync(), or fdatasync(). What once failed counts for ever: the kernel tells of it one time, may
 * have dropped what it couldn't write, and says that all is well when asked again.
 */
static int sync_all(struct dumpfile *df, bool data_only, struct error *err)
{
	if (df->sync_failed)
		return fail(err, df, "an earlier fsync failed", df->sync_failed);
	if ((data_only ? fdatasync : fsync)(df->fd) == 0)
		return 0;
	df->sync_failed = -errno;
	return error_sys(err, "%s: %s", df->part_path, data_only ? "fdatasync" : "fsync");
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

static bool shadow_is_kdump(const struct dumpfile *df)
{
	return memcmp(df->shadow, KDUMP_SIGNATURE, SIGNATURE_BYTES) == 0;
}

void dumpfile_came_incomplete(struct dumpfile *df)
{
	df->shadow[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
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

static int write_out(struct dumpfile *df, uint64_t off, const uint8_t *bytes, size_t size_bytes,
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
		return fail(err, df, "write", r);
	note_dirty(df, off, size_bytes);
	return 0;
}

/* The first bytes as the file has them, or is to. */
static void head_of(const struct dumpfile *df, uint8_t head[static SHADOW_BYTES])
{
	memcpy(head, df->shadow, SHADOW_BYTES);
	if (shadow_is_kdump(df) && !df->final)
		head[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
}

/*
 * Bring the file's bytes [begin, end), all below SHADOW_BYTES, in line with the shadow. Of a kdump
 * file the status goes too, whatever the range: the signature may have come after the status, or
 * without it.
 */
static int write_shadow(struct dumpfile *df, size_t begin, size_t end, struct error *err)
{
	uint8_t bytes[SHADOW_BYTES];

	head_of(df, bytes);
	if (shadow_is_kdump(df)) {
		begin = MIN(begin, (size_t)KDUMP_STATUS_OFFSET);
		end = MAX(end, (size_t)STATUS_END);
	}
	return write_out(df, begin, bytes + begin, end - begin, err);
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
		return fail(err, df, "read", (int)n);
	df->end = df->written = (uint64_t)st.st_size;
	if (!shadow_is_kdump(df))
		return 0;
	marked = df->shadow[KDUMP_STATUS_OFFSET] & KDUMP_INCOMPLETE;
	df->shadow[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
	/* The file was about to be published, but isn't now. */
	return marked ? 0 : write_shadow(df, KDUMP_STATUS_OFFSET, STATUS_END, err);
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
		const int r = write_out(df, off, bytes, n, err);

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

	if (off < SHADOW_BYTES && size_bytes > 0) {
		const size_t n = (size_t)MIN(size_bytes, SHADOW_BYTES - off);

		memcpy(df->shadow + off, p, n);
		r = write_shadow(df, (size_t)off, (size_t)off + n, err);
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

	if (off < SHADOW_BYTES) {
		const size_t head = (size_t)MIN(size_bytes, SHADOW_BYTES - off);

		memcpy(p, df->shadow + off, head);
		off += head;
		p += head;
		size_bytes -= head;
	}
	n = io_pread_full(df->fd, p, size_bytes, off);
	if (n < 0)
		return fail(err, df, "read", (int)n);
	memset(p + n, 0, size_bytes - (size_t)n);
	return 0;
}

int dumpfile_next_data(struct dumpfile *df, uint64_t off, uint64_t end, uint64_t *begin_ret,
		       uint64_t *end_ret, struct error *err)
{
	/* The file has the same bytes as the shadow, except for our bit. */
	const int r = io_next_data(df->fd, off, end, begin_ret, end_ret);

	return r < 0 ? fail(err, df, "holes", r) : r;
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

bool dumpfile_name_is_unsure(const struct dumpfile *df)
{
	return df->unsure;
}

/* The directory's names, ours among them: as dirsync(). */
static int sync_names(const struct dumpfile *df, struct error *err)
{
	const int r = dirsync_parent_at(df->dir_fd, df->path, df->fd);

	return r < 0 ? fail(err, df, "its directory can't be synced", r) : r;
}

int dumpfile_sync_name(const struct dumpfile *df, struct error *err)
{
	return MIN(sync_names(df, err), 0);
}

static int sync_length(struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	if (ftruncate(df->fd, (off_t)size_bytes) < 0)
		return error_sys(err, "%s: can't set its length to %" PRIu64, df->part_path,
				 size_bytes);
	return sync_all(df, false, err);
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

/* Write the header with or without our incomplete bit, and wait until it is stable. */
static int write_status(struct dumpfile *df, bool final, struct error *err)
{
	int r;

	if (!shadow_is_kdump(df))
		return 0;
	df->final = final;
	r = write_shadow(df, KDUMP_STATUS_OFFSET, STATUS_END, err);
	if (r == 0 && ftruncate(df->fd, (off_t)df->end) < 0)
		r = error_sys(err, "%s: can't set its length", df->part_path);
	return r < 0 ? r : sync_all(df, false, err);
}

int dumpfile_truncate(struct dumpfile *df, uint64_t size_bytes, struct error *err)
{
	if (df->sums && size_bytes < df->written)
		sums_file_turn(df->sums, df->fd, MAX(size_bytes, (uint64_t)SHADOW_BYTES),
			       df->written - size_bytes, df->written);
	if (ftruncate(df->fd, (off_t)size_bytes) < 0)
		return error_sys(err, "%s: can't set its length to %" PRIu64, df->part_path,
				 size_bytes);
	df->end = size_bytes;
	df->written = MIN(df->written, size_bytes);
	if (size_bytes < SHADOW_BYTES)
		memset(df->shadow + size_bytes, 0, SHADOW_BYTES - (size_t)size_bytes);
	return 0;
}

int dumpfile_clear(struct dumpfile *df, uint64_t off, uint64_t size_bytes, struct error *err)
{
	static const uint8_t zeros[HOLE_BYTES];
	const uint64_t end = off + size_bytes;
	int r = 0;

	/* The first bytes are in the shadow, too. */
	if (off < SHADOW_BYTES) {
		const size_t n = (size_t)MIN(size_bytes, SHADOW_BYTES - off);

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

int dumpfile_sync(struct dumpfile *df, struct error *err)
{
	return sync_all(df, true, err);
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
		(void)write_status(df, false, &ignored);
		(void)!sync_names(df, &ignored);
		return fail(err, df, "its directory can't be synced", code);
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
	uint8_t head[SHADOW_BYTES];

	if (!df->sums)
		return 0;
	df->final = final;
	head_of(df, head);
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
	r = write_status(df, true, err);
	if (r == 0)
		r = rename_all(df, err);
	if (r < 0) {
		struct error ignored;

		if (df->sums)
			sums_file_drop(df->sums);
		(void)write_status(df, false, &ignored);
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
