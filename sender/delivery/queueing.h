/*
 * Waiting in a server's queue: when the operator is told of the place, and when it has taken too
 * long. The caller tells the places and the time; no input or output happens here.
 */
#ifndef QUEUEING_H
#define QUEUEING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct queueing {
	uint64_t stall_ms; /* without a better place; 0: not limited */
	uint64_t total_ms; /* altogether; 0: not limited */

	uint64_t begun_ms, moved_ms; /* when the place last became a better one */
	uint32_t best;
	bool has_told;
	uint32_t told; /* the place that the operator knows */
	uint64_t told_ms, tell_again_ms;
};

void queueing_begin(struct queueing *q, uint64_t stall_ms, uint64_t total_ms, uint64_t now_ms);

/*
 * Take the present place. Returns whether to tell it to the operator: the first place; a place that
 * is half of the one told last; the last three places; and, more and more rarely, that the sender
 * still waits. A console of 9600 baud can't take a line for each of a thousand places.
 */
bool queueing_tells(struct queueing *q, uint32_t place, uint64_t now_ms);

/* 0, or -ETIMEDOUT: the queue doesn't get shorter, or (*over_ret) it has taken too long
 * altogether. */
NODISCARD int queueing_check(const struct queueing *q, uint64_t now_ms, bool *over_ret,
			     struct error *err);

#endif
