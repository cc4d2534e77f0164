/* Extents of a journal or a checkpoint against the bytes of the file.
 * Doesn't know what the bytes are, but for the main header's place. */
#include "receiver/store/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "format/dumpfile.h"
#include "format/kdump.h"
#include "receiver/assemble/ranges.h"
#include "receiver/store/journal.h"

enum {
	READ_BYTES = 256 << 10,

	/* Cleared at once: where a file system makes no holes, zeros are written. */
	CLEAR_BYTES = 64 << 20,
};

/* Where bytes are read back from. */
struct source {
	struct dumpfile *df; /* NULL: fd */
	int fd;
	uint64_t size_bytes; /* of the file */
	bool without_bit;    /* the incomplete bit of the main header reads as 0 */
};

static struct source source_of(struct dumpfile *df)
{
	return (struct source){.df = df, .size_bytes = dumpfile_size(df)};
}

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
	if (s->without_bit && off == 0 && size_bytes > KDUMP_STATUS_OFFSET)
		buf[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
	return 0;
}

/* 1 if the extent has its digest, else 0. What no file has isn't looked for. */
static int compare(const struct source *s, struct digester *d, const struct extent *e, uint8_t *buf,
		   struct error *err)
{
	uint8_t sha256[DIGEST_BYTES];
	int r = 0;

	if (e->off > s->size_bytes || e->size_bytes > s->size_bytes - e->off)
		return 0;
	digester_begin(d);
	for (size_t at = 0; at < e->size_bytes && r == 0; at += READ_BYTES) {
		const size_t n = MIN(e->size_bytes - at, (size_t)READ_BYTES);

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
	AUTO_FREE uint8_t *buf = io_buffer(READ_BYTES);
	const struct source source = source_of(df);

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
	struct ranges covered;	  /* by the extents that were seen */
	uint64_t count;		  /* segments to look at */
	uint64_t headers;	  /* how often the main header was written */
	uint64_t segment, header; /* that were seen */
	bool part;		  /* a file whose incomplete bit may be ours */
	const struct keepalive *alive;
};

static int count_headers(void *ctx, const struct segment *segment, struct error *err UNUSED)
{
	struct walk *w = ctx;

	for (size_t i = 0; i < segment->count; i++)
		w->headers += segment->extents[i].off == 0;
	return 0;
}

/*
 * Whether the extent counts: 1, or 0 for a main header that was written again later. Two that
 * overlap would make more work than the file is long, and can't both be what was written last.
 */
static int cover(struct walk *w, const struct extent *e, struct error *err)
{
	const uint64_t end = e->off + e->size_bytes;
	struct range part;
	int r;

	if (e->off == 0 && ++w->header < w->headers)
		return 0;
	if (ranges_first_in(&w->covered, e->off, end, &part))
		return error_set(err, -EBADMSG, "the table has byte %" PRIu64 " of the file twice",
				 part.begin);
	r = ranges_add(&w->covered, e->off, end, err);
	return r < 0 ? r : 1;
}

static int compare_without_bit(const struct walk *w, const struct extent *e, struct error *err)
{
	struct source source = w->source;

	source.without_bit = true;
	return compare(&source, w->digester, e, w->buf, err);
}

static int verify_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct walk *w = ctx;
	int r = keepalive(w->alive, err);

	if (r < 0)
		return r;
	if (w->segment >= w->count)
		return 0;
	for (size_t i = 0; i < segment->count; i++) {
		const struct extent *e = &segment->extents[i];

		r = cover(w, e, err);
		if (r > 0) {
			r = compare(&w->source, w->digester, e, w->buf, err);
			if (r == 0 && e->off == 0 && w->part)
				r = compare_without_bit(w, e, err);
			if (r == 0)
				return differs(e, err);
		}
		if (r < 0)
			return r;
	}
	w->segment++;
	return 0;
}

int extents_verify_first(struct journal *j, struct dumpfile *df, struct digester *d, uint64_t count,
			 const struct keepalive *alive, uint64_t *good_ret, struct error *err)
{
	AUTO_FREE uint8_t *buf = io_buffer(READ_BYTES);
	struct walk w = {
		.source = source_of(df), .digester = d, .buf = buf, .count = count, .alive = alive};
	struct journal_facts unused;
	int r;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	ranges_init(&w.covered);
	r = journal_load(j, &unused, count_headers, &w, err);
	if (r == 0)
		r = journal_load(j, &unused, verify_segment, &w, err);
	ranges_deinit(&w.covered);
	*good_ret = w.segment;
	return r;
}

/* --- bringing a part back ------------------------------------------------------------------- */

/* Whether the incomplete bit in the header is the sender's, only its digest tells. */
static int check_header(struct walk *w, const struct extent *e, struct error *err)
{
	int r = compare(&w->source, w->digester, e, w->buf, err);

	if (r)
		return MIN(r, 0);
	dumpfile_came_incomplete(w->source.df);
	r = compare(&w->source, w->digester, e, w->buf, err);
	if (r)
		return MIN(r, 0);
	return differs(e, err);
}

static int cover_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct walk *w = ctx;
	int r = keepalive(w->alive, err);

	for (size_t i = 0; i < segment->count && r >= 0; i++) {
		const struct extent *e = &segment->extents[i];

		r = cover(w, e, err);
		if (r > 0 && e->off == 0)
			r = check_header(w, e, err);
	}
	return MIN(r, 0);
}

/* What isn't a hole of [at, end), in which no extent lies. */
static int clear_gap(struct walk *w, uint64_t at, uint64_t end, struct error *err)
{
	uint64_t data_end;
	int r;

	while ((r = dumpfile_next_data(w->source.df, at, end, &at, &data_end, err)) > 0) {
		data_end = MIN(data_end, at + CLEAR_BYTES);
		r = dumpfile_clear(w->source.df, at, data_end - at, err);
		if (r == 0)
			r = keepalive(w->alive, err);
		if (r < 0)
			return r;
		at = data_end;
	}
	return r;
}

static int clear_rest(struct walk *w, uint64_t end, struct error *err)
{
	struct range part;
	uint64_t at = 0;
	int r = 0;

	while (at < end && r == 0) {
		if (!ranges_first_in(&w->covered, at, end, &part))
			part = (struct range){end, end};
		r = clear_gap(w, at, part.begin, err);
		at = part.end;
	}
	return r;
}

static int restore(struct walk *w, struct journal *j, uint64_t data_off, struct error *err)
{
	struct journal_facts unused;
	int r = journal_load(j, &unused, count_headers, w, err);

	if (r == 0)
		r = journal_load(j, &unused, cover_segment, w, err);
	if (r == 0 && w->header == 0)
		r = error_set(err, -EBADMSG, "the table has no main header");
	if (r == 0)
		r = dumpfile_truncate(w->source.df, data_off, err);
	if (r == 0)
		r = clear_rest(w, data_off, err);
	return r == 0 ? dumpfile_sync(w->source.df, err) : r;
}

int extents_restore(struct journal *j, struct dumpfile *df, uint64_t data_off,
		    const struct keepalive *alive, struct error *err)
{
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *buf = io_buffer(READ_BYTES);
	struct walk w = {.source = source_of(df), .buf = buf, .alive = alive};
	int r;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	r = digester_new(&digester, err);
	if (r < 0)
		return r;
	w.digester = digester;
	ranges_init(&w.covered);
	r = restore(&w, j, data_off, err);
	ranges_deinit(&w.covered);
	return r;
}

static int check_file(struct walk *w, const char *journal_path, struct extents_proof *proof_ret,
		      struct error *err)
{
	struct journal_facts facts;
	int r = journal_read(journal_path, &facts, count_headers, w, err);

	/* It is the journal that is damaged: that says nothing of the file. */
	if (r == -EBADMSG)
		r = err->code = -EIO;
	if (r == 0)
		r = journal_read(journal_path, &facts, verify_segment, w, err);
	if (r < 0)
		return r;
	proof_ret->segments = facts.cursor.segment;
	/* Without END it was published just before that was noted. */
	proof_ret->whole =
		facts.whole || (facts.cursor.segment && facts.cursor.chunk == CURSOR_AT_END);
	memcpy(proof_ret->digest, facts.chain, DIGEST_BYTES);
	return 0;
}

int extents_check_file(const char *path, bool part, const char *journal_path,
		       struct extents_proof *proof_ret, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	AUTO(digester_free) struct digester *digester = NULL;
	AUTO_FREE uint8_t *buf = io_buffer(READ_BYTES);
	struct walk w = {.buf = buf, .count = UINT64_MAX, .part = part};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", path);
	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	r = digester_new(&digester, err);
	if (r < 0)
		return r;
	w.source = (struct source){.fd = fd, .size_bytes = (uint64_t)st.st_size};
	w.digester = digester;
	ranges_init(&w.covered);
	r = check_file(&w, journal_path, proof_ret, err);
	ranges_deinit(&w.covered);
	return r;
}
