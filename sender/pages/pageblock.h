/*
 * A block of the page bitmap in the least memory: where membership changes, as positions of 16
 * bits, or plain bits where those are less. A block of pages that are all in, or all out, takes
 * nothing.
 */
#ifndef PAGEBLOCK_H
#define PAGEBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PAGEBLOCK_WORDS = 512,
	PAGEBLOCK_BITS = PAGEBLOCK_WORDS * 64,
	PAGEBLOCK_CHANGES_MAX = PAGEBLOCK_WORDS * 4, /* that many positions are as long as bits */
	PAGEBLOCK_BYTES_MAX = PAGEBLOCK_WORDS * 8 + 32, /* pageblock_bytes() of plain bits */
};

/* NULL is one without members. */
struct pageblock;

/* How often membership changes from one bit to the next; a member at 0 counts as a change. */
unsigned pageblock_changes(const uint64_t words[static PAGEBLOCK_WORDS]);

/* The most memory that a block of so many changes takes, the allocator's own included. */
size_t pageblock_bytes(unsigned changes);

/* The block of `words`, which have so many changes: the caller's to free. False if there is no
 * memory. */
bool pageblock_pack(const uint64_t words[static PAGEBLOCK_WORDS], unsigned changes,
		    struct pageblock **block_ret);
void pageblock_free(struct pageblock *block);

/* A block of members only, and whether a block is one. */
struct pageblock *pageblock_full(void);
bool pageblock_is_full(const struct pageblock *block);

void pageblock_unpack(const struct pageblock *block, uint64_t words[static PAGEBLOCK_WORDS]);

/* The changes that pageblock_pack() was told; PAGEBLOCK_CHANGES_MAX and more are that. */
unsigned pageblock_changes_of(const struct pageblock *block);

/* The first bit >= `at` that is a member (or isn't), PAGEBLOCK_BITS if there is none. */
unsigned pageblock_seek(const struct pageblock *block, unsigned at, bool member);

/* How many members there are below `end`, which may be PAGEBLOCK_BITS. */
unsigned pageblock_count(const struct pageblock *block, unsigned end);

/* The n-th member; there are more than n. */
unsigned pageblock_select(const struct pageblock *block, unsigned n);

/* --- of plain bits --- */

void pageblock_words_change(uint64_t words[static PAGEBLOCK_WORDS], unsigned first, unsigned end,
			    bool member);
unsigned pageblock_words_seek(const uint64_t words[static PAGEBLOCK_WORDS], unsigned at,
			      bool member);

#endif
