/* sender/kernel/pagewalk.h: what the pages are, and how little of their struct pages is read. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	SECTION = KERNEL_SECTION_PAGES,
	FIRST = KERNEL_BYTES / KERNEL_PAGE,
	PG_RESERVED = 12, /* of 6.1 */
};

struct fixture {
	struct kernel *k;
	struct vmcore *core;
	struct kmodel km;
	struct pagewalk *walk;
};

static void fixture_open(struct fixture *f, enum vmcore_access access)
{
	struct warnings warnings = {0};
	struct error err;

	f->core = kernel_open(f->k);
	f->core->access = access;
	kmodel_init(&f->km, f->core, ALL, &warnings);
	assert_int_equal(pagewalk_new(&f->km, &f->walk, &err), 0);
}

static void fixture_close(struct fixture *f)
{
	pagewalk_free(f->walk);
	kmodel_deinit(&f->km);
	vmcore_free(f->core);
}

/* What page_classify() says of a page by itself, with the pages read one by one. */
static struct page_verdict classify(const struct kmodel *km, uint64_t pfn, bool *known_ret)
{
	uint8_t page[KERNEL_PAGE_STRUCT], next[KERNEL_PAGE_STRUCT];
	bool next_known = false;

	pagemap_read(&km->pagemap, pfn, 1, page, known_ret);
	if (pfn % 2 == 0)
		pagemap_read(&km->pagemap, pfn + 1, 1, next, &next_known);
	if (!*known_ret)
		return (struct page_verdict){.class = CLASS_KERNEL, .pages = 1};
	return page_classify(&km->rules, pfn, page, next_known ? next : NULL);
}

static void check_run(const struct fixture *f, uint64_t pfn, const struct page_run *run)
{
	bool known;
	const struct page_verdict v = classify(&f->km, pfn, &known);

	assert_int_equal(run->class, v.class);
	assert_int_equal(run->known, known);
	assert_int_equal(run->block, v.class != CLASS_KERNEL && v.pages > 1);
	if (run->block)
		assert_int_equal(run->pages, v.pages);
	for (uint64_t i = 1; !run->block && i < run->pages; i++) {
		assert_int_equal(classify(&f->km, pfn + i, &known).class, run->class);
		assert_int_equal(known, run->known);
	}
}

/* Blocks and pages of any kind, and a hole among the struct pages. */
static void make_mixture(struct kernel *k, uint64_t pages, uint32_t seed)
{
	uint64_t pfn = FIRST;
	uint64_t entry;

	while (pfn < pages) {
		const unsigned room = MIN((unsigned)__builtin_ctzll(pfn), 9U);
		const unsigned order = unit_random(&seed) % 4 ? 0 : room;

		switch (unit_random(&seed) % 6) {
		case 0:
			kernel_set_free(k, pfn, order);
			break;
		case 1:
			if (order)
				kernel_set_compound(k, pfn, order);
			kernel_set_anon(k, pfn);
			break;
		case 2:
			kernel_set_slab(k, pfn, order);
			break;
		case 3:
			kernel_set_cache(k, pfn, unit_random(&seed) % 2);
			break;
		default:
			break;
		}
		pfn += UINT64_C(1) << order;
	}
	entry = kernel_map(k, KERNEL_VMEMMAP + (FIRST + 128) * KERNEL_PAGE_STRUCT, 0, 1);
	le64_put(kernel_at(k, entry), 0);
}

static void test_mixture(void **state UNUSED)
{
	static const enum vmcore_access ways[] = {VMCORE_ACCESS_READ, VMCORE_ACCESS_MMAP};
	const uint64_t pages = 6000;

	for (uint32_t i = 0; i < 4; i++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = pages})};
		uint64_t pfn = i; /* odd and even */

		make_mixture(f.k, pages, unit_seed() + i);
		fixture_open(&f, ways[i % 2]);
		while (pfn < pages) {
			const struct page_run run =
				pagewalk_next(f.walk, pfn, MIN(pfn + 100, pages), 0);

			assert_true(run.pages > 0);
			assert_true(run.block || run.pages <= 100);
			check_run(&f, pfn, &run);
			pfn += run.pages;
		}
		fixture_close(&f);
		kernel_free(f.k);
	}
}

/* A struct page of 56 bytes may lie over two pages of memory, which may lie apart, or be missing.
 */
static void test_across(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.more = "SIZE(page)=56"})};
	const uint64_t vaddr = KERNEL_VMEMMAP + 16 * KERNEL_PAGE, first = 16 * KERNEL_PAGE / 56;
	uint64_t entry, n;

	entry = kernel_map(f.k, vaddr + KERNEL_PAGE, 0, 1);
	le64_put(kernel_at(f.k, entry), 0);
	for (unsigned i = 0; i < 2; i++) {
		fixture_open(&f, i ? VMCORE_ACCESS_MMAP : VMCORE_ACCESS_READ);
		for (uint64_t pfn = first; pfn < first + 3 * KERNEL_PAGE / 56; pfn++) {
			uint8_t raw[STRUCT_PAGE_BYTES_MAX];
			const uint8_t *page = pagewalk_get(f.walk, pfn, 1, &n);
			bool known;

			pagemap_read(&f.km.pagemap, pfn, 1, raw, &known);
			assert_int_equal(n, 1);
			assert_int_equal(page != NULL, known);
			if (page)
				assert_memory_equal(page, raw, 56);
		}
		fixture_close(&f);
	}
	kernel_free(f.k);
}

/* A run agrees in the flags that were asked for. */
static void test_flags(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = 4096})};
	struct page_run run;

	for (uint64_t pfn = FIRST + 10; pfn < FIRST + 20; pfn++)
		kernel_set_flag(f.k, pfn, PG_RESERVED);
	fixture_open(&f, VMCORE_ACCESS_READ);
	run = pagewalk_next(f.walk, FIRST + 8, FIRST + 100, 0);
	assert_true(run.pages >= 8); /* as many as are read at first */
	run = pagewalk_next(f.walk, FIRST + 8, FIRST + 100, UINT64_C(1) << PG_RESERVED);
	assert_int_equal(run.pages, 2);
	run = pagewalk_next(f.walk, FIRST + 10, FIRST + 100, UINT64_C(1) << PG_RESERVED);
	assert_true(run.flags & UINT64_C(1) << PG_RESERVED);
	assert_true(run.pages <= 10);
	fixture_close(&f);
	kernel_free(f.k);
}

/* Bytes that this process has read; 0 where the system doesn't count. */
static uint64_t bytes_read(void)
{
	FILE *io = fopen("/proc/self/io", "r");
	unsigned long long n = 0;

	if (!io || fscanf(io, "rchar: %llu", &n) != 1)
		n = 0;
	if (io)
		fclose(io);
	return n;
}

static uint64_t read_for(struct fixture *f, uint64_t first, uint64_t end)
{
	const uint64_t before = bytes_read();

	while (first < end)
		first += pagewalk_next(f->walk, first, end, 0).pages;
	return bytes_read() - before;
}

/* Where a block follows on a block, little more than their heads; else each once. */
static void test_reads(void **state UNUSED)
{
	const uint64_t pages = 4 * SECTION;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = pages})};

	for (uint64_t pfn = SECTION; pfn < 3 * SECTION; pfn += 1024)
		kernel_set_free(f.k, pfn, 10);
	fixture_open(&f, VMCORE_ACCESS_READ);
	assert_in_range(read_for(&f, SECTION, 3 * SECTION), 64 * 64, 64 * 64 * 8);
	/* The walk of page tables for each 4 KiB of struct pages is in it. */
	assert_in_range(read_for(&f, 3 * SECTION, 4 * SECTION), SECTION * 64,
			SECTION * 64 * 11 / 10);
	fixture_close(&f);
	kernel_free(f.k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "pagewalk_next: says what each page by itself would", test_mixture, NULL);
	unit_add(&u, "pagewalk_get: puts struct pages together that lie apart", test_across, NULL);
	unit_add(&u, "pagewalk_next: ends a run where flags differ", test_flags, NULL);
	if (bytes_read())
		unit_add(&u, "pagewalk_next: reads of blocks their heads, of others each once",
			 test_reads, NULL);
	else
		unit_skip(&u, "pagewalk_next: reads of blocks their heads, of others each once",
			  "no /proc/self/io");
	return unit_run(&u, "pagewalk", argc, argv);
}
