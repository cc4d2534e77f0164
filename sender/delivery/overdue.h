/*
 * What a receiver owes the sender, and whether it is overdue: an answer to what was said, and that
 * what is sent is taken. Heartbeats show that the receiver is there, not that it gets on, so they
 * pay nothing. It is told the time, and does no input or output.
 */
#ifndef OVERDUE_H
#define OVERDUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct overdue {
	uint64_t limit_ms; /* for an answer, and for the least that is to be taken; 0: none */
	uint64_t least_bytes_per_s; /* that are taken of what waits to be sent */

	const char *owed;	/* what it is; NULL: nothing is owed */
	uint64_t owed_off;	/* it is owed once so many bytes have gone out */
	uint64_t owed_since_ms; /* when they had; 0: they haven't */
	uint64_t more_ms;	/* beyond the limit, for work that is known to take long */

	uint64_t sent_bytes;   /* that have gone out */
	uint64_t window_ms;    /* since when something waits to be sent; 0: nothing does */
	uint64_t window_bytes; /* that have gone out since */
};

void overdue_init(struct overdue *o, uint64_t limit_ms, uint64_t least_bytes_per_s);

/* An answer is owed when all `waiting_bytes` that wait to be sent now have gone out, within the
 * limit and `more_ms`. `what` is borrowed. */
void overdue_owe(struct overdue *o, const char *what, size_t waiting_bytes, uint64_t more_ms);

/* What was owed has come. */
void overdue_paid(struct overdue *o);

/* So many bytes have gone out, so many still wait. */
void overdue_sent(struct overdue *o, size_t size_bytes, size_t waiting_bytes, uint64_t now_ms);

/* Fails -ETIMEDOUT, with what is overdue. `waiting_bytes` wait to be sent. */
NODISCARD int overdue_check(struct overdue *o, size_t waiting_bytes, uint64_t now_ms,
			    struct error *err);

/* When overdue_check() has something to say at the latest; UINT64_MAX: it hasn't. */
uint64_t overdue_next_ms(const struct overdue *o);

#endif
