/*
 * The ordered pipeline of both passes: workers fill chunks in parallel, a writer takes them
 * strictly in order. With no worker all of it happens in line, in the calling thread.
 *
 * Only fill() and write() know what a chunk is: fill() puts it into an item, and the same items are
 * used again and again.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	PIPELINE_WORKERS_MAX = 1024,

	/* Items per worker: the other workers go on while one writes to a link that is slow at the
	 * moment. */
	PIPELINE_ITEMS_PER_WORKER = 4,
};

struct pipeline {
	unsigned workers; /* threads that fill, the calling one included; 0: in line */
	uint64_t first_chunk, end_chunk;

	/*
	 * The items, at least one, which are the caller's: chunk k goes into item (k - first_chunk)
	 * % item_count. No number of items is so small that the pass could stand still.
	 */
	void *const *items;
	size_t item_count;

	/*
	 * Fill `item` with chunk k. Called by worker number w only, with worker[w] as context;
	 * several at once for different chunks. Fails with *err set, which ends the pass.
	 */
	int (*fill)(void *worker, uint64_t k, void *item, struct error *err);
	void *const *worker; /* one for each worker; one, if all is done in line */

	/*
	 * Take the next chunk: called in order, by one thread at a time, though not always the
	 * same. Returns 0 to go on, 1 to end the pass after this chunk, or fails with *err set.
	 */
	int (*write)(void *writer, const void *item, struct error *err);
	void *writer;

	/* A thread is started only if so much memory is still available; 0: always. */
	size_t spare_bytes;
};

/* The workers that a pass has had. */
struct pipeline_crew {
	unsigned workers; /* 0: in line */
	/* Why there were no more: 0 (all were started), -ENOMEM (spare_bytes), or -errno of
	 * pthread_create(): -EAGAIN is a limit of the number of threads. */
	int refused;
};

/*
 * Run a pass over its chunks. Returns 0 (all were written), 1 (write() asked to end), or the first
 * failure of fill() or write(). When it returns, no thread is left. Where a thread can't be
 * started, the others do its work; *crew_ret says so. Fails -ENOMEM if there is no room for the
 * slots' words.
 */
NODISCARD int pipeline_run(const struct pipeline *p, struct pipeline_crew *crew_ret,
			   struct error *err);

#endif
