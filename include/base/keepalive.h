/*
 * For what takes long: who does it calls this now and then, so that the peer hears of us meanwhile,
 * and ends it when that fails.
 */
#ifndef KEEPALIVE_H
#define KEEPALIVE_H

#include <stddef.h>

#include "base/error.h"

struct keepalive {
	int (*fn)(void *ctx, struct error *err); /* NULL: nobody has to hear */
	void *ctx;
};

/* 0, or why to stop. `k` may be NULL. */
NODISCARD static inline int keepalive(const struct keepalive *k, struct error *err)
{
	return k && k->fn ? k->fn(k->ctx, err) : 0;
}

#endif
