/* Workers and items for a pass, as many as memory allows.
 * Doesn't know what they do, nor when they run. */
#include "sender/threads/pool.h"

#include <errno.h>
#include <stdlib.h>

#include "sender/machine/meminfo.h"
#include "sender/threads/pipeline.h"

/* So many more, or as many as there is memory for. */
static void add_items(struct pool *pool, size_t count)
{
	const struct pool_setup *s = &pool->setup;

	for (size_t i = 0; i < count; i++) {
		void *item = s->item_new(s->ctx);

		if (!item)
			return;
		if (pool->item_count && !meminfo_can_spare(s->spare_bytes)) {
			s->item_free(item);
			return;
		}
		pool->items[pool->item_count++] = item;
	}
}

/* 1: it is there; 0: there is no memory for one more. */
static int add_worker(struct pool *pool, struct error *err)
{
	const struct pool_setup *s = &pool->setup;
	void *worker;
	const int r = s->worker_new(s->ctx, &worker, err);

	/* Memory for fewer of them is a reason to be slower, not to fail. */
	if (r < 0)
		return r == -ENOMEM && pool->worker_count ? 0 : r;
	if (pool->worker_count && !meminfo_can_spare(s->spare_bytes)) {
		s->worker_free(worker);
		return 0;
	}
	pool->workers[pool->worker_count++] = worker;
	return 1;
}

int pool_init(struct pool *pool, const struct pool_setup *setup, struct error *err)
{
	const unsigned count = MAX(setup->threads, 1U);
	const size_t each = setup->threads ? PIPELINE_ITEMS_PER_WORKER : 1;
	int r = 1;

	*pool = (struct pool){.setup = *setup};
	pool->workers = calloc(count, sizeof(*pool->workers));
	pool->items = calloc(count * each, sizeof(*pool->items));
	if (!pool->workers || !pool->items)
		return error_set(err, -ENOMEM, "out of memory for %u workers", count);
	while (r > 0 && pool->worker_count < count) {
		r = add_worker(pool, err);
		if (r > 0)
			add_items(pool, each);
		if (r > 0 && pool->item_count == 0)
			return error_set(err, -ENOMEM, "out of memory for what a worker fills");
	}
	return MIN(r, 0);
}

void pool_deinit(struct pool *pool)
{
	for (unsigned i = 0; i < pool->worker_count; i++)
		pool->setup.worker_free(pool->workers[i]);
	free(pool->workers);
	for (size_t i = 0; i < pool->item_count; i++)
		pool->setup.item_free(pool->items[i]);
	free(pool->items);
	*pool = (struct pool){0};
}
