/* sender/pages/filter.h: which pages stay, for any chunk size and any number of workers. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	FIRST = KERNEL_BYTES / KERNEL_PAGE, /* the first pfn that isn't the kernel's own */
	IMAGE_PFN = KERNEL_IMAGE / KERNEL_PAGE,
	IMAGE_PAGES = KERNEL_IMAGE_BYTES / KERNEL_PAGE,
	GIGABYTE = 1 << 18, /* pages */

	/* What a page is, beside its class: broken, and part of a block. */
	BROKEN = 0x80,
	IN_BLOCK = 0x40,
	CLASS_BITS = 0x3f,
};

/* A filtered kernel. */
struct run {
	struct vmcore *core;
	struct kmodel km;
	struct pageset *pages;
	struct filter_result result;
	struct warnings warnings;
	bool count_broken;
};

static void run_init(struct run *r, const struct kernel *k)
{
	*r = (struct run){.core = kernel_open(k)};
	kmodel_init(&r->km, r->core, ALL, &r->warnings);
}

static void run_filter(struct run *r, unsigned exclude, unsigned threads, unsigned chunk_bits)
{
	const struct filter_setup setup = {
		.km = &r->km,
		.exclude = exclude,
		.threads = threads,
		.chunk_bits = chunk_bits,
		.count_broken = r->count_broken,
	};
	struct error err = {0};

	pageset_free(r->pages);
	r->pages = NULL;
	if (filter_run(&setup, &r->pages, &r->result, &r->warnings, &err) < 0)
		fail_msg("%s", err.msg);
}

static void run_deinit(struct run *r)
{
	pageset_free(r->pages);
	kmodel_deinit(&r->km);
	vmcore_free(r->core);
}

/* That exactly the pages of the classes in `exclude` are gone, and broken ones, and that the counts
 * are right: in a block that goes as a whole broken pages are looked for only if that was asked. */
static void check(const struct run *r, const uint8_t *want, unsigned exclude)
{
	uint64_t counts[CLASS_COUNT] = {0};

	for (uint64_t pfn = 0; pfn < r->core->map.max_mapnr; pfn++) {
		enum page_class class = want[pfn] & CLASS_BITS;
		bool gone = class == CLASS_HWPOISON || (exclude >> class & 1);

		if ((want[pfn] & BROKEN) &&
		    (r->count_broken || !(gone && (want[pfn] & IN_BLOCK)))) {
			class = CLASS_HWPOISON;
			gone = true;
		}
		counts[class]++;
		if (pageset_has(r->pages, pfn) == gone)
			fail_msg("page 0x%lx, %s, is %s", (unsigned long)pfn,
				 page_class_name(class), gone ? "kept" : "left out");
	}
	for (unsigned i = 0; i < CLASS_COUNT; i++)
		if (r->result.classes[i] != counts[i])
			fail_msg("%s: %lu pages, not %lu", page_class_name(i),
				 (unsigned long)r->result.classes[i], (unsigned long)counts[i]);
}

/* For chunks of all sizes, and any number of workers. */
static void check_all(struct kernel *k, const uint8_t *want, unsigned exclude)
{
	static const struct {
		unsigned chunk_bits, threads;
	} ways[] = {{6, 0},  {6, 2},  {7, 5},  {8, 0},	{9, 1},	 {10, 2}, {11, 0}, {12, 5},
		    {13, 0}, {13, 2}, {14, 1}, {15, 5}, {16, 0}, {17, 2}, {18, 0}, {0, 2}};
	struct run r;

	run_init(&r, k);
	assert_int_equal(r.warnings.count, 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(ways); i++) {
		r.count_broken = i % 2;
		run_filter(&r, exclude, ways[i / 2].threads, ways[i / 2].chunk_bits);
		check(&r, want, exclude);
	}
	run_deinit(&r);
}

/* --- any mixture --- */

static void put(uint8_t *want, uint64_t pfn, uint64_t n, enum page_class class)
{
	memset(want + pfn, n > 1 ? class | IN_BLOCK : class, n);
}

/* Something of at most 2^room pages at pfn; its order. */
static unsigned put_something(struct kernel *k, uint8_t *want, uint64_t pfn, unsigned room,
			      uint32_t *seed)
{
	const unsigned kind = unit_random(seed) % 12;
	const unsigned order = unit_random(seed) % (room + 1);
	const uint64_t n = UINT64_C(1) << order;

	switch (kind) {
	case 0:
	case 1:
		kernel_set_free(k, pfn, order);
		put(want, pfn, n, CLASS_FREE);
		return order;
	case 2:
		kernel_set_hugetlb(k, pfn, MAX(order, 1U));
		put(want, pfn, UINT64_C(1) << MAX(order, 1U), CLASS_USER);
		return MAX(order, 1U);
	case 3:
		kernel_set_slab(k, pfn, order);
		return order;
	case 4:
	case 5:
		if (order)
			kernel_set_compound(k, pfn, order);
		kernel_set_anon(k, pfn);
		put(want, pfn, n, CLASS_USER);
		return order;
	case 6:
	case 7:
	case 8:
		if (order)
			kernel_set_compound(k, pfn, order);
		kernel_set_cache(k, pfn, kind == 8);
		put(want, pfn, n, kind == 8 ? CLASS_CACHE_PRIVATE : CLASS_CACHE);
		return order;
	case 9:
		kernel_set_mapcount(k, pfn, kernel_series_find("6.1")->offline);
		put(want, pfn, 1, CLASS_OFFLINE);
		return 0;
	case 10: /* a compound page of the kernel's */
		if (order)
			kernel_set_compound(k, pfn, order);
		return order;
	default:
		return 0;
	}
}

static void put_all(struct kernel *k, uint8_t *want, uint64_t pages, uint32_t seed)
{
	uint64_t pfn = FIRST;

	while (pfn < pages) {
		unsigned room = (unsigned)__builtin_ctzll(pfn);

		room = MIN(room, 10U);
		while (pfn + (UINT64_C(1) << room) > pages)
			room--;
		/* Large ones mostly where they fit. */
		if (room < 10 && room > 2 && unit_random(&seed) % 4)
			room = 2;
		/* hugetlb pages have two pages at least. */
		if (room == 0) {
			if (unit_random(&seed) % 2) {
				kernel_set_anon(k, pfn);
				want[pfn] = CLASS_USER;
			}
			pfn++;
			continue;
		}
		pfn += UINT64_C(1) << put_something(k, want, pfn, room, &seed);
	}
	/* Broken memory anywhere; tails of large blocks share their struct pages, so heads here. */
	for (unsigned i = 0; i < 40; i++) {
		const uint64_t at = FIRST + unit_random(&seed) % (pages - FIRST);
		uint8_t *page = kernel_page(k, at);

		if (le64_get(page + PAGE_COMPOUND) & 1 || le64_get(page) & UINT64_C(1) << 16)
			continue;
		kernel_set_flag(k, at, 22);
		want[at] |= BROKEN;
	}
}

static void test_mixture(void **state UNUSED)
{
	enum { PAGES = 6000 }; /* no multiple of anything */

	for (uint32_t i = 0; i < 3; i++) {
		struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
		uint8_t want[PAGES] = {0};

		put_all(k, want, PAGES, unit_seed() + i);
		check_all(k, want, ALL);
		check_all(k, want, 1 << CLASS_USER | 1 << CLASS_FREE);
		kernel_free(k);
	}
}

static void test_levels(void **state UNUSED)
{
	enum { PAGES = 4096 };
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	uint8_t want[PAGES] = {0};
	struct run r;

	put_all(k, want, PAGES, unit_seed());
	run_init(&r, k);
	for (unsigned level = 0; level <= LEVEL_MAX; level++) {
		run_filter(&r, page_classes_of_level(level), 0, FILTER_CHUNK_BITS);
		check(&r, want, page_classes_of_level(level));
	}
	run_deinit(&r);
	kernel_free(k);
}

/* --- blocks larger than chunks --- */

/* Huge pages of 1 GiB lie over many chunks of any size; their tails look like anything. */
static void test_gigabyte(void **state UNUSED)
{
	static const char *const series[] = {"6.1", "7.1"};

	for (size_t i = 0; i < ARRAY_LEN(series); i++) {
		const uint64_t pages = 3 * GIGABYTE + 4096;
		struct kernel *k = kernel_new(&(struct kernel_setup){
			.series = kernel_series_find(series[i]), .pages = pages});
		uint8_t *want = calloc(1, pages);

		assert_non_null(want);
		kernel_set_hugetlb(k, GIGABYTE, 18);
		put(want, GIGABYTE, GIGABYTE, CLASS_USER);
		kernel_set_anon(k, GIGABYTE - 1);
		put(want, GIGABYTE - 1, 1, CLASS_USER);
		kernel_set_compound(k, 2 * GIGABYTE, 18); /* the kernel's, with tails that lie */
		kernel_set_cache(k, 3 * GIGABYTE, false);
		put(want, 3 * GIGABYTE, 1, CLASS_CACHE);
		check_all(k, want, ALL);
		free(want);
		kernel_free(k);
	}
}

/* A page that is broken within one: left out for itself where the huge page stays. */
static void test_poisoned_gigabyte(void **state UNUSED)
{
	const uint64_t pages = 2 * GIGABYTE;
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = pages});
	uint8_t *want = calloc(1, pages);
	struct run r;

	assert_non_null(want);
	kernel_set_hugetlb(k, GIGABYTE, 18);
	put(want, GIGABYTE, GIGABYTE, CLASS_USER);
	kernel_set_flag(k, GIGABYTE + 7, 22);
	want[GIGABYTE + 7] |= BROKEN;
	run_init(&r, k);
	run_filter(&r, 1 << CLASS_FREE | 1 << CLASS_HWPOISON, 2, 9);
	check(&r, want, 1 << CLASS_FREE);
	run_deinit(&r);
	/* At its head it tells of all of it. */
	kernel_set_flag(k, GIGABYTE, 22);
	put(want, GIGABYTE, GIGABYTE, CLASS_HWPOISON);
	check_all(k, want, 1 << CLASS_HWPOISON);
	free(want);
	kernel_free(k);
}

/* A block whose order goes past the end of memory. */
static void test_past_the_end(void **state UNUSED)
{
	enum { PAGES = 4096 + 100 };
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	uint8_t want[PAGES] = {0};

	kernel_set_free(k, 4096, 10);
	put(want, 4096, 100, CLASS_FREE);
	check_all(k, want, ALL);
	kernel_free(k);
}

/* --- the kernel image --- */

/* Pages that were freed of it and are something else now go; those in use stay whatever they look
 * like. */
static void test_image(void **state UNUSED)
{
	enum { PAGES = 2048, FREED = IMAGE_PFN + 16 };
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	uint8_t want[PAGES] = {0};

	for (unsigned i = 0; i < 16; i++)
		le64_put(kernel_page(k, FREED + i) + PAGE_FLAGS, 0);
	kernel_set_free(k, FREED, 2);
	put(want, FREED, 4, CLASS_FREE);
	kernel_set_anon(k, FREED + 4);
	put(want, FREED + 4, 1, CLASS_USER);
	kernel_set_cache(k, FREED + 5, true);
	put(want, FREED + 5, 1, CLASS_CACHE_PRIVATE);
	/* In use. */
	kernel_set_anon(k, IMAGE_PFN);
	kernel_set_cache(k, IMAGE_PFN + 1, false);
	kernel_set_free(k, IMAGE_PFN + 2, 0);
	kernel_set_free(k, IMAGE_PFN + 32, 5);
	kernel_set_flag(k, IMAGE_PFN + 3, 22); /* but broken is broken */
	want[IMAGE_PFN + 3] = CLASS_HWPOISON;
	check_all(k, want, ALL);
	kernel_free(k);
}

/* Where PG_reserved isn't to be found only free pages of the image go. */
static void test_image_unknown(void **state UNUSED)
{
	enum { PAGES = 2048 };
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	uint8_t want[PAGES] = {0};

	for (unsigned i = 0; i < IMAGE_PAGES; i++)
		le64_put(kernel_page(k, IMAGE_PFN + i) + PAGE_FLAGS, 0);
	kernel_set_free(k, IMAGE_PFN, 2);
	put(want, IMAGE_PFN, 4, CLASS_FREE);
	kernel_set_anon(k, IMAGE_PFN + 4);
	kernel_set_cache(k, IMAGE_PFN + 5, false);
	check_all(k, want, ALL);
	kernel_free(k);
}

/* --- what can't be had --- */

/* A section that isn't there, or isn't online, hides its struct pages: its pages stay. */
static void test_sections(void **state UNUSED)
{
	static const uint64_t words[] = {0, KERNEL_VMEMMAP | 0xb, KERNEL_VMEMMAP | 0x5,
					 UINT64_C(0xffffc90000000000) | 0xf};
	const uint64_t pages = 3 * KERNEL_SECTION_PAGES;
	uint8_t *want = calloc(1, pages);

	assert_non_null(want);
	put(want, 2 * KERNEL_SECTION_PAGES, 1024, CLASS_FREE);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct kernel *k = kernel_new(&(struct kernel_setup){.pages = pages});

		kernel_set_free(k, KERNEL_SECTION_PAGES, 10);
		kernel_set_free(k, 2 * KERNEL_SECTION_PAGES, 10);
		kernel_set_section(k, 1, words[i]);
		check_all(k, want, ALL);
		kernel_free(k);
	}
	free(want);
}

/* A hole in the array of struct pages: the pages behind it stay, their neighbours are judged. */
static void test_hole(void **state UNUSED)
{
	enum { PAGES = 4096 };
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	uint8_t want[PAGES] = {0};
	uint64_t entry;

	for (uint64_t pfn = 2048; pfn < 2048 + 256; pfn++) {
		kernel_set_anon(k, pfn);
		want[pfn] = CLASS_USER;
	}
	entry = kernel_map(k, KERNEL_VMEMMAP + (2048 + 64) * KERNEL_PAGE_STRUCT, 0, 1);
	le64_put(kernel_at(k, entry), 0);
	put(want, 2048 + 64, 64, CLASS_KERNEL);
	check_all(k, want, ALL);
	kernel_free(k);
}

/* Nothing to leave out: no pass over the struct pages, all pages stay. */
static void test_nothing_known(void **state UNUSED)
{
	struct kernel *k = kernel_new(&(struct kernel_setup){.no_info = true});
	struct run r;

	kernel_set_free(k, 4096, 10);
	run_init(&r, k);
	run_filter(&r, ALL, 2, FILTER_CHUNK_BITS);
	assert_int_equal(pageset_count(r.pages), r.core->map.max_mapnr);
	assert_int_equal(r.result.classes[CLASS_FREE], 0);
	run_deinit(&r);
	kernel_free(k);
}

/* --- what looks wrong --- */

static void test_odd_orders(void **state UNUSED)
{
	struct kernel *k = kernel_new(&(struct kernel_setup){0});
	struct run r;

	kernel_set_free(k, 4096, 11);	  /* past the highest */
	kernel_set_free(k, 4097, 1);	  /* not aligned to it */
	kernel_set_free(k, 4098, 1 << 6); /* a shift by which would be undefined */
	kernel_set_free(k, 4104, 3);
	run_init(&r, k);
	run_filter(&r, ALL, 0, FILTER_CHUNK_BITS);
	assert_int_equal(r.result.odd, 3);
	assert_int_equal(r.result.classes[CLASS_FREE], 8);
	assert_int_equal(r.warnings.count, 1);
	assert_non_null(strstr(r.warnings.line[0], "3 free blocks have an impossible order"));
	run_deinit(&r);
	kernel_free(k);
}

struct counter {
	const char *name;
	int64_t counted;
	unsigned found_blocks; /* of 1024 pages */
	unsigned exclude;
	bool warns;
	enum { ALL_SEEN, NO_DATA, NO_STRUCT_PAGES } unseen; /* what is above KERNEL_BYTES */
};

static const struct counter counters[] = {
	{"filter_run: is content where the kernel counts as many free pages", 4096, 4, ALL, false,
	 ALL_SEEN},
	{"filter_run: is content with what CPUs hold back", 4096 + 1024, 4, ALL, false, ALL_SEEN},
	{"filter_run: warns where far more free pages are found", 1024, 4, ALL, true, ALL_SEEN},
	{"filter_run: warns where far fewer are found", 100000, 4, ALL, true, ALL_SEEN},
	{"filter_run: warns where none is found", 4096, 0, ALL, true, ALL_SEEN},
	{"filter_run: doesn't ask where free pages stay", 100000, 4, 1 << CLASS_USER, false,
	 ALL_SEEN},
	{"filter_run: counts no page that the core has left out", 6656, 4, ALL, false, NO_DATA},
	{"filter_run: warns where those left out are too few", 8192, 4, ALL, true, NO_DATA},
	{"filter_run: counts no page without a struct page", 6656, 0, ALL, false, NO_STRUCT_PAGES},
	{"filter_run: warns where those are too few", 8192, 0, ALL, true, NO_STRUCT_PAGES},
};

static void test_counter(void **state)
{
	const struct counter *row = *state;
	struct kernel *k = kernel_new(
		&(struct kernel_setup){.pages = 8192, .no_data_above = row->unseen == NO_DATA});
	struct run r;

	for (uint64_t pfn = FIRST; row->unseen == NO_STRUCT_PAGES && pfn < 8192; pfn += 64)
		le64_put(kernel_at(k,
				   kernel_map(k, KERNEL_VMEMMAP + pfn * KERNEL_PAGE_STRUCT, 0, 1)),
			 0);
	kernel_add_node(k, row->counted);
	for (unsigned i = 0; i < row->found_blocks; i++)
		kernel_set_free(k, 4096 + i * 1024, 10);
	run_init(&r, k);
	run_filter(&r, row->exclude, 0, FILTER_CHUNK_BITS);
	assert_int_equal(r.warnings.count, row->warns);
	if (row->warns)
		assert_non_null(strstr(r.warnings.line[0], "the filter may be wrong"));
	run_deinit(&r);
	kernel_free(k);
}

/* --- free memory that the vmcore leaves out --- */

struct hidden {
	const char *name;
	uint64_t first, end;  /* pfns that no load has */
	unsigned free_blocks; /* of 1024 pages, from `first` on */
	unsigned counted;     /* by the kernel, beside 4 blocks that are found */
	bool warns;
};

static const struct hidden hiddens[] = {
	{"filter_run: knows free memory in a hole (crashkernel=SIZE,cma)", 40960, 73728, 32, 32768,
	 false},
	{"filter_run: knows it in a hole that has whole sections", 32768, 131072, 90, 92160, false},
	{"filter_run: knows it behind the vmcore's memory", 98304, 163840, 32, 32768, false},
	{"filter_run: warns where what is missing isn't there either", 40960, 73728, 16, 32768,
	 true},
	{"filter_run: warns where nothing is free in the hole", 40960, 73728, 0, 32768, true},
};

static void test_hidden(void **state)
{
	const struct hidden *row = *state;
	struct kernel *k = kernel_new(&(struct kernel_setup){
		.pages = 163840, .hidden = row->first, .hidden_end = row->end});
	struct run r;

	kernel_add_node(k, 4096 + (int64_t)row->counted);
	for (unsigned i = 0; i < 4; i++)
		kernel_set_free(k, 4096 + i * 1024, 10);
	for (unsigned i = 0; i < row->free_blocks; i++)
		kernel_set_free(k, row->first + i * 1024, 10);
	run_init(&r, k);
	assert_int_equal(r.core->map.max_mapnr, row->end == 163840 ? row->first : 163840);
	run_filter(&r, ALL, 0, FILTER_CHUNK_BITS);
	assert_int_equal(r.result.classes[CLASS_FREE], 4096);
	assert_int_equal(r.warnings.count, row->warns);
	run_deinit(&r);
	kernel_free(k);
}

static unsigned asked;

static bool cancelled_later(void)
{
	return ++asked > 5;
}

/* Much memory is minutes of filtering. */
static void test_cancelled(void **state UNUSED)
{
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = 8192});
	struct run r;
	struct error err;

	run_init(&r, k);
	for (unsigned threads = 0; threads < 3; threads++) {
		const struct filter_setup setup = {.km = &r.km,
						   .exclude = ALL,
						   .threads = threads,
						   .chunk_bits = FILTER_CHUNK_BITS_MIN,
						   .stop = {.signalled = cancelled_later}};

		asked = 0;
		assert_int_equal(filter_run(&setup, &r.pages, &r.result, &r.warnings, &err),
				 -ECANCELED);
		assert_null(r.pages);
		assert_int_equal(asked, 6);
	}
	run_deinit(&r);
	kernel_free(k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "filter_run: finds each class in any mixture, however it is cut", test_mixture,
		 NULL);
	unit_add(&u, "filter_run: leaves out what each level says", test_levels, NULL);
	unit_add(&u, "filter_run: leaves out a huge page of 1 GiB over many chunks", test_gigabyte,
		 NULL);
	unit_add(&u, "filter_run: leaves out broken pages within huge ones", test_poisoned_gigabyte,
		 NULL);
	unit_add(&u, "filter_run: ends a block at the end of memory", test_past_the_end, NULL);
	unit_add(&u, "filter_run: keeps the image's pages in use, and no others", test_image, NULL);
	unit_add(&u, "filter_run: keeps the image where its pages in use aren't known",
		 test_image_unknown, NULL);
	unit_add(&u, "filter_run: keeps pages of sections without struct pages", test_sections,
		 NULL);
	unit_add(&u, "filter_run: keeps pages whose struct pages aren't mapped", test_hole, NULL);
	unit_add(&u, "filter_run: keeps all pages where nothing is known", test_nothing_known,
		 NULL);
	unit_add(&u, "filter_run: keeps free blocks of impossible orders, and says so",
		 test_odd_orders, NULL);
	UNIT_ADD_ROWS(&u, counters, test_counter);
	UNIT_ADD_ROWS(&u, hiddens, test_hidden);
	unit_add(&u, "filter_run: stops between two chunks when it is told to", test_cancelled,
		 NULL);
	return unit_run(&u, "filter", argc, argv);
}
