/*
 * The store as a collector sees to it: tidied at the start and then every hour, and looked at for
 * sessions that want space. The work is a janitor's (receiver/retention/janitor.h), one at a time,
 * so the collector doesn't wait; sessions that want space meanwhile share the next one.
 */
#ifndef TIDYING_H
#define TIDYING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "receiver/retention/janitor.h"

enum { TIDYING_BATCH = 64 };

/* Told of the answer to the session that process `pid` has. */
typedef void tidying_answer_fn(void *ctx, pid_t pid, const struct space_answer *answer);

struct tidying {
	const char *dir; /* borrowed */
	struct space_limits limits;
	tidying_answer_fn *answer;
	void *ctx;

	struct janitor janitor;
	uint64_t next_ms; /* clock_ms() */

	/* In order; the janitor is at work on the first `asked`. */
	struct reserve_want *wants;
	pid_t *pids;
	size_t count, room, asked;
};

/* The caller deinits. Other limits may be set later: then tidying_reset(). */
void tidying_init(struct tidying *t, const char *dir, const struct space_limits *limits,
		  tidying_answer_fn *answer, void *ctx);
void tidying_deinit(struct tidying *t);

/* Go on by other limits: tidying is due at once. */
void tidying_reset(struct tidying *t, const struct space_limits *limits);

/*
 * A session wants space. `promised_bytes` is what other sessions may still write. Where there is
 * plenty, the answer comes at once; also where it can't be looked for, since a dump that comes is
 * worth more than a limit.
 */
void tidying_want(struct tidying *t, pid_t pid, const struct reserve_want *want,
		  uint64_t promised_bytes);

/* Whether tidying is due: never without rules. */
bool tidying_is_due(const struct tidying *t, uint64_t now_ms);

/* Whether a janitor is at work; `fd_ret`: its descriptor, that tidying_turn() reads. */
bool tidying_is_busy(const struct tidying *t, int *fd_ret);

/* Hear answers, and start what is due. To be called now and then, and when that descriptor can be
 * read. */
void tidying_turn(struct tidying *t, uint64_t now_ms);

#endif
