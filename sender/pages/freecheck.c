/* Free pages against the kernel's counters.
 * Doesn't know how the filter has found its own. */
#include "sender/pages/freecheck.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Of struct pages outside of the vmcore: runs that are looked at, each a block or some
	   pages. Blocks of free CMA memory are 4 MiB, so that is 4 TiB of them. */
	RUNS_MAX = 1 << 20,
	/* Sections behind the vmcore's memory: of 128 MiB, as x86_64 has them, that is 2 TiB. */
	PAGES_BEHIND_MAX = 1 << 29,
};

/* CPUs hold back some pages of the kernel's counts. */
static uint64_t tolerance(uint64_t counted)
{
	return counted / 20 + 1024;
}

/* A walk over memory that the vmcore leaves out. */
struct outside {
	struct pagewalk *walk;
	const struct kmodel *km;
	uint64_t wanted; /* as many pages are enough */
	uint64_t found;
	unsigned runs_left;
};

/* Add the free pages of [first, end), which the vmcore doesn't have. */
static void count_hole(struct outside *o, uint64_t first, uint64_t end)
{
	/* A free block may begin before it. */
	const uint64_t block = UINT64_C(1) << (o->km->rules.free_orders - 1);
	uint64_t pfn = first / block * block;

	while (pfn < end && o->found < o->wanted && o->runs_left) {
		uint64_t pages;
		struct page_run run;

		/* Most of a hole has no section. */
		if (pagemap_vaddr(&o->km->pagemap, pfn, &pages) == 0) {
			pfn += pages;
			continue;
		}
		run = pagewalk_next(o->walk, pfn, end, 0);
		o->runs_left--;
		if (run.class == CLASS_FREE && pfn + run.pages > first)
			o->found += MIN(pfn + run.pages, end) - MAX(pfn, first);
		pfn += run.pages;
	}
}

/* The free pages that struct pages tell of below end_pfn and outside of the vmcore's memory: as
 * many as are wanted, or fewer. */
static uint64_t count_outside(const struct kmodel *km, uint64_t end_pfn, uint64_t wanted)
{
	const struct memmap *map = &km->core->map;
	const struct pfn_range all = {0, MIN(end_pfn, map->max_mapnr + PAGES_BEHIND_MAX)};
	struct kmodel wider = *km; /* but for its struct pages: they are of more than the vmcore */
	struct outside o = {.km = &wider, .wanted = wanted, .runs_left = RUNS_MAX};
	uint64_t from = 0;
	struct error unused;

	if (pagemap_init_of(&wider.pagemap, &km->paging, &all, 1, &unused) == 0 &&
	    pagewalk_new(&wider, &o.walk, &unused) == 0) {
		for (size_t i = 0; i < map->ram_count; i++) {
			count_hole(&o, from, map->ram[i].first);
			from = map->ram[i].end;
		}
		count_hole(&o, from, all.end);
	}
	pagewalk_free(o.walk);
	pagemap_deinit(&wider.pagemap);
	return o.found;
}

void freecheck(const struct kmodel *km, uint64_t found, uint64_t unseen, struct warnings *warnings)
{
	uint64_t counted, end_pfn, missing, outside;

	if (!kmodel_free_pages(km, &counted, &end_pfn))
		return;
	if (found > counted + tolerance(counted)) {
		remark(warnings,
		       "%" PRIu64 " free pages were found, but the kernel counts %" PRIu64
		       ": the filter may be wrong on this kernel; --dump-level=1 leaves nothing "
		       "out by it",
		       found, counted);
		return;
	}
	missing = counted - MIN(counted, found);
	missing -= MIN(missing, unseen);
	if (missing <= tolerance(counted))
		return;
	/* Of a block that is found last not all is wanted. */
	outside = MIN(count_outside(km, end_pfn, missing), missing);
	if (missing - outside > tolerance(counted))
		remark(warnings,
		       "%" PRIu64 " free pages were found, but the kernel counts %" PRIu64
		       " in this memory: the filter may be wrong on this kernel, or the kernel had "
		       "memory that it had not accepted yet; --dump-level=1 leaves nothing out by "
		       "it",
		       found, counted - outside);
}
