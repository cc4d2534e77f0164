/* receiver/assemble/ranges.h: sets of byte ranges. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "receiver/assemble/ranges.h"

struct row {
	const char *name;
	struct range add[6]; /* until an empty one */
	struct range want[6];
};

/* clang-format off */
static const struct row rows[] = {
	{"ranges_add: keeps one", {{5, 9}}, {{5, 9}}},
	{"ranges_add: keeps two apart, in order", {{10, 12}, {5, 9}}, {{5, 9}, {10, 12}}},
	{"ranges_add: merges one that touches the end", {{5, 9}, {9, 12}}, {{5, 12}}},
	{"ranges_add: merges one that touches the beginning", {{9, 12}, {5, 9}}, {{5, 12}}},
	{"ranges_add: merges an overlap", {{5, 9}, {7, 12}}, {{5, 12}}},
	{"ranges_add: swallows what lies inside", {{5, 9}, {6, 7}}, {{5, 9}}},
	{"ranges_add: swallows all that it covers", {{5, 6}, {8, 9}, {11, 12}, {4, 20}}, {{4, 20}}},
	{"ranges_add: bridges two", {{0, 2}, {4, 6}, {8, 10}, {2, 4}}, {{0, 6}, {8, 10}}},
	{"ranges_add: takes the same twice", {{5, 9}, {5, 9}}, {{5, 9}}},
	{"ranges_add: goes up to 2^63", {{0, 1}, {INT64_MAX - 1, INT64_MAX}}, {{0, 1}, {INT64_MAX - 1, INT64_MAX}}},
};
/* clang-format on */

static void test_row(void **state)
{
	const struct row *row = *state;
	struct ranges set;
	struct error err;
	size_t n = 0;

	ranges_init(&set);
	for (const struct range *r = row->add; r->end; r++)
		assert_int_equal(ranges_add(&set, r->begin, r->end, &err), 0);
	for (const struct range *r = row->want; r->end; r++, n++) {
		assert_true(n < set.count);
		assert_int_equal(set.items[n].begin, r->begin);
		assert_int_equal(set.items[n].end, r->end);
	}
	assert_int_equal(set.count, n);
	ranges_deinit(&set);
}

/* Against an array of flags, one for each byte. */
static void test_model(void **state UNUSED)
{
	enum { BYTES = 200 };
	uint32_t random = unit_seed();

	for (int run = 0; run < 300; run++) {
		bool model[BYTES] = {false};
		struct ranges set;
		struct error err;

		ranges_init(&set);
		for (int step = 0; step < 40; step++) {
			const size_t begin = unit_random(&random) % BYTES;
			const size_t end = begin + unit_random(&random) % MIN(12, BYTES - begin);
			bool all = true;
			size_t first = begin, past;
			struct range part;

			for (size_t i = begin; i < end; i++)
				all = all && model[i];
			assert_int_equal(ranges_cover(&set, begin, end), all);
			while (first < end && !model[first])
				first++;
			for (past = first; past < end && model[past]; past++)
				;
			assert_int_equal(ranges_first_in(&set, begin, end, &part), past > first);
			if (past > first) {
				assert_int_equal(part.begin, first);
				assert_int_equal(part.end, past);
			}
			if (begin == end || step % 3 == 0)
				continue;
			assert_int_equal(ranges_add(&set, begin, end, &err), 0);
			memset(model + begin, true, end - begin);
		}
		for (size_t i = 1; i < set.count; i++)
			assert_true(set.items[i - 1].end < set.items[i].begin);
		ranges_deinit(&set);
	}
}

static void test_limit(void **state UNUSED)
{
	struct ranges set;
	struct error err;

	ranges_init(&set);
	/* From the end on, which is the dearest order. */
	for (uint64_t i = RANGES_MAX; i > 0; i--)
		assert_int_equal(ranges_add(&set, 2 * i, 2 * i + 1, &err), 0);
	assert_int_equal(set.count, RANGES_MAX);
	assert_int_equal(ranges_add(&set, 0, 1, &err), -EFBIG);
	assert_int_equal(set.count, RANGES_MAX);
	assert_int_equal(ranges_add(&set, 3, 4, &err), 0); /* merges, so there is room */
	assert_int_equal(set.count, RANGES_MAX - 1);
	assert_true(ranges_cover(&set, 2, 5));
	ranges_deinit(&set);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "ranges: agrees with an array of flags", test_model, NULL);
	unit_add(&u, "ranges_add: refuses more than RANGES_MAX, and goes on merging", test_limit,
		 NULL);
	return unit_run(&u, "ranges", argc, argv);
}
