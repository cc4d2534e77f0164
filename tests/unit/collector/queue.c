/* receiver/collector/queue.h: places with a collector. */
#include "tests/lib/unit.h"

#include "receiver/collector/queue.h"

static struct queue make(unsigned in, unsigned waiting, unsigned fresh)
{
	struct queue q;
	struct error err;

	assert_int_equal(queue_init(&q, in, waiting, fresh, &err), 0);
	return q;
}

/* A guest that is known by a number. */
static struct guest *add(struct queue *q, int number)
{
	struct guest *g;

	assert_false(queue_is_full(q));
	g = queue_add(q);
	g->pid = number;
	return g;
}

static struct guest *find(struct queue *q, int number)
{
	for (unsigned i = 0; i < q->count; i++)
		if (q->guests[i].pid == number)
			return &q->guests[i];
	return NULL;
}

static void test_order(void **state UNUSED)
{
	struct queue q = make(2, 10, 10);

	for (int i = 0; i < 6; i++)
		add(&q, i);
	/* By the order of asking, not of coming. */
	assert_int_equal(queue_ask(&q, find(&q, 5)), 0);
	assert_int_equal(queue_ask(&q, find(&q, 0)), 0);
	assert_int_equal(queue_ask(&q, find(&q, 4)), 1);
	assert_int_equal(queue_ask(&q, find(&q, 1)), 2);
	assert_int_equal(queue_ask(&q, find(&q, 3)), 3);
	assert_int_equal(queue_ask(&q, find(&q, 4)), 1); /* asking twice changes nothing */
	assert_int_equal(queue_ask(&q, find(&q, 5)), 0);
	assert_null(queue_next(&q));
	/* One of those that wait gives up. */
	queue_remove(&q, find(&q, 1));
	assert_int_equal(queue_place(&q, find(&q, 3)), 2);
	queue_remove(&q, find(&q, 5));
	assert_int_equal(queue_next(&q)->pid, 4);
	assert_null(queue_next(&q));
	assert_int_equal(queue_place(&q, find(&q, 4)), 0);
	assert_int_equal(queue_place(&q, find(&q, 3)), 1);
	assert_int_equal(q.in, 2);
	assert_int_equal(q.waiting, 1);
	assert_int_equal(q.fresh, 1);
	queue_deinit(&q);
}

/* Who comes when a place is free, but others wait for it, has to wait as well. */
static void test_no_overtaking(void **state UNUSED)
{
	struct queue q = make(1, 10, 10);

	for (int i = 0; i < 3; i++)
		add(&q, i);
	assert_int_equal(queue_ask(&q, find(&q, 0)), 0);
	assert_int_equal(queue_ask(&q, find(&q, 1)), 1);
	queue_remove(&q, find(&q, 0));
	assert_int_equal(queue_ask(&q, find(&q, 2)), 2);
	assert_int_equal(queue_next(&q)->pid, 1);
	queue_deinit(&q);
}

static void test_full(void **state UNUSED)
{
	struct queue q = make(1, 2, 1);

	for (int i = 0; i < 4; i++)
		add(&q, i);
	assert_int_equal(queue_ask(&q, find(&q, 0)), 0);
	assert_int_equal(queue_ask(&q, find(&q, 1)), 1);
	assert_int_equal(queue_ask(&q, find(&q, 2)), 2);
	assert_int_equal(queue_ask(&q, find(&q, 3)), -1);
	add(&q, 4);
	assert_true(queue_is_full(&q));
	queue_remove(&q, find(&q, 1));
	assert_int_equal(queue_ask(&q, find(&q, 3)), 2);
	queue_deinit(&q);
}

static void test_crowd(void **state UNUSED)
{
	struct queue q = make(1, 1, 2);

	add(&q, 0);
	add(&q, 1);
	assert_null(queue_crowd_out(&q));
	add(&q, 2);
	assert_int_equal(queue_crowd_out(&q)->pid, 0);
	assert_null(queue_crowd_out(&q)); /* it is on its way */
	assert_int_equal(queue_ask(&q, find(&q, 1)), 0);
	add(&q, 3);
	assert_null(queue_crowd_out(&q)); /* 2 and 3 are the ones that have said nothing */
	add(&q, 4);
	assert_int_equal(queue_crowd_out(&q)->pid, 2);
	queue_remove(&q, find(&q, 0));
	queue_remove(&q, find(&q, 2));
	assert_int_equal(q.fresh, 2);
	assert_int_equal(q.in, 1);
	assert_int_equal(q.count, 3);
	queue_deinit(&q);
}

/* Whatever happens: no more are in than may be, the counts are right, and nobody waits beside a
 * place that is free. */
static void test_any(void **state UNUSED)
{
	struct queue q = make(3, 4, 3);
	uint32_t random = unit_seed();
	int number = 0;

	for (int step = 0; step < 20000; step++) {
		struct guest *g = q.count ? &q.guests[unit_random(&random) % q.count] : NULL;
		unsigned of[4] = {0};

		switch (unit_random(&random) % 4) {
		case 0:
		case 1:
			if (!queue_is_full(&q))
				add(&q, number++);
			(void)queue_crowd_out(&q);
			break;
		case 2:
			if (g && g->state != GUEST_LEAVING)
				(void)queue_ask(&q, g);
			break;
		default:
			if (g)
				queue_remove(&q, g);
			while (queue_next(&q))
				;
			break;
		}
		for (unsigned i = 0; i < q.count; i++)
			of[q.guests[i].state]++;
		assert_int_equal(of[GUEST_NEW], q.fresh);
		assert_int_equal(of[GUEST_WAITING], q.waiting);
		assert_int_equal(of[GUEST_IN], q.in);
		assert_true(q.in <= 3 && q.waiting <= 4 && q.fresh <= 3);
		assert_true(q.in == 3 || q.waiting == 0);
	}
	queue_deinit(&q);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "queue: is in the order of asking", test_order, NULL);
	unit_add(&u, "queue: lets nobody overtake", test_no_overtaking, NULL);
	unit_add(&u, "queue: has an end", test_full, NULL);
	unit_add(&u, "queue: gives up the oldest that says nothing", test_crowd, NULL);
	unit_add(&u, "queue: keeps its counts whatever happens", test_any, NULL);
	return unit_run(&u, "queue", argc, argv);
}
