/* sender/delivery/overdue.h: what a receiver owes, by a clock of the test's. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "sender/delivery/overdue.h"

enum { LIMIT_MS = 5000, LEAST = 4096 };

static struct error err;

static void test_answer(void **state UNUSED)
{
	struct overdue o;

	overdue_init(&o, LIMIT_MS, LEAST);
	assert_int_equal(overdue_check(&o, 0, 1000000, &err), 0);
	assert_true(overdue_next_ms(&o) == UINT64_MAX);
	overdue_owe(&o, "GO", 100, 0);
	/* Not before the question has gone. */
	overdue_sent(&o, 99, 1, 1000);
	assert_int_equal(overdue_check(&o, 0, 9000000, &err), 0);
	overdue_sent(&o, 1, 0, 2000);
	assert_int_equal(overdue_next_ms(&o), 2000 + LIMIT_MS);
	assert_int_equal(overdue_check(&o, 0, 2000 + LIMIT_MS - 1, &err), 0);
	assert_int_equal(overdue_check(&o, 0, 2000 + LIMIT_MS, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "no GO came for 5 s"));
	overdue_paid(&o);
	assert_int_equal(overdue_check(&o, 0, 9000000, &err), 0);
	/* The next one has a time of its own, and some have more of it. */
	overdue_owe(&o, "DONE", 0, 1000);
	assert_int_equal(overdue_check(&o, 0, 9000000, &err), 0);
	assert_int_equal(overdue_check(&o, 0, 9000000 + LIMIT_MS + 999, &err), 0);
	assert_int_equal(overdue_check(&o, 0, 9000000 + LIMIT_MS + 1000, &err), -ETIMEDOUT);
}

/* One that takes a byte now and then has no more time than one that takes none. */
static void test_taking(void **state UNUSED)
{
	static const struct {
		uint64_t bytes_per_s;
		int want;
	} rows[] = {{0, -ETIMEDOUT}, {1, -ETIMEDOUT}, {LEAST - 100, -ETIMEDOUT}, {LEAST + 100, 0}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct overdue o;
		uint64_t ms = 1000;
		int r = 0;

		overdue_init(&o, LIMIT_MS, LEAST);
		/* Much went out at first: that is no credit. */
		overdue_sent(&o, 1 << 30, 1000, ms);
		for (; r == 0 && ms < 20 * LIMIT_MS; ms += 100) {
			r = overdue_check(&o, 1000, ms, &err);
			overdue_sent(&o, rows[i].bytes_per_s / 10, 1000, ms);
		}
		assert_int_equal(r, rows[i].want);
		if (r < 0)
			assert_in_range(ms, LIMIT_MS, 3 * LIMIT_MS);
	}
}

/* A sender that has nothing to send isn't kept by anybody. */
static void test_slow_sender(void **state UNUSED)
{
	struct overdue o;

	overdue_init(&o, LIMIT_MS, LEAST);
	for (uint64_t ms = 1000; ms < 20 * LIMIT_MS; ms += LIMIT_MS - 1) {
		assert_int_equal(overdue_check(&o, 1, ms, &err), 0);
		overdue_sent(&o, 1, 0, ms);
		assert_int_equal(overdue_check(&o, 0, ms, &err), 0);
	}
}

static void test_no_limit(void **state UNUSED)
{
	struct overdue o;

	overdue_init(&o, 0, LEAST);
	overdue_owe(&o, "GO", 0, 0);
	assert_int_equal(overdue_check(&o, 1, 1, &err), 0);
	assert_int_equal(overdue_check(&o, 1, UINT64_MAX, &err), 0);
	assert_true(overdue_next_ms(&o) == UINT64_MAX);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "overdue: ends an answer that doesn't come", test_answer, NULL);
	unit_add(&u, "overdue: ends a receiver that takes too little", test_taking, NULL);
	unit_add(&u, "overdue: doesn't blame the receiver for a slow sender", test_slow_sender,
		 NULL);
	unit_add(&u, "overdue: waits for ever where it is told to", test_no_limit, NULL);
	return unit_run(&u, "overdue", argc, argv);
}
