/*
 * What ends vmsend before its work is done (a signal, its deadline), and what keeps it from being
 * ended in a crash kernel. One for the process, as signals are.
 */
#ifndef LIFETIME_H
#define LIFETIME_H

#include "base/stop.h"

struct options;

/* From here on signals are noted, the deadline runs, and the watchdog, if there is one, wants to be
 * fed. Where one of these can't be had, there is a warning. */
void lifetime_begin(const struct options *o);

/* The last feeding of the watchdog. */
void lifetime_end(void);

/*
 * What ends the run: a signal (a second one ends it at once), or the deadline. All that goes on for
 * long asks it, between one bounded step and the next, on any thread: that feeds the watchdog, so a
 * step that never ends leaves it hungry. Other options bound what only waits (for a server, for a
 * link).
 */
struct stop lifetime_stop(void);

#endif
