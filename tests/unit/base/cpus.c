/* cpus.h, and what sender/options.h makes of it: the number of workers on machines of all sizes. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/cpus.h"
#include "sender/options.h"
#include "sender/threads/pipeline.h"

/* What the kernel made up here was built for, and how many CPUs this process may use; 0: the call
 * is not there. */
static unsigned kernel_cpus, usable_cpus;

/* In the place of the C library's. As Linux does, refuse a set that can't tell of each CPU. */
int sched_getaffinity(pid_t pid UNUSED, size_t bytes, cpu_set_t *set)
{
	if (kernel_cpus == 0 || bytes * 8 < kernel_cpus) {
		errno = kernel_cpus ? EINVAL : ENOSYS;
		return -1;
	}
	CPU_ZERO_S(bytes, set);
	for (unsigned i = 0; i < usable_cpus; i++)
		CPU_SET_S(kernel_cpus - 1 - i, bytes, set);
	return 0;
}

struct row {
	const char *name;
	unsigned kernel, usable, want; /* workers: 0 in place of 1 */
};

/* clang-format off */
static const struct row rows[] = {
	{"options: is in line on one CPU", 64, 1, 0},
	{"options: is in line on one CPU of many", 8192, 1, 0},
	{"options: has a worker for each of two CPUs", 64, 2, 2},
	{"options: has a worker for each CPU in a full cpu_set_t", 1024, 1024, 1024},
	{"options: has a worker for each CPU at hand of a kernel for 1025", 1025, 7, 7},
	{"options: has a worker for each CPU at hand of a kernel for 8192", 8192, 1000, 1000},
	{"options: has no more workers than there can be", 8192, 8192, PIPELINE_WORKERS_MAX},
};
/* clang-format on */

static unsigned default_threads(void)
{
	char name[] = "vmsend";
	char *argv[] = {name, NULL};
	struct options o;
	struct error err;

	assert_int_equal(options_parse(&o, 1, argv, &err), 0);
	return o.threads;
}

static void test_row(void **state)
{
	const struct row *row = *state;

	kernel_cpus = row->kernel;
	usable_cpus = row->usable;
	assert_int_equal(cpus_at_hand(), row->usable);
	assert_int_equal(default_threads(), row->want);
}

/* The number of CPUs that are online then, whatever that is. */
static void test_no_call(void **state UNUSED)
{
	kernel_cpus = 0;
	assert_int_not_equal(default_threads(), 1);
	assert_true(default_threads() <= PIPELINE_WORKERS_MAX);
}

/* What the kernel says that they have. */
static void test_sha256(void **state UNUSED)
{
	static char text[1 << 20];
	FILE *f = fopen("/proc/cpuinfo", "r");
	bool told;

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	told = strstr(text, " sha_ni ") || strstr(text, " sha_ni\n") || strstr(text, " sha2");
	assert_int_equal(cpus_have_sha256(), told);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "options: knows a number of workers without the call", test_no_call, NULL);
	unit_add(&u, "cpus_have_sha256: says what the kernel says", test_sha256, NULL);
	return unit_run(&u, "cpus", argc, argv);
}
