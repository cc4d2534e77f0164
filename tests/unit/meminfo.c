/* sender/meminfo.h: the memory that there is. */
#include "../lib/unit.h"

#include <string.h>

#include "../../sender/meminfo.h"
#include "../lib/scratch.h"
#include "compiler.h"

struct row {
	const char *name, *text;
	uint64_t want;
};

/* clang-format off */
static const struct row rows[] = {
	{"meminfo_available: reads it",
	 "MemTotal:       24683520 kB\nMemFree:        23420000 kB\nMemAvailable:   23540000 kB\nBuffers: 1 kB\n",
	 UINT64_C(23540000) << 10},
	{"meminfo_available: takes a first line", "MemAvailable: 1 kB\n", 1 << 10},
	{"meminfo_available: takes 0", "MemAvailable: 0 kB\n", 0},
	{"meminfo_available: is 0 where it isn't said", "MemTotal: 24683520 kB\nMemFree: 23420000 kB\n", 0},
	{"meminfo_available: takes no part of a name", "HighMemAvailable: 7 kB\n", 0},
	{"meminfo_available: is 0 for a number without end", "MemAvailable: 99999999999999999999 kB\n", 0},
	{"meminfo_available: is 0 for an empty file", "", 0},
};
/* clang-format on */

static void test_row(void **state)
{
	const struct row *row = *state;
	const char *path = scratch_path("meminfo");

	file_write(path, row->text, strlen(row->text));
	assert_int_equal(meminfo_available(path), row->want);
	scratch_clear();
}

static void test_this_system(void **state UNUSED)
{
	assert_true(meminfo_available("/proc/meminfo") > 1 << 20);
	assert_int_equal(meminfo_available("/nowhere/meminfo"), 0);
}

static void test_share(void **state UNUSED)
{
	assert_int_equal(meminfo_share(0), 0);
	assert_int_equal(meminfo_share(100 << 20), 75 << 20);
	assert_true(meminfo_share(UINT64_MAX) > UINT64_MAX / 2);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "meminfo_available: knows this system's, and none of no file",
		 test_this_system, NULL);
	unit_add(&u, "meminfo_share: is less than all, and nothing of nothing", test_share, NULL);
	return unit_run(&u, "meminfo", argc, argv);
}
