/*
 * Going on where an earlier attempt to deliver the dump has ended: whether the receiver's part is
 * of this dump, and what was written before the point where it goes on.
 */
#ifndef RESUME_H
#define RESUME_H

#include <stdint.h>

#include "base/error.h"
#include "sender/output/writer.h"

struct delivery;
struct delivery_start;
struct pageset;
struct vmcore;

enum {
	/* Segments of which the counts are kept: more than are sent in the second between
	   acknowledgements. */
	RESUME_SNAPSHOTS = 256,
};

/* What was written by earlier attempts. All zero: nothing was. */
struct resume {
	struct writer_counts before; /* where the present attempt begins */
	struct {
		uint64_t segment; /* the cursor's; 0: unused */
		struct writer_counts counts;
	} snapshots[RESUME_SNAPSHOTS]; /* when a segment ended */
};

/* An attempt begins after that segment (0: at the beginning). Its counts are zeros if another run
 * of the program has sent it. */
void resume_begin(struct resume *resume, uint64_t segment);

/* The sum of what was written before the attempt, and of `counts` by the attempt's writer; the
 * writer's cursor already counts the unreadable pages before it. */
struct writer_counts resume_sum(const struct resume *resume, const struct writer_counts *counts);

/* A segment ends, with that sum. */
void resume_note(struct resume *resume, uint64_t segment, const struct writer_counts *sum);

/* The dump that is compared with the receiver's part. All is borrowed. */
struct resume_dump {
	const struct vmcore *core;
	const struct pageset *pages;
	struct writer_setup writer; /* of the dump, without a sink */
	uint64_t chunks;
};

/* Whether the receiver's part is of this dump, and its cursor one that can be: 1 or 0. */
NODISCARD int resume_check(const struct resume_dump *dump, struct delivery *delivery,
			   const struct delivery_start *start, struct error *err);

#endif
