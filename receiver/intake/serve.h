/* One session, from its first byte to its end: transport, session and store, and what the operator
 * is told. */
#ifndef SERVE_H
#define SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/store/store.h"

struct transport;

/*
 * Told now and then how far a session is: whether its sender has begun, and the bytes of the stream
 * so far. Fails if it is to end: with -EALREADY, -EUSERS or -EAGAIN, of which each has its own time
 * to come again.
 */
typedef int serve_look_fn(void *ctx, bool going, uint64_t bytes, struct error *err);

struct serve_setup {
	struct store_setup store;
	session_admit_fn *admit; /* NULL: it may begin at once */
	void *admit_ctx;
	const uint32_t *retry_s; /* as in struct session_setup; NULL: as the error says */
	serve_look_fn *look;	 /* NULL: nobody wants to know */
	void *look_ctx;
	bool oneway;
	uint32_t timeout_ms;  /* silence that breaks the link */
	uint32_t answer_ms;   /* how long a disk may keep an answer to HELLO or TOTALS; 0: two
				 time-outs, and 15 s at least */
	const uint8_t *first; /* bytes that were read already (borrowed) */
	size_t first_bytes;
};

/* Takes `transport`. Returns the exit status. */
enum exit_status serve(struct transport *transport, const struct serve_setup *setup);

#endif
