/*
 * The workers of a pass of the pipeline, and the items that they fill. There are as many of both as
 * memory allows: with fewer the pass is slower, but ends all the same.
 */
#ifndef POOL_H
#define POOL_H

#include <stddef.h>

#include "base/error.h"

struct pool_setup {
	unsigned threads;   /* that are wanted; 0: in line, with one worker and one item */
	size_t spare_bytes; /* that must be left to take beside any but the first worker and item */

	/* Make a worker (-ENOMEM where there is no memory), and an item (NULL: the same). */
	int (*worker_new)(void *ctx, void **worker_ret, struct error *err);
	void (*worker_free)(void *worker);
	void *(*item_new)(void *ctx);
	void (*item_free)(void *item);
	void *ctx;
};

struct pool {
	struct pool_setup setup;
	void **workers;
	unsigned worker_count;
	void **items;
	size_t item_count;
};

/*
 * Fill the pool: a worker, its items, the next worker, and so on, until there are enough or memory
 * is short. There is at least one of each. Fails -ENOMEM, or as worker_new() does for another
 * reason. pool_deinit() is due whatever comes back.
 */
NODISCARD int pool_init(struct pool *pool, const struct pool_setup *setup, struct error *err);

/* All zero is fine. */
void pool_deinit(struct pool *pool);

#endif
