/*
 * A child process that looks at the store, so that who asks for it doesn't wait. It has none of the
 * descriptors of its parent but the standard streams, reads nothing that comes from a peer, and may
 * be killed at any time.
 */
#ifndef JANITOR_H
#define JANITOR_H

#include <sys/types.h>

#include "base/error.h"
#include "receiver/retention/tidy.h"

struct janitor {
	pid_t pid; /* 0: there is none */
};

struct janitor_task {
	const char *dir;
	struct rules rules;
	void (*say)(const struct tidy_result *res);	 /* in the child, in the end; may be NULL */
	void (*told)(void *ctx, const struct stored *d); /* as in tidy_setup; in the child */
	void (*failed)(const struct error *err);	 /* in the child: the store can't be read */
};

/* Start one. Fails with the system's error. */
NODISCARD int janitor_start(struct janitor *j, const struct janitor_task *task, struct error *err);

/* Whether there is none, or it has ended by now. */
bool janitor_is_done(struct janitor *j);

/* End it: what it was at is finished by the next one. */
void janitor_stop(struct janitor *j);

#endif
