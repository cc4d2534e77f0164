/* What ends work before it is done. */
#include "base/stop.h"

#include <errno.h>

#include "base/clock.h"
#include "tests/lib/unit.h"

static bool yes(void)
{
	return true;
}

static bool no(void)
{
	return false;
}

static void test_reasons(void **state UNUSED)
{
	const uint64_t past_ms = clock_ms(), later_ms = past_ms + 3600000;
	const struct {
		struct stop stop;
		int want;
		const char *text;
	} rows[] = {
		{{NULL, 0}, 0, NULL},
		{{no, 0}, 0, NULL},
		{{no, later_ms}, 0, NULL},
		{{yes, 0}, -ECANCELED, "stopped by a signal"},
		{{yes, later_ms}, -ECANCELED, "stopped by a signal"},
		{{NULL, past_ms}, -ETIME, "the deadline is over"},
		{{no, past_ms}, -ETIME, "the deadline is over"},
		{{yes, past_ms}, -ECANCELED, "stopped by a signal"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct error err = {0};

		assert_int_equal(stop_check(&rows[i].stop, &err), rows[i].want);
		assert_int_equal(stop_is_due(&rows[i].stop), rows[i].want != 0);
		assert_int_equal(err.code, rows[i].want);
		if (rows[i].text)
			assert_string_equal(err.msg, rows[i].text);
	}
}

int main(int argc, char **argv)
{
	struct unit u = {.count = 0};

	unit_add(&u, "stop_check: says whether a signal or the deadline ends the work",
		 test_reasons, NULL);
	return unit_run(&u, "stop", argc, argv);
}
