/* receiver/inspect/verify.h, dump.h, notes.h and facts.h: reading dumps that may be damaged. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/codec.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/escape.h"
#include "receiver/inspect/facts.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"

static struct kdump_file *open_dump(const struct tinydump *t)
{
	const char *path = scratch_path("dump");
	struct kdump_file *d = NULL;
	struct error err;

	file_write(path, t->bytes, t->size_bytes);
	if (kdump_file_open(path, &d, &err) < 0)
		fail_msg("%s", err.msg);
	return d;
}

/* With one thread and with three: the same comes out. */
static struct verify_result verify(const struct tinydump *t)
{
	AUTO(kdump_file_free) struct kdump_file *d = open_dump(t);
	struct verify_result one, three;
	struct error err;

	memset(&one, 0, sizeof(one));
	memset(&three, 0, sizeof(three));
	assert_int_equal(verify_dump(d, 1, NULL, NULL, &one, &err), 0);
	assert_int_equal(verify_dump(d, 3, NULL, NULL, &three, &err), 0);
	assert_int_equal(one.problem_count, three.problem_count);
	assert_int_equal(one.missing, three.missing);
	assert_int_equal(one.kept, three.kept);
	for (size_t i = 0; i < one.kept; i++)
		assert_string_equal(one.problems[i].text, three.problems[i].text);
	return one;
}

static void test_good(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct verify_result res = verify(&t);

	if (res.problem_count > 0)
		fail_msg("%s", res.problems[0].text);
	assert_int_equal(res.pages, t.pages);
	assert_int_equal(res.missing, 0);
	tinydump_free(&t);
}

/* One change to a good dump, and what has to be said of it. */
struct damage_row {
	const char *name;
	enum { MAIN, SUB, NOTES, BITMAP1, BITMAP2, DESC, PAYLOAD } where;
	size_t at; /* byte in there; of DESC and PAYLOAD: of the page of pfn `pfn` */
	uint64_t pfn;
	size_t width; /* of the value: 1, 4 or 8; 0: the byte is flipped */
	uint64_t value;
	uint64_t problems, missing;
	const char *says;
};

/* clang-format off */
static const struct damage_row damages[] = {
	{"verify: finds a bit beyond the last pfn in bitmap 1", BITMAP1, 10, 0, 1, 0x1f, 1, 0, "beyond the highest pfn 84, the first at 84"},
	{"verify: finds a bit in the last byte of bitmap 1", BITMAP1, 4095, 0, 1, 0x80, 1, 0, "the first at 32767"},
	{"verify: finds a bit beyond the last pfn in bitmap 2", BITMAP2, 11, 0, 1, 1, 1, 0, "the first at 88"},
	{"verify: finds a page that isn't in RAM", BITMAP1, 2, 0, 1, 0x7f, 1, 0, "pfn 23 on"},
	{"verify: counts a missing page apart", DESC, 0, 17, 24, 0, 0, 1, NULL},
	{"verify: finds an offset of 0 with a size", DESC, 0, 17, 8, 0, 1, 0, "pfn 17"},
	{"verify: finds a payload in the headers", DESC, 0, 17, 8, 4096, 1, 0, "inside of headers"},
	{"verify: finds a payload in the descriptors", DESC, 0, 17, 8, 16384, 1, 0, "inside of headers"},
	{"verify: finds a payload beyond the file", DESC, 0, 17, 8, 1 << 30, 1, 0, "beyond the end"},
	{"verify: finds a payload that ends past 2^64", DESC, 0, 17, 8, UINT64_MAX, 1, 0, "beyond the end"},
	{"verify: finds a size of 0", DESC, 8, 17, 4, 0, 1, 0, "payload of 0 bytes"},
	{"verify: finds a size over a page", DESC, 8, 17, 4, 4097, 1, 0, "payload of 4097 bytes"},
	{"verify: finds a size of 2^32 - 1", DESC, 8, 17, 4, UINT32_MAX, 1, 0, "payload of 4294967295 bytes"},
	{"verify: finds a raw page that is too short", DESC, 8, 10, 4, 4095, 1, 0, "pfn 10"},
	{"verify: finds two codecs", DESC, 12, 17, 4, 3, 1, 0, "name no codec"},
	{"verify: finds an unknown codec", DESC, 12, 17, 4, 0x40, 1, 0, "name no codec"},
	{"verify: finds another codec than the payload's", DESC, 12, 17, 4, KDUMP_ZLIB, 1, 0, "zlib payload"},
	{"verify: finds a damaged zlib payload", PAYLOAD, 0, 11, 0, 0, 1, 0, "zlib payload"},
#if WITH_LZO
	{"verify: finds a cut lzo payload", DESC, 8, 17, 4, 20, 1, 0, "lzo payload"},
#endif
	{"verify: finds a damaged snappy payload", PAYLOAD, 0, 8, 0, 0, 1, 0, "snappy payload"},
#if WITH_ZSTD
	{"verify: finds a damaged zstd payload", PAYLOAD, 0, 19, 0, 0, 1, 0, "zstd payload"},
#endif
	{"verify: finds a note that reaches out", NOTES, 4, 0, 4, 1 << 20, 1, 0, "reaches out of the area"},
	{"verify: finds a note's name that reaches out", NOTES, 0, 0, 4, UINT32_MAX, 1, 0, "reaches out of the area"},
	{"verify: finds VMCOREINFO elsewhere", SUB, 32, 0, 8, 8192, 1, 0, "no OSRELEASE"},
	{"verify: finds VMCOREINFO beyond the file", SUB, 32, 0, 8, 1 << 30, 1, 0, "VMCOREINFO"},
	{"verify: finds VMCOREINFO of a size that can't be", SUB, 40, 0, 8, 1 << 30, 1, 0, "not plausible"},
	{"verify: finds a header of another kernel", MAIN, 142, 0, 1, '7', 1, 0, "different kernels, \"7.1.0-tiny\" and \"6.1.0-tiny\""},
	{"verify: finds notes beyond the file", SUB, 56, 0, 8, 1 << 30, 1, 0, "inside of the notes"},
};
/* clang-format on */

static size_t index_of(uint64_t pfn)
{
	size_t index = 0;

	for (uint64_t p = 0; p < pfn; p++)
		index += (size_t)tinydump_has(p);
	return index;
}

static void damage(struct tinydump *t, const struct damage_row *row)
{
	const size_t index = index_of(row->pfn);
	const size_t base[] = {
		[MAIN] = 0,
		[SUB] = TINY_BLOCK,
		[NOTES] = (size_t)t->header.notes_off,
		[BITMAP1] = (size_t)t->at.bitmap1_off,
		[BITMAP2] = (size_t)t->at.bitmap2_off,
		[DESC] = (size_t)t->at.desc_off + index * KDUMP_DESC_BYTES,
		[PAYLOAD] = (size_t)kdump_get_desc(tinydump_desc(t, index)).off,
	};
	uint8_t *p = t->bytes + base[row->where] + row->at;

	assert_true(row->where < DESC || tinydump_has(row->pfn));
	switch (row->width) {
	case 0:
		*p ^= 0xff;
		break;
	case 1:
		*p = (uint8_t)row->value;
		break;
	case 4:
		le32_put(p, (uint32_t)row->value);
		break;
	case 8:
		le64_put(p, row->value);
		break;
	default:
		memset(p, 0, row->width);
	}
}

static void test_damage(void **state)
{
	const struct damage_row *row = *state;
	struct tinydump t = tinydump_make();
	struct verify_result res;

	damage(&t, row);
	res = verify(&t);
	assert_int_equal(res.problem_count, row->problems);
	assert_int_equal(res.missing, row->missing);
	if (row->says && !strstr(res.problems[0].text, row->says))
		fail_msg("says \"%s\", not \"%s\"", res.problems[0].text, row->says);
	tinydump_free(&t);
}

/* Any byte of a payload that something checks: nothing crashes, and what is stored raw stays
 * unnoticed. */
static void test_any_byte(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	uint32_t random = unit_seed();

	for (int i = 0; i < 400; i++) {
		const size_t at = unit_random(&random) % t.size_bytes;
		const uint8_t old = t.bytes[at];
		AUTO(kdump_file_free) struct kdump_file *d = NULL;
		struct verify_result res;
		struct error err;

		t.bytes[at] = (uint8_t)unit_random(&random);
		file_write(scratch_path("dump"), t.bytes, t.size_bytes);
		if (kdump_file_open(scratch_path("dump"), &d, &err) == 0)
			assert_int_equal(verify_dump(d, 1, NULL, NULL, &res, &err), 0);
		t.bytes[at] = old;
	}
	tinydump_free(&t);
}

static void test_many_problems(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct verify_result res;

	for (size_t i = 0; i < t.pages; i++)
		le32_put(tinydump_desc(&t, i) + 12, 0x80);
	res = verify(&t);
	assert_int_equal(res.problem_count, t.pages);
	assert_int_equal(res.kept, VERIFY_PROBLEMS_MAX);
	assert_non_null(strstr(res.problems[0].text, "pfn 0 (descriptor 0)"));
	assert_non_null(strstr(res.problems[7].text, "pfn 8 (descriptor 7)"));
	tinydump_free(&t);
}

/* So many pages that threads take turns: 200,000, all but a few of them zero, and damage in each
 * part. */
static void test_many_pages(void **state UNUSED)
{
	enum { PFNS = 200000, BLOCKS = 7 }; /* of one bitmap */
	static const uint32_t damaged[] = {5, 32767, 32768, 70000, 131072, 199999};
	struct tinydump t = {0};
	struct kdump_desc desc = {.size_bytes = TINY_BLOCK};
	struct verify_result res;

	t.header = (struct kdump_header){.header_version = KDUMP_HEADER_VERSION,
					 .block_size = TINY_BLOCK,
					 .sub_hdr_blocks = 1,
					 .bitmap_blocks = 2 * BLOCKS,
					 .max_mapnr = PFNS};
	t.at = kdump_layout(&t.header);
	desc.off = t.at.desc_off + (uint64_t)PFNS * KDUMP_DESC_BYTES;
	t.size_bytes = (size_t)desc.off + TINY_BLOCK;
	t.bytes = calloc(1, t.size_bytes);
	assert_non_null(t.bytes);
	kdump_put_header(t.bytes, &t.header);
	kdump_put_sub_header(t.bytes + TINY_BLOCK, &t.header);
	memset(t.bytes + t.at.bitmap1_off, 0xff, PFNS / 8);
	memset(t.bytes + t.at.bitmap2_off, 0xff, PFNS / 8);
	for (size_t i = 0; i < PFNS; i++)
		kdump_put_desc(tinydump_desc(&t, i), &desc);
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++)
		le32_put(tinydump_desc(&t, damaged[i]) + 12, 0x80);
	memset(tinydump_desc(&t, 100000), 0, KDUMP_DESC_BYTES);

	res = verify(&t);
	assert_int_equal(res.pages, PFNS);
	assert_int_equal(res.missing, 1);
	assert_int_equal(res.problem_count, ARRAY_LEN(damaged));
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		char want[64];

		snprintf(want, sizeof(want), "pfn %u (descriptor %u)", damaged[i], damaged[i]);
		assert_non_null(strstr(res.problems[i].text, want));
	}
	tinydump_free(&t);
}

static void test_short_file(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const size_t whole = t.size_bytes;
	const struct {
		size_t size;
		int opens;
		const char *says;
	} rows[] = {
		{0, -ENOTSUP, "it is empty"},
		{7, -ENOTSUP, "text"},
		{463, -ENODATA, "main header"},
		{TINY_BLOCK + 103, -ENODATA, "sub header"},
		{TINY_BLOCK + 104, 0, "bitmaps"},
		{(size_t)t.at.desc_off - 1, 0, "bitmaps"},
		{(size_t)t.at.desc_off, 0, "inside of the descriptors"},
		{(size_t)t.at.desc_off + 25, 0, "inside of the descriptors"},
		{whole - 1, 0, "beyond the end of the file"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO(kdump_file_free) struct kdump_file *d = NULL;
		struct verify_result res;
		struct error err;
		const char *said = err.msg;

		file_write(scratch_path("dump"), t.bytes, rows[i].size);
		assert_int_equal(kdump_file_open(scratch_path("dump"), &d, &err), rows[i].opens);
		if (rows[i].opens == 0) {
			assert_int_equal(verify_dump(d, 1, NULL, NULL, &res, &err), 0);
			assert_true(res.problem_count > 0);
			said = res.problems[0].text;
		}
		if (!strstr(said, rows[i].says))
			fail_msg("%zu bytes: says \"%s\", not \"%s\"", rows[i].size, said,
				 rows[i].says);
	}
	tinydump_free(&t);
}

/* Bitmaps for 2^40 pages: a sparse file of 256 GiB is not what we read, as this one is short. */
static void test_huge_claim(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct verify_result res;

	t.header.max_mapnr = (1ULL << 40) - 1;
	t.header.bitmap_blocks = 1U << 26;
	kdump_put_header(t.bytes, &t.header);
	kdump_put_sub_header(t.bytes + TINY_BLOCK, &t.header);
	res = verify(&t);
	assert_int_equal(res.problem_count, 1);
	assert_non_null(strstr(res.problems[0].text, "inside of the bitmaps"));
	tinydump_free(&t);
}

static void test_eraseinfo(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct verify_result res;

	t.header.eraseinfo_off = t.size_bytes - 10;
	t.header.eraseinfo_bytes = 11;
	kdump_put_sub_header(t.bytes + TINY_BLOCK, &t.header);
	res = verify(&t);
	assert_int_equal(res.problem_count, 1);
	assert_non_null(strstr(res.problems[0].text, "inside of the erase info"));
	tinydump_free(&t);
}

static void test_cursor(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	AUTO(kdump_file_free) struct kdump_file *d = open_dump(&t);
	struct kdump_file_cursor c;
	struct kdump_file_page page;
	struct error err;

	assert_int_equal(kdump_file_cursor_init(&c, d, &err), 0);
	for (uint64_t begin = 0; begin <= TINY_PFNS; begin++) {
		for (uint64_t end = begin; end <= TINY_PFNS; end++) {
			size_t index = index_of(begin);
			uint64_t count;

			kdump_file_cursor_seek(&c, begin, end, index);
			assert_int_equal(kdump_file_cursor_count(&c, &count, &err), 0);
			assert_int_equal(count, index_of(end) - index);
			for (uint64_t pfn = begin; pfn < end; pfn++) {
				if (!tinydump_has(pfn))
					continue;
				assert_int_equal(kdump_file_cursor_next(&c, &page, &err), 1);
				assert_int_equal(page.pfn, pfn);
				assert_int_equal(page.index, index);
				assert_int_equal(page.desc.off,
						 kdump_get_desc(tinydump_desc(&t, index)).off);
				index++;
			}
			assert_int_equal(kdump_file_cursor_next(&c, &page, &err), 0);
		}
	}
	kdump_file_cursor_deinit(&c);
	tinydump_free(&t);
}

static void test_split(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const size_t first = index_of(20), past = index_of(60);
	struct verify_result res;

	/* A part has the descriptors of its own pfns only, from the table's beginning on. */
	t.header.split = true;
	t.header.start_pfn = 20;
	t.header.end_pfn = 60;
	kdump_put_sub_header(t.bytes + TINY_BLOCK, &t.header);
	memmove(tinydump_desc(&t, 0), tinydump_desc(&t, first), (past - first) * KDUMP_DESC_BYTES);
	res = verify(&t);
	if (res.problem_count > 0)
		fail_msg("%s", res.problems[0].text);
	assert_int_equal(res.pages, past - first);
	tinydump_free(&t);
}

static void test_facts(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	uint64_t zeros = 0, pages = 0, ram = 0;
	struct error err;
	struct facts f;
	struct kdump_file *d;

	for (uint64_t pfn = 0; pfn < TINY_PFNS; pfn++) {
		zeros += tinydump_has(pfn) && pfn % 9 == 5;
		ram += pfn < TINY_HOLE_BEGIN || pfn >= TINY_HOLE_END;
	}
	memset(tinydump_desc(&t, 0), 0, KDUMP_DESC_BYTES);
	d = open_dump(&t);
	assert_int_equal(facts_init(&f, d, &err), 0);
	assert_int_equal(f.trouble_count, 0);
	assert_int_equal(f.bitmaps.ram, ram);
	assert_int_equal(f.bitmaps.present, t.pages);
	assert_int_equal(f.missing, 1);
	assert_int_equal(f.shared, zeros);
	assert_true(f.shared_is_zero);
	assert_int_equal(f.odd, 0);
	for (size_t i = 0; i < CODEC_COUNT; i++) {
		pages += f.by_codec[i];
		assert_true(f.by_codec[i] > 0 || !codec_is_built((enum codec_id)i));
	}
	assert_int_equal(pages, t.pages - 1);
	assert_int_equal(f.notes.count, 3);
	assert_int_equal(f.notes.prstatus, 2);
	assert_int_equal(f.notes.vmcoreinfo_off, t.header.vmcoreinfo_off);
	assert_string_equal(vmcoreinfo_text(f.vmcoreinfo, "OSRELEASE"), "6.1.0-tiny");
	assert_int_equal(f.crash_time_s, 1795383197);
	facts_deinit(&f);
	kdump_file_free(d);
	tinydump_free(&t);
}

static void test_escape(void **state UNUSED)
{
	char out[16];

	assert_string_equal(escape_text(out, sizeof(out), "plain"), "plain");
	assert_string_equal(escape_text(out, sizeof(out), "\033[2J\\\377"), "\\x1b[2J\\x5c\\xff");
	assert_string_equal(escape_text(out, 5, "abcdef"), "abcd");
	assert_string_equal(escape_text(out, 5, "a\n\n"), "a");
	assert_string_equal(escape_text(out, 6, "a\n\n"), "a\\x0a");
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "verify: passes a good dump", test_good, NULL);
	UNIT_ADD_ROWS(&u, damages, test_damage);
	unit_add(&u, "verify: survives any changed byte", test_any_byte, NULL);
	unit_add(&u, "verify: counts all problems and keeps the first", test_many_problems, NULL);
	unit_add(&u, "verify: finds the same with many threads", test_many_pages, NULL);
	unit_add(&u, "verify: says where a short file ends", test_short_file, NULL);
	unit_add(&u, "verify: isn't led on by huge bitmaps", test_huge_claim, NULL);
	unit_add(&u, "verify: finds erase info that the file ends in", test_eraseinfo, NULL);
	unit_add(&u, "verify: reads a part of a split dump", test_split, NULL);
	unit_add(&u, "dump_cursor: finds the pages of any range", test_cursor, NULL);
	unit_add(&u, "facts: counts what is there", test_facts, NULL);
	unit_add(&u, "escape_text: shows what can't be shown, within its room", test_escape, NULL);
	return unit_run(&u, "verify", argc, argv);
}
