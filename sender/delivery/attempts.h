/*
 * Attempts to reach one of several destinations: whose turn it is, how long to wait before the next
 * try, and when no try is worth it any more. The one that is connected has a link, or an open file.
 *
 * Tells the operator of each attempt itself. One user at a time.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/delivery/destination.h"
#include "sender/delivery/mark.h"

struct cursor;
struct dumpfile;
struct link;

enum { DESTINATIONS_MAX = 16 };

struct attempts {
	struct destination_setup setup;
	struct destination to[DESTINATIONS_MAX];
	size_t to_count;	     /* 0: one way, into standard output */
	struct destination pipe;     /* standard output */
	struct destination *current; /* NULL: none is connected; may be the pipe */
	struct link *link;	     /* of a server */
	struct dumpfile *df;	     /* of file: */
	char *path;		     /* of `df` */
	uint64_t progress_ms;	     /* when something was last acknowledged, or it all began */
	uint64_t acked;		     /* of the current link: the last that was seen */
	struct mark_link sent;	     /* over it */
	bool moved;	   /* there was progress over the current link, or over the last */
	size_t next;	   /* the server that a round begins with */
	bool started;	   /* there is a dump to be sent: trying is in vain or not */
	unsigned rounds;   /* of trying all servers, since then */
	struct error last; /* why the last attempt failed; code 0: none has */
	uint32_t random;   /* for jitter */
	int network;	   /* tells of its changes; -1: it can't */

	bool partial;	     /* some destination has a part that may be of use */
	unsigned links;	     /* that were made */
	uint64_t sent_bytes; /* over those that are gone */
};

/* Nothing is connected yet. Borrows `to` and the pointers in `setup`. Fails -EINVAL (too many). The
 * caller calls attempts_deinit() in any case. */
NODISCARD int attempts_init(struct attempts *a, const struct url *to, size_t to_count,
			    const struct destination_setup *setup, struct error *err);
void attempts_deinit(struct attempts *a);

/* Try the servers that come first, or standard output, once: `link` is there if one welcomed us. */
void attempts_open(struct attempts *a);

/* Connect to one of the destinations, which are tried in their order. Waits and tries as long as
 * the setup allows. Fails with the last attempt's error when no destination is left, or as
 * stop_check(). */
NODISCARD int attempts_find(struct attempts *a, struct error *err);

/* The current destination has failed, with `err`: remember that, tell the operator, and leave it.
 */
void attempts_failed(struct attempts *a, const struct error *err);

/* The current server goes on from that cursor, so it has a part. */
void attempts_resumed(struct attempts *a, const struct cursor *cursor);

/* Check which checkpoints are acknowledged. A point that was never acknowledged before makes a link
 * worth coming back to.
 */
void attempts_progress(struct attempts *a);

/* There will be no other attempt: tell the operator what each destination holds, and leave. */
void attempts_end(struct attempts *a);

/* Bytes that went out over all links. */
uint64_t attempts_sent_bytes(const struct attempts *a);

#endif
