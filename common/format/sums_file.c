/* FILE.sums: its names, its durability, and what it is made of.
 * Doesn't know what the bytes are, nor when a dump is complete. */
#include "format/sums_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "base/io.h"
#include "base/names.h"
#include "format/sums_text.h"

enum { READ_BYTES = 64 << 10 };

struct sums_file {
	int dir_fd;		/* which the names are below; borrowed */
	char *path, *part_path; /* FILE.sums, FILE.part.sums */
	bool force;
	const char *stored; /* which of the two names ours have; NULL: they aren't there */
	const struct keepalive *alive;
	struct sums *sums;	   /* NULL: none are kept */
	struct digester *digester; /* NULL: no SHA-256 */
	uint8_t *buf;		   /* READ_BYTES */
	struct error failure;
};

/* Whether a file is by us: what it is about has gone, or it would have been refused before. */
static bool has_sums(int dir_fd, const char *path)
{
	AUTO_CLOSE int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char begin[sizeof(SUMS_TEXT_FIRST_LINE) - 1];

	return fd >= 0 && io_pread_full(fd, begin, sizeof(begin), 0) == (ssize_t)sizeof(begin) &&
	       memcmp(begin, SUMS_TEXT_FIRST_LINE, sizeof(begin)) == 0;
}

/* Sums without their dump are of no use to anybody; all else is somebody's. */
static int check(const struct sums_file *f, const char *path, struct error *err)
{
	struct stat st;

	if (fstatat(f->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EEXIST, "%s exists and isn't a regular file", path);
	if (!f->force && !has_sums(f->dir_fd, path))
		return error_set(err, -EEXIST, "%s exists; --force replaces it", path);
	return 0;
}

/* No sums are better than wrong ones. */
static void give_up(struct sums_file *f, const struct error *why)
{
	if (f->failure.code == 0)
		f->failure = *why;
	sums_free(f->sums);
	f->sums = NULL;
}

static int make_sums(struct sums_file *f, enum sums_kind kind, struct error *err)
{
	int r;

	f->buf = io_buffer(READ_BYTES);
	if (!f->buf)
		return error_set(err, -ENOMEM, "out of memory for sums");
	r = sums_new(&f->sums, err);
	if (r == 0 && kind == SUMS_SHA256)
		r = digester_new(&f->digester, err);
	return r;
}

static int make(const char *path, enum sums_kind kind, struct sums_file *f, struct error *err)
{
	int r;

	if (asprintf(&f->path, "%s.sums", path) < 0)
		f->path = NULL; /* asprintf leaves it undefined */
	if (asprintf(&f->part_path, "%s.part.sums", path) < 0)
		f->part_path = NULL;
	if (!f->path || !f->part_path)
		return error_set(err, -ENOMEM, "out of memory");
	r = kind == SUMS_NONE ? 0 : make_sums(f, kind, err);
	/* Memory is better spent on the dump. */
	if (r == -ENOMEM) {
		give_up(f, err);
		r = 0;
	}
	return r;
}

int sums_file_new(int dir_fd, const char *path, enum sums_kind kind, bool force,
		  const struct keepalive *alive, struct sums_file **f_ret, struct error *err)
{
	AUTO(sums_file_free) struct sums_file *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return error_set(err, -ENOMEM, "out of memory");
	f->dir_fd = dir_fd;
	f->force = force;
	f->alive = alive;
	r = make(path, kind, f, err);
	if (r == 0)
		r = check(f, f->path, err);
	if (r == 0)
		r = check(f, f->part_path, err);
	if (r < 0)
		return r;
	if (unlinkat(dir_fd, f->part_path, 0) < 0 && errno != ENOENT)
		return error_sys(err, "%s, which is of another dump: can't remove it",
				 f->part_path);
	*f_ret = TAKE_PTR(f);
	return 0;
}

void sums_file_free(struct sums_file *f)
{
	if (!f)
		return;
	sums_free(f->sums);
	digester_free(f->digester);
	free(f->buf);
	free(f->path);
	free(f->part_path);
	free(f);
}

const struct error *sums_file_failure(const struct sums_file *f)
{
	return &f->failure;
}

void sums_file_add(struct sums_file *f, uint64_t off, const void *bytes, size_t size_bytes)
{
	if (f->sums)
		sums_turn(f->sums, off, bytes, size_bytes);
}

void sums_file_turn(struct sums_file *f, int fd, uint64_t off, uint64_t size_bytes, uint64_t end)
{
	struct error err;

	end = MIN(end, off + size_bytes);
	while (f->sums && off < end) {
		const ssize_t n = io_pread_full(fd, f->buf,
						(size_t)MIN(end - off, (uint64_t)READ_BYTES), off);

		if (n < 0) {
			error_set(&err, (int)n, "read at %" PRIu64 ": %s", off, strerror((int)-n));
			give_up(f, &err);
		}
		if (n <= 0)
			return;
		sums_turn(f->sums, off, f->buf, (size_t)n);
		off += (uint64_t)n;
	}
}

/* --- writing them down ---------------------------------------------------------------------- */

/* One file's chunks on their way into the text. */
struct listing {
	struct sums_file *f;
	int fd;
	const uint8_t *head;
	uint64_t size_bytes;
	struct sums_text text;

	/* A long hole has one digest for all of its chunks. */
	uint64_t hole_bytes;
	uint8_t hole_sha256[DIGEST_BYTES];
};

static bool is_hole(const struct listing *l, uint64_t begin, uint64_t end)
{
	const off_t data = lseek(l->fd, (off_t)begin, SEEK_DATA);

	return data < 0 ? errno == ENXIO : (uint64_t)data >= end;
}

/* The bytes that are read back must be those that were summed. */
static int digest_chunk(struct listing *l, struct sums_line *line, struct error *err)
{
	struct sums_file *f = l->f;
	uint32_t crc = 0;
	int r = 0;

	digester_begin(f->digester);
	for (uint64_t at = 0; at < line->size_bytes && r == 0;) {
		const size_t n = (size_t)MIN(line->size_bytes - at, (uint64_t)READ_BYTES);
		const ssize_t got = io_pread_full(l->fd, f->buf, n, line->off + at);

		if (got < 0)
			return error_set(err, (int)got, "read at %" PRIu64 ": %s", line->off + at,
					 strerror((int)-got));
		memset(f->buf + got, 0, n - (size_t)got);
		crc = crc32c(crc, f->buf, n);
		digester_add(f->digester, f->buf, n);
		at += n;
		r = keepalive(f->alive, err);
	}
	if (r == 0 && crc != line->crc32c)
		return error_set(err, -EBADMSG,
				 "%" PRIu64 " bytes at %" PRIu64
				 " aren't what was written: the disk, or who else writes to it",
				 line->size_bytes, line->off);
	return r < 0 ? r : digester_end(f->digester, line->sha256, err);
}

static int digest_line(struct listing *l, struct sums_line *line, struct error *err)
{
	const uint64_t end = line->off + line->size_bytes;
	const bool hole = is_hole(l, line->off, end);
	int r = 0;

	line->has_sha256 = true;
	if (hole && l->hole_bytes == line->size_bytes) {
		memcpy(line->sha256, l->hole_sha256, DIGEST_BYTES);
		return 0;
	}
	r = digest_chunk(l, line, err);
	if (r == 0 && hole) {
		l->hole_bytes = line->size_bytes;
		memcpy(l->hole_sha256, line->sha256, DIGEST_BYTES);
	}
	return r;
}

static int list_head(struct listing *l, uint64_t head_bytes, struct error *err)
{
	struct digester *d = l->f->digester;
	struct sums_line line = {.size_bytes = head_bytes, .has_sha256 = d};
	int r = 0;

	if (head_bytes == 0)
		return 0;
	line.crc32c = crc32c(0, l->head, (size_t)head_bytes);
	if (d) {
		digester_begin(d);
		digester_add(d, l->head, (size_t)head_bytes);
		r = digester_end(d, line.sha256, err);
	}
	if (r == 0)
		sums_text_line(&l->text, &line);
	return r;
}

static int list_chunks(struct listing *l, struct error *err)
{
	const struct sums *s = l->f->sums;
	const uint64_t chunk_bytes = sums_chunk_bytes(s);
	int r = 0;

	for (uint64_t at = SUMS_HEAD_BYTES; at < l->size_bytes && r == 0;) {
		const uint64_t end = MIN(l->size_bytes, (at / chunk_bytes + 1) * chunk_bytes);
		struct sums_line line = {
			.off = at, .size_bytes = end - at, .crc32c = sums_of(s, at, end)};

		if (l->f->digester)
			r = digest_line(l, &line, err);
		if (r == 0)
			sums_text_line(&l->text, &line);
		at = end;
	}
	return r;
}

/* Takes `fd`. */
static int write_text(struct listing *l, int fd, struct error *err)
{
	FILE *to = fdopen(fd, "w");
	int r;

	if (!to) {
		close(fd);
		return error_set(err, -ENOMEM, "out of memory for %s", l->f->part_path);
	}
	sums_reach(l->f->sums, l->size_bytes);
	sums_text_begin(&l->text, to, l->size_bytes);
	r = list_head(l, MIN(l->size_bytes, (uint64_t)SUMS_HEAD_BYTES), err);
	if (r == 0)
		r = list_chunks(l, err);
	if (r == 0) {
		sums_text_end(&l->text);
		errno = 0;
		if (fflush(to) != 0 || fsync(fd) < 0)
			r = error_sys(err, "%s", l->f->part_path);
	}
	if (fclose(to) != 0 && r == 0)
		r = error_sys(err, "%s", l->f->part_path);
	return r;
}

int sums_file_store(struct sums_file *f, int fd, const uint8_t head[static SUMS_HEAD_BYTES],
		    uint64_t size_bytes, struct error *err)
{
	struct listing l = {.f = f, .fd = fd, .head = head, .size_bytes = size_bytes};
	struct error why;
	int to, r;

	if (!f->sums)
		return 0;
	sums_file_drop(f); /* the sums of an earlier try */
	to = openat(f->dir_fd, f->part_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	r = to < 0 ? error_sys(&why, "%s", f->part_path) : write_text(&l, to, &why);
	f->stored = r == 0 ? f->part_path : NULL;
	if (r == 0)
		return 0;
	if (to >= 0)
		unlinkat(f->dir_fd, f->part_path, 0);
	if (r == -EBADMSG) {
		*err = why;
		err->code = -EIO;
		return err->code;
	}
	give_up(f, &why);
	return 0;
}

void sums_file_clear_way(struct sums_file *f)
{
	struct error why;

	/* Another file of that name may have come since the dump began. */
	if (check(f, f->path, &why) < 0) {
		give_up(f, &why);
		return;
	}
	if (unlinkat(f->dir_fd, f->path, 0) == 0 || errno == ENOENT)
		return;
	error_sys(&why, "%s, which is of another dump: can't remove it", f->path);
	give_up(f, &why);
}

/* rename() that doesn't replace; where the file system has none, what comes between the two steps
 * loses. */
static int rename_sums(const struct sums_file *f)
{
	if (renameat2(f->dir_fd, f->part_path, f->dir_fd, f->path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return -errno;
	if (io_exists_at(f->dir_fd, f->path))
		return -EEXIST;
	return names_replace(f->dir_fd, f->part_path, f->path);
}

void sums_file_settle(struct sums_file *f)
{
	struct error why;
	int r;

	if (!f->stored)
		return;
	r = rename_sums(f);
	if (r == 0) {
		f->stored = f->path;
		return;
	}
	error_set(&why, r, "%s: can't become %s: %s", f->part_path, f->path, strerror(-r));
	give_up(f, &why);
}

void sums_file_drop(struct sums_file *f)
{
	if (f->stored)
		unlinkat(f->dir_fd, f->stored, 0);
	f->stored = NULL;
}
