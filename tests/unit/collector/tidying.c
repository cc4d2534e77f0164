/* receiver/collector/tidying.h: when. */
#include "receiver/collector/tidying.h"
#include "tests/lib/unit.h"

#include <time.h>
#include <unistd.h>

#include "tests/lib/scratch.h"

enum { HOUR_MS = 3600 * 1000 };

static void is_due_hourly(void **state UNUSED)
{
	const struct rules rules = {.keep_days = 1}, none = {0};
	const struct timespec step = {.tv_nsec = 10000000};
	struct tidying t = {0};

	tidying_init(&t, scratch_path("."), &none);
	assert_false(tidying_is_due(&t, 0));
	assert_false(tidying_is_due(&t, 5 * (uint64_t)HOUR_MS));
	tidying_init(&t, scratch_path("."), &rules);
	assert_true(tidying_is_due(&t, 5));
	tidying_turn(&t, 5);
	assert_true(tidying_is_busy(&t));
	assert_false(tidying_is_due(&t, 5 + HOUR_MS - 1));
	assert_true(tidying_is_due(&t, 5 + HOUR_MS));
	while (tidying_is_busy(&t)) {
		nanosleep(&step, NULL);
		tidying_turn(&t, 6);
	}
	/* Other rules, as after a reload, count at once. */
	tidying_init(&t, scratch_path("."), &rules);
	assert_true(tidying_is_due(&t, 6));
	tidying_turn(&t, 6);
	tidying_stop(&t);
	assert_false(tidying_is_busy(&t));
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "tidies at the start, every hour, and after a change of the rules",
		 is_due_hourly, NULL);
	return unit_run(&u, "collector/tidying", argc, argv);
}
