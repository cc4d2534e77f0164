/*
 * For work that takes long. The code that does the work calls keepalive() now and then, so that the
 * peer hears of us meanwhile; where that fails, the code ends its work.
 */
#ifndef KEEPALIVE_H
#define KEEPALIVE_H

#include <stddef.h>

#include "base/error.h"

struct keepalive {
	int (*fn)(void *ctx, struct error *err); /* NULL: nobody has to hear */
	void *ctx;
};

/* Returns 0, or fails with the reason to stop. `k` may be NULL. */
NODISCARD static inline int keepalive(const struct keepalive *k, struct error *err)
{
	return k && k->fn ? k->fn(k->ctx, err) : 0;
}

#endif
