/*
 * Reasons to end work before it is done: a signal, or a deadline. Work that takes long, or that
 * waits, has a struct stop, and asks it between one bounded step and the next.
 */
#ifndef BASE_STOP_H
#define BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

/* All zero: nothing ends the work. */
struct stop {
	bool (*signalled)(void); /* whether a signal came; NULL: none does. Any thread may ask */
	uint64_t deadline_ms;	 /* clock_ms(); 0: there is none */
};

/* Whether the work is to end now. Any thread. */
static inline bool stop_is_due(const struct stop *stop)
{
	return (stop->signalled && stop->signalled()) ||
	       (stop->deadline_ms && clock_ms() >= stop->deadline_ms);
}

/* The same as a code: 0, -ECANCELED (a signal) or -ETIME (the deadline); *err says which. Any
 * thread.
 */
NODISCARD int stop_check(const struct stop *stop, struct error *err);

#endif
