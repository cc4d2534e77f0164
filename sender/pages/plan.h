/*
 * The order in which pages are sent, cut into chunks.
 *
 * Extents are pfn ranges in sending order; a chunk is up to chunk_pages() dumpable pages of one
 * extent, so every chunk is the same work however sparse the dump level leaves memory. Chunk k's
 * pages follow from k alone: any worker can take any chunk, and the page pass can begin at any.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/vmcore/memmap.h"

struct pageset;
struct plan;

enum {
	/* Handing a chunk over costs about 1 µs, which is lost in what its 64 pages of 4 KiB take.
	 */
	CHUNK_BYTES = 256 << 10,
	CHUNK_PAGES_MAX = 64,
};

/* The pages of a full chunk, at least 1: page_bytes is 4 KiB to 256 KiB. */
static inline uint32_t chunk_pages(uint64_t page_bytes)
{
	return (uint32_t)(CHUNK_BYTES / page_bytes);
}

/* A chunk's pages: the `pages` members of the set from first_pfn on. */
struct plan_chunk {
	uint64_t first_pfn;
	uint64_t first_rank; /* of first_pfn in the set: the index of its descriptor */
	uint32_t pages;	     /* 1 to chunk_pages() */
};

/*
 * Plan to send `set` (borrowed, indexed) in the order of `extents`, which are copied, `pages` a
 * chunk. The extents must be disjoint, and cover the whole set. Fails -ENOMEM.
 */
NODISCARD int plan_new(const struct pageset *set, const struct pfn_range *extents, size_t count,
		       uint32_t pages, struct plan **plan_ret, struct error *err);
void plan_free(struct plan *plan);
DEFINE_AUTO(struct plan, plan_free)

uint64_t plan_chunk_count(const struct plan *plan);

/* Chunk k < plan_chunk_count(). O(log n). Any thread. */
struct plan_chunk plan_chunk(const struct plan *plan, uint64_t k);

/* The pages of the chunks before chunk k <= plan_chunk_count(). Looks at extents, not at chunks: of
 * these a large machine's dump has millions. */
uint64_t plan_pages_before(const struct plan *plan, uint64_t k);

#endif
