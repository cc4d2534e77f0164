/* receiver/collector/rates.h: how often something may happen. */
#include "tests/lib/unit.h"

#include <stdio.h>

#include "receiver/collector/rates.h"

static struct rates make(size_t room, unsigned burst, unsigned per_kilosecond)
{
	struct rates r;
	struct error err;

	assert_int_equal(rates_init(&r, room, burst, per_kilosecond, &err), 0);
	return r;
}

/* How many of so many at one time. */
static unsigned take(struct rates *r, const char *key, unsigned tries, uint64_t now_ms)
{
	unsigned taken = 0, unused;

	while (tries--)
		taken += rates_take(r, key, now_ms, &unused);
	return taken;
}

static void test_burst(void **state UNUSED)
{
	struct rates r = make(4, 5, 2000);

	assert_int_equal(take(&r, "a", 100, 1000), 5);
	assert_int_equal(take(&r, "b", 100, 1000), 5); /* each for itself */
	assert_int_equal(take(&r, "a", 100, 1499), 0);
	assert_int_equal(take(&r, "a", 100, 1500), 1);
	assert_int_equal(take(&r, "a", 100, 2500), 2);
	assert_int_equal(take(&r, "a", 100, 1000000), 5); /* no more are saved */
	rates_deinit(&r);
}

/* However often it is asked, what is less than one adds up. */
static void test_slow(void **state UNUSED)
{
	struct rates r = make(1, 1, 300);
	unsigned taken = 0;

	for (uint64_t ms = 0; ms <= 100000; ms++)
		taken += take(&r, "a", 1, ms);
	assert_in_range(taken, 26, 31);
	rates_deinit(&r);
}

static void test_left_out(void **state UNUSED)
{
	struct rates r = make(4, 1, 1000);
	unsigned left_out = 7;
	const char *key;

	assert_true(rates_take(&r, "a", 1000, &left_out));
	assert_int_equal(left_out, 0);
	assert_int_equal(take(&r, "a", 9, 1000), 0);
	assert_null(rates_owed(&r, 1500, 1000, &left_out));
	assert_true(rates_take(&r, "a", 2000, &left_out));
	assert_int_equal(left_out, 9);
	/* Nothing comes any more: it is told all the same, once. */
	assert_int_equal(take(&r, "a", 3, 2000), 0);
	key = rates_owed(&r, 3000, 1000, &left_out);
	assert_string_equal(key, "a");
	assert_int_equal(left_out, 3);
	assert_null(rates_owed(&r, 9000, 1000, &left_out));
	rates_deinit(&r);
}

static void test_many(void **state UNUSED)
{
	struct rates r = make(8, 1, 1);
	unsigned unused;
	char key[16];

	/* Who came last is known among any number of others. */
	assert_int_equal(take(&r, "last", 2, 0), 1);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%u", i);
		assert_true(rates_take(&r, key, i, &unused));
		assert_false(rates_take(&r, key, i, &unused));
		assert_false(rates_take(&r, "last", i, &unused));
	}
	rates_deinit(&r);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "rates: let so many through at once, and then so many a second", test_burst,
		 NULL);
	unit_add(&u, "rates: lose nothing of what is less than one", test_slow, NULL);
	unit_add(&u, "rates: count what they left out, and tell it once", test_left_out, NULL);
	unit_add(&u, "rates: forget who was asked for longest ago", test_many, NULL);
	return unit_run(&u, "rates", argc, argv);
}
