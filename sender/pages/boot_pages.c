/* Pages that PG_reserved tells: what was allocated at boot, and what of the image was freed.
 * Doesn't know what lies in them. */
#include "sender/pages/boot_pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/essential.h"
#include "sender/pages/finder.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum {
	BOOT_PAGES_BYTES_MAX = 64 << 20,

	/* Longer than that is the memory of a crash kernel, or of a driver. */
	RUN_BYTES_MAX = 32 << 20,

	/*
	 * Walks of page tables for struct pages, of some seconds. One is enough for those of 128
	 * MiB where a kernel has them all: for 256 TiB then, four times what 4 levels of tables
	 * reach.
	 */
	PAGEMAP_WALKS_MAX = 1 << 21,
};

static bool is_image(const struct kmodel *km, uint64_t pfn)
{
	return pfn >= km->image.first && pfn < km->image.end;
}

/* Struct pages that are read at once, and which of them have PG_reserved. */
enum { STRUCT_PAGES_AT_ONCE = 4096 };

struct reserved {
	const struct kmodel *km;
	uint8_t *raw; /* STRUCT_PAGES_AT_ONCE of the largest */
	uint64_t pfn;
	size_t count;
	bool known;
};

static int reserved_init(struct reserved *r, const struct kmodel *km, struct error *err)
{
	*r = (struct reserved){
		.km = km,
		.raw = malloc((size_t)STRUCT_PAGES_AT_ONCE * STRUCT_PAGE_BYTES_MAX),
	};
	return r->raw ? 0 : error_set(err, -ENOMEM, "out of memory for the essential pages");
}

/* The struct pages from pfn (< end) on, or that they can't be had; end at the most. */
static void reserved_read(struct reserved *r, uint64_t pfn, uint64_t end)
{
	const uint64_t n = MIN(end - pfn, (uint64_t)STRUCT_PAGES_AT_ONCE);

	r->pfn = pfn;
	r->count = pagemap_read(&r->km->pagemap, pfn, (size_t)n, r->raw, &r->known);
}

/* Whether page i of those that were read has it; false where that isn't known. */
static bool reserved_has(const struct reserved *r, size_t i)
{
	const struct page_rules *rules = &r->km->rules;

	return r->known &&
	       (page_flags(rules, r->raw + i * rules->struct_page_bytes) & r->km->reserved);
}

/*
 * What was freed of the image (init memory, gaps) is memory like any other: of no use to readers,
 * and at levels that keep user memory up to a quarter of the image.
 */
int boot_pages_drop_freed(const struct finder *e, struct error *err)
{
	const struct kmodel *km = e->km;
	const uint64_t end = MIN(km->image.end, km->pagemap.mapnr);
	struct reserved reserved;
	AUTO_FREE uint8_t *raw = NULL;
	int r;

	if (!km->reserved)
		return 0;
	r = reserved_init(&reserved, km, err);
	raw = reserved.raw;
	for (uint64_t pfn = km->image.first; r == 0 && pfn < end; pfn += reserved.count) {
		reserved_read(&reserved, pfn, end);
		for (size_t i = 0; reserved.known && i < reserved.count; i++) {
			if (reserved_has(&reserved, i))
				continue;
			pageset_remove(e->parts[ESSENTIAL_IMAGE_DATA], pfn + i, pfn + i + 1);
			pageset_remove(e->parts[ESSENTIAL_IMAGE_TEXT], pfn + i, pfn + i + 1);
		}
	}
	return r;
}

/* The pages that hold the struct pages themselves: reserved too, but many, and no reader needs them
 * to open a dump. */
static int find_pagemap_pages(const struct finder *e, uint64_t *walks, struct pageset **pages_ret,
			      struct error *err)
{
	const struct pagemap *map = &e->km->pagemap;
	struct finder own = *e;
	int r = pageset_new(pageset_mapnr(e->pages), &own.pages, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < map->section_count && *walks; i++)
		if (map->section_vaddr[i])
			finder_add_mapped(&own, map->section_vaddr[i],
					  map->section_pages * map->struct_page_bytes, walks);
	*pages_ret = own.pages;
	return 0;
}

/* A search for reserved pages that are neither the image's nor those of `others`. */
struct boot_search {
	struct finder *e;
	const struct pageset *others;
	uint64_t budget;	/* pages that may be added yet */
	struct pfn_range found; /* the last of them that follow each other: not added yet */
};

static void add_found(struct boot_search *s)
{
	const struct pfn_range found = s->found;

	s->found = (struct pfn_range){0};
	if ((found.end - found.first) * s->e->page_bytes > RUN_BYTES_MAX)
		return;
	for (uint64_t pfn = found.first; pfn < found.end && s->budget; pfn++) {
		if (pageset_has(s->e->pages, pfn))
			continue;
		pageset_add(s->e->pages, pfn, pfn + 1);
		s->budget--;
	}
}

static void note_reserved(struct boot_search *s, uint64_t pfn)
{
	if (pageset_has(s->others, pfn) || is_image(s->e->km, pfn))
		return;
	if (pfn != s->found.end) {
		add_found(s);
		s->found.first = pfn;
	}
	s->found.end = pfn + 1;
}

/* Add those of a range, as far as *walks allow where struct pages aren't to be had. */
static void add_reserved(struct boot_search *s, struct pagewalk *walk, struct pfn_range range,
			 uint64_t *walks)
{
	const struct kmodel *km = s->e->km;
	const uint64_t end = MIN(range.end, km->pagemap.mapnr);
	struct page_run run;

	for (uint64_t first = range.first; first < end && s->budget && *walks; first += run.pages) {
		run = pagewalk_next(walk, first, end, km->reserved);
		*walks -= !run.known;
		if (run.block || !run.known || !(run.flags & km->reserved))
			continue;
		for (uint64_t pfn = first; pfn < first + run.pages; pfn++)
			note_reserved(s, pfn);
	}
	add_found(s);
}

/*
 * What was allocated before the buddy allocator was up, with the CPUs' areas, has PG_reserved. For
 * kernels without a symbol table (5.10), which cost a further pass over the struct pages. The crash
 * kernel's own memory is reserved too: it isn't in /proc/vmcore, but in QEMU's cores.
 */
int boot_pages_add(struct finder *e, struct error *err)
{
	const struct memmap *map = &e->km->core->map;
	AUTO(pageset_free) struct pageset *pagemap_pages = NULL;
	AUTO(pagewalk_free) struct pagewalk *walk = NULL;
	struct boot_search search = {.e = e, .budget = BOOT_PAGES_BYTES_MAX / e->page_bytes};
	uint64_t walks = PAGEMAP_WALKS_MAX;
	int r;

	if (!e->km->reserved)
		return 0;
	r = pagewalk_new(e->km, &walk, err);
	if (r == 0)
		r = find_pagemap_pages(e, &walks, &pagemap_pages, err);
	search.others = pagemap_pages;
	for (size_t i = 0; r == 0 && i < map->data_count; i++)
		add_reserved(&search, walk, map->data[i], &walks);
	if (r == 0 && walks == 0 && !paging_stopped(e->paging))
		remark(e->warnings,
		       "the search for what readers need first was given up: the struct pages of "
		       "%" PRIu64 " GiB of memory lie scattered, or aren't there",
		       e->km->pagemap.mapnr * e->page_bytes >> 30);
	return r;
}
