/*
 * A set of pfns that can be counted and searched: the 2nd bitmap of the dump, and what follows from
 * it (a page's descriptor has the index that is the page's rank in the set).
 *
 * It is kept packed, in blocks of 32,768 pfns: a run of pages takes 4 bytes, however long, and
 * where runs are so short that bits are less, it is bits. So 12 TiB of 4 KiB pages, whose bitmap is
 * 384 MiB, take 1.5 MiB for the blocks and what is mixed within them.
 *
 * Many threads may read a set that nobody changes.
 */
#ifndef PAGESET_H
#define PAGESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct pageset;

/* An empty set of pfns below `mapnr`. Fails -ENOMEM. */
NODISCARD int pageset_new(uint64_t mapnr, struct pageset **set_ret, struct error *err);
void pageset_free(struct pageset *set);
DEFINE_AUTO(struct pageset, pageset_free)

/* Take no more than memory_bytes of memory; 0: no limit. Where that isn't enough, the changes from
 * then on are lost (see pageset_check()), and only the memory that they would take is still
 * counted. */
void pageset_limit(struct pageset *set, uint64_t memory_bytes);

/* Whether all changes were made: to be asked before a set is used. Fails -ENOMEM where memory was
 * at its end, or at its limit. */
NODISCARD int pageset_check(const struct pageset *set, struct error *err);

/* The bytes of memory that the set takes, or would if it were let (as of pageset_index()); and the
 * most that one of `mapnr` can. */
uint64_t pageset_memory(const struct pageset *set);
uint64_t pageset_memory_max(uint64_t mapnr);

/*
 * Add, remove [first, end), end <= mapnr. Earlier counts are out of date then: see pageset_index().
 * The block of the last change stays unpacked, so changes near to each other are cheap.
 */
void pageset_add(struct pageset *set, uint64_t first, uint64_t end);
void pageset_remove(struct pageset *set, uint64_t first, uint64_t end);

/* Remove the pfns whose bits are set in `words`, `count` of them: bit b is pfn first + b, and first
 * a multiple of 64. */
void pageset_remove_bits(struct pageset *set, uint64_t first, const uint64_t *words, size_t count);

/* Remove all that `other` has; both are of the same mapnr. */
void pageset_subtract(struct pageset *set, const struct pageset *other);

/* Add the gaps between members that are at most `pages` long. */
void pageset_fill_gaps(struct pageset *set, uint64_t pages);

bool pageset_has(const struct pageset *set, uint64_t pfn);

/* The first pfn >= pfn that is in the set (pageset_next) or isn't (pageset_next_gap); mapnr if
 * there is none. */
uint64_t pageset_next(const struct pageset *set, uint64_t pfn);
uint64_t pageset_next_gap(const struct pageset *set, uint64_t pfn);

/* How many members there are in a row from `pfn` (< mapnr) on, counted to `max` at the most: looks
 * no further, however long the row is. */
uint64_t pageset_run(const struct pageset *set, uint64_t pfn, uint64_t max);

/* `bytes` of the bitmap from byte `at` on: pfn n is bit n % 8 of byte n / 8. Beyond the last pfn
 * all is 0. */
void pageset_read(const struct pageset *set, uint64_t at, uint8_t *out, size_t bytes);
uint64_t pageset_mapnr(const struct pageset *set);

/* Pack all, and count; the three below need it after the last change. */
void pageset_index(struct pageset *set);

uint64_t pageset_count(const struct pageset *set);

/* How many pfns below `pfn` are in the set. */
uint64_t pageset_rank(const struct pageset *set, uint64_t pfn);

/* The pfn of rank n: n < pageset_count(). */
uint64_t pageset_select(const struct pageset *set, uint64_t n);

#endif
