/* receiver/collector/tidying.h: when the store is tidied, and who hears of space. */
#include "receiver/collector/tidying.h"
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/scratch.h"

enum { HOUR_MS = 3600 * 1000, MANY = 200 };

static struct {
	pid_t pids[MANY];
	struct space_answer answers[MANY];
	size_t count;
} heard;

static void hear(void *ctx UNUSED, pid_t pid, const struct space_answer *answer)
{
	heard.pids[heard.count] = pid;
	heard.answers[heard.count++] = *answer;
}

static void turn_until_idle(struct tidying *t, uint64_t now_ms)
{
	const struct timespec step = {.tv_nsec = 5000000};
	int fd;

	for (int i = 0; i < 2000; i++) {
		tidying_turn(t, now_ms);
		if (!tidying_is_busy(t, &fd) && !t->count)
			return;
		nanosleep(&step, NULL);
	}
	fail_msg("a janitor doesn't end");
}

static void is_due_hourly(void **state UNUSED)
{
	const struct space_limits limits = {.rules.keep_days = 1}, none = {0};
	struct tidying t;
	int fd;

	tidying_init(&t, scratch_path("."), &none, hear, NULL);
	assert_false(tidying_is_due(&t, 0));
	assert_false(tidying_is_due(&t, 5 * (uint64_t)HOUR_MS));
	tidying_reset(&t, &limits);
	assert_true(tidying_is_due(&t, 5));
	tidying_turn(&t, 5);
	assert_true(tidying_is_busy(&t, &fd));
	assert_true(fd >= 0);
	assert_false(tidying_is_due(&t, 5 + HOUR_MS - 1));
	assert_true(tidying_is_due(&t, 5 + HOUR_MS));
	turn_until_idle(&t, 6);
	tidying_reset(&t, &limits);
	assert_true(tidying_is_due(&t, 6));
	tidying_turn(&t, 6);
	tidying_deinit(&t);
	assert_false(tidying_is_busy(&t, &fd));
}

/* More than a janitor takes at a time: each hears once, in order, of its own want. */
static void answers_all(void **state UNUSED)
{
	const struct space_limits limits = {.rules.keep_days = 1};
	struct tidying t;

	heard.count = 0;
	tidying_init(&t, scratch_path("."), &limits, hear, NULL);
	for (int i = 0; i < 2 * TIDYING_BATCH + 5; i++) {
		const struct reserve_want want = {
			.host = "x", .name = "y", .bound_bytes = 1000 + (uint64_t)i, .raw = true};

		tidying_want(&t, 100 + i, &want, 0);
		if (i == 10)
			tidying_turn(&t, 5);
	}
	turn_until_idle(&t, 5);
	assert_int_equal(heard.count, 2 * TIDYING_BATCH + 5);
	for (size_t i = 0; i < heard.count; i++) {
		assert_int_equal(heard.pids[i], 100 + i);
		assert_int_equal(heard.answers[i].code, 0);
		assert_int_equal(heard.answers[i].granted_bytes, 1000 + i);
	}
	tidying_deinit(&t);
}

/* A store that can't be looked at: a dump that comes is worth more than a limit. */
static void grants_without_store(void **state UNUSED)
{
	const struct space_limits limits = {.rules.keep_days = 1};
	const struct reserve_want want = {.host = "x", .name = "y", .bound_bytes = 7000};
	struct tidying t;

	heard.count = 0;
	tidying_init(&t, "/proc/nowhere", &limits, hear, NULL);
	tidying_want(&t, 3, &want, 0);
	tidying_want(&t, 4, &want, 0);
	turn_until_idle(&t, 5);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.answers[1].code, 0);
	assert_int_equal(heard.answers[1].granted_bytes, 7000);
	tidying_deinit(&t);
}

/* Without rules, and with space for four times as much, nobody has to look. */
static void grants_at_once(void **state UNUSED)
{
	const struct space_limits limits = {.min_free_bytes = 0};
	const struct reserve_want want = {.host = "x", .name = "y", .bound_bytes = 7000};
	struct tidying t;
	int fd;

	heard.count = 0;
	tidying_init(&t, scratch_path("."), &limits, hear, NULL);
	tidying_want(&t, 3, &want, 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.answers[0].granted_bytes, 7000);
	tidying_want(&t, 4, &want, UINT64_MAX / 2); /* others may still write all there is */
	assert_int_equal(heard.count, 1);
	tidying_turn(&t, 5);
	assert_true(tidying_is_busy(&t, &fd));
	turn_until_idle(&t, 5);
	assert_int_equal(heard.count, 2);
	tidying_deinit(&t);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "tidies at the start, every hour, and after a change of the rules",
		 is_due_hourly, NULL);
	unit_add(&u, "answers each session that wants space, in order", answers_all, NULL);
	unit_add(&u, "grants space where the store can't be looked at", grants_without_store, NULL);
	unit_add(&u, "grants space at once where there is plenty", grants_at_once, NULL);
	return unit_run(&u, "collector/tidying", argc, argv);
}
