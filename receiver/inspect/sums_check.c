/* FILE.sums against FILE. Holes aren't read, so the work depends on the bytes on disk.
 * Doesn't know what the bytes are, but for the incomplete bit's place. */
#include "receiver/inspect/sums_check.h"

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
#include "format/kdump.h"
#include "format/sums_text.h"

enum {
	READ_BYTES = 256 << 10,

	/* Zeros of holes that are digested, whatever is on the disk; and that many times of what
	   is. */
	HOLES_BYTES = 1 << 30,
	HOLES_RATE = 16,
};

/* A file that is compared with its sums. */
struct comparison {
	struct sums_check *check;
	int fd;
	bool part;
	uint8_t *buf; /* READ_BYTES */
	struct digester *digester;
	uint64_t fitting; /* lines that fit, without those of zeros and of the header */
	bool head_fits;
	uint64_t holes_left; /* bytes of holes that may still be digested */
	bool undigested;     /* a line, by SHA-256 */

	/* Chunks that are holes, of the same length, have the same digest. */
	uint64_t hole_bytes;
	uint8_t hole_sha256[DIGEST_BYTES];
};

/* --- what the file has ---------------------------------------------------------------------- */

static int read_piece(const struct comparison *c, uint64_t off, size_t n, struct error *err)
{
	const ssize_t got = io_pread_full(c->fd, c->buf, n, off);

	if (got < 0)
		return error_set(err, (int)got, "read at %" PRIu64 ": %s", off,
				 strerror((int)-got));
	memset(c->buf + got, 0, n - (size_t)got);
	return 0;
}

/* The next data in [off, end): false if there is none. A file system that can't tell has data
 * everywhere. */
static bool next_data(const struct comparison *c, uint64_t off, uint64_t end, uint64_t *begin_ret,
		      uint64_t *end_ret)
{
	const off_t data = lseek(c->fd, (off_t)off, SEEK_DATA);
	off_t hole;

	if (data < 0 && errno == ENXIO)
		return false;
	*begin_ret = data < 0 ? off : (uint64_t)data;
	if (*begin_ret >= end)
		return false;
	hole = lseek(c->fd, (off_t)*begin_ret, SEEK_HOLE);
	*end_ret = hole < 0 ? end : MIN(end, (uint64_t)hole);
	return true;
}

/* And how many of the bytes are data. */
static int crc_of(const struct comparison *c, const struct sums_line *line, uint32_t *crc_ret,
		  uint64_t *data_bytes_ret, struct error *err)
{
	const uint64_t end = line->off + line->size_bytes;
	uint64_t at = line->off, data_end, data_bytes = 0;
	uint32_t bare = 0;

	while (at < end && next_data(c, at, end, &at, &data_end)) {
		data_bytes += data_end - at;
		while (at < data_end) {
			const size_t n = (size_t)MIN(data_end - at, (uint64_t)READ_BYTES);
			const int r = read_piece(c, at, n, err);

			if (r < 0)
				return r;
			at += n;
			bare ^= crc32c_shift(crc32c_bare(c->buf, n), (int64_t)(end - at));
		}
	}
	*crc_ret = crc32c_of_bare(bare, line->size_bytes);
	*data_bytes_ret = data_bytes;
	return 0;
}

static int digest_all(const struct comparison *c, const struct sums_line *line,
		      uint8_t sha256_ret[static DIGEST_BYTES], struct error *err)
{
	digester_begin(c->digester);
	for (uint64_t at = 0; at < line->size_bytes;) {
		const size_t n = (size_t)MIN(line->size_bytes - at, (uint64_t)READ_BYTES);
		const int r = read_piece(c, line->off + at, n, err);

		if (r < 0)
			return r;
		digester_add(c->digester, c->buf, n);
		at += n;
	}
	return digester_end(c->digester, sha256_ret, err);
}

/* Zeros are passed over by a CRC, and digested one by one by SHA-256: false where a file has far
 * more of them than of data. */
static bool may_digest(struct comparison *c, uint64_t hole_bytes, uint64_t data_bytes)
{
	c->holes_left += HOLES_RATE * data_bytes;
	if (hole_bytes > c->holes_left)
		return false;
	c->holes_left -= hole_bytes;
	return true;
}

/* 1 if the SHA-256 is the one of these bytes, or can't be had; else 0. */
static int digest_fits(struct comparison *c, const struct sums_line *line, uint64_t data_bytes,
		       struct error *err)
{
	uint8_t sha256[DIGEST_BYTES];
	int r;

	if (data_bytes == 0 && line->size_bytes == c->hole_bytes)
		return memcmp(c->hole_sha256, line->sha256, DIGEST_BYTES) == 0;
	if (!may_digest(c, line->size_bytes - data_bytes, data_bytes)) {
		c->undigested = true;
		return 1;
	}
	r = digest_all(c, line, sha256, err);
	if (r < 0)
		return r;
	if (data_bytes == 0) {
		c->hole_bytes = line->size_bytes;
		memcpy(c->hole_sha256, sha256, DIGEST_BYTES);
	}
	return memcmp(sha256, line->sha256, DIGEST_BYTES) == 0;
}

/* --- comparing ------------------------------------------------------------------------------ */

/* Whether a header fits both sums with the incomplete bit set or cleared: a part may have it or
 * not. */
static int fits_but_for_bit(const struct comparison *c, const struct sums_line *line,
			    struct error *err)
{
	uint8_t sha256[DIGEST_BYTES];
	int r;

	if (!c->part || line->off || line->size_bytes > READ_BYTES ||
	    line->size_bytes <= KDUMP_STATUS_OFFSET)
		return 0;
	r = read_piece(c, 0, (size_t)line->size_bytes, err);
	if (r < 0)
		return r;
	c->buf[KDUMP_STATUS_OFFSET] ^= KDUMP_INCOMPLETE;
	if (crc32c(0, c->buf, (size_t)line->size_bytes) != line->crc32c)
		return 0;
	if (!line->has_sha256)
		return 1;
	digester_begin(c->digester);
	digester_add(c->digester, c->buf, (size_t)line->size_bytes);
	r = digester_end(c->digester, sha256, err);
	return r < 0 ? r : memcmp(sha256, line->sha256, DIGEST_BYTES) == 0;
}

/* 1 if the chunk still has the bytes that were summed, else 0. */
static int fits(struct comparison *c, const struct sums_line *line, struct error *err)
{
	uint64_t data_bytes;
	uint32_t crc;
	int r;

	if (line->off + line->size_bytes > c->check->file_bytes)
		return 0;
	r = crc_of(c, line, &crc, &data_bytes, err);
	if (r < 0)
		return r;
	if (crc != line->crc32c)
		return fits_but_for_bit(c, line, err);
	return line->has_sha256 ? digest_fits(c, line, data_bytes, err) : 1;
}

static int compare_line(void *ctx, const struct sums_line *line, struct error *err)
{
	struct comparison *c = ctx;
	struct sums_check *check = c->check;
	const bool zeros = line->crc32c == crc32c_of_bare(0, line->size_bytes);
	const int r = fits(c, line, err);

	if (r < 0)
		return r;
	c->undigested |= !line->has_sha256;
	if (r == 0 && check->bad_count++ < SUMS_CHECK_KEPT)
		check->bad[check->bad_count - 1] = (struct sums_chunk){line->off, line->size_bytes};
	c->fitting += r && !zeros && line->off;
	c->head_fits |= r && !line->off;
	return 0;
}

/* Sums of which no line fits were never this file's. A file that was cut off still fits at its
 * beginning. Where only the header fits, nobody can tell. */
static void conclude(const struct comparison *c)
{
	struct sums_check *check = c->check;
	const bool same_length = check->file_bytes == check->sums_bytes;

	if (check->bad_count == 0 && same_length) {
		check->state = SUMS_FIT;
		return;
	}
	check->state = SUMS_DIFFER;
	if (c->fitting || (same_length && c->head_fits))
		return;
	check->state = SUMS_UNUSABLE;
	if (same_length || !c->head_fits)
		error_set(&check->why, -ESTALE, "it is of another file: none of its sums fits");
	else
		error_set(&check->why, -ESTALE,
			  "it is of a file of %" PRIu64 " bytes, this one has %" PRIu64
			  ", and only the header is the same",
			  check->sums_bytes, check->file_bytes);
}

/* --- the two files -------------------------------------------------------------------------- */

static bool is_part(const char *path)
{
	static const char suffix[] = ".part";
	const size_t len = strlen(path);

	return len > strlen(suffix) && strcmp(path + len - strlen(suffix), suffix) == 0;
}

/* The name of the sums, or NULL if there are none; fails -ENOMEM. */
static int find(const char *path, char **path_ret, struct error *err)
{
	AUTO_FREE char *sums = NULL, *part = NULL, *part_sums = NULL;

	if (asprintf(&sums, "%s.sums", path) < 0) {
		sums = NULL; /* asprintf leaves it undefined */
		return error_set(err, -ENOMEM, "out of memory");
	}
	if (asprintf(&part, "%s.part", path) < 0) {
		part = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	if (asprintf(&part_sums, "%s.part.sums", path) < 0) {
		part_sums = NULL;
		return error_set(err, -ENOMEM, "out of memory");
	}
	*path_ret = NULL;
	if (io_exists(sums))
		*path_ret = TAKE_PTR(sums);
	else if (io_exists(part_sums) && !io_exists(part))
		*path_ret = TAKE_PTR(part_sums);
	return 0;
}

static int open_text(const char *path, FILE **text_ret, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EBADMSG, "it is no regular file");
	*text_ret = fdopen(fd, "r");
	if (!*text_ret)
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	(void)TAKE_FD(fd);
	return 0;
}

static int compare(struct comparison *c, FILE *text, struct error *err)
{
	struct sums_check *check = c->check;
	int r = sums_text_read(text, NULL, NULL, &check->sums_bytes, err);

	if (r == -EBADMSG) {
		check->state = SUMS_UNUSABLE;
		error_set(&check->why, r, "it is damaged: %.200s", err->msg);
		return 0;
	}
	if (r == 0)
		r = sums_text_read(text, compare_line, c, &check->sums_bytes, err);
	if (r < 0)
		return r;
	check->sha256 = !c->undigested;
	conclude(c);
	return 0;
}

static int check_opened(struct comparison *c, const char *path, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	FILE *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", path);
	c->fd = fd;
	c->check->file_bytes = (uint64_t)st.st_size;
	r = open_text(c->check->path, &text, err);
	if (r == -EBADMSG) {
		c->check->state = SUMS_UNUSABLE;
		c->check->why = *err;
		return 0;
	}
	if (r == 0)
		r = compare(c, text, err);
	if (text)
		fclose(text);
	return r;
}

int sums_check_file(const char *path, struct sums_check *check_ret, struct error *err)
{
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *buf = io_buffer(READ_BYTES);
	struct sums_check check = {.state = SUMS_ABSENT};
	struct comparison c = {
		.check = &check, .part = is_part(path), .buf = buf, .holes_left = HOLES_BYTES};
	int r = buf ? find(path, &check.path, err) : error_set(err, -ENOMEM, "out of memory");

	if (r == 0 && check.path)
		r = digester_new(&digester, err);
	c.digester = digester;
	if (r == 0 && check.path)
		r = check_opened(&c, path, err);
	if (r < 0) {
		sums_check_deinit(&check);
		return r;
	}
	*check_ret = check;
	return 0;
}

void sums_check_deinit(struct sums_check *check)
{
	free(check->path);
	check->path = NULL;
}
