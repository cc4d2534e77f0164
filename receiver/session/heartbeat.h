/*
 * A session's operations on a disk may take longer than the peer waits for a sign of life, and
 * nobody can ask an fsync or a write how long it will take. So a second thread sends heartbeats
 * meanwhile. While an operation is going on, and only then, that thread may use the session.
 */
#ifndef HEARTBEAT_H
#define HEARTBEAT_H

#include "base/keepalive.h"
#include "receiver/session/session.h"

struct heartbeat;

/* Passes operations on to `ops` with `ctx` (borrowed, both), while a thread calls `alive` now and
 * then. Where the system gives no thread, `alive` isn't called during an operation. Fails
 * -ENOMEM. */
NODISCARD int heartbeat_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
			    struct heartbeat **p_ret, struct error *err);
void heartbeat_free(struct heartbeat *p);
DEFINE_AUTO(struct heartbeat, heartbeat_free)

/* The operations for a session, whose context is a struct heartbeat. An operation that has begun is
 * waited for, even where `alive` fails meanwhile; then the operation fails with the error of
 * `alive`, but for the last one, whose success counts. */
extern const struct session_ops heartbeat_ops;

/* For an operation that works step by step: 0, or the error of `alive`, now or since the operation
 * began. */
NODISCARD int heartbeat_wanted(struct heartbeat *p, struct error *err);

/* For how long the present operation has stood still: it has neither ended nor called
 * heartbeat_wanted(). Only alive() may call this. */
uint64_t heartbeat_still_ms(const struct heartbeat *p);

#endif
