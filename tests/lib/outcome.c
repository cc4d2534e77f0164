/* Runs a stream through the assembler. */
#include "outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../receiver/verify.h"
#include "dumpfile.h"
#include "scratch.h"
#include "unit.h"

const struct assemble_limits no_limits = {.free_bytes = INT64_MAX};

/* The next piece's size: `step`, or 0 for all sizes. */
static size_t piece_of(size_t step, size_t left, uint32_t *random)
{
	const size_t want = step ? step : 1 + unit_random(random) % 3000;

	return MIN(want, left);
}

static int feed_all(struct assemble *a, struct dumpfile *df UNUSED, const struct stream *s,
		    size_t step, struct error *err)
{
	uint32_t random = unit_seed();
	int r = 0;

	for (size_t at = 0, n; at < s->size_bytes && r >= 0; at += n) {
		n = piece_of(step, s->size_bytes - at, &random);
		r = assemble_feed(a, s->bytes + at, n, err);
	}
	return r;
}

static const size_t PIPE_BYTES = 64 << 10; /* what one holds */

uint64_t moved_bytes;

/* Take what waits in the pipe as assemble_next() wishes. */
static int take_piece(struct assemble *a, struct dumpfile *df, int fd, struct error *err)
{
	const struct assemble_next next = assemble_next(a);
	uint8_t bytes[64 << 10];
	ssize_t n;

	if (next.unseen) {
		n = dumpfile_splice(df, fd, next.file_off, (size_t)next.size_bytes, err);
		assert_true(n > 0 || (n != -ENOTSUP && n == err->code));
		moved_bytes += n > 0 ? (uint64_t)n : 0;
		return n < 0 ? (int)n : assemble_moved(a, (size_t)n, err);
	}
	assert_true(next.size_bytes > 0);
	n = read(fd, bytes, (size_t)MIN(next.size_bytes, sizeof(bytes)));
	assert_true(n > 0);
	return assemble_feed(a, bytes, (size_t)n, err);
}

/* Two system calls for each piece: to cut at every byte is for feed_all(). */
static int move_all(struct assemble *a, struct dumpfile *df, const struct stream *s, size_t step,
		    struct error *err)
{
	const size_t least = 11;
	uint32_t random = unit_seed();
	int r = 0, fds[2];

	assert_int_equal(pipe(fds), 0);
	for (size_t at = 0, n; at < s->size_bytes && r == 0; at += n) {
		n = MIN(MAX(piece_of(step, s->size_bytes - at, &random), least), PIPE_BYTES);
		n = MIN(n, s->size_bytes - at);
		assert_int_equal(write(fds[1], s->bytes + at, n), n);
		while (r == 0 && assemble_received(a) < at + n)
			r = take_piece(a, df, fds[0], err);
	}
	close(fds[0]);
	close(fds[1]);
	return r;
}

static struct outcome run_by(int (*take)(struct assemble *, struct dumpfile *,
					 const struct stream *, size_t, struct error *),
			     const struct stream *s, size_t step,
			     const struct assemble_limits *limits)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(assemble_free) struct assemble *a = NULL;
	struct outcome out = {0};
	int r;

	scratch_clear();
	assert_int_equal(
		dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &out.err), 0);
	assert_int_equal(assemble_new(df, limits, &a, &out.err), 0);
	r = take(a, df, s, step, &out.err);
	out.code = assemble_end(a, &out.res, &out.err);
	assert_int_equal(out.res.published, out.code == 0);
	if (r < 0)
		assert_int_equal(out.code, r);
	return out;
}

static uint8_t *read_result(size_t *size_ret)
{
	const char *part = scratch_path("dump.part");

	*size_ret = 0;
	if (file_exists(part))
		return file_read(part, size_ret);
	return file_exists(scratch_path("dump")) ? file_read(scratch_path("dump"), size_ret) : NULL;
}

struct outcome outcome_of_feeding(const struct stream *s, size_t step,
				  const struct assemble_limits *limits)
{
	return run_by(feed_all, s, step, limits);
}

struct outcome outcome_of(const struct stream *s, size_t step, const struct assemble_limits *limits)
{
	AUTO_FREE uint8_t *by_moving = NULL, *by_feeding = NULL;
	struct outcome moved, fed;
	size_t moved_size, fed_size;

	moved = run_by(move_all, s, step, limits);
	by_moving = read_result(&moved_size);
	fed = outcome_of_feeding(s, step, limits);
	by_feeding = read_result(&fed_size);
	assert_int_equal(moved.code, fed.code);
	assert_string_equal(moved.err.msg, fed.err.msg);
	assert_int_equal(moved.res.arrived.pages_missing, fed.res.arrived.pages_missing);
	assert_int_equal(moved_size, fed_size);
	if (fed_size > 0)
		assert_memory_equal(by_moving, by_feeding, fed_size);
	return fed;
}

void assert_published(const struct outcome *out, const struct tinydump *t)
{
	size_t size;
	uint8_t *bytes;

	if (out->code < 0)
		fail_msg("%s", out->err.msg);
	assert_false(file_exists(scratch_path("dump.part")));
	bytes = file_read(scratch_path("dump"), &size);
	assert_int_equal(size, t->size_bytes);
	assert_memory_equal(bytes, t->bytes, size);
	free(bytes);
}

void assert_mended(const struct outcome *out, const struct tinydump *t)
{
	const char *part = scratch_path("dump.part");
	AUTO(dump_free) struct dump *d = NULL;
	struct verify_result verified;
	struct error err;

	assert_true(out->code < 0);
	assert_int_equal(out->res.mend.code, 0);
	assert_false(file_exists(scratch_path("dump")));
	if (out->res.file_bytes == 0) {
		assert_false(file_exists(part));
		return;
	}
	if (out->res.arrived.table_end == 0)
		return;
	assert_int_equal(dump_open(part, &d, &err), 0);
	assert_true(dump_header(d)->status & KDUMP_INCOMPLETE);
	assert_true(dump_size(d) >= t->at.desc_off + t->pages * KDUMP_DESC_BYTES);
	assert_int_equal(verify_dump(d, 1, NULL, NULL, &verified, &err), 0);
	if (verified.problem_count > 0)
		fail_msg("%s", verified.problems[0].text);
	assert_int_equal(verified.pages, t->pages);
	assert_int_equal(out->res.arrived.pages, t->pages);
	assert_int_equal(verified.missing, out->res.arrived.pages_missing);
	assert_int_equal(out->res.arrived.usable, verified.missing < t->pages);
}
