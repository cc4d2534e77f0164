/* receiver/assemble.h: flattened streams, whole, cut, shuffled and hostile, into files. */
#include "../lib/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../receiver/assemble.h"
#include "../../receiver/keepalive.h"
#include "../../receiver/ranges.h"
#include "../../receiver/verify.h"
#include "../lib/scratch.h"
#include "../lib/tinydump.h"
#include "bytes.h"
#include "dumpfile.h"
#include "flat.h"

static const struct assemble_limits no_limits = {.free_bytes = INT64_MAX};

/* What came of a stream. */
struct outcome {
	int code;
	struct error err;
	struct assemble_result res;
};

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

static uint64_t moved_bytes; /* so far */

/* Take what waits in the pipe as assemble_next() wishes. */
static int take_piece(struct assemble *a, struct dumpfile *df, int fd, struct error *err)
{
	const struct assemble_next next = assemble_next(a);
	uint8_t bytes[64 << 10];
	ssize_t n;

	if (next.unseen) {
		n = dumpfile_splice(df, fd, next.file_off, next.size_bytes, err);
		assert_true(n > 0 || (n != -ENOTSUP && n == err->code));
		moved_bytes += n > 0 ? (uint64_t)n : 0;
		return n < 0 ? (int)n : assemble_moved(a, (size_t)n, err);
	}
	assert_true(next.size_bytes > 0);
	n = read(fd, bytes, MIN(next.size_bytes, sizeof(bytes)));
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

/*
 * Take the stream in pieces of `step` bytes (0: of all sizes), until it fails or ends: what can be
 * moved by moving, then all by feeding, with the same result.
 */
static struct outcome run(const struct stream *s, size_t step, const struct assemble_limits *limits)
{
	AUTO_FREE uint8_t *by_moving = NULL, *by_feeding = NULL;
	struct outcome moved, fed;
	size_t moved_size, fed_size;

	moved = run_by(move_all, s, step, limits);
	by_moving = read_result(&moved_size);
	fed = run_by(feed_all, s, step, limits);
	by_feeding = read_result(&fed_size);
	assert_int_equal(moved.code, fed.code);
	assert_string_equal(moved.err.msg, fed.err.msg);
	assert_int_equal(moved.res.arrived.pages_missing, fed.res.arrived.pages_missing);
	assert_int_equal(moved_size, fed_size);
	if (fed_size > 0)
		assert_memory_equal(by_moving, by_feeding, fed_size);
	return fed;
}

static void assert_published(const struct outcome *out, const struct tinydump *t)
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

/*
 * FILE.part alone is left, and marked; if its bitmaps came, every descriptor either leads to a
 * right page or is zero, and the result counts them.
 */
static void assert_mended(const struct outcome *out, const struct tinydump *t)
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

static void test_identity(void **state UNUSED)
{
	static const size_t records[] = {24, 464, 1009, 4096, 40000, 1 << 20};
	static const size_t steps[] = {0, 1, 2, 15, 16, 17, 4096, 65536, 1 << 20};
	struct tinydump t = tinydump_make();

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct stream s = stream_of(&t, records[i]);

		moved_bytes = 0;
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			const struct outcome out = run(&s, steps[k], &no_limits);

			assert_published(&out, &t);
			assert_int_equal(out.res.received_bytes, s.size_bytes);
			assert_int_equal(out.res.arrived.pages, t.pages);
			assert_int_equal(out.res.records,
					 (t.size_bytes + records[i] - 1) / records[i]);
		}
		assert_int_equal(moved_bytes > 0, records[i] == 40000);
		stream_free(&s);
	}
	tinydump_free(&t);
}

/* A large record over a small one: the last one wins, far behind the headers, too, where small ones
 * are held back. */
static void test_small_and_large(void **state UNUSED)
{
	enum { SMALL = 500, LARGE = 64 << 10, FAR = 1 << 20 };
	static const uint8_t garbage[SMALL] = {0xa5};
	struct tinydump t = tinydump_make();
	struct stream s = {0};
	struct outcome out;
	uint8_t *bytes;
	size_t size;

	assert_true(t.size_bytes > LARGE);
	stream_header(&s);
	stream_record(&s, 0, t.bytes, t.size_bytes);
	stream_record(&s, FAR, t.bytes, LARGE); /* from here on, each record is read alone */
	stream_record(&s, FAR + LARGE / 2, garbage, SMALL);
	stream_record(&s, FAR, t.bytes, LARGE);
	stream_end(&s);
	moved_bytes = 0;
	out = run(&s, 0, &no_limits);
	assert_int_equal(out.code, 0);
	assert_true(moved_bytes >= LARGE);
	bytes = file_read(scratch_path("dump"), &size);
	assert_int_equal(size, FAR + LARGE);
	assert_memory_equal(bytes + FAR, t.bytes, LARGE);
	free(bytes);
	stream_free(&s);
	tinydump_free(&t);
}

/* Records in random order, among them some of garbage that a later one overwrites. */
static void test_shuffled(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	uint32_t random = unit_seed();

	for (int run_ = 0; run_ < 60; run_++) {
		const size_t piece = 100 + unit_random(&random) % 9000;
		const size_t count = (t.size_bytes + piece - 1) / piece;
		AUTO_FREE size_t *order = calloc(count, sizeof(*order));
		AUTO_FREE uint8_t *garbage = malloc(3 * piece);
		struct stream s = {0};
		struct outcome out;

		memset(garbage, 0xa5, 3 * piece);
		for (size_t i = 0; i < count; i++) {
			const size_t k = unit_random(&random) % (i + 1);

			order[i] = order[k];
			order[k] = i;
		}
		stream_header(&s);
		for (size_t i = 0; i < count; i++) {
			const size_t off = order[i] * piece, n = MIN(piece, t.size_bytes - off);

			/* Over this piece alone: what came before stays right. */
			if (unit_random(&random) % 3 == 0)
				stream_record(&s, off + n / 3, garbage, n - n / 3);
			stream_record(&s, off, t.bytes + off, n);
		}
		stream_end(&s);
		out = run(&s, 0, &no_limits);
		assert_published(&out, &t);
		stream_free(&s);
	}
	tinydump_free(&t);
}

static void test_cut(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream whole = stream_of(&t, 1000);
	/* In each record: its boundary, a byte around that, the middle of header and payload. */
	static const size_t places[] = {0, 1, 8, 15, 16, 17, 516, 1015};
	size_t usable = 0;

	for (size_t record = 0; record < whole.size_bytes; record += FLAT_RECORD_BYTES + 1000) {
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			/* The first "record" is the stream's header. */
			const size_t at =
				MIN((record ? record + FLAT_HEADER_BYTES - FLAT_RECORD_BYTES - 1000
					    : 0) +
					    places[i],
				    whole.size_bytes - 1);
			struct stream s = {.bytes = whole.bytes, .size_bytes = at};
			const struct outcome out = run(&s, 0, &no_limits);

			assert_int_equal(out.code, -ENODATA);
			assert_mended(&out, &t);
			usable += out.res.arrived.usable;
		}
	}
	assert_true(usable > 300);
	stream_free(&whole);
	tinydump_free(&t);
}

/* All records but one, and the end marker: each gap is noticed, unless nothing reads what is in it.
 */
static void test_gap(void **state UNUSED)
{
	enum { PIECE = 128 };
	struct tinydump t = tinydump_make();
	const size_t note_end = (size_t)(t.header.notes_off + t.header.notes_bytes);

	for (size_t left_out = 0; left_out < t.size_bytes; left_out += PIECE) {
		const size_t in_block = left_out % TINY_BLOCK;
		struct stream s = {0};
		struct outcome out;
		bool needed = true;

		stream_header(&s);
		for (size_t off = 0; off < t.size_bytes; off += PIECE)
			if (off != left_out)
				stream_record(&s, off, t.bytes + off,
					      MIN(PIECE, t.size_bytes - off));
		stream_end(&s);
		out = run(&s, 0, &no_limits);
		/* Behind the headers, the notes and the used part of each bitmap there is only
		 * padding. */
		if (left_out < TINY_BLOCK)
			needed = left_out < KDUMP_HEADER_BYTES;
		else if (left_out < 2 * TINY_BLOCK)
			needed = left_out < note_end;
		else if (left_out < t.at.desc_off)
			needed = in_block == 0;
		if (needed) {
			assert_int_equal(out.code, -ENODATA);
			assert_mended(&out, &t);
		} else {
			assert_published(&out, &t);
		}
		stream_free(&s);
	}
	tinydump_free(&t);
}

/* Pages that the sender could not read: published if its header admits it, else not. */
static void test_lost_pages(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const uint32_t status = le32_get(t.bytes + KDUMP_STATUS_OFFSET);
	struct outcome out;
	struct stream s;

	memset(tinydump_desc(&t, 5), 0, KDUMP_DESC_BYTES);
	s = stream_of(&t, 5000);
	out = run(&s, 0, &no_limits);
	assert_int_equal(out.code, -ENODATA);
	assert_mended(&out, &t);

	/* The header again, with the bit, before the end marker: as vmsend does. */
	s.size_bytes -= FLAT_RECORD_BYTES;
	le32_put(t.bytes + KDUMP_STATUS_OFFSET, status | KDUMP_INCOMPLETE);
	stream_record(&s, 0, t.bytes, KDUMP_HEADER_BYTES);
	stream_end(&s);
	out = run(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.arrived.pages_lost, 1);
	stream_free(&s);

	/* Half of its zeros are not what the sender said, but what a hole reads as. */
	stream_header(&s);
	stream_record(&s, 0, t.bytes, (size_t)(tinydump_desc(&t, 5) - t.bytes) + 12);
	stream_record(&s, (uint64_t)(tinydump_desc(&t, 6) - t.bytes), tinydump_desc(&t, 6),
		      t.size_bytes - (size_t)(tinydump_desc(&t, 6) - t.bytes));
	stream_end(&s);
	out = run(&s, 0, &no_limits);
	assert_int_equal(out.code, -ENODATA);
	assert_mended(&out, &t);
	stream_free(&s);
	tinydump_free(&t);
}

/* clang-format off */
static const struct {
	const char *name;
	struct kdump_desc desc;
	int want;
} descs[] = {
	{"assemble: takes no page of 0 bytes", {.off = 1 << 20, .size_bytes = 0}, -ENODATA},
	{"assemble: takes no page that is longer than one", {.off = 1, .size_bytes = TINY_BLOCK + 1}, -ENODATA},
	{"assemble: takes no page among the descriptors", {.off = 0, .size_bytes = 16}, -ENODATA},
	{"assemble: takes the first page behind them", {.off = 1, .size_bytes = TINY_BLOCK}, 0},
	{"assemble: takes a page of a codec that is yet to come", {.off = 1, .size_bytes = 16, .flags = 0x40}, 0},
};
/* clang-format on */

/* Descriptors that came whole, but as nobody writes them: the stream was damaged on its way. An
 * offset of 1 stands for the table's end, of 0 for a byte before. */
static void test_desc(void **state)
{
	const __typeof__(descs[0]) *row = *state;
	struct tinydump t = tinydump_make();
	struct kdump_desc desc = row->desc;
	struct outcome out;
	struct stream s;

	if (desc.off < 2)
		desc.off += t.at.desc_off + t.pages * KDUMP_DESC_BYTES - 1;
	kdump_put_desc(tinydump_desc(&t, 5), &desc);
	s = stream_of(&t, 5000);
	out = run(&s, 0, &no_limits);
	assert_int_equal(out.code, row->want);
	if (row->want < 0) {
		assert_mended(&out, &t);
		assert_int_equal(out.res.arrived.pages_missing, 1);
	} else {
		assert_published(&out, &t);
	}
	stream_free(&s);
	tinydump_free(&t);
}

/* A part of a split dump has only its own pfns' descriptors. */
static void test_split(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct outcome out;
	struct stream s;
	size_t pages = 0;

	t.header.split = true;
	t.header.start_pfn = 9;
	t.header.end_pfn = 50;
	for (uint64_t pfn = 9; pfn < 50; pfn++)
		pages += (size_t)tinydump_has(pfn);
	kdump_put_sub_header(t.bytes + TINY_BLOCK, &t.header);
	s = stream_of(&t, 5000);
	out = run(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.arrived.pages, pages);
	stream_free(&s);
	tinydump_free(&t);
}

struct hostile_row {
	const char *name;
	const char *bytes; /* behind the stream's header and a first record */
	size_t len;
	int want;
};

/* clang-format off */
#define AT(bytes) bytes, sizeof(bytes) - 1
static const struct hostile_row hostile[] = {
	{"assemble: refuses a negative offset", AT("\x80\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: refuses a negative size", AT("\0\0\0\0\0\0\0\0" "\x80\0\0\0\0\0\0\0" "x"), -EBADMSG},
	{"assemble: refuses a size of 0", AT("\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0"), -EBADMSG},
	{"assemble: refuses an end past 2^63", AT("\x7f\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: refuses an offset of 2^62", AT("\x40\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\1" "x"), -EFBIG},
	{"assemble: refuses a record of 2^62 bytes", AT("\0\0\0\0\0\0\0\0" "\x40\0\0\0\0\0\0\0" "x"), -EFBIG},
	{"assemble: refuses half an end marker", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: knows an end marker cut at byte 15", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\xff\xff\xff\xff\xff\xff\xff"), -ENODATA},
};
/* clang-format on */

static void test_hostile(void **state)
{
	const struct hostile_row *row = *state;
	struct tinydump t = tinydump_make();

	for (size_t step = 0; step < 3; step++) {
		struct stream s = {0};
		struct outcome out;

		stream_header(&s);
		stream_record(&s, 0, t.bytes, t.size_bytes);
		stream_add(&s, row->bytes, row->len);
		out = run(&s, step, &no_limits);
		assert_int_equal(out.code, row->want);
		assert_mended(&out, &t);
		/* All that came before is there. */
		assert_int_equal(out.res.arrived.pages_missing, 0);
		stream_free(&s);
	}
	tinydump_free(&t);
}

struct input_row {
	const char *name, *bytes;
	size_t len;
	int want;
	const char *says;
};

/* clang-format off */
static const struct input_row inputs[] = {
	{"assemble: says that nothing came", AT(""), -ENODATA, "nothing came"},
	{"assemble: says that a stream is cut in its signature", AT("makedump"), -ENODATA, "cut short"},
	{"assemble: says that a stream is cut in its header", AT("makedumpfile\0\0\0\0\0\0\0\0"), -ENODATA, "cut short"},
	{"assemble: says that it got ELF", AT("\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0"), -EBADMSG, "an ELF file"},
	{"assemble: says that it got a regular kdump file", AT("KDUMP   \6\0\0\0Linux\0\0\0\0"), -EBADMSG, "a kdump-compressed file"},
	{"assemble: says that it got gzip", AT("\037\213\10\0\0\0\0\0\0\3\0\0\0\0\0\0\0"), -EBADMSG, "gzip"},
	{"assemble: says that it got two bytes of gzip", AT("\037\213"), -EBADMSG, "gzip"},
	{"assemble: says that it got something else", AT("bash: vmsend: command not found\n"), -EBADMSG, "looks like text"},
};
/* clang-format on */

static void test_input(void **state)
{
	const struct input_row *row = *state;
	AUTO_FREE uint8_t *copy = malloc(row->len + 1);

	memcpy(copy, row->bytes, row->len);
	for (size_t step = 0; step < 3; step++) {
		const struct stream s = {.bytes = copy, .size_bytes = row->len};
		const struct outcome out = run(&s, step, &no_limits);

		assert_int_equal(out.code, row->want);
		if (!strstr(out.err.msg, row->says))
			fail_msg("says \"%s\", not \"%s\"", out.err.msg, row->says);
		assert_false(file_exists(scratch_path("dump")));
		assert_false(file_exists(scratch_path("dump.part")));
	}
}

static void test_max_size(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct assemble_limits limits = {.max_size_bytes = t.size_bytes, .free_bytes = 1};
	struct outcome out = run(&s, 0, &limits);

	assert_published(&out, &t);
	limits.max_size_bytes--;
	out = run(&s, 0, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_mended(&out, &t);
	assert_true(out.res.file_bytes <= limits.max_size_bytes);
	assert_non_null(strstr(out.err.msg, "--max-size"));

	/* Mending doesn't break it either: the table would end beyond. */
	limits.max_size_bytes = t.at.desc_off + 100;
	out = run(&s, 0, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_true(out.res.file_bytes <= limits.max_size_bytes);

	limits = (struct assemble_limits){.free_bytes = t.size_bytes - 1};
	out = run(&s, 0, &limits);
	assert_int_equal(out.code, -ENOSPC);

	/* No room for all descriptors: those that didn't come are a hole, which takes none. */
	limits.free_bytes = t.at.desc_off + 100;
	out = run(&s, 0, &limits);
	assert_int_equal(out.code, -ENOSPC);
	assert_mended(&out, &t);
	assert_true(out.res.file_bytes >= out.res.arrived.table_end);
	assert_true(out.res.arrived.table_end > limits.free_bytes);
	stream_free(&s);
	tinydump_free(&t);
}

/* Whatever a dump's header says, a record may be far behind it only before the header is there. */
static void test_plausible(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const uint64_t plausible = arrived_plausible_bytes(&t.header);
	const struct {
		uint64_t off;
		bool before;
		int want;
	} rows[] = {
		{plausible - 1, false, 0},
		{plausible, false, -EFBIG},
		{plausible - 1, true, 0},
		{plausible, true, -EFBIG},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream s = {0};
		struct outcome out;

		stream_header(&s);
		if (rows[i].before)
			stream_record(&s, rows[i].off, "x", 1);
		stream_record(&s, 0, t.bytes, t.size_bytes);
		if (!rows[i].before)
			stream_record(&s, rows[i].off, "x", 1);
		stream_end(&s);
		out = run(&s, 0, &no_limits);
		assert_int_equal(out.code, rows[i].want);
		stream_free(&s);
	}
	tinydump_free(&t);
}

/* The same place again and again. */
static void test_endless(void **state UNUSED)
{
	enum { PIECE = 1 << 20 };
	const struct assemble_limits limits = {.max_size_bytes = PIECE};
	AUTO_FREE uint8_t *piece = calloc(1, PIECE);
	struct stream s = {0};
	struct outcome out;

	stream_header(&s);
	for (int i = 0; i < 80; i++)
		stream_record(&s, 0, piece, PIECE);
	out = run(&s, 65536, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_non_null(strstr(out.err.msg, "again and again"));
	assert_true(out.res.file_bytes <= PIECE);
	assert_true(out.res.received_bytes < 68 << 20);
	stream_free(&s);
}

static void test_scattered(void **state UNUSED)
{
	struct stream s = {0};
	struct outcome out;

	stream_header(&s);
	for (uint64_t i = RANGES_MAX + 1; i > 0; i--)
		stream_record(&s, 4 * i, "x", 1);
	stream_end(&s);
	out = run(&s, 65536, &no_limits);
	assert_int_equal(out.code, -EFBIG);
	assert_non_null(strstr(out.err.msg, "separate pieces"));
	stream_free(&s);
}

/* No kdump file inside: nothing says what would be missing, so it is published as it came. */
static void test_elf(void **state UNUSED)
{
	static uint8_t elf[9000] = "\177ELF\2\1\1";
	struct tinydump t = {.bytes = elf, .size_bytes = sizeof(elf)};
	struct stream s = stream_of(&t, 1000);
	const struct outcome out = run(&s, 0, &no_limits);

	assert_published(&out, &t);
	assert_int_equal(out.res.arrived.kind, ARRIVED_OTHER);
	stream_free(&s);
}

/* A header that we can't read loses nothing: all that comes is kept, but not called complete. */
static void test_odd_header(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s;
	struct outcome out;
	size_t size;
	uint8_t *bytes;

	le32_put(t.bytes + 428, 0x100000); /* 4096 in the other byte order */
	s = stream_of(&t, 1000);
	out = run(&s, 0, &no_limits);
	assert_int_equal(out.code, -EBADMSG);
	assert_int_equal(out.res.mend.code, 0);
	assert_false(file_exists(scratch_path("dump")));
	bytes = file_read(scratch_path("dump.part"), &size);
	assert_int_equal(size, t.size_bytes);
	bytes[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
	assert_memory_equal(bytes, t.bytes, size);
	free(bytes);
	stream_free(&s);
	tinydump_free(&t);
}

static void test_trailing(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct outcome out;

	stream_add(&s, "more", 4);
	out = run(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.trailing_bytes, 4);
	assert_int_equal(out.res.received_bytes, s.size_bytes - 4);
	stream_free(&s);
	tinydump_free(&t);
}

/* Somebody stops it while all but the end marker is there. */
static void test_stop(void **state UNUSED)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(assemble_free) struct assemble *a = NULL;
	const struct error why = {-ECANCELED, "enough"};
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct outcome out = {0};

	scratch_clear();
	assert_int_equal(
		dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &out.err), 0);
	assert_int_equal(assemble_new(df, &no_limits, &a, &out.err), 0);
	assert_int_equal(assemble_feed(a, s.bytes, s.size_bytes, &out.err), 1);
	assemble_stop(a, &why);
	out.code = assemble_end(a, &out.res, &out.err);
	assert_int_equal(out.code, -ECANCELED);
	assert_string_equal(out.err.msg, "enough");
	assert_mended(&out, &t);
	assert_int_equal(out.res.arrived.pages_missing, 0);
	stream_free(&s);
	tinydump_free(&t);
}

struct waiting {
	unsigned asked, patience; /* how often it is */
};

static int ask_whether_to_go_on(void *ctx, struct error *err)
{
	struct waiting *w = ctx;

	return ++w->asked > w->patience ? error_set(err, -ECONNRESET, "gone") : 0;
}

/* The judgement of a large dump takes long. Who waits for it hears of us, and may go; a part is
 * mended whoever waits. */
static void test_alive(void **state UNUSED)
{
	struct waiting w = {.patience = 100};
	const struct keepalive alive = {ask_whether_to_go_on, &w};
	const struct assemble_limits limits = {.free_bytes = INT64_MAX, .alive = &alive};
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct outcome out = run_by(feed_all, &s, 0, &limits);

	assert_published(&out, &t);
	assert_int_equal(w.asked, 2); /* with the bitmap, and with the table */
	for (unsigned patience = 0; patience < 2; patience++) {
		w = (struct waiting){.patience = patience};
		out = run_by(feed_all, &s, 0, &limits);
		assert_int_equal(out.code, -ECONNRESET);
		assert_string_equal(out.err.msg, "gone");
		assert_false(file_exists(scratch_path("dump")));
		assert_true(file_exists(scratch_path("dump.part")));
	}
	w = (struct waiting){0};
	s.size_bytes -= 10;
	out = run(&s, 0, &limits);
	assert_mended(&out, &t);
	assert_int_equal(w.asked, 0);
	stream_free(&s);
	tinydump_free(&t);
}

/* The file can't grow beyond each of many lengths: what is there is mended. In a child, for the
 * limit. */
static void test_write_error(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);

	for (size_t limit = 100; limit < t.size_bytes; limit += 4999) {
		int status;
		pid_t pid;

		scratch_clear();
		pid = fork();
		if (pid == 0) {
			const struct rlimit fsize = {limit, limit};
			struct outcome out;

			signal(SIGXFSZ, SIG_IGN);
			setrlimit(RLIMIT_FSIZE, &fsize);
			out = run(&s, 0, &no_limits);
			_exit(out.code == -EFBIG && strstr(out.err.msg, "dump.part") ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_false(file_exists(scratch_path("dump")));
		assert_true(file_exists(scratch_path("dump.part")));
		if (limit > t.data_off) {
			AUTO(dump_free) struct dump *d = NULL;
			struct verify_result verified;
			struct error err;

			assert_int_equal(dump_open(scratch_path("dump.part"), &d, &err), 0);
			assert_int_equal(verify_dump(d, 1, NULL, NULL, &verified, &err), 0);
			assert_int_equal(verified.problem_count, 0);
			assert_true(verified.missing > 0);
		}
	}
	stream_free(&s);
	tinydump_free(&t);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "assemble: gives the file back, however it is cut", test_identity, NULL);
	unit_add(&u, "assemble: takes any order, and the last of what overlaps", test_shuffled,
		 NULL);
	unit_add(&u, "assemble: takes the last of a small and a large record", test_small_and_large,
		 NULL);
	unit_add(&u, "assemble: mends what is cut short anywhere", test_cut, NULL);
	unit_add(&u, "assemble: notices each gap that matters", test_gap, NULL);
	unit_add(&u, "assemble: publishes lost pages only if the header admits them",
		 test_lost_pages, NULL);
	unit_add(&u, "assemble: takes a part of a split dump", test_split, NULL);
	UNIT_ADD_ROWS(&u, hostile, test_hostile);
	UNIT_ADD_ROWS(&u, inputs, test_input);
	unit_add(&u, "assemble: keeps to --max-size, and to what is free", test_max_size, NULL);
	unit_add(&u, "assemble: keeps to what the header makes plausible", test_plausible, NULL);
	unit_add(&u, "assemble: ends a stream that doesn't", test_endless, NULL);
	unit_add(&u, "assemble: refuses too many separate pieces", test_scattered, NULL);
	unit_add(&u, "assemble: publishes what is no kdump file as it is", test_elf, NULL);
	unit_add(&u, "assemble: keeps a dump with a header that it can't read", test_odd_header,
		 NULL);
	unit_add(&u, "assemble: counts what follows the end marker", test_trailing, NULL);
	unit_add(&u, "assemble: mends what was stopped", test_stop, NULL);
	unit_add(&u, "assemble: asks while it judges whether somebody waits", test_alive, NULL);
	unit_add(&u, "assemble: mends what a full disk cut short", test_write_error, NULL);
	UNIT_ADD_ROWS(&u, descs, test_desc);
	return unit_run(&u, "assemble", argc, argv);
}
