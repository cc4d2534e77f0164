/* Pages that PG_reserved tells apart: those that were allocated at boot, and those of the image
 * that were freed since.
 */
#ifndef BOOT_PAGES_H
#define BOOT_PAGES_H

#include "base/error.h"

struct finder;

/* Take the image's pages that were freed since boot out of the image's parts; nothing where
 * PG_reserved isn't known. Fails -ENOMEM. */
NODISCARD int boot_pages_drop_freed(const struct finder *e, struct error *err);

/*
 * Add the pages that were allocated at boot, beside the image and the struct pages; nothing where
 * PG_reserved isn't known. Bounded in pages and in walks of page tables: a remark says so where the
 * walks weren't enough. Fails -ENOMEM.
 */
NODISCARD int boot_pages_add(struct finder *e, struct error *err);

#endif
