/*
 * A hardware watchdog, which resets the machine unless it is written to in time. It is never
 * stopped: a machine that hangs after vmsend has ended shall not hang for ever.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include "base/error.h"

struct watchdog;

/* Open the device, which starts the watchdog if it isn't running. */
NODISCARD int watchdog_new(const char *path, struct watchdog **w_ret, struct error *err);

/* Feed it a last time: the machine then has the whole time-out left. */
void watchdog_free(struct watchdog *w);
DEFINE_AUTO(struct watchdog, watchdog_free)

/* Feed it, if it is time to. To be called after each piece of work that counts as progress; any
 * thread may. `w` may be NULL. */
void watchdog_feed(struct watchdog *w);

/* Seconds after which it resets the machine; 0: not known. */
int watchdog_timeout_s(const struct watchdog *w);

/* Check whether the device could be opened, without opening it: that would start it. */
NODISCARD int watchdog_check(const char *path, struct error *err);

#endif
