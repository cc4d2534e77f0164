/*
 * The kernel model: what the dump levels above 1 need to know of the crashed kernel, put together
 * from its own data. Constant after kmodel_init(); any number of threads may use it.
 */
#ifndef KMODEL_H
#define KMODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "sender/kernel/pageclass.h"
#include "sender/kernel/pagemap.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/memmap.h"

struct warnings;
struct vmcore;

struct kmodel {
	const struct vmcore *core;
	bool has_paging;
	struct paging paging;
	struct pagemap pagemap;
	struct page_rules rules; /* .known is 0 where struct pages can't be had */
	struct pfn_range image;	 /* the kernel image; empty: not known */
	uint64_t reserved;	 /* PG_reserved as a mask: the image's pages in use; 0: not known */
};

/*
 * Find out as much as possible about the kernel. Never fails: `warnings` names the missing facts
 * that the classes in `wanted` need, and those classes are missing in rules.known. The same holds
 * where core->stop ended it early. Borrows `core`. The caller calls kmodel_deinit() in any case.
 */
void kmodel_init(struct kmodel *km, const struct vmcore *core, unsigned wanted,
		 struct warnings *warnings);
void kmodel_deinit(struct kmodel *km);

/* The bits of `level` that can be served: all classes of a bit are known, or its class never needs
 * the model. */
unsigned kmodel_served_level(const struct kmodel *km, unsigned level);

/*
 * How many pages the kernel's own counters (zone.vm_stat[NR_FREE_PAGES] of all zones) say are free,
 * and one past the highest page that a node has: at least the vmcore's. False where the counters
 * can't be reached.
 */
bool kmodel_free_pages(const struct kmodel *km, uint64_t *pages_ret, uint64_t *end_pfn_ret);

#endif
