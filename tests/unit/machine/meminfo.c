/* sender/machine/meminfo.h: the memory that there is. */
#include "tests/lib/unit.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "sender/machine/meminfo.h"
#include "tests/lib/scratch.h"

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

/* In a process of its own, which a limit is put on. */
static void test_spare(void **state UNUSED)
{
	const pid_t child = fork();
	int status;

	assert_true(meminfo_can_spare(0));
	assert_true(meminfo_can_spare(1 << 20));
	assert_false(meminfo_can_spare(UINT64_C(1) << 60));
	assert_int_equal(meminfo_limited_space(), 0);
	if (child == 0) {
		/* More than there is; a sanitizer takes nearly all of what there is. */
		struct rlimit limit = {UINT64_C(1) << 48, UINT64_C(1) << 48};
		uint64_t taken;

		if (setrlimit(RLIMIT_AS, &limit) < 0)
			_exit(1);
		taken = meminfo_limited_space();
		if (taken < 1 << 20 || taken > limit.rlim_max)
			_exit(2);
		limit.rlim_cur = taken + (64 << 20);
		if (setrlimit(RLIMIT_AS, &limit) < 0)
			_exit(3);
		if (!meminfo_can_spare(1 << 20) || meminfo_can_spare(65 << 20))
			_exit(4);
		_exit(meminfo_limited_space() == taken ? 0 : 5);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "meminfo_available: knows this system's, and none of no file",
		 test_this_system, NULL);
	unit_add(&u, "meminfo_can_spare: knows the limit of the address space", test_spare, NULL);
	unit_add(&u, "meminfo_share: is less than all, and nothing of nothing", test_share, NULL);
	return unit_run(&u, "meminfo", argc, argv);
}
