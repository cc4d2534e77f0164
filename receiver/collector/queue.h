/*
 * Who is with a collector: who has a place, who waits for one, and who has said nothing so far.
 * Does no input or output.
 *
 *   NEW ─► IN          a place was free
 *     └──► WAITING ─► IN, in the order of asking
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct guest {
	enum guest_state { GUEST_NEW, GUEST_WAITING, GUEST_IN, GUEST_LEAVING } state;
	uint64_t order; /* of arrival, or of asking */
	int told;	/* the place that it knows of; the caller's */
	pid_t pid;	/* the caller's, and so is the rest */
	int fd;
	char name[64];
};

struct queue {
	struct guest *guests; /* in no order */
	unsigned count, room;
	unsigned in, waiting, fresh; /* how many of them */
	unsigned in_max, waiting_max, fresh_max;
	uint64_t next_order;
};

NODISCARD int queue_init(struct queue *q, unsigned in_max, unsigned waiting_max, unsigned fresh_max,
			 struct error *err);
void queue_deinit(struct queue *q);

/* A guest more, NEW, where it isn't full. Good until the next is removed. */
struct guest *queue_add(struct queue *q);
bool queue_is_full(const struct queue *q);

/*
 * It asks for a place, or how long it takes: 0 if it is in, its place in the queue (1: the next),
 * or -1 if the queue is full.
 */
int queue_ask(struct queue *q, struct guest *g);
int queue_place(const struct queue *q, const struct guest *g);

/* It has gone; its place is free, for queue_ask() or queue_next(). */
void queue_remove(struct queue *q, struct guest *g);

/* Let in the first that waits, if there is a place: it, or NULL. */
struct guest *queue_next(struct queue *q);

/* Of those that have said nothing, if there are too many: the first that came, which is LEAVING
 * from now on. NULL if there are not. */
struct guest *queue_crowd_out(struct queue *q);

#endif
