/* Workers and items for a pass. */
#include "sender/threads/pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "sender/threads/pipeline.h"
#include "tests/lib/unit.h"

/* Memory for so many of each; how many there are; and what a worker's failure is. */
struct supply {
	unsigned workers, items;
	int failure;
};
static int alive;

static int new_worker(void *ctx, void **worker_ret, struct error *err)
{
	struct supply *s = ctx;

	if (s->workers == 0)
		return error_set(err, s->failure, "no worker");
	s->workers--;
	alive++;
	*worker_ret = malloc(1);
	return 0;
}

static void *new_item(void *ctx)
{
	struct supply *s = ctx;

	if (s->items == 0)
		return NULL;
	s->items--;
	alive++;
	return malloc(1);
}

static void free_one(void *one)
{
	alive--;
	free(one);
}

enum { EACH = PIPELINE_ITEMS_PER_WORKER, LOTS = 1000 };
static const uint64_t never = UINT64_MAX; /* memory that no system can spare */

static const struct row {
	const char *name;
	unsigned threads;
	struct supply supply;
	bool spares;
	int want;
	unsigned workers, items;
} rows[] = {
	{"pool_init: has one worker and one item in line", 0, {LOTS, LOTS, 0}, true, 0, 1, 1},
	{"pool_init: has items for each thread", 3, {LOTS, LOTS, 0}, true, 0, 3, 3 * EACH},
	{"pool_init: does with fewer workers", 3, {2, LOTS, -ENOMEM}, true, 0, 2, 2 * EACH},
	{"pool_init: does with fewer items", 3, {LOTS, EACH + 1, 0}, true, 0, 3, EACH + 1},
	{"pool_init: leaves the memory that others need", 3, {LOTS, LOTS, 0}, false, 0, 1, 1},
	{"pool_init: fails without a worker", 3, {0, LOTS, -ENOMEM}, true, -ENOMEM, 0, 0},
	{"pool_init: fails without an item", 3, {LOTS, 0, 0}, true, -ENOMEM, 1, 0},
	{"pool_init: fails where not memory is short",
	 3,
	 {2, LOTS, -EMFILE},
	 true,
	 -EMFILE,
	 2,
	 2 * EACH},
};

static void test_pool(void **state)
{
	const struct row *row = *state;
	struct supply supply = row->supply;
	const struct pool_setup setup = {
		.threads = row->threads,
		.spare_bytes = row->spares ? 0 : never,
		.worker_new = new_worker,
		.worker_free = free_one,
		.item_new = new_item,
		.item_free = free_one,
		.ctx = &supply,
	};
	struct error err;
	struct pool pool;

	alive = 0;
	assert_int_equal(pool_init(&pool, &setup, &err), row->want);
	assert_int_equal(pool.worker_count, row->workers);
	assert_int_equal(pool.item_count, row->items);
	pool_deinit(&pool);
	assert_int_equal(alive, 0);
}

int main(int argc, char **argv)
{
	struct unit u = {.count = 0};

	UNIT_ADD_ROWS(&u, rows, test_pool);
	return unit_run(&u, "pool", argc, argv);
}
