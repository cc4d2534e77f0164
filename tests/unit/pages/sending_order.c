/* sender/pages/sending_order.h: the essential extents first, whatever they are; then all that is
 * left. */
#include "tests/lib/unit.h"

#include <stdbool.h>

#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/sending_order.h"
#include "sender/vmcore/vmcore.h"

enum { PAGE = 4096, TABLES_MAX = 16384 };

/* A kernel of which no more is known than where its page tables are: one each `step` pages. */
struct made_up {
	struct warnings warnings;
	struct vmcore core;
	struct arch arch;
	struct kmodel km;
	size_t tables, step;
	struct sending_order order;
};

static struct made_up made;

static bool maps_nothing(const struct paging *p UNUSED, uint64_t vaddr UNUSED,
			 uint64_t *paddr_ret UNUSED, uint64_t *span_ret UNUSED)
{
	return false;
}

static size_t scattered_tables(const struct paging *p UNUSED, uint64_t *paddr, size_t max,
			       bool *all_ret)
{
	const size_t n = MIN(max, made.tables);

	for (size_t i = 0; i < n; i++)
		paddr[i] = (i + 1) * made.step * PAGE;
	*all_ret = n == made.tables;
	return n;
}

static void make(size_t tables, size_t step)
{
	struct error err;

	made = (struct made_up){.tables = tables, .step = step};
	made.core.page_bytes = PAGE;
	made.core.map.max_mapnr = (tables + 2) * step;
	made.km.core = &made.core;
	made.km.has_paging = true;
	made.arch = arch_x86_64;
	made.arch.translate = maps_nothing;
	made.arch.tables = scattered_tables;
	made.km.paging = (struct paging){.core = &made.core, .arch = &made.arch};
	assert_int_equal(sending_order_init(&made.order, &made.km, &made.warnings, &err), 0);
}

static int compare_extents(const void *a, const void *b)
{
	const struct pfn_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void check_covers_all(void)
{
	struct sending_order *o = &made.order;
	uint64_t pages = 0, pfn = 0;

	for (size_t i = 0; i < o->essential_count; i++)
		pages += o->extents[i].end - o->extents[i].first;
	assert_int_equal(pages, o->essential_pages);
	qsort(o->extents, o->count, sizeof(*o->extents), compare_extents);
	for (size_t i = 0; i < o->count; i++) {
		assert_int_equal(o->extents[i].first, pfn);
		assert_true(o->extents[i].end > pfn);
		pfn = o->extents[i].end;
	}
	assert_int_equal(pfn, made.core.map.max_mapnr);
}

/* clang-format off */
static const struct {
	const char *name;
	size_t tables, step, want_extents, want_pages;
} rows[] = {
	{"sending_order: has no essential extent where nothing is known", 0, 100, 0, 0},
	{"sending_order: has an extent for each page that stands alone", 100, 100, 100, 100},
	{"sending_order: fills gaps of 32 pages", 100, 33, 1, 99 * 33 + 1},
	{"sending_order: fills none of 33", 100, 34, 100, 100},
	{"sending_order: has as many as there may be", ESSENTIAL_EXTENTS_MAX, 50, ESSENTIAL_EXTENTS_MAX,
	 ESSENTIAL_EXTENTS_MAX},
	{"sending_order: fills longer gaps where there are more", ESSENTIAL_EXTENTS_MAX + 1, 50, 1,
	 ESSENTIAL_EXTENTS_MAX * 50 + 1},
	{"sending_order: fills gaps of 1024 pages at most", ESSENTIAL_EXTENTS_MAX + 1, 1025, 1,
	 ESSENTIAL_EXTENTS_MAX * 1025 + 1},
	{"sending_order: sends what is too much with all the rest", TABLES_MAX, 1026, ESSENTIAL_EXTENTS_MAX,
	 ESSENTIAL_EXTENTS_MAX},
};
/* clang-format on */

static void test_row(void **state)
{
	const __typeof__(rows[0]) *row = *state;

	make(row->tables, row->step);
	assert_int_equal(made.order.essential_count, row->want_extents);
	assert_int_equal(made.order.essential_pages, row->want_pages);
	check_covers_all();
	sending_order_deinit(&made.order);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	return unit_run(&u, "sending_order", argc, argv);
}
