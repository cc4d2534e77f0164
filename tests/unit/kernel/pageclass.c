/* sender/kernel/pageclass.h: what the rules of each series of kernels make of struct pages. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/pageclass.h"
#include "sender/kernel/warnings.h"
#include "tests/lib/kernel.h"

enum { ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL) };

static struct page_rules make_rules(const char *text, struct warnings *warnings)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *info = NULL;
	struct page_rules rules;
	struct error err;

	assert_int_equal(vmcoreinfo_new(text, strlen(text), &info, &err), 0);
	page_rules_init(&rules, info, ELF_DATA_LE64, KERNEL_PAGE_STRUCT, ALL, warnings);
	return rules;
}

/* --- each kind of page, on each series --- */

/* A page and the one behind it, at a pfn. */
struct pair {
	const struct kernel_series *s;
	uint64_t pfn;
	uint8_t page[2 * KERNEL_PAGE_STRUCT];
};

static uint8_t *tail_of(struct pair *p)
{
	return p->page + KERNEL_PAGE_STRUCT;
}

static void add_flag(uint8_t *page, unsigned bit)
{
	le64_put(page + PAGE_FLAGS, le64_get(page + PAGE_FLAGS) | UINT64_C(1) << bit);
}

static void set_mapcount(struct pair *p, uint32_t n)
{
	le32_put(p->page + PAGE_MAPCOUNT, n);
}

static void set_mapping(struct pair *p, uint64_t n)
{
	le64_put(p->page + PAGE_MAPPING, n);
}

/* It heads a compound page of that order. */
static void set_head(struct pair *p, unsigned order)
{
	uint8_t *tail = tail_of(p);

	add_flag(p->page, p->s->head);
	le64_put(tail + PAGE_COMPOUND, UINT64_C(0xffffea0000000001));
	le64_put(tail + PAGE_MAPPING, 0xffffffff); /* in a tail these are counters */
	if (p->s->order_in_flags)
		tail[PAGE_FLAGS] = (uint8_t)order;
	else
		tail[p->s->order_off] = (uint8_t)order;
}

static void set_anon(struct pair *p)
{
	add_flag(p->page, p->s->swapbacked);
	set_mapping(p, UINT64_C(0xffff888000001231));
	set_mapcount(p, 0);
}

static void make_kernel(struct pair *p)
{
	(void)p;
}

static void make_anon(struct pair *p)
{
	set_anon(p);
	add_flag(p->page, p->s->lru);
}

/* Between lists, or in the swap cache: anonymous all the same. */
static void make_anon_off_lru(struct pair *p)
{
	set_anon(p);
	add_flag(p->page, p->s->swapcache);
	add_flag(p->page, p->s->private);
}

static void make_ksm(struct pair *p)
{
	set_anon(p);
	set_mapping(p, UINT64_C(0xffff888000001233));
}

static void make_mapped_often(struct pair *p)
{
	make_anon(p);
	set_mapcount(p, 70000);
}

static void make_thp(struct pair *p)
{
	make_anon(p);
	set_head(p, 9);
	set_mapcount(p, UINT32_MAX); /* mapped as a whole */
}

static void make_small_folio(struct pair *p)
{
	make_anon(p);
	set_head(p, 2);
}

static void make_cache(struct pair *p)
{
	add_flag(p->page, p->s->lru);
	set_mapping(p, UINT64_C(0xffff888000001230));
}

static void make_mapped_cache(struct pair *p)
{
	make_cache(p);
	set_mapcount(p, 3);
}

static void make_private_cache(struct pair *p)
{
	make_cache(p);
	add_flag(p->page, p->s->private);
}

static void make_large_cache(struct pair *p)
{
	make_cache(p);
	set_head(p, 4);
}

/* shmem that is being swapped: not on a list. */
static void make_swap_cache(struct pair *p)
{
	add_flag(p->page, p->s->swapbacked);
	add_flag(p->page, p->s->swapcache);
}

/* A new shmem page that isn't on a list yet. */
static void make_swapbacked(struct pair *p)
{
	add_flag(p->page, p->s->swapbacked);
	set_mapping(p, UINT64_C(0xffff888000001230));
}

/* A driver's page that can be moved: bit 1 of the mapping. */
static void make_movable(struct pair *p)
{
	set_mapping(p, UINT64_C(0xffff888000001232));
}

static void make_slab(struct pair *p)
{
	if (p->s->slab)
		set_mapcount(p, p->s->slab);
	else
		add_flag(p->page, p->s->slab_flag);
}

/* Slabs of before 6.10 have anything in _mapcount, those since 6.2 in mapping. */
static void make_odd_slab(struct pair *p)
{
	if (p->s->slab_flag)
		set_mapcount(p, p->s->buddy);
	make_slab(p);
	set_mapping(p, UINT64_C(0x8000000180000001));
	add_flag(p->page, p->s->lru);
}

static void make_large_slab(struct pair *p)
{
	make_odd_slab(p);
	set_head(p, 3);
}

/* As much of a tail as misleads. */
static void make_tail(struct pair *p)
{
	make_anon(p);
	le64_put(p->page + PAGE_COMPOUND, UINT64_C(0xffffea0000000001));
}

static void make_free_tail(struct pair *p)
{
	set_mapcount(p, p->s->buddy);
	le64_put(p->page + PAGE_COMPOUND, 1);
}

static void make_free(struct pair *p)
{
	set_mapcount(p, p->s->buddy);
	le64_put(p->page + PAGE_PRIVATE, 5);
}

/* Flags and mapping of who had it before mean nothing. */
static void make_stale_free(struct pair *p)
{
	make_anon(p);
	make_free(p);
}

static void make_free_order_11(struct pair *p)
{
	make_free(p);
	le64_put(p->page + PAGE_PRIVATE, 11);
}

static void make_free_order_huge(struct pair *p)
{
	make_free(p);
	le64_put(p->page + PAGE_PRIVATE, UINT64_MAX);
}

static void make_unaligned_free(struct pair *p)
{
	make_free(p);
	p->pfn++;
}

static void make_hugetlb(struct pair *p)
{
	set_head(p, 9);
	if (p->s->hugetlb)
		set_mapcount(p, p->s->hugetlb);
	else if (p->s->hugetlb_flag)
		add_flag(tail_of(p), p->s->hugetlb_flag);
	else
		tail_of(p)[p->s->dtor_off] = 2;
}

static void make_gigantic(struct pair *p)
{
	make_hugetlb(p);
	if (p->s->order_in_flags)
		tail_of(p)[PAGE_FLAGS] = 18;
	else
		tail_of(p)[p->s->order_off] = 18;
}

static void make_used_hugetlb(struct pair *p)
{
	make_hugetlb(p);
	set_mapping(p, UINT64_C(0xffff888000001231));
}

/* With HugeTLB's optimised vmemmap (5.14 to 7.0) pages 64, 128, … show their head's words. */
static void make_fake_head(struct pair *p)
{
	make_hugetlb(p);
	p->pfn += 64;
}

static void make_poisoned_hugetlb(struct pair *p)
{
	make_hugetlb(p);
	add_flag(p->page, p->s->hwpoison);
}

static void make_offline(struct pair *p)
{
	set_mapcount(p, p->s->offline);
}

static void make_table(struct pair *p)
{
	set_mapcount(p, p->s->table);
	set_mapping(p, UINT64_C(0xffff888000001231)); /* struct ptdesc's */
}

static void make_unaccepted(struct pair *p)
{
	if (p->s->unaccepted)
		set_mapcount(p, p->s->unaccepted);
}

static void make_compound(struct pair *p)
{
	set_head(p, 5);
}

/* Orders that can't be: only the page itself goes. */
static void make_order_64(struct pair *p)
{
	make_anon(p);
	set_head(p, 64);
}

static void make_order_25(struct pair *p)
{
	make_anon(p);
	set_head(p, 25);
}

static void make_unaligned_head(struct pair *p)
{
	make_thp(p);
	p->pfn += 2;
}

/* A compound page that was just made or is being taken apart: what comes behind the head isn't its
 * tail, and doesn't tell its order. */
static void make_torn(struct pair *p)
{
	make_thp(p);
	le64_put(tail_of(p) + PAGE_COMPOUND, 0);
}

static void make_torn_hugetlb(struct pair *p)
{
	make_gigantic(p);
	le64_put(tail_of(p) + PAGE_COMPOUND, 0);
}

static void make_uninitialised(struct pair *p)
{
	memset(p->page, 0xff, sizeof(p->page));
}

static const struct kind {
	const char *name;
	void (*make)(struct pair *p);
	enum page_class class;
	uint64_t pages;
	bool odd;
} kinds[] = {
	{"a page of the kernel's stays", make_kernel, CLASS_KERNEL, 1, false},
	{"an anonymous page is user's", make_anon, CLASS_USER, 1, false},
	{"one off the lists is user's", make_anon_off_lru, CLASS_USER, 1, false},
	{"a KSM page is user's", make_ksm, CLASS_USER, 1, false},
	{"one that is mapped often is user's", make_mapped_often, CLASS_USER, 1, false},
	{"a transparent huge page is user's", make_thp, CLASS_USER, 512, false},
	{"a large folio is user's", make_small_folio, CLASS_USER, 4, false},
	{"a page on an LRU list is cache", make_cache, CLASS_CACHE, 1, false},
	{"one that is mapped is cache", make_mapped_cache, CLASS_CACHE, 1, false},
	{"one with buffers is private cache", make_private_cache, CLASS_CACHE_PRIVATE, 1, false},
	{"a large folio of files is cache", make_large_cache, CLASS_CACHE, 16, false},
	{"shmem in the swap cache is cache", make_swap_cache, CLASS_CACHE, 1, false},
	{"shmem on no list stays", make_swapbacked, CLASS_KERNEL, 1, false},
	{"a movable page of a driver stays", make_movable, CLASS_KERNEL, 1, false},
	{"a slab stays", make_slab, CLASS_KERNEL, 1, false},
	{"a slab stays whatever its other words hold", make_odd_slab, CLASS_KERNEL, 1, false},
	{"a large slab stays", make_large_slab, CLASS_KERNEL, 1, false},
	{"a tail is left to its head", make_tail, CLASS_KERNEL, 1, false},
	{"a tail that looks free is left to its head", make_free_tail, CLASS_KERNEL, 1, false},
	{"a free block is free", make_free, CLASS_FREE, 32, false},
	{"a free block is free whatever it was", make_stale_free, CLASS_FREE, 32, false},
	{"a free block past the highest order stays", make_free_order_11, CLASS_KERNEL, 1, true},
	{"a free block of order 2^64 - 1 stays", make_free_order_huge, CLASS_KERNEL, 1, true},
	{"a free block at an odd pfn stays", make_unaligned_free, CLASS_KERNEL, 1, true},
	{"a hugetlb page is user's", make_hugetlb, CLASS_USER, 512, false},
	{"a hugetlb page of 1 GiB is user's", make_gigantic, CLASS_USER, 1 << 18, false},
	{"a hugetlb page in use is user's", make_used_hugetlb, CLASS_USER, 512, false},
	{"a fake head is one page", make_fake_head, CLASS_USER, 1, false},
	{"a hugetlb page with a broken page is broken", make_poisoned_hugetlb, CLASS_HWPOISON, 512,
	 false},
	{"an offline page is offline", make_offline, CLASS_OFFLINE, 1, false},
	{"a page table stays", make_table, CLASS_KERNEL, 1, false},
	{"a compound page of the kernel's stays", make_compound, CLASS_KERNEL, 1, false},
	{"a head of order 64 is one page", make_order_64, CLASS_USER, 1, false},
	{"a head of order 25 is one page", make_order_25, CLASS_USER, 1, false},
	{"a head that isn't aligned is one page", make_unaligned_head, CLASS_USER, 1, false},
	{"a head without a tail is one page", make_torn, CLASS_USER, 1, false},
	{"a hugetlb page without a tail stays", make_torn_hugetlb, CLASS_KERNEL, 1, false},
	{"a struct page of all ones stays", make_uninitialised, CLASS_KERNEL, 1, false},
};

static struct page_verdict check(const struct kernel_series *s, void (*make)(struct pair *p),
				 bool has_next)
{
	struct warnings warnings = {0};
	const struct page_rules rules = make_rules(s->info, &warnings);
	struct pair p = {.s = s, .pfn = UINT64_C(5) << 18};

	assert_int_equal(warnings.count, 0);
	assert_int_equal(rules.known, ALL);
	le32_put(p.page + PAGE_MAPCOUNT, UINT32_MAX);
	make(&p);
	return page_classify(&rules, p.pfn, p.page, has_next ? tail_of(&p) : NULL);
}

static void test_kind(void **state)
{
	const struct kind *row = *state;

	for (size_t i = 0; i < kernel_series_count; i++) {
		const struct kernel_series *s = &kernel_series[i];
		const struct page_verdict v = check(s, row->make, true);

		if (v.class != row->class || v.pages != row->pages || v.odd != row->odd)
			fail_msg("%s: %lu pages of class %s%s, not %lu of %s", s->name,
				 (unsigned long)v.pages, page_class_name(v.class),
				 v.odd ? ", odd" : "", (unsigned long)row->pages,
				 page_class_name(row->class));
	}
}

/* Without the struct page behind it, a page can be the head of nothing. */
static void test_no_next(void **state UNUSED)
{
	for (size_t i = 0; i < kernel_series_count; i++) {
		const struct page_verdict v = check(&kernel_series[i], make_thp, false);

		assert_int_equal(v.class, CLASS_USER);
		assert_int_equal(v.pages, 1);
	}
}

static void test_unaccepted(void **state UNUSED)
{
	for (size_t i = 0; i < kernel_series_count; i++) {
		const struct kernel_series *s = &kernel_series[i];
		const struct page_verdict v = check(s, make_unaccepted, true);

		assert_int_equal(v.class, s->unaccepted ? CLASS_FREE : CLASS_KERNEL);
		assert_int_equal(v.pages, s->unaccepted ? 1024 : 1);
	}
}

/* From 6.12 on owners use the low bits of a type; before, a value that is nearly one is none. */
static void test_low_bits(void **state UNUSED)
{
	for (size_t i = 0; i < kernel_series_count; i++) {
		const struct kernel_series *s = &kernel_series[i];
		struct warnings warnings = {0};
		const struct page_rules rules = make_rules(s->info, &warnings);
		const bool by_byte = s->buddy == 0xf0000000;
		struct pair p = {.s = s};

		set_mapcount(&p, s->buddy ^ 0x123);
		assert_int_equal(page_classify(&rules, 0, p.page, NULL).class,
				 by_byte ? CLASS_FREE : CLASS_KERNEL);
		set_mapcount(&p, s->offline ^ 0x123);
		assert_int_equal(page_classify(&rules, 0, p.page, NULL).class,
				 by_byte ? CLASS_OFFLINE : CLASS_KERNEL);
	}
}

/* Bit 7 was PG_slab once and means "has waiters" today: no slab where slab is a type. */
static void test_waiters(void **state UNUSED)
{
	const struct kernel_series *s = kernel_series_find("6.12");
	char text[2000];
	struct warnings warnings = {0};
	struct page_rules rules;
	struct pair p = {.s = s};

	snprintf(text, sizeof(text), "%sNUMBER(PG_slab)=7\n", s->info);
	rules = make_rules(text, &warnings);
	make_anon(&p);
	add_flag(p.page, 7);
	assert_int_equal(page_classify(&rules, 0, p.page, NULL).class, CLASS_USER);
}

/* No bytes make a verdict that isn't one. */
static void test_noise(void **state UNUSED)
{
	uint32_t seed = unit_seed();

	for (size_t i = 0; i < kernel_series_count; i++) {
		struct warnings warnings = {0};
		const struct page_rules rules = make_rules(kernel_series[i].info, &warnings);

		for (unsigned n = 0; n < 20000; n++) {
			const uint64_t pfn = unit_random(&seed) >> unit_random(&seed) % 32;
			uint8_t page[2 * KERNEL_PAGE_STRUCT];
			struct page_verdict v;

			for (size_t b = 0; b < sizeof(page); b += 4)
				le32_put(page + b, unit_random(&seed) % 3 ? 0 : unit_random(&seed));
			v = page_classify(&rules, pfn, page, page + KERNEL_PAGE_STRUCT);
			assert_in_range(v.class, 0, CLASS_COUNT - 1);
			assert_in_range(v.pages, 1, 1 << 24);
			assert_int_equal(v.pages & (v.pages - 1), 0);
			assert_int_equal(pfn % v.pages, 0);
		}
	}
}

/* --- runs --- */

enum { RUN_PAGES = 24 };

/* Now and then change one of the things that decide about a page; and what doesn't. */
static void spoil(uint8_t *page, const struct kernel_series *s, uint32_t *seed)
{
	le64_put(page + PAGE_PRIVATE, unit_random(seed) % 4);
	switch (unit_random(seed) % 40) {
	case 0:
		page[PAGE_MAPPING] ^= 1;
		break;
	case 1:
		page[PAGE_COMPOUND] ^= 1;
		break;
	case 2:
		le32_put(page + PAGE_MAPCOUNT, s->table);
		break;
	case 3:
		add_flag(page, 3);
		break;
	default:
		break;
	}
}

/* Some pages, most of which are like the one before. */
static void make_pages(const struct kernel_series *s, uint8_t *pages, uint32_t *seed)
{
	struct pair p = {.s = s};

	for (size_t i = 0; i < RUN_PAGES; i++) {
		if (i == 0 || unit_random(seed) % 8 == 0) {
			memset(p.page, 0, sizeof(p.page));
			set_mapcount(&p, UINT32_MAX);
			kinds[unit_random(seed) % ARRAY_LEN(kinds)].make(&p);
			if (unit_random(seed) % 16 == 0)
				add_flag(p.page, s->hwpoison);
			if (unit_random(seed) % 2)
				memcpy(p.page, tail_of(&p), KERNEL_PAGE_STRUCT);
		}
		spoil(memcpy(pages + i * KERNEL_PAGE_STRUCT, p.page, KERNEL_PAGE_STRUCT), s, seed);
	}
}

/* That a run's pages have the verdict that each would have by itself: its length. */
static size_t check_run(const struct page_rules *rules, const uint8_t *pages, uint64_t flags)
{
	const struct page_verdict first = page_classify(rules, 1, pages, NULL);
	const size_t n = page_run(rules, pages, RUN_PAGES, flags);

	assert_true(n >= 1 && n <= RUN_PAGES);
	for (size_t i = 1; first.pages == 1 && i < n; i++) {
		const uint8_t *page = pages + i * KERNEL_PAGE_STRUCT;
		const struct page_verdict v = page_classify(rules, 1 + i, page, NULL);

		assert_int_equal(v.class, first.class);
		assert_int_equal(v.pages, 1);
		assert_int_equal(page_is_hwpoison(rules, page), page_is_hwpoison(rules, pages));
		assert_int_equal((le64_get(page) ^ le64_get(pages)) & flags, 0);
	}
	return n;
}

static void test_runs(void **state UNUSED)
{
	uint8_t pages[RUN_PAGES * KERNEL_PAGE_STRUCT];
	uint32_t seed = unit_seed();
	size_t longest = 0;

	for (size_t round = 0; round < 2000; round++) {
		const struct kernel_series *s = &kernel_series[round % kernel_series_count];
		struct warnings warnings = {0};
		const struct page_rules rules = make_rules(s->info, &warnings);

		make_pages(s, pages, &seed);
		longest = MAX(longest, check_run(&rules, pages, 0));
		check_run(&rules, pages, 1 << 3);
	}
	assert_int_equal(longest, RUN_PAGES);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, kinds, test_kind);
	unit_add(&u, "page_classify: does without the next struct page", test_no_next, NULL);
	unit_add(&u, "page_classify: takes unaccepted memory for free", test_unaccepted, NULL);
	unit_add(&u, "page_classify: knows which bits of a type count", test_low_bits, NULL);
	unit_add(&u, "page_classify: doesn't take waiters for slabs", test_waiters, NULL);
	unit_add(&u, "page_classify: gives a verdict on any bytes", test_noise, NULL);
	unit_add(&u, "page_run: ends before a page that is judged otherwise", test_runs, NULL);
	return unit_run(&u, "pageclass", argc, argv);
}
