/* Space for the one dump of a process that has no collector: a forced command, or a stream. */
#ifndef CLAIM_H
#define CLAIM_H

#include "receiver/retention/space.h"
#include "receiver/store/reserve.h"

struct claim {
	const char *dir; /* borrowed */
	struct space_limits limits;
};

/* A reserve_fn, whose context is a struct claim. A child looks at the store: this process would
 * lose its own dump's lock by that. */
int claim_space(void *ctx, const struct reserve_want *want, const struct keepalive *alive,
		uint64_t *granted_ret, struct error *err);

#endif
