/* include/base/crc32c.h: known values, and the two ways to them. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/crc32c.h"

/* RFC 3720, B.4; and the check value of the catalogue of CRCs. */
static const struct vector_row {
	const char *name;
	uint32_t want;
	uint8_t first, step; /* byte i is first + i * step */
	size_t size_bytes;
	const char *text; /* or these */
} vector_rows[] = {
	{"crc32c: of nothing", 0, 0, 0, 0, NULL},
	{"crc32c: of 32 zeros", 0x8a9136aa, 0, 0, 32, NULL},
	{"crc32c: of 32 bytes 0xff", 0x62a8ab43, 0xff, 0, 32, NULL},
	{"crc32c: of 0 to 31", 0x46dd794e, 0, 1, 32, NULL},
	{"crc32c: of 31 down to 0", 0x113fdb5c, 31, 0xff, 32, NULL},
	{"crc32c: of 123456789", 0xe3069283, 0, 0, 9, "123456789"},
};

static void test_vector(void **state)
{
	const struct vector_row *row = *state;
	uint8_t bytes[64];

	for (size_t i = 0; i < row->size_bytes; i++)
		bytes[i] =
			row->text ? (uint8_t)row->text[i] : (uint8_t)(row->first + i * row->step);
	assert_int_equal(crc32c(0, bytes, row->size_bytes), row->want);
	assert_int_equal(crc32c_by_tables(0, bytes, row->size_bytes), row->want);
}

/* Bit by bit, as the definition has it. */
static uint32_t by_definition(const uint8_t *p, size_t n)
{
	uint32_t crc = ~UINT32_C(0);

	while (n--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* Any length, from any address, in any two pieces. */
static void test_agree(void **state UNUSED)
{
	uint8_t bytes[300];
	uint32_t random = unit_seed();

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)unit_random(&random);
	for (size_t begin = 0; begin < 17; begin++) {
		for (size_t n = 0; n <= 270; n++) {
			const uint8_t *p = bytes + begin;
			const uint32_t want = by_definition(p, n);
			const size_t cut = n ? unit_random(&random) % n : 0;

			assert_int_equal(crc32c(0, p, n), want);
			assert_int_equal(crc32c_by_tables(0, p, n), want);
			assert_int_equal(crc32c(crc32c(0, p, cut), p + cut, n - cut), want);
			assert_int_equal(crc32c_by_tables(crc32c(0, p, cut), p + cut, n - cut),
					 want);
		}
	}
}

enum { LONG_BYTES = 40000 };

static void random_bytes(uint8_t *bytes, size_t n)
{
	uint32_t random = unit_seed();

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)unit_random(&random);
}

/* Lengths around those that are summed in lanes. */
static void test_lanes(void **state UNUSED)
{
	static uint8_t bytes[LONG_BYTES];

	random_bytes(bytes, sizeof(bytes));
	for (size_t n = 3 * 1280 - 9; n < LONG_BYTES - 8; n += n % 256 == 9 ? 256 - 18 : 1)
		assert_int_equal(crc32c(0, bytes + n % 8, n), by_definition(bytes + n % 8, n));
}

/* Three parts of a block, in any order, and one of them once more and taken out again. */
static void test_bare(void **state UNUSED)
{
	static uint8_t bytes[LONG_BYTES];
	const size_t a = 17, b = 30001;
	uint32_t bare;

	random_bytes(bytes, sizeof(bytes));
	bare = crc32c_bare(bytes + b, LONG_BYTES - b);
	bare ^= crc32c_shift(crc32c_bare(bytes, a), LONG_BYTES - a);
	bare ^= crc32c_shift(crc32c_bare(bytes, 4000), 5000);
	bare ^= crc32c_shift(crc32c_bare(bytes + a, b - a), LONG_BYTES - b);
	bare ^= crc32c_shift(crc32c_bare(bytes, 4000), 5000);
	assert_int_equal(crc32c_of_bare(bare, LONG_BYTES), by_definition(bytes, LONG_BYTES));
}

static void test_shift(void **state UNUSED)
{
	static const int64_t by[] = {0, 1, 7, 4096, (1 << 20) - 1, INT64_C(1) << 40, INT64_MAX};
	static uint8_t zeros[5000] = {1, 2, 3};

	assert_int_equal(crc32c_shift(crc32c_bare(zeros, 3), 4997), crc32c_bare(zeros, 5000));
	assert_int_equal(crc32c_shift(crc32c_bare(zeros, 5000), -4997), crc32c_bare(zeros, 3));
	for (size_t i = 0; i < ARRAY_LEN(by); i++)
		assert_int_equal(crc32c_shift(crc32c_shift(0x12345678, by[i]), -by[i]), 0x12345678);
	assert_int_equal(crc32c_of_bare(0, 32), 0x8a9136aa);
	assert_int_equal(crc32c_of_bare(0, 0), 0);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, vector_rows, test_vector);
	unit_add(&u, "crc32c: is the same by the CPU, by tables and by bits, in any pieces",
		 test_agree, NULL);
	unit_add(&u, "crc32c: is the same in lanes", test_lanes, NULL);
	unit_add(&u, "crc32c_bare: makes a block of its parts, in any order", test_bare, NULL);
	unit_add(&u, "crc32c_shift: adds zeros and takes them away", test_shift, NULL);
	return unit_run(&u, "crc32c", argc, argv);
}
