/*
 * What a session's operations ask of a disk may take longer than the peer waits, and neither an
 * fsync nor a write can be asked how long. So a second thread makes itself heard meanwhile: while
 * an operation is going on, and only then, what is the session's is that thread's to use.
 */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include "base/keepalive.h"
#include "receiver/session/session.h"

struct heartbeat;

/* Does what `ops` with `ctx` do (borrowed, both), while a thread calls `alive` now and then. Where
 * there is no thread to be had, nobody is heard. Fails -ENOMEM. */
NODISCARD int heartbeat_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
			    struct heartbeat **p_ret, struct error *err);
void heartbeat_free(struct heartbeat *p);
DEFINE_AUTO(struct heartbeat, heartbeat_free)

/* What a session calls, with a struct heartbeat. An operation that has begun is waited for,
 * whatever `alive` says; then it fails with that, but for the last one, whose success counts. */
extern const struct session_ops heartbeat_ops;

/* For what an operation does step by step: 0, or what `alive` says, or has said meanwhile. */
NODISCARD int heartbeat_wanted(struct heartbeat *p, struct error *err);

/* How long the operation that is going on stands still: has neither ended nor asked whether it is
 * wanted. Only alive() may call it. */
uint64_t heartbeat_still_ms(const struct heartbeat *p);

#endif
