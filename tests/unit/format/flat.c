/* include/format/flat.h: the flattened stream's headers and records. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "format/flat.h"

struct record_row {
	const char *name, *bytes;
	size_t len;
	int want;
	uint64_t off, size;
};

/* clang-format off */
#define AT(bytes) bytes, sizeof(bytes) - 1
static const struct record_row records[] = {
	{"flat_get_record: takes a record", AT("\0\0\0\0\0\0\x10\0" "\0\0\0\0\0\0\0\x08"), 1, 4096, 8},
	{"flat_get_record: takes one at offset 0", AT("\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\x01"), 1, 0, 1},
	{"flat_get_record: takes more than 2 GiB", AT("\0\0\0\0\0\0\0\0" "\0\0\0\x01\0\0\0\0"), 1, 0, 1ULL << 32},
	{"flat_get_record: takes an end at 2^63 - 1", AT("\x7f\xff\xff\xff\xff\xff\xff\xfe" "\0\0\0\0\0\0\0\1"), 1, INT64_MAX - 1, 1},
	{"flat_get_record: refuses an end at 2^63", AT("\x7f\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses the largest of both", AT("\x7f\xff\xff\xff\xff\xff\xff\xff" "\x7f\xff\xff\xff\xff\xff\xff\xff"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses size 0", AT("\0\0\0\0\0\0\x10\0" "\0\0\0\0\0\0\0\0"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses a negative size", AT("\0\0\0\0\0\0\x10\0" "\x80\0\0\0\0\0\0\0"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses a negative offset", AT("\x80\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\1"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses half an end marker, offset -1", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1"), -EBADMSG, 0, 0},
	{"flat_get_record: refuses half an end marker, size -1", AT("\0\0\0\0\0\0\0\1" "\xff\xff\xff\xff\xff\xff\xff\xff"), -EBADMSG, 0, 0},
	{"flat_get_record: knows the end marker", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\xff\xff\xff\xff\xff\xff\xff\xff"), 0, 0, 0},
	{"flat_get_record: refuses a header cut at byte 15", AT("\0\0\0\0\0\0\x10\0" "\0\0\0\0\0\0\0"), -ENODATA, 0, 0},
	{"flat_get_record: refuses an end marker cut at byte 15", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\xff\xff\xff\xff\xff\xff\xff"), -ENODATA, 0, 0},
	{"flat_get_record: refuses nothing at all", AT(""), -ENODATA, 0, 0},
};

/* One byte of the stream header, changed. */
static const struct header_row { const char *name; size_t at; uint8_t value; size_t len; int want; } headers[] = {
	{"flat_get_header: takes ours", 0, 'm', 4096, 0},
	{"flat_get_header: ignores the padding", 4095, 'x', 4096, 0},
	{"flat_get_header: refuses another first letter", 0, 'M', 4096, -EBADMSG},
	{"flat_get_header: refuses more behind the name", 12, '2', 4096, -EBADMSG},
	{"flat_get_header: refuses a signature that doesn't end", 15, 1, 4096, -EBADMSG},
	{"flat_get_header: refuses type 2", 23, 2, 4096, -ENOTSUP},
	{"flat_get_header: refuses version 2", 31, 2, 4096, -ENOTSUP},
	{"flat_get_header: refuses a version of other byte order", 24, 1, 4096, -ENOTSUP},
	{"flat_get_header: refuses 4095 bytes", 0, 'm', 4095, -ENODATA},
	{"flat_get_header: refuses 15 bytes", 0, 'm', 15, -ENODATA},
};
/* clang-format on */

static void test_record(void **state)
{
	const struct record_row *row = *state;
	struct flat_record rec = {0};
	struct rd r = rd_init(row->bytes, row->len);
	struct error err = {0};
	uint8_t again[FLAT_RECORD_BYTES];

	assert_int_equal(flat_get_record(&r, &rec, &err), row->want);
	assert_int_equal(rec.off, row->off);
	assert_int_equal(rec.size_bytes, row->size);
	assert_int_equal(err.code, MIN(row->want, 0));
	if (row->want == 1)
		flat_put_record(again, rec.off, rec.size_bytes);
	else
		flat_put_end(again);
	if (row->want >= 0)
		assert_memory_equal(again, row->bytes, sizeof(again));
}

static void test_header(void **state)
{
	const struct header_row *row = *state;
	uint8_t bytes[FLAT_HEADER_BYTES];
	struct error err;
	struct rd r;

	flat_put_header(bytes);
	assert_memory_equal(bytes, "makedumpfile\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0", 33);
	bytes[row->at] = row->value;
	r = rd_init(bytes, row->len);
	assert_int_equal(flat_get_header(&r, &err), row->want);
	if (row->want == 0)
		assert_true(rd_done(&r));
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, records, test_record);
	UNIT_ADD_ROWS(&u, headers, test_header);
	return unit_run(&u, "flat", argc, argv);
}
