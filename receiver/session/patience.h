/*
 * What a session's operations ask of a disk may take longer than the peer waits, and neither an
 * fsync nor a write can be asked how long. So a second thread makes itself heard meanwhile: while
 * an operation is going on, and only then, what is the session's is that thread's to use.
 */
#ifndef PATIENCE_H
#define PATIENCE_H

#include "base/keepalive.h"
#include "receiver/session/session.h"

struct patience;

/* Does what `ops` with `ctx` do (borrowed, both), while a thread calls `alive` now and then. Where
 * there is no thread to be had, nobody is heard. Fails -ENOMEM. */
NODISCARD int patience_new(const struct session_ops *ops, void *ctx, const struct keepalive *alive,
			   struct patience **p_ret, struct error *err);
void patience_free(struct patience *p);
DEFINE_AUTO(struct patience, patience_free)

/* What a session calls, with a struct patience. An operation that has begun is waited for, whatever
 * `alive` says; then it fails with that, but for the last one, whose success counts. */
extern const struct session_ops patience_ops;

/* For what an operation does step by step: 0, or what `alive` says, or has said meanwhile. */
NODISCARD int patience_wanted(struct patience *p, struct error *err);

/* How long the operation that is going on stands still: has neither ended nor asked whether it is
 * wanted. Only alive() may call it. */
uint64_t patience_still_ms(const struct patience *p);

#endif
