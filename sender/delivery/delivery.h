/*
 * Brings a dump to one of several destinations, in their order: connects, sends the kernel log,
 * finds out where the page pass begins, and when a link breaks, connects again or goes on to the
 * next destination.
 *
 *   delivery_open ─► [filter pass] ─► delivery_start ─► pages ─► delivery_end
 *                                          ▲              │
 *                                          └── delivery_lost()
 *
 * Tells the operator of each attempt itself. One user at a time.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/delivery/destination.h"
#include "wire/message.h"
#include "wire/url.h"

struct delivery;
struct dumpfile;
struct sink;

struct delivery_setup {
	const struct url *to; /* borrowed; tried in this order */
	size_t to_count;      /* 0: one way, into standard output */
	struct destination_setup each;
};

/* Fails -ENOMEM. Doesn't connect. */
NODISCARD int delivery_new(const struct delivery_setup *setup, struct delivery **d_ret,
			   struct error *err);
void delivery_free(struct delivery *d);
DEFINE_AUTO(struct delivery, delivery_free)

/*
 * Try each server once, and send the log to the first that can be reached. It is no failure if none
 * can: delivery_start() tries again.
 */
void delivery_open(struct delivery *d);

/* The part of the dump that the receiver wants. */
struct delivery_start {
	enum {
		START_PAGES,
		START_DONE,	/* the receiver has the dump already */
		START_LOG_ONLY, /* the receiver has the log, and wants no more */
		START_LEVEL,	/* the receiver takes the dump at `level` only, which is another
				   dump */
	} kind;
	bool resumed; /* from `cursor`, if D(1) is `first`; else from the prologue */
	struct cursor cursor;
	uint8_t first[DIGEST_BYTES];
	unsigned level;
};

/*
 * To be called once the totals are known: find a destination, or another one, and the place to
 * begin. Waits and tries as long as the setup allows. Fails with the last attempt's error when no
 * destination is left, or as stop_check().
 */
NODISCARD int delivery_start(struct delivery *d, const struct totals *totals,
			     struct delivery_start *start_ret, struct error *err);

/* A sink for the stream from that place on. It keeps segments where they are needed. Borrows
 * `d`. */
NODISCARD int delivery_sink(struct delivery *d, struct sink **sink_ret, struct error *err);

/* Whether the prologue, of which `sink` has the table, is the one that `start` goes on from: 1 or
 * 0. */
NODISCARD int delivery_is_same(struct delivery *d, const struct delivery_start *start,
			       const struct sink *sink, struct error *err);

/* Tell the receiver that its prologue is another one, so that its part is of no use. Ends the
 * link. */
void delivery_mismatch(struct delivery *d);

/* A segment's end: `sink` has its table. */
NODISCARD int delivery_checkpoint(struct delivery *d, const struct cursor *cursor,
				  const struct sink *sink, struct error *err);

/* Everything was written: 0 once the receiver has it, durably. */
NODISCARD int delivery_end(struct delivery *d, const struct end *end, struct error *err);

/* Keep the link alive, without waiting: called often. */
NODISCARD int delivery_pump(struct delivery *d, struct error *err);

/* Whether a link takes what is written now (else a file does), and how much of it waits there to be
 * sent. */
bool delivery_has_link(const struct delivery *d);
uint64_t delivery_waiting_bytes(const struct delivery *d);

/* Whether the failure that `err` tells of is the destination's, so that delivery_start() is worth a
 * call; if so, it was told to the operator. */
bool delivery_lost(struct delivery *d, const struct error *err);

/* The dump won't be finished, because of `why`: tell the receiver, keep what there is at least as
 * long as `table_end` (file:). */
void delivery_give_up(struct delivery *d, const struct error *why, uint64_t table_end);

/* How it went, for the exit status and the summary. */
struct delivery_result {
	bool partial;	     /* some destination has a part that may be of use */
	unsigned links;	     /* that were made */
	uint64_t sent_bytes; /* over all links, with what was sent twice */
	bool in_file;	     /* it is here, and no server has it */
	char where[768];     /* the destination, and the name that the dump has there */
};
void delivery_result(const struct delivery *d, struct delivery_result *result_ret);

#endif
