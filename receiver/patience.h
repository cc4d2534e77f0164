/*
 * What a session's operations ask of a disk may take longer than the peer waits, and an fsync can't
 * be asked how long. So each is done by a thread of its own, while the caller's makes itself heard.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include "keepalive.h"
#include "session.h"

struct patience;

/* Does what `ops` with `ctx` do (borrowed, both), and calls `alive` meanwhile. Fails -ENOMEM. */
NODISCARD int patience_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
			   struct patience **p_ret, struct error *err);
void patience_free(struct patience *p);
DEFINE_AUTO(struct patience, patience_free)

/* What a session calls, with a struct patience. An operation that has begun is waited for, whatever
 * `alive` says; then it fails with that, but for the last one, whose success counts. DATA is too
 * often and too short for a thread. */
extern const struct session_ops patience_ops;

/* For what an operation does step by step: 0, or what `alive` has said in the meantime. */
NODISCARD int patience_wanted(struct patience *p, struct error *err);

#endif
