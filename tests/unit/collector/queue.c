/* receiver/collector/queue.h: places with a collector. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <string.h>

#include "receiver/collector/queue.h"

static uint64_t now_ms;

static struct queue make(unsigned in, unsigned waiting, unsigned fresh)
{
	const struct queue_limits max = {.in = in,
					 .in_host = in,
					 .waiting = waiting,
					 .waiting_host = waiting,
					 .fresh = fresh,
					 .proved = 6,
					 .proved_host = 3};
	struct queue q;
	struct error err;

	now_ms = 1000000;
	assert_int_equal(queue_init(&q, &max, &err), 0);
	return q;
}

/* A guest that is known by a number. */
static struct guest *add_from(struct queue *q, int number, const char *address)
{
	struct guest *g;

	assert_false(queue_is_full(q));
	g = queue_add(q, address);
	g->pid = number;
	return g;
}

static struct guest *add(struct queue *q, int number)
{
	return add_from(q, number, "10.0.0.1");
}

static struct guest *find(struct queue *q, int number)
{
	for (unsigned i = 0; i < q->count; i++)
		if (q->guests[i].pid == number)
			return &q->guests[i];
	return NULL;
}

/* Ask, for a dump of its own: what it hears. */
static int ask_as(struct queue *q, int number, const char *host)
{
	uint8_t dump_id[DIGEST_BYTES] = {0};

	memcpy(dump_id, &number, sizeof(number));
	queue_ask(q, find(q, number), host, dump_id, now_ms);
	queue_settle(q, now_ms);
	return find(q, number)->place;
}

static int ask(struct queue *q, int number)
{
	return ask_as(q, number, "a");
}

static int place_of(struct queue *q, int number)
{
	return find(q, number)->place;
}

static void leave(struct queue *q, int number)
{
	queue_remove(q, find(q, number));
	queue_settle(q, now_ms);
}

static void test_order(void **state UNUSED)
{
	struct queue q = make(2, 10, 10);

	for (int i = 0; i < 6; i++)
		add(&q, i);
	/* By the order of asking, not of coming. */
	assert_int_equal(ask(&q, 5), 0);
	assert_int_equal(ask(&q, 0), 0);
	assert_int_equal(ask(&q, 4), 1);
	assert_int_equal(ask(&q, 1), 2);
	assert_int_equal(ask(&q, 3), 3);
	assert_int_equal(ask(&q, 4), 1); /* asking twice changes nothing */
	assert_int_equal(ask(&q, 5), 0);
	/* One of those that wait gives up. */
	leave(&q, 1);
	assert_int_equal(place_of(&q, 3), 2);
	leave(&q, 5);
	assert_int_equal(place_of(&q, 4), 0);
	assert_int_equal(place_of(&q, 3), 1);
	assert_int_equal(q.of[GUEST_IN], 2);
	assert_int_equal(q.of[GUEST_WAITING], 1);
	assert_int_equal(q.of[GUEST_NEW], 1);
	queue_deinit(&q);
}

/* Who comes when a place is free, but others wait for it, has to wait as well. */
static void test_no_overtaking(void **state UNUSED)
{
	struct queue q = make(1, 10, 10);

	for (int i = 0; i < 3; i++)
		add(&q, i);
	assert_int_equal(ask(&q, 0), 0);
	assert_int_equal(ask(&q, 1), 1);
	queue_remove(&q, find(&q, 0));
	assert_int_equal(ask(&q, 2), 1);
	assert_int_equal(place_of(&q, 1), 0);
	queue_deinit(&q);
}

static void test_full(void **state UNUSED)
{
	struct queue q = make(1, 2, 1);

	for (int i = 0; i < 4; i++)
		add(&q, i);
	assert_int_equal(ask(&q, 0), 0);
	assert_int_equal(ask(&q, 1), 1);
	assert_int_equal(ask(&q, 2), 2);
	assert_int_equal(ask(&q, 3), PLACE_FULL);
	assert_int_equal(find(&q, 3)->state, GUEST_LEAVING);
	leave(&q, 3);
	leave(&q, 1);
	add(&q, 4);
	assert_int_equal(ask(&q, 4), 2);
	queue_deinit(&q);
}

/* --- hosts that aren't connected ------------------------------------------------------------ */

/* A host may have so many places while another waits, however many there are. */
static void test_host_sessions(void **state UNUSED)
{
	struct queue q = make(6, 6, 10);

	q.max.in_host = 2;
	for (int i = 0; i < 6; i++) {
		add(&q, i);
		assert_int_equal(ask_as(&q, i, "greedy"), 0); /* nobody else wants them */
		queue_progress(find(&q, i), true, (uint64_t)i, now_ms);
	}
	for (int i = 10; i < 12; i++) {
		add(&q, i);
		assert_int_equal(ask_as(&q, i, "b"), 0);
	}
	assert_int_equal(place_of(&q, 0), PLACE_SHARE);
	assert_int_equal(place_of(&q, 1), PLACE_SHARE);
	add(&q, 12);
	assert_int_equal(ask_as(&q, 12, "b"), 1); /* it has two by now */
	add(&q, 13);
	assert_int_equal(ask_as(&q, 13, "c"), 0);
	assert_int_equal(place_of(&q, 2), PLACE_SHARE);
	queue_deinit(&q);
}

/* Of hosts that have as many places, the one with the fewest dumps in the last hour is next. */
static void test_last_hour(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);
	int number = 0;

	for (; number < 3; number++) {
		add(&q, number);
		assert_int_equal(ask_as(&q, number, "often"), 0);
		leave(&q, number);
	}
	add(&q, number);
	assert_int_equal(ask_as(&q, number, "other"), 0);
	add(&q, 10);
	assert_int_equal(ask_as(&q, 10, "often"), 1);
	add(&q, 11);
	assert_int_equal(ask_as(&q, 11, "seldom"), 1);
	assert_int_equal(place_of(&q, 10), 2);
	leave(&q, number);
	assert_int_equal(place_of(&q, 11), 0);
	/* An hour later it is forgotten. */
	leave(&q, 10);
	now_ms += TURNS_HOUR_MS;
	find(&q, 11)->window_ms = now_ms; /* it gets on */
	add(&q, 12);
	assert_int_equal(ask_as(&q, 12, "often"), 1);
	add(&q, 13);
	assert_int_equal(ask_as(&q, 13, "new"), 2);
	queue_deinit(&q);
}

/* A link that is made anew is no other dump. */
static void test_same_dump(void **state UNUSED)
{
	const uint8_t dump_id[DIGEST_BYTES] = {7};
	struct queue q = make(1, 10, 20);

	for (int i = 0; i < 5; i++) {
		add(&q, i);
		queue_ask(&q, find(&q, i), "a", dump_id, now_ms);
		queue_settle(&q, now_ms);
		leave(&q, i);
	}
	assert_int_equal(turns_recent(&q.turns, "a", now_ms), 1);
	queue_deinit(&q);
}

static void host_name(char name[static 8], int number)
{
	snprintf(name, 8, "h%d", number);
}

/* So many more than may wait are sent away: each has its turn when it comes again, and none earlier
 * than one that asked before it. */
static void test_kept_turns(void **state UNUSED)
{
	enum { PLACES = 2, WAIT = 3, HOSTS = 12 };
	struct queue q = make(PLACES, WAIT, HOSTS + 1);
	unsigned retry_s[HOSTS] = {0};
	char name[8];

	for (int i = 0; i < HOSTS; i++) {
		int place;

		add(&q, i);
		host_name(name, i);
		place = ask_as(&q, i, name);
		assert_int_equal(place, i < PLACES	    ? 0
					: i < PLACES + WAIT ? i - PLACES + 1
							    : PLACE_FULL);
		if (place != PLACE_FULL)
			continue;
		retry_s[i] = find(&q, i)->retry_s;
		assert_in_range(retry_s[i], 2, 1800);
		assert_true(i == PLACES + WAIT || retry_s[i] > retry_s[i - 1]); /* spread */
		leave(&q, i);
	}
	/* A stranger that comes now is behind all of them. */
	add(&q, 50);
	assert_int_equal(ask_as(&q, 50, "late"), PLACE_FULL);
	assert_true(find(&q, 50)->retry_s > retry_s[HOSTS - 1]);
	leave(&q, 50);
	/* Room for one: the newest comes back first, and then one whose turn is older. */
	leave(&q, 0);
	now_ms += 1000;
	add(&q, 11);
	assert_int_equal(ask_as(&q, 11, "h11"), 3);
	add(&q, 5);
	assert_int_equal(ask_as(&q, 5, "h5"), 3);
	assert_int_equal(place_of(&q, 11), PLACE_FULL);
	leave(&q, 11);
	/* It has lost nothing by that. */
	leave(&q, 1);
	add(&q, 60);
	assert_int_equal(ask_as(&q, 60, "later"), 3);
	add(&q, 11);
	assert_int_equal(ask_as(&q, 11, "h11"), 3);
	assert_int_equal(place_of(&q, 60), PLACE_FULL);
	queue_deinit(&q);
}

/* A turn that nobody comes for is over. */
static void test_turn_ends(void **state UNUSED)
{
	struct queue q = make(1, 1, 9);
	uint64_t order;

	for (int i = 0; i < 3; i++)
		add(&q, i);
	assert_int_equal(ask_as(&q, 0, "a"), 0);
	assert_int_equal(ask_as(&q, 1, "b"), 1);
	assert_int_equal(ask_as(&q, 2, "c"), PLACE_FULL);
	assert_true(turns_kept(&q.turns, "c", now_ms + 60000, &order));
	now_ms += 2000 * (uint64_t)find(&q, 2)->retry_s + 60000;
	assert_false(turns_kept(&q.turns, "c", now_ms, &order));
	queue_deinit(&q);
}

/* However many hosts come: those with a turn are forgotten last. */
static void test_forgetting(void **state UNUSED)
{
	struct turns t;
	struct error err;
	uint64_t order;
	char name[8];

	assert_int_equal(turns_init(&t, 4, &err), 0);
	turns_keep(&t, "kept", 7, 1000000, 1);
	turns_keep(&t, "kept", 9, 1000000, 2); /* the older one stays */
	for (int i = 0; i < 100; i++) {
		host_name(name, i);
		turns_begun(&t, name, NULL, 10 + (uint64_t)i);
	}
	assert_true(turns_kept(&t, "kept", 200, &order));
	assert_int_equal(order, 7);
	assert_int_equal(turns_recent(&t, "h99", 200), 1);
	assert_int_equal(turns_recent(&t, "h1", 200), 0);
	assert_int_equal(turns_before(&t, 8, 200), 1);
	assert_int_equal(turns_before(&t, 7, 200), 0);
	turns_used(&t, "kept");
	assert_false(turns_kept(&t, "kept", 200, &order));
	turns_deinit(&t);
}

static void test_room(void **state UNUSED)
{
	struct queue q = make(1, 2, 1);

	for (int i = 0; !queue_is_full(&q); i++)
		add(&q, i);
	assert_int_equal(q.count, 1 + 2 + 2 * (1 + 6));
	queue_deinit(&q);
}

/* All places and all of the queue are one host's: another one has its turn at once. */
static void test_shut_out(void **state UNUSED)
{
	struct queue q = make(4, 4, 10);
	int in = 0;

	for (int i = 0; i < 8; i++) {
		add(&q, i);
		assert_int_equal(ask_as(&q, i, "greedy"), i < 4 ? 0 : i - 3);
	}
	queue_progress(find(&q, 0), true, 50, now_ms);
	queue_progress(find(&q, 1), true, 10, now_ms);
	queue_progress(find(&q, 2), true, 20, now_ms);
	queue_progress(find(&q, 3), true, 30, now_ms);
	add(&q, 10);
	assert_int_equal(ask_as(&q, 10, "b"), 0);
	/* Who loses least has given it its place; the last one of the queue its room. */
	assert_int_equal(place_of(&q, 1), PLACE_SHARE);
	assert_int_equal(place_of(&q, 7), PLACE_FULL);
	/* No host has more than its share of the places, once others want them. */
	add(&q, 11);
	assert_int_equal(ask_as(&q, 11, "b"), 0);
	assert_int_equal(place_of(&q, 2), PLACE_SHARE);
	add(&q, 12);
	/* Both have two now, and the first has begun more within the hour. */
	assert_int_equal(ask_as(&q, 12, "b"), 1);
	for (unsigned i = 0; i < q.count; i++)
		in += q.guests[i].state == GUEST_IN;
	assert_int_equal(in, 4);
	queue_deinit(&q);
}

/* Of those that wait, who has the fewest places is next; of one host, who has asked first. */
static void test_turns(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);
	static const struct {
		int number;
		const char *host;
		int place;
	} asks[] = {{1, "a", 1}, {2, "a", 2}, {3, "a", 3}, {4, "b", 1}, {5, "b", 3}, {6, "c", 2}};
	static const int places[] = {3, 5, 6, 1, 4, 2};

	add(&q, 0);
	assert_int_equal(ask_as(&q, 0, "a"), 0);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		add(&q, asks[i].number);
		assert_int_equal(ask_as(&q, asks[i].number, asks[i].host), asks[i].place);
	}
	/* a has one, so its first is behind the first of the others. */
	for (int i = 0; i < 6; i++)
		assert_int_equal(place_of(&q, i + 1), places[i]);
	queue_deinit(&q);
}

/* Part of the queue is one host's at the most. */
static void test_waiting_host(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);

	q.max.waiting_host = 2;
	for (int i = 0; i < 4; i++)
		add(&q, i);
	assert_int_equal(ask(&q, 0), 0);
	assert_int_equal(ask(&q, 1), 1);
	assert_int_equal(ask(&q, 2), 2);
	assert_int_equal(ask(&q, 3), PLACE_FULL);
	queue_deinit(&q);
}

/* The dump `id` of a host, for a guest of another number. */
static int ask_for(struct queue *q, int number, const char *host, int id)
{
	uint8_t dump_id[DIGEST_BYTES] = {(uint8_t)id};

	queue_ask(q, find(q, number), host, dump_id, now_ms);
	queue_settle(q, now_ms);
	return find(q, number)->place;
}

static void test_one_for_a_dump(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);

	for (int i = 0; i < 8; i++)
		add(&q, i);
	assert_int_equal(ask_for(&q, 0, "a", 1), 0);
	assert_int_equal(ask_for(&q, 1, "a", 2), 1);
	assert_int_equal(ask_for(&q, 2, "a", 3), 2);
	/* Who comes again has the place that it had, in the queue and among those that are in. */
	assert_int_equal(ask_for(&q, 3, "a", 2), 1);
	assert_int_equal(place_of(&q, 1), PLACE_OVERTAKEN);
	assert_int_equal(ask_for(&q, 4, "a", 1), 0);
	assert_int_equal(place_of(&q, 0), PLACE_OVERTAKEN);
	assert_int_equal(q.of[GUEST_IN], 1);
	/* Another host's dump is another one. */
	assert_int_equal(ask_for(&q, 5, "b", 1), 1);
	assert_int_equal(place_of(&q, 4), 0);
	/* Streams are nobody's double. */
	queue_ask(&q, find(&q, 6), "a", NULL, now_ms);
	queue_ask(&q, find(&q, 7), "a", NULL, now_ms);
	assert_int_equal(q.of[GUEST_WAITING], 5);
	queue_deinit(&q);
}

static const struct slow_row {
	const char *name;
	bool going;
	uint64_t after_ms, bytes;
	int place; /* of who is in */
} slow_rows[] = {
	{"queue: lets a host prepare for ten minutes", false, 599999, 0, 0},
	{"queue: takes the place of who prepares for ever", false, 600000, 0, PLACE_SLOW},
	{"queue: lets a sender pause for two minutes", true, 119999, 0, 0},
	{"queue: takes the place of who sends next to nothing", true, 120000, 262143, PLACE_SLOW},
	{"queue: leaves its place to who sends slowly", true, 120000, 262144, 0},
};

static void test_slow(void **state)
{
	const struct slow_row *row = *state;
	struct queue q = make(1, 10, 20);

	add(&q, 0);
	add(&q, 1);
	assert_int_equal(ask(&q, 0), 0);
	/* What it has from an earlier session isn't progress. */
	if (row->going)
		queue_progress(find(&q, 0), true, 5000000, now_ms);
	now_ms += row->after_ms;
	queue_progress(find(&q, 0), row->going, row->going ? 5000000 + row->bytes : 0, now_ms);
	queue_settle(&q, now_ms);
	assert_int_equal(place_of(&q, 0), 0); /* nobody needs it */
	assert_int_equal(ask(&q, 1), row->place ? 0 : 1);
	assert_int_equal(place_of(&q, 0), row->place);
	queue_deinit(&q);
}

/* Coming again with the same dump doesn't make up for it. */
static void test_slow_again(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);

	for (int i = 0; i < 3; i++)
		add(&q, i);
	assert_int_equal(ask_for(&q, 0, "a", 1), 0);
	now_ms += 300000;
	assert_int_equal(ask_for(&q, 1, "a", 1), 0);
	now_ms += 300000;
	assert_int_equal(ask_for(&q, 2, "a", 2), 0);
	assert_int_equal(place_of(&q, 1), PLACE_SLOW);
	queue_deinit(&q);
}

/* But what the first one has sent does: it was the link that broke. */
static void test_not_slow_again(void **state UNUSED)
{
	struct queue q = make(1, 10, 20);

	for (int i = 0; i < 3; i++)
		add(&q, i);
	assert_int_equal(ask_for(&q, 0, "a", 1), 0);
	queue_progress(find(&q, 0), true, 0, now_ms);
	now_ms += 3600000;
	queue_progress(find(&q, 0), true, 10 << 20, now_ms);
	assert_int_equal(ask_for(&q, 1, "a", 1), 0);
	now_ms += 1000;
	assert_int_equal(ask_for(&q, 2, "b", 2), 1);
	assert_int_equal(place_of(&q, 1), 0);
	queue_deinit(&q);
}

static int crowded_out(struct queue *q)
{
	const struct guest *g = queue_crowd_out(q);

	if (g)
		assert_int_equal(g->state, GUEST_LEAVING);
	return g ? g->pid : -1;
}

static void test_crowd(void **state UNUSED)
{
	struct queue q = make(1, 1, 2);

	add(&q, 0);
	add(&q, 1);
	assert_int_equal(crowded_out(&q), -1);
	add(&q, 2);
	assert_int_equal(crowded_out(&q), 0);
	assert_int_equal(crowded_out(&q), -1); /* it is on its way */
	assert_int_equal(ask(&q, 1), 0);
	add(&q, 3);
	assert_int_equal(crowded_out(&q), -1); /* 2 and 3 are the ones that have said nothing */
	add(&q, 4);
	assert_int_equal(crowded_out(&q), 2);
	queue_remove(&q, find(&q, 0));
	queue_remove(&q, find(&q, 2));
	assert_int_equal(q.of[GUEST_NEW], 2);
	assert_int_equal(q.of[GUEST_IN], 1);
	assert_int_equal(q.count, 3);
	queue_deinit(&q);
}

/* The crowd's own have to go, not those of another address, nor who has proved who it is. */
static void test_whose_crowd(void **state UNUSED)
{
	struct queue q = make(1, 1, 4);

	add_from(&q, 0, "10.0.0.1");
	queue_prove(&q, add_from(&q, 1, "10.0.0.2"), "b");
	assert_false(queue_knows(&q, find(&q, 0)));
	assert_true(queue_knows(&q, find(&q, 1)));
	assert_string_equal(queue_party_name(&q, find(&q, 1)), "b");
	for (int i = 2; i < 8; i++) {
		add_from(&q, i, "10.0.0.2");
		(void)queue_crowd_out(&q);
	}
	assert_int_equal(find(&q, 0)->state, GUEST_NEW);
	assert_int_equal(find(&q, 1)->state, GUEST_PROVED);
	assert_int_equal(find(&q, 2)->state, GUEST_LEAVING);
	/* Probes of one host are bounded, too. */
	for (int i = 10; i < 14; i++)
		queue_prove(&q, add(&q, i), "a");
	assert_int_equal(crowded_out(&q), 10);
	assert_int_equal(place_of(&q, 10), PLACE_CROWDED);
	assert_int_equal(crowded_out(&q), -1);
	queue_deinit(&q);
}

/* Whatever happens: no more are in than may be, the counts are right, and nobody waits beside a
 * place that is free. */
static void test_any(void **state UNUSED)
{
	static const char *const hosts[] = {"a", "b", "c", "d", "e"};
	struct queue q = make(3, 4, 3);
	uint32_t random = unit_seed();
	int number = 0;

	for (int step = 0; step < 20000; step++) {
		struct guest *g = q.count ? &q.guests[unit_random(&random) % q.count] : NULL;
		const char *host = hosts[unit_random(&random) % ARRAY_LEN(hosts)];
		uint8_t dump_id[DIGEST_BYTES] = {(uint8_t)(unit_random(&random) % 8)};
		unsigned of[GUEST_STATES] = {0}, parties[GUEST_STATES] = {0};

		now_ms += unit_random(&random) % 20000;
		switch (unit_random(&random) % 6) {
		case 0:
		case 1:
			if (!queue_is_full(&q))
				add_from(&q, number++, host);
			while (queue_crowd_out(&q))
				;
			break;
		case 2:
			if (g)
				queue_ask(&q, g, host, unit_random(&random) % 4 ? dump_id : NULL,
					  now_ms);
			break;
		case 3:
			if (g)
				queue_prove(&q, g, host);
			while (queue_crowd_out(&q))
				;
			break;
		case 4:
			if (g)
				queue_progress(g, unit_random(&random) % 2,
					       g->bytes + unit_random(&random) % (1 << 20), now_ms);
			break;
		default:
			if (g)
				queue_remove(&q, g);
			break;
		}
		queue_settle(&q, now_ms);
		for (unsigned i = 0; i < q.count; i++)
			of[q.guests[i].state]++;
		for (unsigned i = 0; i < q.room; i++)
			for (unsigned k = 0; k < GUEST_STATES; k++)
				parties[k] += q.parties[i].of[k];
		assert_memory_equal(of, q.of, sizeof(of));
		assert_memory_equal(parties, q.of, sizeof(of));
		assert_true(of[GUEST_IN] <= 3 && of[GUEST_WAITING] <= 4 && of[GUEST_NEW] <= 3);
		assert_true(of[GUEST_IN] == 3 || of[GUEST_WAITING] == 0);
		assert_true(of[GUEST_PROVED] <= 6);
	}
	queue_deinit(&q);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "queue: is in the order of asking", test_order, NULL);
	unit_add(&u, "queue: lets nobody overtake", test_no_overtaking, NULL);
	unit_add(&u, "queue: has an end", test_full, NULL);
	unit_add(&u, "queue: has room for those that leave", test_room, NULL);
	unit_add(&u, "queue: has a number of places for one host while others wait",
		 test_host_sessions, NULL);
	unit_add(&u, "queue: lets in who has had the fewest dumps in the last hour", test_last_hour,
		 NULL);
	unit_add(&u, "queue: counts a dump once, however many links bring it", test_same_dump,
		 NULL);
	unit_add(&u, "queue: keeps the turn of hosts that it sends away", test_kept_turns, NULL);
	unit_add(&u, "queue: keeps a turn for a time", test_turn_ends, NULL);
	unit_add(&u, "queue: forgets hosts with a turn last", test_forgetting, NULL);
	unit_add(&u, "queue: lets a host in, whatever another one has", test_shut_out, NULL);
	unit_add(&u, "queue: gives hosts their turns", test_turns, NULL);
	unit_add(&u, "queue: has a part of it for one host", test_waiting_host, NULL);
	unit_add(&u, "queue: has one session for a dump, the newest", test_one_for_a_dump, NULL);
	UNIT_ADD_ROWS(&u, slow_rows, test_slow);
	unit_add(&u, "queue: counts from the first session of a dump", test_slow_again, NULL);
	unit_add(&u, "queue: counts what the first session of a dump has sent", test_not_slow_again,
		 NULL);
	unit_add(&u, "queue: gives up the oldest that says nothing", test_crowd, NULL);
	unit_add(&u, "queue: has a crowd make room for itself", test_whose_crowd, NULL);
	unit_add(&u, "queue: keeps its counts whatever happens", test_any, NULL);
	return unit_run(&u, "queue", argc, argv);
}
