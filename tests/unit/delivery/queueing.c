/* sender/delivery/queueing.h: what is told of a queue, and when it is left. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "sender/delivery/queueing.h"

static struct error err;

/* How many lines a queue is worth that begins at `place` and moves each `step_ms`. */
static unsigned lines(uint32_t place, uint64_t step_ms)
{
	struct queueing q;
	unsigned told = 0;

	queueing_begin(&q, 0, 0, 1000);
	for (uint64_t ms = 1000; place; ms += step_ms, place--)
		for (int i = 0; i < 5; i++) /* it is looked at more often than it moves */
			told += queueing_tells(&q, place, ms + (uint64_t)i * step_ms / 5);
	return told;
}

static void test_lines(void **state UNUSED)
{
	assert_int_equal(lines(1, 1000), 1);
	assert_int_equal(lines(3, 1000), 3);
	assert_int_equal(lines(33, 1000), 7); /* 33, 16, 8, 4, 3, 2, 1 */
	assert_int_equal(lines(1000, 10), 11);
	/* An hour of it. */
	assert_in_range(lines(1000, 3600), 11, 18);
}

/* A server counts as it likes: from 0 on, or up and down. */
static void test_odd_places(void **state UNUSED)
{
	struct queueing q;
	unsigned told = 0;

	queueing_begin(&q, 0, 0, 1000);
	for (uint64_t ms = 1000; ms < 50000; ms += 10)
		told += queueing_tells(&q, 0, ms);
	assert_int_equal(told, 1);
	queueing_begin(&q, 0, 0, 1000);
	for (uint64_t ms = 1000; ms < 50000; ms += 10)
		told += queueing_tells(&q, ms / 10 % 2 ? 0 : UINT32_MAX, ms);
	assert_int_equal(told, 3);
}

/* That it still waits is told, ever more rarely. */
static void test_stands_still(void **state UNUSED)
{
	struct queueing q;
	unsigned told = 0;

	queueing_begin(&q, 0, 0, 1000);
	for (uint64_t ms = 1000; ms < 1000 + 3600000; ms += 200)
		told += queueing_tells(&q, 900, ms);
	assert_int_equal(told, 6); /* at once, and after 1, 3, 7, 15, 31 minutes */
}

static void test_limits(void **state UNUSED)
{
	struct queueing q;
	bool over;

	queueing_begin(&q, 5000, 20000, 1000);
	for (uint64_t ms = 1000; ms < 21000; ms += 4000) {
		(void)queueing_tells(&q, (uint32_t)(100000 - ms), ms);
		assert_int_equal(queueing_check(&q, ms, &over, &err), 0);
	}
	/* It falls, for ever. */
	(void)queueing_tells(&q, 1, 21000);
	assert_int_equal(queueing_check(&q, 21000, &over, &err), -ETIMEDOUT);
	assert_true(over);
	assert_non_null(strstr(err.msg, "--queue-time"));

	/* It doesn't: rising and falling again is no better. */
	queueing_begin(&q, 5000, 0, 1000);
	(void)queueing_tells(&q, 7, 1000);
	(void)queueing_tells(&q, 9, 3000);
	(void)queueing_tells(&q, 7, 5000);
	assert_int_equal(queueing_check(&q, 5999, &over, &err), 0);
	assert_int_equal(queueing_check(&q, 6000, &over, &err), -ETIMEDOUT);
	assert_false(over);
	assert_non_null(strstr(err.msg, "didn't get shorter for 5 s"));
	(void)queueing_tells(&q, 6, 6000);
	assert_int_equal(queueing_check(&q, 6000, &over, &err), 0);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "queueing: tells the first place, halves and the last three", test_lines,
		 NULL);
	unit_add(&u, "queueing: tells that it waits, ever more rarely", test_stands_still, NULL);
	unit_add(&u, "queueing: tells no place twice, whatever a server counts from",
		 test_odd_places, NULL);
	unit_add(&u, "queueing: has an end", test_limits, NULL);
	return unit_run(&u, "queueing", argc, argv);
}
