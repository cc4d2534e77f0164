/*
 * What ends vmsend before its work is done (a signal, its deadline), and what keeps it from being
 * ended in a crash kernel. One for the process, as signals are.
 */
#ifndef LIFETIME_H
#define LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

struct options;

/* From here on signals are noted, the deadline runs, and the watchdog, if there is one, wants to be
 * fed. What can't be had of these is a warning. */
void lifetime_begin(const struct options *o);

/* The last feeding of the watchdog. */
void lifetime_end(void);

/*
 * Whether it is time to stop, which a second signal does at once. Asked by all that goes on for
 * long, between one bounded step and the next, on any thread: the watchdog is fed by it, and so is
 * left alone where one of these never ends. What only waits (for a server, for a link) is bounded
 * by other options.
 */
bool lifetime_is_over(void);

/* Whether it was a signal. */
bool lifetime_was_stopped(void);

/* clock_ms() at the deadline; 0: there is none. */
uint64_t lifetime_deadline_ms(void);

#endif
