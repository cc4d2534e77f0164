/* sender/estimate.h: what a dump is likely to take. */
#include "sender/estimate.h"

#include <string.h>

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

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "estimate: is a bound by /proc/meminfo where the core can't be read",
		 test_bound, NULL);
	unit_add(&u, "estimate: is nothing where nothing is known", test_unknown, NULL);
	return unit_run(&u, "estimate", argc, argv);
}
