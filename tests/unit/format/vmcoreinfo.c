/* include/format/vmcoreinfo.h: any text is safe, and only whole numbers are numbers. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/vmcoreinfo.h"

/* An exact copy, so that a sanitizer sees a read past the end. */
static struct vmcoreinfo *parse(const char *text, size_t n)
{
	char *copy = malloc(n ? n : 1);
	struct vmcoreinfo *vi = NULL;
	struct error err;

	assert_non_null(copy);
	memcpy(copy, text, n);
	assert_int_equal(vmcoreinfo_new(copy, n, &vi, &err), 0);
	free(copy);
	return vi;
}

/* --- texts --- */

struct text {
	const char *name, *text;
	size_t bytes; /* 0: to the NUL */
	const char *key, *want;
};

/* clang-format off */
static const struct text texts[] = {
	{"vmcoreinfo_text: finds the first line", "A=1\nB=2\nC=3\n", 0, "A", "1"},
	{"vmcoreinfo_text: finds the last line", "A=1\nB=2\nC=3\n", 0, "C", "3"},
	{"vmcoreinfo_text: needs no final newline", "A=1\nB=2", 0, "B", "2"},
	{"vmcoreinfo_text: ends at a NUL", "A=1\nB=2\0C=3\n", 12, "C", NULL},
	{"vmcoreinfo_text: takes what stands before a NUL", "A=1\nB=2\0C=3\n", 12, "B", "2"},
	{"vmcoreinfo_text: skips lines without =", "junk\nA=1\njunk\n", 0, "A", "1"},
	{"vmcoreinfo_text: skips empty lines", "\n\nA=1\n\n\nB=2\n\n", 0, "B", "2"},
	{"vmcoreinfo_text: takes an empty value", "A=\nB=2\n", 0, "A", ""},
	{"vmcoreinfo_text: takes = within a value", "A=1=2\n", 0, "A", "1=2"},
	{"vmcoreinfo_text: takes the first of a repeated key", "A=1\nB=0\nA=2\nA=3\n", 0, "A", "1"},
	{"vmcoreinfo_text: is exact", "AB=1\nABC=2\n", 0, "A", NULL},
	{"vmcoreinfo_text: is exact to the end", "AB=1\nABC=2\n", 0, "ABCD", NULL},
	{"vmcoreinfo_text: takes blanks as they are", " A = 1 \n", 0, " A ", " 1 "},
	{"vmcoreinfo_text: takes an empty key", "=1\n", 0, "", "1"},
	{"vmcoreinfo_text: finds nothing in nothing", "", 0, "A", NULL},
	{"vmcoreinfo_text: finds nothing in newlines", "\n\n\n", 0, "", NULL},
};
/* clang-format on */

static void test_text(void **state)
{
	const struct text *row = *state;
	struct vmcoreinfo *vi = parse(row->text, row->bytes ? row->bytes : strlen(row->text));
	const char *got = vmcoreinfo_text(vi, row->key);

	if (row->want) {
		assert_non_null(got);
		assert_string_equal(got, row->want);
	} else {
		assert_null(got);
	}
	vmcoreinfo_free(vi);
}

static void test_none(void **state UNUSED)
{
	uint64_t n;

	assert_null(vmcoreinfo_text(NULL, "A"));
	assert_false(vmcoreinfo_symbol(NULL, "A", &n));
	assert_false(vmcoreinfo_number(NULL, "A", &n));
	assert_false(vmcoreinfo_decimal(NULL, "A", &n));
	vmcoreinfo_free(NULL);
}

static void test_size(void **state UNUSED)
{
	char *text = malloc(VMCOREINFO_MAX_BYTES + 1);
	struct vmcoreinfo *vi = NULL;
	struct error err;

	assert_non_null(text);
	memset(text, '\n', VMCOREINFO_MAX_BYTES + 1);
	memcpy(text + VMCOREINFO_MAX_BYTES - 3, "A=1", 3);
	assert_int_equal(vmcoreinfo_new(text, VMCOREINFO_MAX_BYTES + 1, &vi, &err), -EFBIG);
	assert_null(vi);
	assert_int_equal(vmcoreinfo_new(text, VMCOREINFO_MAX_BYTES, &vi, &err), 0);
	assert_string_equal(vmcoreinfo_text(vi, "A"), "1");
	vmcoreinfo_free(vi);
	free(text);
}

static void test_long_key(void **state UNUSED)
{
	char name[200], text[400];
	struct vmcoreinfo *vi;
	uint64_t n;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "NUMBER(%s)=1\nNUMBER(y)=2\n", name);
	vi = parse(text, strlen(text));
	assert_false(vmcoreinfo_number(vi, name, &n));
	assert_true(vmcoreinfo_number(vi, "y", &n));
	vmcoreinfo_free(vi);
}

/* As a kernel has some hundred. */
static void test_many(void **state UNUSED)
{
	char text[20000];
	size_t len = 0;
	struct vmcoreinfo *vi;

	for (unsigned i = 0; i < 700; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "OFFSET(k%u.m)=%u\n",
					i * 7919 % 700, i * 7919 % 700);
	vi = parse(text, len);
	for (unsigned i = 0; i < 700; i++) {
		char name[16];
		uint64_t n = 1000;

		snprintf(name, sizeof(name), "k%u.m", i);
		assert_true(vmcoreinfo_offset(vi, name, &n));
		assert_int_equal(n, i);
	}
	vmcoreinfo_free(vi);
}

/* --- numbers --- */

enum kind { SYMBOL, OFFSET, SIZE, LENGTH, NUMBER, DECIMAL };

struct number {
	const char *name;
	enum kind kind;
	const char *value;
	bool good;
	uint64_t want;
};

/* clang-format off */
static const struct number numbers[] = {
	{"vmcoreinfo_symbol: reads hexadecimal", SYMBOL, "ffffffff81000000", true, UINT64_C(0xffffffff81000000)},
	{"vmcoreinfo_symbol: reads capitals", SYMBOL, "FFFFFFFF81000000", true, UINT64_C(0xffffffff81000000)},
	{"vmcoreinfo_symbol: reads 0", SYMBOL, "0", true, 0},
	{"vmcoreinfo_symbol: reads 2^64 - 1", SYMBOL, "ffffffffffffffff", true, UINT64_MAX},
	{"vmcoreinfo_symbol: refuses 2^64", SYMBOL, "10000000000000000", false, 0},
	{"vmcoreinfo_symbol: refuses 0x", SYMBOL, "0xffff", false, 0},
	{"vmcoreinfo_symbol: refuses nothing", SYMBOL, "", false, 0},
	{"vmcoreinfo_symbol: refuses what follows", SYMBOL, "ffff ", false, 0},
	{"vmcoreinfo_symbol: refuses a blank before", SYMBOL, " ffff", false, 0},
	{"vmcoreinfo_symbol: refuses a sign", SYMBOL, "-1", false, 0},
	{"vmcoreinfo_symbol: refuses a plus", SYMBOL, "+1", false, 0},
	{"vmcoreinfo_symbol: refuses words", SYMBOL, "(null)", false, 0},
	{"vmcoreinfo_offset: reads decimal", OFFSET, "64", true, 64},
	{"vmcoreinfo_offset: reads 010 as ten", OFFSET, "010", true, 10},
	{"vmcoreinfo_offset: refuses hexadecimal", OFFSET, "0x40", false, 0},
	{"vmcoreinfo_offset: refuses letters", OFFSET, "4a", false, 0},
	{"vmcoreinfo_offset: refuses a sign", OFFSET, "-4", false, 0},
	{"vmcoreinfo_size: reads decimal", SIZE, "1024", true, 1024},
	{"vmcoreinfo_length: reads decimal", LENGTH, "11", true, 11},
	{"vmcoreinfo_number: reads decimal", NUMBER, "123", true, 123},
	{"vmcoreinfo_number: reads negative ones", NUMBER, "-129", true, (uint64_t)-129},
	{"vmcoreinfo_number: reads hexadecimal with 0x", NUMBER, "0xffff800007000000", true, UINT64_C(0xffff800007000000)},
	{"vmcoreinfo_number: reads -2^63", NUMBER, "-9223372036854775808", true, UINT64_C(1) << 63},
	{"vmcoreinfo_number: refuses -2^63 - 1", NUMBER, "-9223372036854775809", false, 0},
	{"vmcoreinfo_number: reads 2^64 - 1", NUMBER, "18446744073709551615", true, UINT64_MAX},
	{"vmcoreinfo_number: refuses 2^64", NUMBER, "18446744073709551616", false, 0},
	{"vmcoreinfo_number: refuses 0x alone", NUMBER, "0x", false, 0},
	{"vmcoreinfo_number: refuses 0x twice", NUMBER, "0x0x12", false, 0},
	{"vmcoreinfo_number: refuses a sign alone", NUMBER, "-", false, 0},
	{"vmcoreinfo_number: refuses two signs", NUMBER, "--1", false, 0},
	{"vmcoreinfo_number: refuses -0x", NUMBER, "-0x1", false, 0},
	{"vmcoreinfo_number: refuses nothing", NUMBER, "", false, 0},
	{"vmcoreinfo_decimal: reads decimal", DECIMAL, "4096", true, 4096},
	{"vmcoreinfo_decimal: refuses a fraction", DECIMAL, "1.5", false, 0},
};
/* clang-format on */

static void test_number(void **state)
{
	static const char *const keys[] = {"SYMBOL(k)", "OFFSET(k)", "SIZE(k)",
					   "LENGTH(k)", "NUMBER(k)", "k"};
	static bool (*const get[])(const struct vmcoreinfo *, const char *, uint64_t *) = {
		vmcoreinfo_symbol, vmcoreinfo_offset, vmcoreinfo_size,
		vmcoreinfo_length, vmcoreinfo_number, vmcoreinfo_decimal};
	const struct number *row = *state;
	struct vmcoreinfo *vi;
	uint64_t n = 4711;
	char text[80];

	snprintf(text, sizeof(text), "%s=%s\n", keys[row->kind], row->value);
	vi = parse(text, strlen(text));
	for (enum kind kind = SYMBOL; kind <= DECIMAL; kind++) {
		const bool want = kind == row->kind && row->good;

		n = 4711;
		assert_int_equal(get[kind](vi, "k", &n), want);
		assert_int_equal(n, want ? row->want : 4711);
	}
	vmcoreinfo_free(vi);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, texts, test_text);
	UNIT_ADD_ROWS(&u, numbers, test_number);
	unit_add(&u, "vmcoreinfo: is empty where there is none", test_none, NULL);
	unit_add(&u, "vmcoreinfo_new: refuses more than 1 MiB", test_size, NULL);
	unit_add(&u, "vmcoreinfo: has no key that is too long to be asked for", test_long_key,
		 NULL);
	unit_add(&u, "vmcoreinfo: finds each of many keys", test_many, NULL);
	return unit_run(&u, "vmcoreinfo", argc, argv);
}
