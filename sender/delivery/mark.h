/*
 * How far a dump has come at one server: the furthest point that it ever acknowledged, so that only
 * what goes beyond it is progress. A point is told by the pages that are done, not by bytes of the
 * stream: what is sent again may be compressed otherwise.
 */
#ifndef MARK_H
#define MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "format/segment.h"

/* Checkpoints that may wait for their acknowledgement: more than are sent in a second. What is
 * beyond them is judged by the next one. */
enum { MARK_SENT_MAX = 256 };

struct mark {
	uint64_t acked; /* the furthest that was acknowledged */
	uint64_t sent;	/* the furthest that was sent there */
};

/* What was sent over one link. */
struct mark_link {
	struct {
		uint64_t segment, reach;
	} sent[MARK_SENT_MAX];
};

void mark_link_begin(struct mark_link *l);

/* The server goes on from there. Whether that is progress: it isn't what it had before this run of
 * the program, nor what can't have come. */
bool mark_resumed(struct mark *m, const struct cursor *cursor);

/* A checkpoint was sent. */
void mark_sent(struct mark *m, struct mark_link *l, const struct cursor *cursor);

/* Its number is acknowledged. Whether that is progress. */
bool mark_acked(struct mark *m, const struct mark_link *l, uint64_t number);

#endif
