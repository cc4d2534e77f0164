/* Extents of a journal or a checkpoint against the bytes of the file.
 * Doesn't know what the bytes are, but for the main header's place. */
#include "extents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dumpfile.h"
#include "io.h"
#include "journal.h"
#include "ranges.h"

enum { READ_BYTES = 256 << 10 };

/* Where bytes are read back from. */
struct source {
	struct dumpfile *df; /* NULL: fd */
	int fd;
};

static int read_source(const struct source *s, uint64_t off, uint8_t *buf, size_t size_bytes,
		       struct error *err)
{
	ssize_t n;

	if (s->df)
		return dumpfile_read(s->df, off, buf, size_bytes, err);
	n = io_pread_full(s->fd, buf, size_bytes, off);
	if (n < 0)
		return error_set(err, (int)n, "read at %" PRIu64 ": %s", off, strerror((int)-n));
	memset(buf + n, 0, size_bytes - (size_t)n);
	return 0;
}

/* 1 if the extent has its digest, else 0. */
static int compare(const struct source *s, struct digester *d, const struct extent *e, uint8_t *buf,
		   struct error *err)
{
	uint8_t sha256[DIGEST_BYTES];
	int r = 0;

	digester_begin(d);
	for (uint32_t at = 0; at < e->size_bytes && r == 0; at += READ_BYTES) {
		const size_t n = MIN(e->size_bytes - at, (uint32_t)READ_BYTES);

		r = read_source(s, e->off + at, buf, n, err);
		if (r == 0)
			digester_add(d, buf, n);
	}
	if (r == 0)
		r = digester_end(d, sha256, err);
	return r < 0 ? r : memcmp(sha256, e->sha256, DIGEST_BYTES) == 0;
}

static int differs(const struct extent *e, struct error *err)
{
	return error_set(err, -EBADMSG,
			 "%" PRIu32 " bytes at %" PRIu64 " of the file differ from what was sent",
			 e->size_bytes, e->off);
}

int extents_verify(struct dumpfile *df, struct digester *d, const struct segment *segment,
		   struct error *err)
{
	AUTO_FREE uint8_t *buf = malloc(READ_BYTES);
	const struct source source = {.df = df};

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < segment->count; i++) {
		const int r = compare(&source, d, &segment->extents[i], buf, err);

		if (r <= 0)
			return r < 0 ? r : differs(&segment->extents[i], err);
	}
	return 0;
}

/* --- a journal's ---------------------------------------------------------------------------- */

struct walk {
	struct source source;
	struct digester *digester;
	uint8_t *buf;
	uint64_t count;		  /* segments to look at */
	uint64_t headers;	  /* how often the main header was written */
	uint64_t segment, header; /* seen so far */
};

static int count_headers(void *ctx, const struct segment *segment, struct error *err UNUSED)
{
	struct walk *w = ctx;

	for (size_t i = 0; i < segment->count; i++)
		w->headers += segment->extents[i].off == 0;
	return 0;
}

static int verify_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct walk *w = ctx;

	if (w->segment++ >= w->count)
		return 0;
	for (size_t i = 0; i < segment->count; i++) {
		const struct extent *e = &segment->extents[i];
		int r;

		if (e->off == 0 && ++w->header < w->headers)
			continue;
		r = compare(&w->source, w->digester, e, w->buf, err);
		if (r <= 0)
			return r < 0 ? r : differs(e, err);
	}
	return 0;
}

int extents_verify_first(struct journal *j, struct dumpfile *df, struct digester *d, uint64_t count,
			 struct error *err)
{
	AUTO_FREE uint8_t *buf = malloc(READ_BYTES);
	struct walk w = {.source.df = df, .digester = d, .buf = buf, .count = count};
	struct journal_facts unused;
	int r;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	r = journal_load(j, &unused, count_headers, &w, err);
	return r < 0 ? r : journal_load(j, &unused, verify_segment, &w, err);
}

/* --- bringing a part back ------------------------------------------------------------------- */

struct restoring {
	struct dumpfile *df;
	struct digester *digester;
	struct ranges covered;
	uint8_t *buf;
	bool header_seen;
};

/* Whether the incomplete bit in the header is the sender's, only its digest tells. */
static int judge_header(struct restoring *rs, const struct extent *e, struct error *err)
{
	const struct source source = {.df = rs->df};
	int r = compare(&source, rs->digester, e, rs->buf, err);

	rs->header_seen = true;
	if (r)
		return MIN(r, 0);
	dumpfile_came_incomplete(rs->df);
	r = compare(&source, rs->digester, e, rs->buf, err);
	if (r)
		return MIN(r, 0);
	return differs(e, err);
}

static int cover_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct restoring *rs = ctx;
	int r = 0;

	for (size_t i = 0; i < segment->count && r == 0; i++) {
		const struct extent *e = &segment->extents[i];

		if (e->off == 0 && !rs->header_seen)
			r = judge_header(rs, e, err);
		if (r == 0)
			r = ranges_add(&rs->covered, e->off, e->off + e->size_bytes, err);
	}
	return r;
}

static int clear_rest(struct restoring *rs, uint64_t end, struct error *err)
{
	struct range part;
	uint64_t at = 0;
	int r = 0;

	while (at < end && r == 0) {
		if (!ranges_first_in(&rs->covered, at, end, &part))
			part = (struct range){end, end};
		if (part.begin > at)
			r = dumpfile_clear(rs->df, at, part.begin - at, err);
		at = part.end;
	}
	return r;
}

int extents_restore(struct journal *j, struct dumpfile *df, uint64_t data_off, struct error *err)
{
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *buf = malloc(READ_BYTES);
	struct restoring rs = {.df = df, .buf = buf};
	struct journal_facts unused;
	int r;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	r = digester_new(&digester, err);
	if (r < 0)
		return r;
	rs.digester = digester;
	ranges_init(&rs.covered);
	r = journal_load(j, &unused, cover_segment, &rs, err);
	if (r == 0)
		r = dumpfile_truncate(df, data_off, err);
	if (r == 0)
		r = clear_rest(&rs, data_off, err);
	if (r == 0)
		r = dumpfile_sync(df, err);
	ranges_deinit(&rs.covered);
	return r;
}

int extents_check_file(const char *path, const char *journal_path,
		       uint8_t digest_ret[static DIGEST_BYTES], struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *buf = malloc(READ_BYTES);
	struct walk w = {.buf = buf, .count = UINT64_MAX};
	struct journal_facts facts;
	int r;

	if (fd < 0)
		return error_sys(err, "%s", path);
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	r = digester_new(&digester, err);
	if (r < 0)
		return r;
	w.source.fd = fd;
	w.digester = digester;
	r = journal_read(journal_path, &facts, count_headers, &w, err);
	if (r == 0)
		r = journal_read(journal_path, &facts, verify_segment, &w, err);
	if (r < 0)
		return r;
	if (!facts.whole)
		return error_set(err, -ENODATA, "%s has no end", journal_path);
	memcpy(digest_ret, facts.chain, DIGEST_BYTES);
	return 0;
}
