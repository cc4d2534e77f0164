/* Part of the essential set: page tables. */
#ifndef TABLE_PAGES_H
#define TABLE_PAGES_H

#include "base/error.h"

struct finder;

/* Add the kernel's page tables, but for those of the direct map. Fails -ENOMEM. */
NODISCARD int table_pages_add(struct finder *e, struct error *err);

/* Add those of the direct map by which a reader finds the pages that e->pages has by now. */
void table_pages_add_direct(struct finder *e);

#endif
