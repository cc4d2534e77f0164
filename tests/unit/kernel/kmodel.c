/* sender/kernel/kmodel.h: what can be told of a kernel, and which level is served where something
 * can't.
 */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernelsyms.h"

enum { ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL) };

struct fixture {
	struct kernel *k;
	struct vmcore *core;
	struct kmodel km;
	struct warnings warnings;
};

static void open_fixture(struct fixture *f, unsigned wanted)
{
	f->core = kernel_open(f->k);
	kmodel_init(&f->km, f->core, wanted, &f->warnings);
}

static void close_fixture(struct fixture *f)
{
	kmodel_deinit(&f->km);
	vmcore_free(f->core);
	kernel_free(f->k);
}

/* --- the ladder --- */

/* A key that one series doesn't tell, the level that is served for 31 then, and what is said: one
 * line, that names the key; NULL: nothing. */
struct rung {
	const char *name, *series, *without;
	unsigned served;
	const char *said;
};

/* clang-format off */
static const struct rung rungs[] = {
	{"kmodel_served_level: is 31 with all keys", "6.1", NULL, 31, NULL},
	{"kmodel_served_level: is 1 without page tables", "6.1", "SYMBOL(init_top_pgt)", 1, "where the page tables are"},
	{"kmodel_served_level: is 31 without phys_base", "6.1", "NUMBER(phys_base)", 31, NULL},
	{"kmodel_served_level: is 31 without pgtable_l5_enabled", "6.1", "NUMBER(pgtable_l5_enabled)", 31, NULL},
	{"kmodel_served_level: is 31 without sme_mask", "6.1", "NUMBER(sme_mask)", 31, NULL},
	{"kmodel_served_level: is 1 without mem_section", "6.1", "SYMBOL(mem_section)", 1, "no memory sections"},
	{"kmodel_served_level: is 31 without its length", "6.1", "LENGTH(mem_section)", 31, NULL},
	{"kmodel_served_level: is 1 without its size", "6.1", "SIZE(mem_section)", 1, "no memory sections"},
	{"kmodel_served_level: is 1 without section_mem_map", "6.1", "OFFSET(mem_section.section_mem_map)", 1, "no memory sections"},
	{"kmodel_served_level: is 31 without SECTION_SIZE_BITS", "6.1", "NUMBER(SECTION_SIZE_BITS)", 31, NULL},
	{"kmodel_served_level: is 31 without MAX_PHYSMEM_BITS", "6.1", "NUMBER(MAX_PHYSMEM_BITS)", 31, NULL},
	{"kmodel_served_level: is 1 without the size of struct page", "6.1", "SIZE(page)", 1, "how large a struct page is"},
	{"kmodel_served_level: is 1 without page.flags", "6.1", "OFFSET(page.flags)", 1, "OFFSET(page.flags)"},
	{"kmodel_served_level: is 31 without page._refcount", "6.1", "OFFSET(page._refcount)", 31, NULL},
	{"kmodel_served_level: is 31 without page.lru", "6.1", "OFFSET(page.lru)", 31, NULL},
	{"kmodel_served_level: is 17 without page.mapping", "6.1", "OFFSET(page.mapping)", 17, "page.mapping"},
	{"kmodel_served_level: is 1 without page._mapcount", "6.1", "OFFSET(page._mapcount)", 1, "OFFSET(page._mapcount)"},
	{"kmodel_served_level: is 15 without page.private", "6.1", "OFFSET(page.private)", 15, "page.private"},
	{"kmodel_served_level: is 1 without compound_head", "6.1", "OFFSET(page.compound_head)", 1, "OFFSET(page.compound_head)"},
	{"kmodel_served_level: is 1 without compound_info", "7.1", "OFFSET(page.compound_info)", 1, "OFFSET(page.compound_head)"},
	{"kmodel_served_level: is 31 without compound_order", "6.1", "OFFSET(page.compound_order)", 31, "only the first page of each huge page"},
	{"kmodel_served_level: is 31 without _folio_order", "6.3", "OFFSET(folio._folio_order)", 31, "only the first page of each huge page"},
	{"kmodel_served_level: is 31 without the hugetlb type", "6.12", "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)", 31, "only the first page of each huge page"},
	{"kmodel_served_level: is 31 without PG_head_mask", "6.1", "NUMBER(PG_head_mask)", 31, "only the first page of each huge page"},
	{"kmodel_served_level: is 25 without PG_lru", "6.1", "NUMBER(PG_lru)", 25, "PG_lru"},
	{"kmodel_served_level: is 25 without PG_private", "6.1", "NUMBER(PG_private)", 25, "PG_private"},
	{"kmodel_served_level: is 25 without PG_swapcache", "6.1", "NUMBER(PG_swapcache)", 25, "PG_swapcache"},
	{"kmodel_served_level: is 25 without PG_swapbacked", "6.1", "NUMBER(PG_swapbacked)", 25, "PG_swapbacked"},
	{"kmodel_served_level: is 1 without PG_slab", "6.1", "NUMBER(PG_slab)", 1, "PG_slab"},
	{"kmodel_served_level: is 1 without the slab type", "6.12", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", 1, "PAGE_SLAB_MAPCOUNT_VALUE"},
	{"kmodel_served_level: is 15 without the buddy's value", "6.12", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", 15, "PAGE_BUDDY_MAPCOUNT_VALUE"},
	{"kmodel_served_level: is 15 without zone.free_area", "6.1", "LENGTH(zone.free_area)", 15, "zone.free_area"},
	{"kmodel_served_level: is 31 without offline pages", "6.1", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", 31, NULL},
	{"kmodel_served_level: is 31 without memory failures", "6.1", "NUMBER(PG_hwpoison)", 31, NULL},
	{"kmodel_served_level: is 31 without PAGESIZE", "6.1", "PAGESIZE", 31, NULL},
};
/* clang-format on */

static void test_rung(void **state)
{
	const struct rung *row = *state;
	struct fixture f = {
		.k = kernel_new(&(struct kernel_setup){.series = kernel_series_find(row->series),
						       .without = row->without})};

	open_fixture(&f, ALL);
	assert_int_equal(kmodel_served_level(&f.km, LEVEL_MAX), row->served);
	assert_int_equal(f.warnings.count, row->said ? 1 : 0);
	if (row->said)
		assert_non_null(strstr(f.warnings.line[0], row->said));
	/* Where level 1 or 0 was asked for, nothing is missing. */
	for (unsigned level = 0; level <= 1; level++) {
		struct fixture g = {.k = kernel_new(&(struct kernel_setup){
					    .series = kernel_series_find(row->series),
					    .without = row->without})};

		open_fixture(&g, page_classes_of_level(level));
		assert_int_equal(kmodel_served_level(&g.km, level), level);
		assert_int_equal(g.warnings.count, 0);
		close_fixture(&g);
	}
	close_fixture(&f);
}

/* A load of the image as long as all addresses that an ELF core may have: its pages are looked at.
 */
static void test_huge_image(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};

	f.core = kernel_open(f.k);
	for (size_t i = 0; i < f.core->elf.load_count; i++)
		if (f.core->elf.loads[i].vaddr >= KERNEL_IMAGE_VADDR)
			f.core->elf.loads[i].mem_bytes = UINT64_C(1) << 50;
	alarm(30); /* rather than for hours */
	kmodel_init(&f.km, f.core, ALL, &f.warnings);
	alarm(0);
	assert_int_equal(f.km.image.first, KERNEL_IMAGE / KERNEL_PAGE);
	assert_true(f.km.image.end - f.km.image.first <= (1 << 30) / KERNEL_PAGE);
	close_fixture(&f);
}

static void test_no_info(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.no_info = true})};

	open_fixture(&f, ALL);
	assert_int_equal(kmodel_served_level(&f.km, 31), 1);
	assert_int_equal(kmodel_served_level(&f.km, 30), 0);
	assert_int_equal(f.warnings.count, 1);
	assert_non_null(strstr(f.warnings.line[0], "no usable VMCOREINFO"));
	close_fixture(&f);
}

/* Levels are what of them can be served, bit by bit. */
static void test_levels(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.without = "NUMBER(PG_lru)"})};

	open_fixture(&f, ALL);
	for (unsigned level = 0; level <= LEVEL_MAX; level++)
		assert_int_equal(kmodel_served_level(&f.km, level), level & 25);
	close_fixture(&f);
}

/* --- warnings --- */

static void test_remarks(void **state UNUSED)
{
	struct warnings r = {0};
	char longest[REMARK_BYTES];

	warn_also(&r, "alone");
	assert_string_equal(r.line[0], "alone");
	remark(&r, "a %d", 1);
	warn_also(&r, "b");
	assert_int_equal(r.count, 2);
	assert_string_equal(r.line[1], "a 1; b");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	remark(&r, "%s", longest);
	warn_also(&r, "c");
	assert_int_equal(r.count, 4);
	assert_string_equal(r.line[3], "c");
	while (r.count < REMARKS_MAX)
		remark(&r, "more");
	remark(&r, "too many");
	assert_int_equal(r.count, REMARKS_MAX);
	assert_string_equal(r.line[REMARKS_MAX - 1], "more");
}

/* --- the zones' counters --- */

static void test_counters(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	uint64_t pages, end;

	kernel_add_node(f.k, 1000);
	kernel_add_node(f.k, 234);
	open_fixture(&f, ALL);
	assert_true(kmodel_free_pages(&f.km, &pages, &end));
	assert_int_equal(pages, 1234);
	assert_int_equal(end, 8192);
	close_fixture(&f);
}

struct counter_keys {
	const char *name, *without, *more;
	uint64_t nr_zones; /* 0: as it should be */
	bool want;
};

/* clang-format off */
static const struct counter_keys counter_keys[] = {
	{"kmodel_free_pages: is not known without node_data", "SYMBOL(node_data)", NULL, 0, false},
	{"kmodel_free_pages: is not known without zone.vm_stat", "OFFSET(zone.vm_stat)", NULL, 0, false},
	{"kmodel_free_pages: is not known without pglist_data.nr_zones", "OFFSET(pglist_data.nr_zones)", NULL, 0, false},
	{"kmodel_free_pages: is not known without the size of a zone", "SIZE(zone)", NULL, 0, false},
	{"kmodel_free_pages: is not known where nodes aren't there", NULL, "SYMBOL(node_data)=ffffc90000000000", 0, false},
	{"kmodel_free_pages: is not known without nodes", "LENGTH(node_data)", NULL, 0, false},
	{"kmodel_free_pages: refuses 17 zones", NULL, NULL, 17, false},
	{"kmodel_free_pages: refuses a counter that is no counter", NULL, "NUMBER(NR_FREE_PAGES)=64", 0, false},
	{"kmodel_free_pages: ends at the last node however many are told", NULL, "LENGTH(node_data)=18446744073709551615", 0, true},
};
/* clang-format on */

static void test_counter_keys(void **state)
{
	const struct counter_keys *row = *state;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.without = row->without,
								   .more = row->more})};
	uint64_t pages, end;

	kernel_add_node(f.k, 1000);
	if (row->nr_zones) /* of the first node, at the end of what was allocated */
		for (uint64_t at = 0; at < KERNEL_BYTES; at += 8)
			if (le64_get(kernel_at(f.k, at)) == 3 && at % 64 == 0)
				le32_put(kernel_at(f.k, at), (uint32_t)row->nr_zones);
	open_fixture(&f, ALL);
	assert_int_equal(kmodel_free_pages(&f.km, &pages, &end), row->want);
	close_fixture(&f);
}

/* A kernel without NUMA has one node, which isn't in an array. */
static void test_contiguous(void **state UNUSED)
{
	struct fixture f = {
		.k = kernel_new(&(struct kernel_setup){.without = "SYMBOL(node_data)"})};
	uint64_t node = 0, pages, end;

	kernel_add_node(f.k, 777);
	for (uint64_t at = 0; at < KERNEL_BYTES && !node; at += 64)
		if (le32_get(kernel_at(f.k, at)) == 3)
			node = at - 3 * 256;
	kernel_add_info(f.k, "SYMBOL(contig_page_data)=%llx\n",
			(unsigned long long)(KERNEL_DIRECT_MAP + node));
	open_fixture(&f, ALL);
	assert_true(kmodel_free_pages(&f.km, &pages, &end));
	assert_int_equal(pages, 777);
	close_fixture(&f);
}

/* --- the image --- */

static void test_reserved(void **state UNUSED)
{
	for (size_t i = 0; i < kernel_series_count; i++) {
		struct fixture f = {
			.k = kernel_new(&(struct kernel_setup){.series = &kernel_series[i]})};

		open_fixture(&f, ALL);
		assert_int_equal(f.km.image.first, KERNEL_IMAGE / KERNEL_PAGE);
		assert_int_equal(f.km.image.end, (KERNEL_IMAGE + KERNEL_IMAGE_BYTES) / KERNEL_PAGE);
		assert_int_equal(f.km.reserved, UINT64_C(1) << kernel_series[i].reserved);
		close_fixture(&f);
	}
}

/* Two flags that all of the image's pages have: which of them it is can't be told. */
static void test_reserved_ambiguous(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};

	for (uint64_t p = KERNEL_IMAGE; p < KERNEL_IMAGE + KERNEL_IMAGE_BYTES; p += KERNEL_PAGE)
		kernel_set_flag(f.k, p / KERNEL_PAGE, 11);
	open_fixture(&f, ALL);
	assert_int_equal(f.km.reserved, 0);
	close_fixture(&f);
}

/* Node and zone stand in the upper bits of all pages alike. */
static void test_reserved_below_zone(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};

	for (uint64_t p = KERNEL_IMAGE; p < KERNEL_IMAGE + KERNEL_IMAGE_BYTES; p += KERNEL_PAGE)
		kernel_set_flag(f.k, p / KERNEL_PAGE, 54);
	open_fixture(&f, ALL);
	assert_int_equal(f.km.reserved, 1 << 12);
	close_fixture(&f);
}

static void test_no_image(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.no_image_load = true})};

	open_fixture(&f, ALL);
	assert_int_equal(f.km.image.first, f.km.image.end);
	assert_int_equal(f.km.reserved, 0);
	assert_int_equal(kmodel_served_level(&f.km, 31), 31);
	close_fixture(&f);
}

/* VMCOREINFO doesn't name the nodes on arm64: the symbol table does, and how many there are. */
static void test_named_nodes(void **state UNUSED)
{
	for (unsigned with_count = 0; with_count < 2; with_count++) {
		struct fixture f = {
			.k = kernel_new(&(struct kernel_setup){.without = "SYMBOL(node_data)"})};
		struct kernel_symbol symbols[] = {
			{"T_stext", KERNEL_IMAGE_VADDR}, {"Dnode_data", 0}, {"Dnr_node_ids", 0}};
		const uint64_t count = kernel_alloc(f.k, 64, 64);
		uint64_t pages, end;

		kernel_add_node(f.k, 1000);
		kernel_add_node(f.k, 234);
		kernel_add_node(f.k, 5);
		le32_put(kernel_at(f.k, count), 4); /* every other one isn't there */
		symbols[1].vaddr = KERNEL_SYMBOL_TABLES + kernel_nodes(f.k);
		symbols[2].vaddr = KERNEL_SYMBOL_TABLES + count;
		kernel_add_symbols(f.k, symbols, 2 + with_count, KERNEL_BASE_RELATIVE);
		open_fixture(&f, ALL);
		assert_int_equal(kmodel_free_pages(&f.km, &pages, &end), with_count);
		if (with_count)
			assert_int_equal(pages, 1234);
		close_fixture(&f);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rungs, test_rung);
	unit_add(&u, "kmodel_served_level: is 1 or 0 without VMCOREINFO", test_no_info, NULL);
	unit_add(&u, "kmodel_served_level: drops single bits", test_levels, NULL);
	unit_add(&u, "remark: keeps lines within their bounds", test_remarks, NULL);
	unit_add(&u, "kmodel_free_pages: sums up nodes and zones", test_counters, NULL);
	UNIT_ADD_ROWS(&u, counter_keys, test_counter_keys);
	unit_add(&u, "kmodel_free_pages: finds a single node", test_contiguous, NULL);
	unit_add(&u, "kmodel_free_pages: finds nodes by the symbol table", test_named_nodes, NULL);
	unit_add(&u, "kmodel_init: infers PG_reserved from the image", test_reserved, NULL);
	unit_add(&u, "kmodel_init: doesn't guess between two flags", test_reserved_ambiguous, NULL);
	unit_add(&u, "kmodel_init: doesn't take the zone for a flag", test_reserved_below_zone,
		 NULL);
	unit_add(&u, "kmodel_init: takes no image larger than there are addresses for",
		 test_huge_image, NULL);
	unit_add(&u, "kmodel_init: does without an image", test_no_image, NULL);
	return unit_run(&u, "kmodel", argc, argv);
}
