/*
 * A session on a transport: moves bytes between the two, keeps time, and limits the rate. The one
 * owner of the connection; one user at a time, though not always the same thread.
 */
#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"
#include "sender/delivery/upload.h"

struct link;
struct transport;

struct link_setup {
	uint64_t bytes_per_s; /* at most; 0: not limited */
	struct stop stop;     /* ends all waits */
};

/* Begin a session. Takes `transport`, also where it fails. */
NODISCARD int link_new(struct transport *transport, const struct upload_setup *session,
		       const struct link_setup *setup, struct link **l_ret, struct error *err);
void link_free(struct link *l);
DEFINE_AUTO(struct link, link_free)

struct upload *link_session(struct link *l);

/* Whether a call has failed: later failures are then the link's, or the peer's. */
bool link_is_broken(const struct link *l);

/* Send and take as many bytes as possible without waiting. Fails with the error that ends the
 * session. */
NODISCARD int link_pump(struct link *l, struct error *err);

/*
 * The same, waiting until the session's state is beyond `state` (until it is DONE, for
 * UPLOAD_ENDING). Fails as stop_check(), too.
 */
NODISCARD int link_await(struct link *l, enum upload_state state, struct error *err);

/* The same for a moment, or until bytes have come or gone. */
NODISCARD int link_turn(struct link *l, struct error *err);

/* Hand over all bytes, waiting where there is no room; they go out with the next call that moves
 * the link. Fail as link_await(). */
NODISCARD int link_attach(struct link *l, const struct attach *piece, struct error *err);
NODISCARD int link_totals(struct link *l, const struct totals *totals, struct error *err);
NODISCARD int link_data(struct link *l, const uint8_t *bytes, size_t size_bytes, struct error *err);
NODISCARD int link_checkpoint(struct link *l, const struct checkpoint *checkpoint,
			      struct error *err);
NODISCARD int link_end(struct link *l, const struct end *end, struct error *err);

/* Send ABORT, as far as the peer takes it within a second or two. */
void link_abort(struct link *l, enum reason reason, const char *text);

/* Bytes that were handed over and aren't sent yet. */
uint64_t link_waiting_bytes(const struct link *l);

/* Bytes that went out, headers of frames included. */
uint64_t link_sent_bytes(const struct link *l);

#endif
