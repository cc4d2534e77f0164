/* The pages of page tables.
 * Doesn't know what a table looks like: sender/kernel/arch/ does. */
#include "sender/pages/table_pages.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "sender/kernel/paging.h"
#include "sender/pages/finder.h"
#include "sender/pages/pageset.h"

enum {
	TABLES_MAX = 16384, /* corrupt or huge kernels must not make everything essential */
};

int table_pages_add(struct finder *e, struct error *err)
{
	AUTO_FREE uint64_t *tables = calloc(TABLES_MAX, sizeof(*tables));
	bool all;
	size_t n;

	if (!tables)
		return error_set(err, -ENOMEM, "out of memory for the essential pages");
	n = paging_tables(e->paging, tables, TABLES_MAX, &all);
	for (size_t i = 0; i < n; i++)
		finder_add_paddr(e, tables[i], e->page_bytes);
	return 0;
}

void table_pages_add_direct(struct finder *e)
{
	const uint64_t mapnr = pageset_mapnr(e->pages);
	uint64_t tables[ARCH_LEVELS_MAX], next;
	size_t walks = TABLES_MAX;

	/* Tables that are added here may come in turn: those that lead to them lead to a reader's
	   first table too. */
	for (uint64_t pfn = pageset_next(e->pages, 0); pfn < mapnr && walks;
	     pfn = pageset_next(e->pages, next), walks--) {
		uint64_t span = e->page_bytes;
		const size_t n = paging_path(e->paging, pfn * e->page_bytes, tables, &span);

		for (size_t i = 0; i < n; i++)
			finder_add_paddr(e, tables[i], e->page_bytes);
		next = MIN(pfn + MAX(span / e->page_bytes, UINT64_C(1)), mapnr);
	}
}
