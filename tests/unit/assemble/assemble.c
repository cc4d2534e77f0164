/* receiver/assemble/assemble.h: flattened streams, whole, cut, shuffled and with gaps, into files.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/flat.h"
#include "tests/lib/outcome.h"
#include "tests/lib/scratch.h"

static void test_identity(void **state UNUSED)
{
	static const size_t records[] = {24, 464, 1009, 4096, 40000, 1 << 20};
	static const size_t steps[] = {0, 1, 2, 15, 16, 17, 4096, 65536, 1 << 20};
	struct tinydump t = tinydump_make();

	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct stream s = stream_of(&t, records[i]);

		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			const struct outcome out = outcome_of(&s, steps[k], &no_limits);

			assert_published(&out, &t);
			assert_int_equal(out.res.received_bytes, s.size_bytes);
			assert_int_equal(out.res.arrived.pages, t.pages);
			assert_int_equal(out.res.records,
					 (t.size_bytes + records[i] - 1) / records[i]);
		}
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
	stream_record(&s, FAR, t.bytes, LARGE);
	stream_record(&s, FAR + LARGE / 2, garbage, SMALL);
	stream_record(&s, FAR, t.bytes, LARGE);
	stream_end(&s);
	out = outcome_of(&s, 0, &no_limits);
	assert_int_equal(out.code, 0);
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
		out = outcome_of(&s, 0, &no_limits);
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
			const struct outcome out = outcome_of(&s, 0, &no_limits);

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
		out = outcome_of(&s, 0, &no_limits);
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
	out = outcome_of(&s, 0, &no_limits);
	assert_int_equal(out.code, -ENODATA);
	assert_mended(&out, &t);

	/* The header again, with the bit, before the end marker: as vmsend does. */
	s.size_bytes -= FLAT_RECORD_BYTES;
	le32_put(t.bytes + KDUMP_STATUS_OFFSET, status | KDUMP_INCOMPLETE);
	stream_record(&s, 0, t.bytes, KDUMP_HEADER_BYTES);
	stream_end(&s);
	out = outcome_of(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.arrived.pages_lost, 1);
	stream_free(&s);

	/* Half of its zeros are not what the sender said, but what a hole reads as. */
	stream_header(&s);
	stream_record(&s, 0, t.bytes, (size_t)(tinydump_desc(&t, 5) - t.bytes) + 12);
	stream_record(&s, (uint64_t)(tinydump_desc(&t, 6) - t.bytes), tinydump_desc(&t, 6),
		      t.size_bytes - (size_t)(tinydump_desc(&t, 6) - t.bytes));
	stream_end(&s);
	out = outcome_of(&s, 0, &no_limits);
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
	out = outcome_of(&s, 0, &no_limits);
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
	out = outcome_of(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.arrived.pages, pages);
	stream_free(&s);
	tinydump_free(&t);
}

/* No kdump file inside: nothing says what would be missing, so it is published as it came. */
static void test_elf(void **state UNUSED)
{
	static uint8_t elf[9000] = "\177ELF\2\1\1";
	struct tinydump t = {.bytes = elf, .size_bytes = sizeof(elf)};
	struct stream s = stream_of(&t, 1000);
	const struct outcome out = outcome_of(&s, 0, &no_limits);

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
	out = outcome_of(&s, 0, &no_limits);
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
	out = outcome_of(&s, 0, &no_limits);
	assert_published(&out, &t);
	assert_int_equal(out.res.trailing_bytes, 4);
	assert_int_equal(out.res.received_bytes, s.size_bytes - 4);
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
	unit_add(&u, "assemble: publishes what is no kdump file as it is", test_elf, NULL);
	unit_add(&u, "assemble: keeps a dump with a header that it can't read", test_odd_header,
		 NULL);
	unit_add(&u, "assemble: counts what follows the end marker", test_trailing, NULL);
	UNIT_ADD_ROWS(&u, descs, test_desc);
	return unit_run(&u, "assemble", argc, argv);
}
