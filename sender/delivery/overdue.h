/*
 * Whether a receiver is overdue with an answer to a frame, or with taking the bytes that are sent.
 * Heartbeats show that the receiver is there, but not that it makes progress, so they don't count
 * as an answer. upload_tick() itself notices a receiver that sends nothing at all. The caller tells
 * the time; no input or output happens here.
 */
#ifndef OVERDUE_H
#define OVERDUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct overdue {
	uint64_t limit_ms; /* for an answer, and for taking the least number of bytes; 0: none */
	uint64_t least_bytes_per_s; /* the least rate at which waiting bytes must be taken */

	const char *owed;	/* the name of the answer; NULL: none is owed */
	uint64_t owed_off;	/* the answer is owed once so many bytes have gone out */
	uint64_t owed_since_ms; /* when they had gone out; 0: they haven't yet */
	uint64_t more_ms;	/* beyond the limit, for work that is known to take long */

	uint64_t sent_bytes;   /* that have gone out */
	uint64_t window_ms;    /* since when bytes wait to be sent; 0: none do */
	uint64_t window_bytes; /* bytes that have gone out since */
};

void overdue_init(struct overdue *o, uint64_t limit_ms, uint64_t least_bytes_per_s);

/* An answer is owed when all `waiting_bytes` that wait to be sent now have gone out, within the
 * limit and `more_ms`. `what` is borrowed. */
void overdue_owe(struct overdue *o, const char *what, size_t waiting_bytes, uint64_t more_ms);

/* The answer has come. */
void overdue_paid(struct overdue *o);

/* `size_bytes` have gone out, `waiting_bytes` still wait. */
void overdue_sent(struct overdue *o, size_t size_bytes, size_t waiting_bytes, uint64_t now_ms);

/* Fails -ETIMEDOUT, naming the overdue answer. `waiting_bytes` wait to be sent. */
NODISCARD int overdue_check(struct overdue *o, size_t waiting_bytes, uint64_t now_ms,
			    struct error *err);

/* The time at which overdue_check() fails next, if nothing happens; UINT64_MAX: never. */
uint64_t overdue_next_ms(const struct overdue *o);

#endif
