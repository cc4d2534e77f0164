/*
 * How far a dump has come at one server: the furthest point that it ever acknowledged, so that only
 * what goes beyond it is progress. A point is measured in finished pages, not in bytes of the
 * stream, since pages that are sent again may be compressed by another codec.
 */
#ifndef MARK_H
#define MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "format/segment.h"

/* Checkpoints that may wait for their acknowledgement: more than are sent in a second. Where there
 * are more, later checkpoints stand for them. */
enum { MARK_SENT_MAX = 256 };

struct mark {
	uint64_t acked; /* the furthest that was acknowledged */
	uint64_t sent;	/* the furthest that was sent there */
};

/* The checkpoints that were sent over one link. */
struct mark_link {
	struct {
		uint64_t segment, reach;
	} sent[MARK_SENT_MAX];
};

void mark_link_begin(struct mark_link *l);

/* The server goes on from `cursor`. Returns whether that is progress: a point that it had before
 * this run of the program is none, nor is one that was never sent. */
bool mark_resumed(struct mark *m, const struct cursor *cursor);

/* A checkpoint was sent. */
void mark_sent(struct mark *m, struct mark_link *l, const struct cursor *cursor);

/* The checkpoint `number` is acknowledged. Returns whether that is progress. */
bool mark_acked(struct mark *m, const struct mark_link *l, uint64_t number);

#endif
