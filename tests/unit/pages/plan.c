/* sender/pages/plan.h: every page in one chunk, in the order of the extents. */
#include "tests/lib/unit.h"

#include <stdbool.h>
#include <stdlib.h>

#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"

enum { MAPNR = 3000, EXTENTS = 12 };

/* Walk the chunks and compare with a walk over the extents, page by page. */
static void check(const struct pageset *set, const struct pfn_range *extents, size_t count,
		  uint32_t pages)
{
	struct plan *plan;
	struct error err;
	uint64_t k = 0, left = 0, rank = 0, before = 0;

	assert_int_equal(plan_new(set, extents, count, pages, &plan, &err), 0);
	for (size_t e = 0; e < count; e++) {
		assert_int_equal(left, 0); /* a chunk ends with its extent at the latest */
		for (uint64_t pfn = extents[e].first; pfn < extents[e].end; pfn++) {
			if (!pageset_has(set, pfn))
				continue;
			if (left == 0) {
				const struct plan_chunk c = plan_chunk(plan, k);

				assert_true(k < plan_chunk_count(plan));
				assert_int_equal(plan_pages_before(plan, k), before);
				before += c.pages;
				k++;
				assert_int_equal(c.first_pfn, pfn);
				assert_int_equal(c.first_rank, pageset_rank(set, pfn));
				assert_in_range(c.pages, 1, pages);
				rank = c.first_rank;
				left = c.pages;
			}
			assert_int_equal(rank, pageset_rank(set, pfn));
			rank++;
			left--;
		}
	}
	assert_int_equal(left, 0);
	assert_int_equal(plan_chunk_count(plan), k);
	assert_int_equal(plan_pages_before(plan, k), before);
	plan_free(plan);
}

static struct pageset *any_set(uint32_t *random)
{
	struct pageset *set;
	struct error err;

	assert_int_equal(pageset_new(MAPNR, &set, &err), 0);
	for (uint64_t pfn = 0; pfn < MAPNR; pfn++)
		if (unit_random(random) % 3)
			pageset_add(set, pfn, pfn + 1);
	pageset_remove(set, 1000, 1200);
	pageset_index(set);
	return set;
}

static void test_any(void **state UNUSED)
{
	uint32_t random = unit_seed();

	for (int run = 0; run < 200; run++) {
		struct pageset *set = any_set(&random);
		struct pfn_range extents[EXTENTS];
		uint64_t at = 0;

		for (size_t i = 0; i < EXTENTS; i++) { /* some of them empty */
			const uint64_t end = i + 1 == EXTENTS
						     ? MAPNR
						     : MIN(at + unit_random(&random) % 500, MAPNR);

			extents[i] = (struct pfn_range){at, end};
			at = end;
		}
		for (size_t i = EXTENTS; i > 1; i--) {
			const size_t j = unit_random(&random) % i;
			const struct pfn_range swap = extents[j];

			extents[j] = extents[i - 1];
			extents[i - 1] = swap;
		}
		check(set, extents, EXTENTS, 1 + unit_random(&random) % 70);
		pageset_free(set);
	}
}

static void test_boundaries(void **state UNUSED)
{
	for (uint64_t members = 0; members <= 3 * 64 + 1; members++) {
		const struct pfn_range all = {0, 400};
		struct pageset *set;
		struct plan *plan;
		struct error err;

		assert_int_equal(pageset_new(400, &set, &err), 0);
		pageset_add(set, 100, 100 + members);
		pageset_index(set);
		check(set, &all, 1, 64);
		assert_int_equal(plan_new(set, &all, 1, 64, &plan, &err), 0);
		assert_int_equal(plan_chunk_count(plan), (members + 63) / 64);
		plan_free(plan);
		assert_int_equal(plan_new(set, NULL, 0, 64, &plan, &err), 0);
		assert_int_equal(plan_chunk_count(plan), 0);
		plan_free(plan);
		pageset_free(set);
	}
	plan_free(NULL);
}

static void test_chunk_pages(void **state UNUSED)
{
	assert_int_equal(chunk_pages(4096), CHUNK_PAGES_MAX);
	assert_int_equal(chunk_pages(65536), 4);
	assert_int_equal(chunk_pages(262144), 1);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "plan: has every page once, in order, for any set and extents", test_any,
		 NULL);
	unit_add(&u, "plan: cuts at every 64th page", test_boundaries, NULL);
	unit_add(&u, "chunk_pages: is at least 1", test_chunk_pages, NULL);
	return unit_run(&u, "plan", argc, argv);
}
