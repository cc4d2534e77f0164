/*
 * One destination: a session with a server as far as WELCOME, a file, or standard output one way;
 * and what its failures mean for trying it again.
 *
 * Knows nothing of the other destinations, nor when one's turn is.
 */
#ifndef DESTINATION_H
#define DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "base/stop.h"
#include "format/sums.h"
#include "sender/delivery/link.h"
#include "sender/delivery/mark.h"
#include "wire/message.h"
#include "wire/transport.h"
#include "wire/url.h"

struct crashlog;

/* How any destination is reached, and what it is told. */
struct destination_setup {
	struct connect_setup connect; /* its strings are borrowed */
	struct hello hello;
	const struct crashlog *log; /* the kernel's (borrowed); NULL: there is none */
	uint32_t timeout_ms;	    /* silence before a link counts as broken */
	uint64_t retry_ms;	/* how long servers are tried without progress; 0: a default that
				   depends on what has failed */
	uint64_t queue_ms;	/* how long a server's queue may take altogether; 0: the default */
	uint64_t bytes_per_s;	/* 0: not limited */
	bool force;		/* a file: replaces an existing dump */
	bool may_be_volatile;	/* file: may be in memory */
	enum sums_kind sums;	/* beside a file: */
	struct keepalive alive; /* called while sums are made */
	struct stop stop;
};

struct destination {
	struct url url;
	bool oneway;		      /* standard output: nothing comes back */
	bool refused;		      /* for good */
	bool welcomed;		      /* once: names, keys and addresses are right */
	bool in_vain;		      /* the last try, of a dump that waited for it */
	bool has_part;		      /* it acknowledged a checkpoint */
	bool was_taken;		      /* it has some that it never acknowledged */
	bool was_sent;		      /* some was sent, which it may have or not */
	char part[MESSAGE_TEXT_ROOM]; /* where it has that; "": it doesn't say */
	struct mark mark;	      /* how far the dump came there */
	uint64_t queued_ms;	      /* time in its queue since the last progress */
	bool queue_is_over;	      /* the queue took too long */
	uint32_t turn_s;  /* its queue was full, and it said to come again after so much */
	uint64_t away_ms; /* since then its queue gets shorter without us; 0: no */
	unsigned denials; /* how often one side didn't trust the other */
	unsigned mismatches;
	unsigned put_off;	/* how often it said to come later since its last acknowledgement */
	uint64_t not_before_ms; /* the time at which it said to come again */
};

/* Whether the destination is reached by a link. */
bool destination_is_server(const struct destination *to);

/* Whether the destination isn't tried again: it has refused, or its queue took too long. */
bool destination_is_out(const struct destination *to);

/*
 * A session with a server as far as WELCOME, waiting in its queue if need be. *link_ret is the
 * caller's, also where this fails with a link half made; NULL where there is none.
 */
NODISCARD int destination_connect(struct destination *to, const struct destination_setup *setup,
				  bool probe, struct link **link_ret, struct error *err);

/* Whether a failure with that code, told already, may come from a link that changed a byte of a
 * handshake, which looks like a wrong key. */
bool destination_may_be_wronged(const struct destination *to, int code);

/* Note bytes that the destination may have of `link` (NULL: none), though it acknowledged nothing.
 * Returns whether it has some. */
bool destination_note_sent(struct destination *to, struct link *link);

/* Tell the operator how much of the dump the destination has, and where. */
void destination_say_part(const struct destination *to);

/* How long it has been getting shorter by now, which isn't in vain. */
uint64_t destination_away_ms(const struct destination *to);

/* The destination failed, with `link` or without (NULL): note what that means for the next try, and
 * tell the operator. `queue_ms` as in the setup. */
void destination_failed(struct destination *to, struct link *link, uint64_t queue_ms,
			const struct error *err);

#endif
