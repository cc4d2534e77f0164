/* Which pages go into the dump. */
#ifndef FILTER_H
#define FILTER_H

#include "error.h"

struct pageset;
struct vmcore;

/* Dump level bits: what is left out. Source: makedumpfile(8), -d. */
enum {
	LEVEL_ZERO = 1,
	LEVEL_CACHE = 2,
	LEVEL_CACHE_PRIVATE = 4,
	LEVEL_USER = 8,
	LEVEL_FREE = 16,
	LEVEL_MAX = 31,

	/* What this version can tell apart. Zero pages are found when they are read: they stay in
	   the set. */
	LEVEL_SERVED = LEVEL_ZERO,
};

/*
 * The set of pages that `level` leaves in (indexed), the caller's to free: all pages that have
 * data. Bits beyond LEVEL_SERVED are not served. Fails -ENOMEM.
 */
NODISCARD int filter_run(const struct vmcore *core, unsigned level, struct pageset **pages_ret,
			 struct error *err);

#endif
