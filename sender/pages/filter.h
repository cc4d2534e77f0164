/*
 * The filter pass: which pages go into the dump. In parallel over chunks of pfns, with the same
 * result for any number of workers and any chunk size: a chunk never looks back, and a block that
 * reaches beyond its chunk's end is an overhang that the ordered step lays over the next chunks.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"
#include "sender/kernel/pageclass.h"

struct kmodel;
struct pageset;
struct warnings;

enum {
	FILTER_CHUNK_BITS_MIN = 6, /* a word of bits */
	FILTER_CHUNK_BITS = 13,	   /* of machines with little memory */

	/* A page of 1 GiB: the largest of x86_64, which so lies in one chunk, and is told by one
	   struct page. */
	FILTER_CHUNK_BITS_MAX = 18,
};

struct filter_setup {
	const struct kmodel *km; /* with the core */
	unsigned exclude;	 /* classes to leave out, as a mask; those that aren't known stay */
	unsigned threads;	 /* 0: in line */
	uint64_t pages_bytes;	 /* of memory that the set of pages may take; 0: no limit */
	bool count_broken;	 /* look for broken memory in blocks that go anyway, too */
	unsigned chunk_bits;	 /* log2 of the pfns in a chunk; 0: what is best */
	size_t spare_bytes;	 /* memory that threads must leave for the work after the filter */
	struct stop stop;	 /* asked between chunks */

	/* Called after each chunk, by one thread at a time; what it fails with ends the pass. May
	 * be NULL. */
	int (*chunk_end)(void *ctx, struct error *err);
	void *ctx;
};

struct filter_result {
	uint64_t classes[CLASS_COUNT]; /* pages of each class; those of classes not known count as
					  kernel */
	uint64_t odd;		       /* free blocks of impossible orders: kept */
	uint64_t pages_bytes;	       /* of memory that the set takes, or would; 0: not known */
};

/*
 * The set of pages that stay in (indexed), the caller's to free. A page that the core has no data
 * of is never in it. Where the kernel's counters disagree badly with what was found, `warnings`
 * says so. Fails as stop_check(), or -ENOMEM: if result_ret->pages_bytes is known then, the set
 * would take that much.
 */
NODISCARD int filter_run(const struct filter_setup *setup, struct pageset **pages_ret,
			 struct filter_result *result_ret, struct warnings *warnings,
			 struct error *err);

#endif
