/* Places with a collector.
 * Doesn't know processes or connections. */
#include "receiver/collector/queue.h"

#include <errno.h>
#include <stdlib.h>

int queue_init(struct queue *q, unsigned in_max, unsigned waiting_max, unsigned fresh_max,
	       struct error *err)
{
	*q = (struct queue){.in_max = in_max, .waiting_max = waiting_max, .fresh_max = fresh_max};
	/* Who is crowded out takes a moment to go. */
	q->room = in_max + waiting_max + 2 * fresh_max;
	q->guests = calloc(q->room, sizeof(*q->guests));
	return q->guests ? 0 : error_set(err, -ENOMEM, "out of memory for sessions");
}

void queue_deinit(struct queue *q)
{
	free(q->guests);
	*q = (struct queue){0};
}

bool queue_is_full(const struct queue *q)
{
	return q->count == q->room;
}

struct guest *queue_add(struct queue *q)
{
	struct guest *g = &q->guests[q->count];

	*g = (struct guest){.order = q->next_order++, .fd = -1, .told = -1};
	q->count++;
	q->fresh++;
	return g;
}

/* Forget what it was. */
static void leave_state(struct queue *q, const struct guest *g)
{
	q->fresh -= g->state == GUEST_NEW;
	q->waiting -= g->state == GUEST_WAITING;
	q->in -= g->state == GUEST_IN;
}

static void let_in(struct queue *q, struct guest *g)
{
	leave_state(q, g);
	g->state = GUEST_IN;
	q->in++;
}

int queue_place(const struct queue *q, const struct guest *g)
{
	int place = 1;

	if (g->state == GUEST_IN)
		return 0;
	for (unsigned i = 0; i < q->count; i++)
		place += q->guests[i].state == GUEST_WAITING && q->guests[i].order < g->order;
	return place;
}

int queue_ask(struct queue *q, struct guest *g)
{
	if (g->state != GUEST_NEW)
		return queue_place(q, g);
	if (q->in < q->in_max && q->waiting == 0) {
		let_in(q, g);
		return 0;
	}
	if (q->waiting == q->waiting_max)
		return -1;
	leave_state(q, g);
	g->state = GUEST_WAITING;
	g->order = q->next_order++;
	q->waiting++;
	return queue_place(q, g);
}

void queue_remove(struct queue *q, struct guest *g)
{
	leave_state(q, g);
	*g = q->guests[--q->count];
}

static struct guest *first_of(struct queue *q, enum guest_state state)
{
	struct guest *first = NULL;

	for (unsigned i = 0; i < q->count; i++) {
		struct guest *g = &q->guests[i];

		if (g->state == state && (!first || g->order < first->order))
			first = g;
	}
	return first;
}

struct guest *queue_next(struct queue *q)
{
	struct guest *g = q->in < q->in_max ? first_of(q, GUEST_WAITING) : NULL;

	if (g)
		let_in(q, g);
	return g;
}

struct guest *queue_crowd_out(struct queue *q)
{
	struct guest *g = q->fresh > q->fresh_max ? first_of(q, GUEST_NEW) : NULL;

	if (g) {
		leave_state(q, g);
		g->state = GUEST_LEAVING;
	}
	return g;
}
