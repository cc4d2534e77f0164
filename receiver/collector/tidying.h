/* When a collector tidies its store: at its start, and then every hour. The work is a janitor's
 * (receiver/retention/janitor.h), so nobody waits for it. */
#ifndef TIDYING_H
#define TIDYING_H

#include <stdbool.h>
#include <stdint.h>

#include "receiver/retention/janitor.h"

struct tidying {
	const char *dir; /* borrowed */
	struct rules rules;
	struct janitor janitor;
	uint64_t next_ms; /* clock_ms() */
};

/* Begin, or go on by other rules: tidying is due at once. */
void tidying_init(struct tidying *t, const char *dir, const struct rules *rules);

/* Whether it is due: never without rules. */
bool tidying_is_due(const struct tidying *t, uint64_t now_ms);

/* Tidy if it is due and nobody does. To be called now and then. */
void tidying_turn(struct tidying *t, uint64_t now_ms);

/* Whether a janitor is at work: tidying_turn() is then to be called soon. */
bool tidying_is_busy(const struct tidying *t);

/* End what is going on. */
void tidying_stop(struct tidying *t);

#endif
