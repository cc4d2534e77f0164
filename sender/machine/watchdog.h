/*
 * A hardware watchdog, which resets the machine unless it is written to in time. It is never
 * stopped: a machine that hangs behind us shall not hang for ever.
 */
#ifndef WATCHDOG_H
#define WATCHDOG_H

#include "base/error.h"

struct watchdog;

/* Opens it, which starts it if nobody has. */
NODISCARD int watchdog_new(const char *path, struct watchdog **w_ret, struct error *err);

/* The last time that it is fed. From here on it has its whole time-out to go. */
void watchdog_free(struct watchdog *w);
DEFINE_AUTO(struct watchdog, watchdog_free)

/* Feed it, if it is time to. To be called wherever something was done that can't go on for ever;
 * any thread may. `w` may be NULL. */
void watchdog_feed(struct watchdog *w);

/* Seconds after which it resets the machine; 0: it doesn't say. */
int watchdog_timeout_s(const struct watchdog *w);

/* Whether it could be opened; it isn't, since that would start it. */
NODISCARD int watchdog_check(const char *path, struct error *err);

#endif
