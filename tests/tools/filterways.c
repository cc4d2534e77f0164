/*
 * filterways VMCORE LEVEL - filter a vmcore in chunks of every size and with different numbers of
 * workers, and compare the sets of pages that stay with each other, and with what comes of looking
 * at one page after the other. Prints their size; exit status 1 if they differ.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum { AT_ONCE = 4096 };

/* One page after the other: no chunks, nothing skipped. */
struct plain {
	const struct kmodel *km;
	unsigned exclude;
	uint64_t block_end; /* of the block that the last page was judged with */
	enum page_class block_class;
	struct pageset *pages;

	/* The struct pages that were read last. */
	uint64_t first, end;
	bool known;
	uint8_t raw[AT_ONCE * STRUCT_PAGE_BYTES_MAX];
};

/* That of a page, until the next call; NULL if it can't be had. */
static const uint8_t *struct_page(struct plain *p, uint64_t pfn)
{
	const struct pagemap *map = &p->km->pagemap;

	if (pfn < p->first || pfn >= p->end) {
		p->first = pfn;
		p->end = pfn + pagemap_read(map, pfn, AT_ONCE, p->raw, &p->known);
	}
	return p->known ? p->raw + (pfn - p->first) * map->struct_page_bytes : NULL;
}

static bool is_image_in_use(const struct kmodel *km, uint64_t pfn, const uint8_t *page)
{
	return pfn >= km->image.first && pfn < km->image.end &&
	       (!page || !km->reserved || (le64_get(page + km->rules.flags_off) & km->reserved));
}

static void check(struct plain *p, uint64_t pfn, const uint8_t *page)
{
	const struct kmodel *km = p->km;
	struct page_verdict v = {.class = CLASS_KERNEL, .pages = 1};
	uint8_t raw[STRUCT_PAGE_BYTES_MAX];

	if (page) {
		memcpy(raw, page, km->rules.struct_page_bytes);
		v = page_classify(&km->rules, pfn, raw,
				  pfn + 1 < km->core->map.max_mapnr ? struct_page(p, pfn + 1)
								    : NULL);
	}
	if (!(km->rules.known & 1U << v.class))
		v = (struct page_verdict){.class = CLASS_KERNEL, .pages = 1};
	p->block_end = pfn + v.pages;
	p->block_class = v.class;
}

static void plain_page(struct plain *p, uint64_t pfn)
{
	const struct kmodel *km = p->km;
	const uint8_t *page = struct_page(p, pfn);
	enum page_class class;

	if (pfn >= p->block_end) {
		check(p, pfn, page);
		page = struct_page(p, pfn);
	}
	class = p->block_class;
	if (is_image_in_use(km, pfn, page) && (km->reserved || class != CLASS_FREE))
		class = CLASS_KERNEL;
	if (page && page_is_hwpoison(&km->rules, page))
		class = CLASS_HWPOISON;
	if (class == CLASS_HWPOISON || (p->exclude & 1U << class))
		pageset_remove(p->pages, pfn, pfn + 1);
}

static struct pageset *plain_filter(const struct kmodel *km, unsigned exclude)
{
	const struct memmap *map = &km->core->map;
	struct plain *p = calloc(1, sizeof(*p));
	struct pageset *pages;
	struct error err;

	if (!p || pageset_new(map->max_mapnr, &p->pages, &err) < 0)
		abort();
	p->km = km;
	p->exclude = exclude & km->rules.known;
	for (size_t i = 0; i < map->data_count; i++) {
		pageset_add(p->pages, map->data[i].first, map->data[i].end);
		for (uint64_t pfn = map->data[i].first; p->exclude && pfn < map->data[i].end; pfn++)
			plain_page(p, pfn);
	}
	pages = p->pages;
	free(p);
	pageset_index(pages);
	return pages;
}

/* The first pfn that only one of two sets has, or mapnr. */
static uint64_t first_difference(const struct pageset *a, const struct pageset *b)
{
	const uint64_t mapnr = pageset_mapnr(a);
	uint64_t pfn = 0;

	while (pfn < mapnr) {
		const uint64_t next = pageset_next(a, pfn), gap = pageset_next_gap(a, next);

		if (pageset_next(b, pfn) != next || pageset_next_gap(b, next) != gap)
			return MIN(next, pageset_next(b, pfn));
		pfn = gap;
	}
	return mapnr;
}

static int compare(const struct pageset *a, const struct pageset *b, const char *what, unsigned n)
{
	const uint64_t pfn = first_difference(a, b);

	if (pfn == pageset_mapnr(a))
		return 0;
	fprintf(stderr, "filterways: %s, %u workers: differs from page 0x%" PRIx64 " on\n", what, n,
		pfn);
	return -1;
}

static int try_all(const struct kmodel *km, unsigned level)
{
	static const unsigned threads[] = {0, 1, 2, 5};
	const unsigned exclude = page_classes_of_level(level);
	struct pageset *plain = plain_filter(km, exclude);
	struct filter_result first = {0};
	struct warnings warnings = {0};
	unsigned ways = 0;
	int r = 0;

	for (unsigned bits = FILTER_CHUNK_BITS_MIN; bits <= FILTER_CHUNK_BITS_MAX && r == 0;
	     bits++) {
		const struct filter_setup setup = {.km = km,
						   .exclude = exclude,
						   .threads = threads[bits % ARRAY_LEN(threads)],
						   .chunk_bits = bits};
		struct pageset *pages = NULL;
		struct filter_result result;
		struct error err;
		char what[40];

		if (filter_run(&setup, &pages, &result, &warnings, &err) < 0) {
			fprintf(stderr, "filterways: %s\n", err.msg);
			r = -1;
			break;
		}
		snprintf(what, sizeof(what), "chunks of 2^%u pages", bits);
		r = compare(plain, pages, what, setup.threads);
		if (ways++ == 0)
			first = result;
		if (r == 0 && memcmp(&first, &result, sizeof(result)) != 0) {
			fprintf(stderr, "filterways: %s: other counts\n", what);
			r = -1;
		}
		pageset_free(pages);
	}
	if (r == 0)
		printf("%" PRIu64 " pages in %u ways\n", pageset_count(plain), ways);
	pageset_free(plain);
	return r;
}

int main(int argc, char **argv)
{
	const unsigned level = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	struct warnings warnings = {0};
	struct vmcore *core = NULL;
	struct error err = {0};
	struct kmodel km;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: filterways VMCORE LEVEL\n");
		return 2;
	}
	if (vmcore_open(argv[1], VMCORE_ACCESS_MMAP, &core, &err) < 0) {
		fprintf(stderr, "filterways: %s\n", err.msg);
		return 1;
	}
	kmodel_init(&km, core, page_classes_of_level(level), &warnings);
	r = try_all(&km, level);
	kmodel_deinit(&km);
	vmcore_free(core);
	return r < 0;
}
