/* sender/estimate.h: what a dump is likely to take. */
#include "sender/estimate.h"

#include <string.h>

#include "tests/lib/corefile.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

/* A machine whose core can't be read: all but what is left out. */
static void test_bound(void **state UNUSED)
{
	static const char text[] = "MemTotal:        1000 kB\nMemFree:          100 kB\n"
				   "MemAvailable:     500 kB\nBuffers:           10 kB\n"
				   "Cached:           200 kB\nSwapCached:       999 kB\n"
				   "AnonPages:        300 kB\n";
	static const struct {
		unsigned level;
		uint64_t want_kib;
	} rows[] = {{0, 1000}, {1, 1000}, {2, 1000}, {6, 790}, {8, 700}, {16, 900}, {31, 390}};
	const char *path = scratch_path("meminfo");

	file_write(path, text, sizeof(text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct estimate_setup setup = {
			.core = "/nonexistent", .meminfo = path, .level = rows[i].level};
		struct probe_need need = estimate_dump(&setup);

		assert_true(need.is_bound);
		assert_int_equal(need.pages_bytes, rows[i].want_kib << 10);
		assert_int_equal(need.bytes, need.pages_bytes);
		setup.compressed = true;
		need = estimate_dump(&setup);
		assert_int_equal(need.bytes, need.pages_bytes / 2);
	}
}

static void test_unknown(void **state UNUSED)
{
	const struct estimate_setup setup = {
		.core = "/nonexistent", .meminfo = "/nonexistent", .level = 31};

	assert_int_equal(estimate_dump(&setup).bytes, 0);
}

/* A core whose pages are all left in. */
static const char *make_core(const char *note)
{
	struct core_plan plan = {0};
	const char *path = scratch_path("core");
	struct core file;

	core_add_load(&plan, 0, 63 * CORE_PAGE, 63 * CORE_PAGE);
	if (note)
		core_add_vmcoreinfo(&plan, "");
	core_add_vmcoreinfo(&plan, note ? note : "OSRELEASE=6.1.0-test\n");
	file = core_make(&plan);
	file_write(path, file.bytes, file.size_bytes);
	core_free(&file);
	return path;
}

static bool signalled(void)
{
	return true;
}

/* Somebody who stops a probe waits for its end, and --deadline is the whole probe's. */
static void test_stop(void **state UNUSED)
{
	const struct stop stops[] = {{0}, {signalled, 0}, {NULL, 1}};
	struct estimate_setup setup = {.core = make_core(NULL), .meminfo = "/nonexistent"};

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		setup.stop = stops[i];
		assert_int_equal(estimate_dump(&setup).pages_bytes, i ? 0 : 63 * CORE_PAGE);
	}
}

/* As a dump takes the note that is right, so does the estimate: here the page size is in it. */
static void test_note(void **state UNUSED)
{
	struct estimate_setup setup = {
		.core = make_core("OSRELEASE=6.1.0-test\nPAGESIZE=262144\n"),
		.meminfo = "/nonexistent",
	};

	assert_int_equal(estimate_dump(&setup).pages_bytes, 262144);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "estimate: is a bound by /proc/meminfo where the core can't be read",
		 test_bound, NULL);
	unit_add(&u, "estimate: is nothing where nothing is known", test_unknown, NULL);
	unit_add(&u, "estimate: ends with a signal, and at the deadline", test_stop, NULL);
	unit_add(&u, "estimate: is by the VMCOREINFO that a dump takes", test_note, NULL);
	return unit_run(&u, "estimate", argc, argv);
}
