/* sender/kernel/warnings.h: lines are kept, joined, and bounded. */
#include "tests/lib/unit.h"

#include <string.h>

#include "sender/kernel/warnings.h"

static void test_lines(void **state UNUSED)
{
	struct warnings r = {0};

	warn_also(&r, "begins %d", 1); /* nothing to add to */
	remark(&r, "second");
	warn_also(&r, "goes %s", "on");
	warn_also(&r, "and on");
	assert_int_equal(r.count, 2);
	assert_string_equal(r.line[0], "begins 1");
	assert_string_equal(r.line[1], "second; goes on; and on");
}

static void test_room(void **state UNUSED)
{
	char text[REMARK_BYTES];

	memset(text, 'x', sizeof(text));
	/* With "; " and "yy" a line is full, or a byte longer than that. */
	for (size_t n = REMARK_BYTES - 5; n <= REMARK_BYTES - 4; n++) {
		struct warnings r = {0};

		remark(&r, "%.*s", (int)n, text);
		warn_also(&r, "yy");
		assert_int_equal(r.count, n + 4 < REMARK_BYTES ? 1 : 2);
		assert_int_equal(strlen(r.line[0]), n + 4 < REMARK_BYTES ? n + 4 : n);
		assert_string_equal(r.line[r.count - 1] + strlen(r.line[r.count - 1]) - 2, "yy");
	}
}

static void test_bounds(void **state UNUSED)
{
	struct warnings r = {0};
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < REMARKS_MAX + 3; i++) {
		remark(&r, "%s", text);
		warn_also(&r, "%s", text);
	}
	assert_int_equal(r.count, REMARKS_MAX);
	for (size_t i = 0; i < REMARKS_MAX; i++)
		assert_int_equal(strlen(r.line[i]), REMARK_BYTES - 1);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "remark: keeps lines, and what is added to the last", test_lines, NULL);
	unit_add(&u, "warn_also: begins a line where there is no room", test_room, NULL);
	unit_add(&u, "remark: keeps no more than there is room for", test_bounds, NULL);
	return unit_run(&u, "warnings", argc, argv);
}
