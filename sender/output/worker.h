/* One worker: reads, tests for zero and compresses the pages of a chunk. */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

#include "base/error.h"
#include "sender/output/chunk.h"

struct codec_ladder;
struct codec_pace;
struct pageset;
struct plan;
struct vmcore;
struct worker;

/* What all workers share; it outlives them. */
struct worker_setup {
	const struct vmcore *core;
	const struct pageset *pages;	   /* the pages to dump */
	const struct plan *plan;	   /* their order */
	const struct codec_ladder *ladder; /* the codecs for chunks */
	struct codec_pace *pace;	   /* chooses one of them; NULL: the fastest */
	bool exclude_zero;		   /* level bit 1 */
	bool digest;			   /* make each chunk's SHA-256 */
};

/* Takes all memory that the worker will need. Fails -ENOMEM, -ENOTSUP (codec). */
NODISCARD int worker_new(const struct worker_setup *setup, struct worker **w_ret,
			 struct error *err);
void worker_free(struct worker *w);
DEFINE_AUTO(struct worker, worker_free)

/* Room that a chunk's page_data needs. */
size_t worker_page_data_bytes(const struct worker *w);

/*
 * Fill `chunk`, a struct chunk, with chunk k of the plan. The result depends only on the vmcore, k,
 * the setup and the choice of the pace. The `worker` is a struct worker. A page that can't be read
 * becomes PAGE_UNREADABLE; fails only where a digest can't be made.
 */
int worker_fill(void *worker, uint64_t k, void *chunk, struct error *err);

#endif
