/*
 * A child process that looks at the store, so that who asks for it doesn't wait. It has none of the
 * descriptors of its parent but the standard streams, reads nothing that comes from a peer, and may
 * be killed at any time.
 */
#ifndef JANITOR_H
#define JANITOR_H

#include <sys/types.h>

#include "base/error.h"
#include "receiver/retention/space.h"

struct janitor {
	pid_t pid; /* 0: there is none */
	int fd;	   /* its answers come by this; while there is a pid */
};

struct janitor_task {
	const char *dir;
	struct space_limits limits;
	const struct reserve_want *wants; /* who wants space; the store is tidied in any case */
	size_t want_count;
	void (*say)(const struct tidy_result *res);	 /* in the child, in the end; may be NULL */
	void (*told)(void *ctx, const struct stored *d); /* as in tidy_setup; in the child */
	void (*failed)(const struct error *err);	 /* in the child: the store can't be read */
};

/* Start one. Fails with the system's error. */
NODISCARD int janitor_start(struct janitor *j, const struct janitor_task *task, struct error *err);

/*
 * Its next answer, to the wants in order: 1; 0 if there is none now; -1 if it has ended, or there
 * is none. One that ends before its last answer could not look at the store. To be called when `fd`
 * can be read.
 */
int janitor_hear(struct janitor *j, struct space_answer *answer_ret);

/* Whether there is none, or it has ended by now. */
bool janitor_is_done(struct janitor *j);

/* Wait for its end. */
void janitor_wait(struct janitor *j);

/* End it: what it was at is finished by the next one. */
void janitor_stop(struct janitor *j);

#endif
