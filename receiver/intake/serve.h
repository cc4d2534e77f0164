/* One session, from its first byte to its end: transport, session and store, and what the operator
 * is told. */
#ifndef SERVE_H
#define SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/store/store.h"

struct transport;

struct serve_setup {
	struct store_setup store;
	session_admit_fn *admit; /* NULL: it may begin at once */
	void *admit_ctx;
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
