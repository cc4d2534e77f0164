/*
 * A set of byte ranges: the parts of a file that have arrived. Neighbours are merged, so that a
 * file that comes in order is one range; RANGES_MAX bounds a file that comes scattered.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	/*
	 * makedumpfile's and QEMU's streams make about ten. Sixteen thousand let a dump of some GiB
	 * arrive in random order, take 256 KiB, and make the dearest insertion a move of as much (5
	 * µs).
	 */
	RANGES_MAX = 16384,
};

struct range {
	uint64_t begin, end; /* begin < end */
};

struct ranges {
	struct range *items; /* ours; sorted, neither overlapping nor touching */
	size_t count, room;
	size_t last; /* the item last found or added: most lookups are near it */
};

/* An empty set in the caller's storage; ranges_deinit() frees the memory that it takes later. */
void ranges_init(struct ranges *set);
void ranges_deinit(struct ranges *set);

/* Make the set empty, and keep its memory. */
void ranges_clear(struct ranges *set);

/* Add [begin, end), begin < end. Fails -EFBIG (more than RANGES_MAX) or -ENOMEM, and then adds
 * nothing. */
NODISCARD int ranges_add(struct ranges *set, uint64_t begin, uint64_t end, struct error *err);

/* Whether all of [begin, end) is in the set; true if [begin, end) is empty. */
bool ranges_cover(struct ranges *set, uint64_t begin, uint64_t end);

/*
 * The first part of the set in [begin, end): true and *part_ret set, cut to that, or false if there
 * is none.
 */
bool ranges_first_in(struct ranges *set, uint64_t begin, uint64_t end, struct range *part_ret);

#endif
