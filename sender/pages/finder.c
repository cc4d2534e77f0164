/* Adds the pages of addresses to a set.
 * Doesn't know what lies there. */
#include "sender/pages/finder.h"

#include "base/checked.h"
#include "base/compiler.h"
#include "sender/kernel/paging.h"
#include "sender/pages/pageset.h"

void finder_add_paddr(struct finder *e, uint64_t paddr, uint64_t bytes)
{
	const uint64_t first = paddr / e->page_bytes;
	const uint64_t end = div_round_up(paddr + bytes, e->page_bytes);
	const uint64_t mapnr = pageset_mapnr(e->pages);

	if (first < mapnr)
		pageset_add(e->pages, first, MIN(end, mapnr));
}

void finder_add_mapped(struct finder *e, uint64_t vaddr, uint64_t bytes, uint64_t *walks)
{
	while (bytes && *walks) {
		uint64_t paddr, span;

		--*walks;
		if (paging_translate(e->paging, vaddr, &paddr, &span)) {
			span = MIN(span, bytes);
			finder_add_paddr(e, paddr, span);
		} else {
			span = MIN(e->page_bytes - vaddr % e->page_bytes, bytes);
		}
		vaddr += span;
		bytes -= span;
	}
}

void finder_add_vaddr(struct finder *e, uint64_t vaddr, uint64_t bytes)
{
	uint64_t walks = UINT64_MAX;

	finder_add_mapped(e, vaddr, bytes, &walks);
}
