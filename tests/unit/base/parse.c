/* include/base/parse.h: numbers as people write them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

struct number {
	const char *name, *text;
	long long min, max;
	int result;
	long long want;
};

/* clang-format off */
static const struct number numbers[] = {
	{"parse_number: takes the lowest", "0", 0, 31, 0, 0},
	{"parse_number: takes the highest", "31", 0, 31, 0, 31},
	{"parse_number: takes leading zeros", "007", 0, 31, 0, 7},
	{"parse_number: takes negative ones", "-7", -7, 19, 0, -7},
	{"parse_number: takes 2^63 - 1", "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX},
	{"parse_number: refuses one less", "-8", -7, 19, -EINVAL, 0},
	{"parse_number: refuses one more", "32", 0, 31, -EINVAL, 0},
	{"parse_number: refuses 2^63", "9223372036854775808", 0, INT64_MAX, -EINVAL, 0},
	{"parse_number: refuses -2^63 - 1", "-9223372036854775809", INT64_MIN, 0, -EINVAL, 0},
	{"parse_number: refuses nothing", "", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a word", "all", 0, 31, -EINVAL, 0},
	{"parse_number: refuses hexadecimal", "0x1f", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a fraction", "1.0", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a unit", "1K", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a plus", "+1", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a sign alone", "-", -7, 31, -EINVAL, 0},
	{"parse_number: refuses a blank before", " 1", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a blank behind", "1 ", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a newline before", "\n1", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a vertical tab before", "\v1", 0, 31, -EINVAL, 0},
	{"parse_number: refuses a newline behind", "1\n", 0, 31, -EINVAL, 0},
};
/* clang-format on */

static void test_number(void **state)
{
	const struct number *row = *state;
	long long n = 4711;
	struct error err = {0};

	assert_int_equal(parse_number(row->text, row->min, row->max, &n, &err), row->result);
	assert_int_equal(n, row->result ? 4711 : row->want);
	if (row->result)
		assert_non_null(strstr(err.msg, "isn't a number from"));
}

struct duration {
	const char *name, *text;
	int result;
	uint64_t want_ms;
};

/* clang-format off */
static const struct duration durations[] = {
	{"parse_duration: takes seconds without a unit", "90", 0, 90000},
	{"parse_duration: takes 0", "0", 0, 0},
	{"parse_duration: takes seconds", "1s", 0, 1000},
	{"parse_duration: takes minutes", "10m", 0, 600000},
	{"parse_duration: takes hours", "2h", 0, 7200000},
	{"parse_duration: takes what a clock can be added to", "9223372036854775s", 0,
	 UINT64_C(9223372036854775000)},
	{"parse_duration: refuses more than that", "9223372036854776s", -EINVAL, 0},
	{"parse_duration: refuses what doesn't fit", "18446744073709552s", -EINVAL, 0},
	{"parse_duration: refuses 2^64", "18446744073709551616", -EINVAL, 0},
	{"parse_duration: refuses nothing", "", -EINVAL, 0},
	{"parse_duration: refuses a unit alone", "s", -EINVAL, 0},
	{"parse_duration: refuses another unit", "1d", -EINVAL, 0},
	{"parse_duration: refuses milliseconds", "1ms", -EINVAL, 0},
	{"parse_duration: refuses two", "1m30s", -EINVAL, 0},
	{"parse_duration: refuses a sign", "-1s", -EINVAL, 0},
	{"parse_duration: refuses a blank before", " 1s", -EINVAL, 0},
	{"parse_duration: refuses a blank between", "1 s", -EINVAL, 0},
};
/* clang-format on */

static void test_duration(void **state)
{
	const struct duration *row = *state;
	uint64_t ms = 4711;
	struct error err = {0};

	assert_int_equal(parse_duration(row->text, &ms, &err), row->result);
	assert_int_equal(ms, row->result ? 4711 : row->want_ms);
	if (row->result)
		assert_non_null(strstr(err.msg, "isn't a duration such as"));
}

struct size {
	const char *name, *text;
	int result;
	uint64_t want;
};

/* clang-format off */
static const struct size sizes[] = {
	{"parse_size: takes bytes", "4096", 0, 4096},
	{"parse_size: takes 0", "0", 0, 0},
	{"parse_size: takes K", "1K", 0, 1 << 10},
	{"parse_size: takes M", "512M", 0, 512 << 20},
	{"parse_size: takes G", "2G", 0, UINT64_C(2) << 30},
	{"parse_size: takes T", "3T", 0, UINT64_C(3) << 40},
	{"parse_size: takes 2^64 - 1", "18446744073709551615", 0, UINT64_MAX},
	{"parse_size: takes 2^64 - 2^40", "16777215T", 0, UINT64_C(0xffffff0000000000)},
	{"parse_size: refuses 2^64", "18446744073709551616", -EINVAL, 0},
	{"parse_size: refuses 2^64 by its unit", "16777216T", -EINVAL, 0},
	{"parse_size: refuses nothing", "", -EINVAL, 0},
	{"parse_size: refuses a unit alone", "M", -EINVAL, 0},
	{"parse_size: refuses a small letter", "1m", -EINVAL, 0},
	{"parse_size: refuses two units", "1KM", -EINVAL, 0},
	{"parse_size: refuses MB", "1MB", -EINVAL, 0},
	{"parse_size: refuses a blank", "1 M", -EINVAL, 0},
	{"parse_size: refuses a blank before", " 1M", -EINVAL, 0},
	{"parse_size: refuses a sign", "-1", -EINVAL, 0},
	{"parse_size: refuses a plus", "+1", -EINVAL, 0},
	{"parse_size: refuses a fraction", "1.5G", -EINVAL, 0},
	{"parse_size: refuses hexadecimal", "0x10", -EINVAL, 0},
};
/* clang-format on */

static void test_size(void **state)
{
	const struct size *row = *state;
	uint64_t n = 4711;
	struct error err = {0};

	assert_int_equal(parse_size(row->text, &n, &err), row->result);
	assert_int_equal(n, row->result ? 4711 : row->want);
	if (row->result)
		assert_non_null(strstr(err.msg, "isn't a size such as"));
}

static void test_format_size(void **state UNUSED)
{
	static const struct {
		uint64_t bytes;
		const char *want;
	} rows[] = {
		{0, "0 B"},
		{1, "1 B"},
		{1023, "1023 B"},
		{1024, "1.0 KiB"},
		{1536, "1.5 KiB"},
		{102400, "100 KiB"},
		{1 << 20, "1.0 MiB"},
		{UINT64_C(5) << 30, "5.0 GiB"},
		{UINT64_C(1) << 40, "1.0 TiB"},
		{UINT64_C(1) << 50, "1.0 PiB"},
		{UINT64_C(1) << 60, "1.0 EiB"},
		{UINT64_MAX, "16.0 EiB"},
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(format_size(out, sizeof(out), rows[i].bytes), rows[i].want);
	for (unsigned bit = 0; bit < 64; bit++)
		assert_true(strlen(format_size(out, sizeof(out), (UINT64_C(2) << bit) - 1)) <= 12);
}

static void test_format_duration(void **state UNUSED)
{
	static const struct {
		double seconds;
		const char *want;
	} rows[] = {
		{0, "0.0 s"},		{1.25, "1.2 s"},      {9.94, "9.9 s"},
		{9.96, "10 s"},		{45, "45 s"},	      {59.4, "59 s"},
		{59.6, "1 min 00 s"},	{200, "3 min 20 s"},  {3599.4, "59 min 59 s"},
		{3599.6, "1 h 00 min"}, {7500, "2 h 05 min"}, {360000, "100 h 00 min"},
	};
	char out[32];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(format_duration(out, sizeof(out), rows[i].seconds),
				    rows[i].want);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, numbers, test_number);
	UNIT_ADD_ROWS(&u, sizes, test_size);
	UNIT_ADD_ROWS(&u, durations, test_duration);
	unit_add(&u, "format_size: takes the unit that fits", test_format_size, NULL);
	unit_add(&u, "format_duration: rounds to what is shown", test_format_duration, NULL);
	return unit_run(&u, "parse", argc, argv);
}
