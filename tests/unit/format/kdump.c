/* include/format/kdump.h: the headers and descriptors of a kdump-compressed file. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "format/kdump.h"

static struct kdump_header good_header(void)
{
	return (struct kdump_header){
		.header_version = KDUMP_HEADER_VERSION,
		.uts = {"Linux", "node", "6.1.0", "#1 SMP", "x86_64", "domain"},
		.crash_time_s = 1795383197,
		.status = KDUMP_LZO,
		.block_size = 4096,
		.sub_hdr_blocks = 2,
		.bitmap_blocks = 4,
		.nr_cpus = 640,
		.phys_base = (uint64_t)-77594624,
		.dump_level = 31,
		.vmcoreinfo_off = 4096 + 200,
		.vmcoreinfo_bytes = 2000,
		.notes_off = 4096 + 104,
		.notes_bytes = 5000,
		.max_mapnr = 65536,
	};
}

static int decode(const struct kdump_header *h, size_t at, uint64_t value, size_t width,
		  struct kdump_header *out)
{
	uint8_t main_header[KDUMP_HEADER_BYTES], sub_header[KDUMP_SUB_HEADER_BYTES];
	/* Offsets of the sub header are given as in a file with blocks of 4096. */
	uint8_t *field = at >= 4096 ? sub_header + (at - 4096) : main_header + at;
	struct error err = {0};
	int r;

	kdump_put_header(main_header, h);
	kdump_put_sub_header(sub_header, h);
	if (width == 4)
		le32_put(field, (uint32_t)value);
	else if (width == 8)
		le64_put(field, value);
	r = kdump_get_header(main_header, sub_header, out, &err);
	assert_int_equal(err.code, r);
	assert_int_equal(r == 0, *err.msg == '\0');
	return r;
}

struct field_row {
	const char *name;
	size_t at, width;
	uint64_t value;
	int want;
};

/* clang-format off */
static const struct field_row fields[] = {
	{"kdump_get_header: takes ours", 0, 0, 0, 0},
	{"kdump_get_header: refuses another signature", 0, 4, 0x42, -EBADMSG},
	{"kdump_get_header: refuses header version 7", 8, 4, 7, -ENOTSUP},
	{"kdump_get_header: takes header version 0", 8, 4, 0, 0},
	{"kdump_get_header: refuses blocks of 2048", 428, 4, 2048, -EBADMSG},
	{"kdump_get_header: refuses blocks of 0", 428, 4, 0, -EBADMSG},
	{"kdump_get_header: refuses blocks of 5000", 428, 4, 5000, -EBADMSG},
	{"kdump_get_header: takes blocks of 64 KiB", 428, 4, 65536, 0},
	{"kdump_get_header: takes blocks of 256 KiB", 428, 4, 262144, 0},
	{"kdump_get_header: refuses blocks of 512 KiB", 428, 4, 524288, -EBADMSG},
	{"kdump_get_header: refuses blocks of 2^31", 428, 4, 0x80000000, -EBADMSG},
	{"kdump_get_header: refuses no block for the sub header", 432, 4, 0, -EBADMSG},
	{"kdump_get_header: takes 2^32 - 1 blocks of sub header", 432, 4, UINT32_MAX, 0},
	{"kdump_get_header: refuses no bitmaps", 436, 4, 0, -EBADMSG},
	{"kdump_get_header: takes bitmaps that just do", 436, 4, 4, 0},
	{"kdump_get_header: refuses bitmaps one block short", 436, 4, 3, -EBADMSG},
	{"kdump_get_header: takes a highest pfn that just fits", 4096 + 96, 8, 65536, 0},
	{"kdump_get_header: refuses one more", 4096 + 96, 8, 65537, -EBADMSG},
	{"kdump_get_header: refuses a highest pfn of 2^40", 4096 + 96, 8, 1ULL << 40, -EBADMSG},
	{"kdump_get_header: refuses a highest pfn of 2^64 - 1", 4096 + 96, 8, UINT64_MAX, -EBADMSG},
	{"kdump_get_header: refuses notes that end past 2^63", 4096 + 56, 8, INT64_MAX, -EBADMSG},
	{"kdump_get_header: refuses notes at 2^64 - 1", 4096 + 48, 8, UINT64_MAX, -EBADMSG},
	{"kdump_get_header: refuses notes inside of the main header", 4096 + 48, 8, 463, -EBADMSG},
	{"kdump_get_header: refuses VMCOREINFO that ends past 2^64", 4096 + 40, 8, UINT64_MAX, -EBADMSG},
	{"kdump_get_header: refuses erase info at 2^63", 4096 + 72, 8, 1ULL << 63, -EBADMSG},
};
/* clang-format on */

static void test_field(void **state)
{
	const struct field_row *row = *state;
	const struct kdump_header h = good_header();
	struct kdump_header out;

	assert_int_equal(decode(&h, row->at, row->value, row->width, &out), row->want);
}

/* By their encoding, which has every field and no padding. */
static void assert_same(const struct kdump_header *a, const struct kdump_header *b)
{
	uint8_t main_a[KDUMP_HEADER_BYTES], main_b[KDUMP_HEADER_BYTES];
	uint8_t sub_a[KDUMP_SUB_HEADER_BYTES], sub_b[KDUMP_SUB_HEADER_BYTES];

	kdump_put_header(main_a, a);
	kdump_put_header(main_b, b);
	kdump_put_sub_header(sub_a, a);
	kdump_put_sub_header(sub_b, b);
	assert_memory_equal(main_a, main_b, sizeof(main_a));
	assert_memory_equal(sub_a, sub_b, sizeof(sub_a));
}

static void test_round_trip(void **state UNUSED)
{
	struct kdump_header h = good_header(), out;

	assert_int_equal(decode(&h, 0, 0, 0, &out), 0);
	assert_same(&out, &h);

	h.split = true;
	h.start_pfn = 1ULL << 33; /* beyond what the fields of old versions hold */
	h.end_pfn = (1ULL << 33) + 5;
	h.bitmap_blocks = UINT32_MAX;
	h.max_mapnr = (1ULL << 33) + 9;
	h.eraseinfo_off = 1 << 20;
	h.eraseinfo_bytes = 77;
	h.status |= KDUMP_INCOMPLETE;
	assert_int_equal(decode(&h, 0, 0, 0, &out), 0);
	assert_same(&out, &h);
}

/* Offsets are those of docs/FORMAT.md, on which crash and libkdumpfile agree. */
static void test_layout_of_fields(void **state UNUSED)
{
	const struct kdump_header h = good_header();
	uint8_t m[KDUMP_HEADER_BYTES], s[KDUMP_SUB_HEADER_BYTES];

	kdump_put_header(m, &h);
	kdump_put_sub_header(s, &h);
	assert_memory_equal(m, "KDUMP   \6\0\0\0Linux", 18);
	assert_string_equal((char *)m + 12 + 2 * 65, "6.1.0");
	assert_string_equal((char *)m + 12 + 4 * 65, "x86_64");
	assert_int_equal(le64_get(m + 408), 1795383197);
	assert_int_equal(le64_get(m + 416),
			 0); /* microseconds: libkdumpfile reads them as a size */
	assert_int_equal(le32_get(m + KDUMP_STATUS_OFFSET), KDUMP_LZO);
	assert_int_equal(le32_get(m + 428), 4096);
	assert_int_equal(le32_get(m + 432), 2);
	assert_int_equal(le32_get(m + 436), 4);
	assert_int_equal(le32_get(m + 440), 65536);
	assert_int_equal(le32_get(m + 460), 640);
	assert_int_equal(le64_get(s), (uint64_t)-77594624);
	assert_int_equal(le32_get(s + 8), 31);
	assert_int_equal(le64_get(s + 32), 4096 + 200);
	assert_int_equal(le64_get(s + 48), 4096 + 104);
	assert_int_equal(le64_get(s + 96), 65536);
}

static void test_old_version(void **state UNUSED)
{
	struct kdump_header h = good_header(), out;

	/* Version 2 has no fields for notes; the 32-bit pfn counts. */
	h.max_mapnr = 1000;
	assert_int_equal(decode(&h, 8, 2, 4, &out), 0);
	assert_int_equal(out.header_version, 2);
	assert_int_equal(out.max_mapnr, 1000);
	assert_int_equal(out.notes_bytes, 0);
	assert_int_equal(out.vmcoreinfo_bytes, 0);
	assert_int_equal(out.dump_level, 31);
}

static void test_names_end(void **state UNUSED)
{
	uint8_t m[KDUMP_HEADER_BYTES], s[KDUMP_SUB_HEADER_BYTES];
	const struct kdump_header h = good_header();
	struct kdump_header out;
	struct error err;

	kdump_put_header(m, &h);
	kdump_put_sub_header(s, &h);
	memset(m + 12, 'A', 6 * 65);
	assert_int_equal(kdump_get_header(m, s, &out, &err), 0);
	assert_int_equal(strlen(out.uts.sysname), 64);
	assert_int_equal(strlen(out.uts.domainname), 64);
}

static void test_layout(void **state UNUSED)
{
	struct kdump_header h = good_header();
	struct kdump_layout at = kdump_layout(&h);

	assert_int_equal(at.bitmap1_off, 3 * 4096);
	assert_int_equal(at.bitmap2_off, 5 * 4096);
	assert_int_equal(at.bitmap_bytes, 2 * 4096);
	assert_int_equal(at.desc_off, 7 * 4096);

	/* The largest that a header can say: 64-bit arithmetic. */
	h.block_size = KDUMP_BLOCK_MAX;
	h.sub_hdr_blocks = h.bitmap_blocks = UINT32_MAX;
	at = kdump_layout(&h);
	assert_int_equal(at.bitmap1_off, (1 + (uint64_t)UINT32_MAX) * KDUMP_BLOCK_MAX);
	assert_int_equal(at.desc_off, (1 + 2 * (uint64_t)UINT32_MAX) * KDUMP_BLOCK_MAX);
}

static void test_desc(void **state UNUSED)
{
	const struct kdump_desc desc = {
		.off = 0x123456789a, .size_bytes = 321, .flags = KDUMP_ZSTD};
	uint8_t bytes[KDUMP_DESC_BYTES];
	struct kdump_desc out;

	memset(bytes, 0xff, sizeof(bytes));
	kdump_put_desc(bytes, &desc);
	assert_memory_equal(bytes,
			    "\x9a\x78\x56\x34\x12\0\0\0"
			    "\x41\1\0\0\x20\0\0\0\0\0\0\0\0\0\0\0",
			    24);
	out = kdump_get_desc(bytes);
	assert_memory_equal(&out, &desc, sizeof(out));
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, fields, test_field);
	unit_add(&u, "kdump headers: come back as they were", test_round_trip, NULL);
	unit_add(&u, "kdump headers: have their fields where readers look", test_layout_of_fields,
		 NULL);
	unit_add(&u, "kdump_get_header: ignores fields that an old version lacks", test_old_version,
		 NULL);
	unit_add(&u, "kdump_get_header: ends names that don't end", test_names_end, NULL);
	unit_add(&u, "kdump_layout: counts in 64 bits", test_layout, NULL);
	unit_add(&u, "kdump_desc: comes back as it was", test_desc, NULL);
	return unit_run(&u, "kdump", argc, argv);
}
