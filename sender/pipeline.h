/*
 * The page pass: workers fill chunks in parallel, a writer takes them strictly in order. With no
 * worker all of it happens in line, in the calling thread.
 */
#ifndef PIPELINE_H
#define PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "error.h"

enum {
	PIPELINE_WORKERS_MAX = 1024,

	/* Slots per worker: room for the others to go on while one writes to a link that is slow
	   just now. */
	PIPELINE_SLOTS_PER_WORKER = 4,
};

struct pipeline {
	unsigned workers; /* threads that fill, the calling one included; 0: in line */
	uint64_t first_chunk, end_chunk;
	size_t page_data_bytes; /* room for a chunk's bytes */

	/*
	 * Fill `chunk` with chunk k. Called by worker number w only, with workers[w] as context;
	 * several at once for different chunks. Fails with *err set, which ends the pass.
	 */
	int (*fill)(void *worker, uint64_t k, struct chunk *chunk, struct error *err);
	void *const *worker; /* one for each worker; one, if in line */

	/*
	 * Take the next chunk: called in order, by one thread at a time, though not always the
	 * same. Returns 0 to go on, 1 to end the pass behind this chunk, or fails with *err set.
	 */
	int (*write)(void *writer, const struct chunk *chunk, struct error *err);
	void *writer;
};

/*
 * Run the page pass over its chunks. Returns 0 (all were written), 1 (write() asked to end), or the
 * first failure of fill() or write(). When it returns, no thread is left. Where a thread can't be
 * had, the others do its work; none at all fails never. *started_ret: how many workers there were.
 * Fails -ENOMEM if there is no room for a ring.
 */
NODISCARD int pipeline_run(const struct pipeline *p, unsigned *started_ret, struct error *err);

#endif
