/* Places with a collector.
 * Doesn't know processes or connections. */
#include "receiver/collector/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* While others wait, a guest that sends must bring so many bytes in that time. A link of 20
	 * kbit/s does. */
	FLOOR_MS = 120000,
	FLOOR_BYTES = 256 << 10,

	/* The time that a host may take before it sends: it looks through its memory. */
	PREPARE_MS = 600000,

	/* How long a guest has its place, before any has shown it. */
	STAY_MS = 30000,
	STAY_WEIGHT = 8, /* each counts for an eighth */

	/* A host that is sent away hears of so many seconds, and has its turn for twice the time
	   and a minute. */
	RETRY_MIN_S = 2,
	RETRY_MAX_S = 1800,
	GRACE_MS = 60000,

	HOSTS_MAX = 4096, /* of which turns and dumps are remembered */
};

/* The first character of a party's name. */
enum { ADDRESS = 'a', HOST = 'h' };

int queue_init(struct queue *q, const struct queue_limits *max, struct error *err)
{
	*q = (struct queue){.max = *max, .stay_ms = STAY_MS};
	/* Twice, since guests that leave take a moment to go. */
	q->room = max->in + max->waiting + 2 * (max->fresh + max->proved);
	q->guests = calloc(q->room, sizeof(*q->guests));
	q->parties = calloc(q->room, sizeof(*q->parties));
	q->sorted = calloc(q->room, sizeof(struct guest *));
	if (q->guests && q->parties && q->sorted && turns_init(&q->turns, HOSTS_MAX, err) == 0)
		return 0;
	queue_deinit(q);
	return error_set(err, -ENOMEM, "out of memory for sessions");
}

void queue_deinit(struct queue *q)
{
	free(q->guests);
	free(q->parties);
	free(q->sorted);
	turns_deinit(&q->turns);
	*q = (struct queue){0};
}

bool queue_is_full(const struct queue *q)
{
	return q->count == q->room;
}

const char *queue_party_name(const struct queue *q, const struct guest *g)
{
	return q->parties[g->party].name + 1;
}

bool queue_knows(const struct queue *q, const struct guest *g)
{
	return *q->parties[g->party].name == HOST;
}

/* --- states and parties --------------------------------------------------------------------- */

/* The party of that name. A host is never an address, even if their names are equal. */
static unsigned party_of(const struct queue *q, char kind, const char *text)
{
	char name[sizeof(q->parties->name)];
	unsigned unused = 0;

	snprintf(name, sizeof(name), "%c%s", kind, text);
	for (unsigned i = 0; i < q->room; i++) {
		if (q->parties[i].count && strcmp(q->parties[i].name, name) == 0)
			return i;
		if (!q->parties[i].count)
			unused = i;
	}
	memcpy(q->parties[unused].name, name, sizeof(name));
	return unused;
}

static void count(struct queue *q, const struct guest *g, int n)
{
	struct party *p = &q->parties[g->party];

	p->count += (unsigned)n;
	p->of[g->state] += (unsigned)n;
	q->of[g->state] += (unsigned)n;
}

static void set_state(struct queue *q, struct guest *g, enum guest_state state)
{
	count(q, g, -1);
	g->state = state;
	count(q, g, 1);
}

static void join_host(struct queue *q, struct guest *g, const char *host)
{
	const unsigned party = party_of(q, HOST, host);

	count(q, g, -1);
	g->party = party;
	count(q, g, 1);
}

static void leave(struct queue *q, struct guest *g, int why)
{
	set_state(q, g, GUEST_LEAVING);
	g->place = why;
}

struct guest *queue_add(struct queue *q, const char *address)
{
	struct guest *g = &q->guests[q->count++];

	*g = (struct guest){.order = q->next_order++,
			    .party = party_of(q, ADDRESS, address),
			    .fd = -1,
			    .place = 1,
			    .told = PLACE_UNTOLD};
	count(q, g, 1);
	return g;
}

void queue_prove(struct queue *q, struct guest *g, const char *host)
{
	if (g->state != GUEST_NEW)
		return;
	join_host(q, g, host);
	set_state(q, g, GUEST_PROVED);
}

void queue_remove(struct queue *q, struct guest *g)
{
	if (g->in_ms)
		q->stay_ms =
			(q->stay_ms * (STAY_WEIGHT - 1) + (q->now_ms - g->in_ms)) / STAY_WEIGHT;
	count(q, g, -1);
	*g = q->guests[--q->count];
}

void queue_progress(struct guest *g, bool going, uint64_t bytes, uint64_t now_ms)
{
	if (going && !g->going) {
		g->window_ms = now_ms;
		g->window_bytes = bytes;
	}
	g->going = going;
	g->bytes = bytes;
}

/* --- asking --------------------------------------------------------------------------------- */

static void let_in(struct queue *q, struct guest *g, uint64_t now_ms)
{
	set_state(q, g, GUEST_IN);
	g->place = PLACE_IN;
	g->in_ms = now_ms;
	turns_begun(&q->turns, queue_party_name(q, g), g->has_dump ? g->dump_id : NULL, now_ms);
	g->window_ms = now_ms;
	g->window_bytes = g->bytes;
}

/* Whether too little has come in a guest's time. If enough has come, its time begins anew. */
static bool is_slow(struct guest *g, uint64_t now_ms)
{
	const uint64_t limit_ms = g->going ? FLOOR_MS : PREPARE_MS;

	if (g->is_patient || now_ms - g->window_ms < limit_ms)
		return false;
	if (!g->going || g->bytes - MIN(g->bytes, g->window_bytes) < FLOOR_BYTES)
		return true;
	g->window_ms = now_ms;
	g->window_bytes = g->bytes;
	return false;
}

/* The session that has the same dump of the same host. */
static struct guest *other_with_dump(struct queue *q, const struct guest *g)
{
	for (unsigned i = 0; i < q->count; i++) {
		struct guest *o = &q->guests[i];

		if (o != g && (o->state == GUEST_IN || o->state == GUEST_WAITING) &&
		    o->party == g->party && o->has_dump &&
		    memcmp(o->dump_id, g->dump_id, DIGEST_BYTES) == 0)
			return o;
	}
	return NULL;
}

/* `g` takes the place of `old`, and its measure of progress as well: else a sender that connects
 * again and again would never be slow. That measure is brought up to date first: nobody may have
 * looked at it since `old` began. */
static void replace(struct queue *q, struct guest *g, struct guest *old, uint64_t now_ms)
{
	(void)is_slow(old, now_ms);
	set_state(q, g, old->state);
	g->order = old->order;
	g->place = old->place;
	g->in_ms = old->in_ms;
	old->in_ms = 0;
	g->recent = old->recent;
	g->window_ms = old->window_ms;
	g->window_bytes = 0; /* the new session counts its bytes from 0 */
	leave(q, old, PLACE_OVERTAKEN);
}

/* The oldest or the newest guest of a party in a state. */
static struct guest *end_of(struct queue *q, unsigned party, enum guest_state state, bool newest)
{
	struct guest *found = NULL;

	for (unsigned i = 0; i < q->count; i++) {
		struct guest *g = &q->guests[i];

		if (g->party == party && g->state == state &&
		    (!found || (newest ? g->order > found->order : g->order < found->order)))
			found = g;
	}
	return found;
}

/* The party with most guests in that state. */
static unsigned largest(const struct queue *q, enum guest_state state)
{
	unsigned found = 0;

	for (unsigned i = 1; i < q->room; i++)
		if (q->parties[i].count && q->parties[i].of[state] > q->parties[found].of[state])
			found = i;
	return found;
}

/* Too many wait: the guest leaves, and its host's turn is kept. As many as come before it among
 * those that were sent away have to find room among those that wait, before it does. */
static void send_away(struct queue *q, struct guest *g, uint64_t now_ms)
{
	const char *host = queue_party_name(q, g);
	const uint64_t each_ms = MAX(q->stay_ms / q->max.in, UINT64_C(1));
	const unsigned before = turns_before(&q->turns, g->order, now_ms);
	const uint64_t s = (each_ms * (before + UINT64_C(1)) + 999) / 1000;

	g->retry_s = (unsigned)MAX(MIN(s, (uint64_t)RETRY_MAX_S), (uint64_t)RETRY_MIN_S);
	turns_keep(&q->turns, host, g->order, now_ms + UINT64_C(2000) * g->retry_s + GRACE_MS,
		   now_ms);
	leave(q, g, PLACE_FULL);
}

/* The guest that would be the last to get a place, by the order of asking. */
static struct guest *last_waiting(struct queue *q)
{
	struct guest *found = NULL;

	for (unsigned i = 0; i < q->count; i++)
		if (q->guests[i].state == GUEST_WAITING &&
		    (!found || q->guests[i].order > found->order))
			found = &q->guests[i];
	return found;
}

/* Make room for one more to wait: if need be in the place of the newest guest of the party that has
 * most; or, for a turn that was kept, in that of the last. */
static bool make_room(struct queue *q, const struct guest *g, uint64_t now_ms)
{
	struct guest *last;
	const unsigned own = q->parties[g->party].of[GUEST_WAITING];
	unsigned most;

	if (own >= q->max.waiting_host)
		return false;
	if (q->of[GUEST_WAITING] < q->max.waiting)
		return true;
	most = largest(q, GUEST_WAITING);
	last = last_waiting(q);
	if (q->parties[most].of[GUEST_WAITING] > own + 1)
		last = end_of(q, most, GUEST_WAITING, true);
	else if (!last || last->order < g->order)
		return false;
	send_away(q, last, now_ms);
	return true;
}

void queue_ask(struct queue *q, struct guest *g, const char *host, const uint8_t *dump_id,
	       uint64_t now_ms)
{
	struct guest *old;

	if (g->state != GUEST_NEW && g->state != GUEST_PROVED)
		return;
	join_host(q, g, host);
	g->has_dump = dump_id;
	if (dump_id)
		memcpy(g->dump_id, dump_id, DIGEST_BYTES);
	g->is_patient = !dump_id;
	q->now_ms = now_ms;
	g->recent = turns_recent(&q->turns, host, now_ms);
	if (!turns_kept(&q->turns, host, now_ms, &g->order))
		g->order = q->next_order++;
	old = dump_id ? other_with_dump(q, g) : NULL;
	if (old) {
		replace(q, g, old, now_ms);
	} else if (q->of[GUEST_IN] < q->max.in && q->of[GUEST_WAITING] == 0) {
		let_in(q, g, now_ms);
	} else if (make_room(q, g, now_ms)) {
		set_state(q, g, GUEST_WAITING);
		turns_used(&q->turns, host);
	} else {
		send_away(q, g, now_ms);
	}
}

/* --- turns ---------------------------------------------------------------------------------- */

static int by_party(const void *a, const void *b)
{
	const struct guest *x = *(struct guest *const *)a, *y = *(struct guest *const *)b;

	if (x->party != y->party)
		return x->party < y->party ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* `place` here is the number of places that the guest's host will have had by then, and `dumps`
 * that of dumps within an hour. */
static int by_turn(const void *a, const void *b)
{
	const struct guest *x = *(struct guest *const *)a, *y = *(struct guest *const *)b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->dumps != y->dumps)
		return x->dumps < y->dumps ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Number the places of all waiting guests. Returns the first of them, or NULL. */
static struct guest *rank(struct queue *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->count; i++)
		if (q->guests[i].state == GUEST_WAITING)
			q->sorted[n++] = &q->guests[i];
	if (n == 0)
		return NULL;
	qsort(q->sorted, n, sizeof(struct guest *), by_party);
	for (unsigned i = 0; i < n; i++) {
		struct guest *g = q->sorted[i];
		const bool first = i == 0 || q->sorted[i - 1]->party != g->party;

		g->place = first ? (int)q->parties[g->party].of[GUEST_IN]
				 : q->sorted[i - 1]->place + 1;
		g->dumps = g->recent + (unsigned)g->place - q->parties[g->party].of[GUEST_IN];
	}
	qsort(q->sorted, n, sizeof(struct guest *), by_turn);
	for (unsigned i = 0; i < n; i++)
		q->sorted[i]->place = (int)i + 1;
	return q->sorted[0];
}

/* A guest that is too slow, or NULL. */
static struct guest *slow_one(struct queue *q, uint64_t now_ms)
{
	struct guest *found = NULL;

	for (unsigned i = 0; i < q->count; i++)
		if (q->guests[i].state == GUEST_IN && is_slow(&q->guests[i], now_ms))
			found = &q->guests[i];
	return found;
}

/* A guest of a party that has more than its share, while that of `next` has less; of its guests the
 * one that loses least. */
static struct guest *greedy_one(struct queue *q, const struct guest *next)
{
	unsigned active = 0, share, most;
	struct guest *found = NULL;

	for (unsigned i = 0; i < q->room; i++)
		active += q->parties[i].count &&
			  (q->parties[i].of[GUEST_IN] || q->parties[i].of[GUEST_WAITING]);
	share = MIN(MAX(1, q->max.in / active), q->max.in_host);
	most = largest(q, GUEST_IN);
	if (q->parties[next->party].of[GUEST_IN] >= share || q->parties[most].of[GUEST_IN] <= share)
		return NULL;
	for (unsigned i = 0; i < q->count; i++) {
		struct guest *g = &q->guests[i];

		/* A stream can't go on later, so it is chosen last. */
		if (g->party == most && g->state == GUEST_IN &&
		    (!found || g->is_patient < found->is_patient ||
		     (g->is_patient == found->is_patient && g->bytes < found->bytes)))
			found = g;
	}
	return found;
}

void queue_settle(struct queue *q, uint64_t now_ms)
{
	q->now_ms = now_ms;
	/* Each turn lets one in. */
	for (;;) {
		struct guest *next = rank(q), *slow, *greedy;

		if (!next)
			return;
		if (q->of[GUEST_IN] >= q->max.in) {
			slow = slow_one(q, now_ms);
			greedy = slow ? NULL : greedy_one(q, next);
			if (!slow && !greedy)
				return;
			leave(q, slow ? slow : greedy, slow ? PLACE_SLOW : PLACE_SHARE);
		}
		let_in(q, next, now_ms);
	}
}

/* --- crowds --------------------------------------------------------------------------------- */

static struct guest *crowd_out_of(struct queue *q, enum guest_state state, unsigned all_max,
				  unsigned party_max)
{
	const unsigned most = largest(q, state);
	struct guest *g;

	if (q->of[state] <= all_max && q->parties[most].of[state] <= party_max)
		return NULL;
	g = end_of(q, most, state, false);
	leave(q, g, PLACE_CROWDED);
	return g;
}

struct guest *queue_crowd_out(struct queue *q)
{
	struct guest *g = crowd_out_of(q, GUEST_NEW, q->max.fresh, q->max.fresh);

	return g ? g : crowd_out_of(q, GUEST_PROVED, q->max.proved, q->max.proved_host);
}
