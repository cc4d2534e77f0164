/* include/base/error.h: messages of any length. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/error.h"

enum { ROOM = sizeof(((struct error *)NULL)->msg) - 1 };

static void test_sizes(void **state UNUSED)
{
	char name[2 * PATH_MAX + 1000];
	struct error err;

	for (size_t n = 0; n < sizeof(name); n++) {
		memset(name, 'x', n);
		name[n] = '\0';
		assert_int_equal(error_set(&err, -ENODATA, "%s", name), -ENODATA);
		assert_int_equal(strlen(err.msg), n < ROOM ? n : ROOM);
		assert_int_equal(strstr(err.msg, "[...]") != NULL, n > ROOM);
	}
}

/* Names of all lengths up to the longest: what failed and why is always said. */
static void test_ends(void **state UNUSED)
{
	char path[PATH_MAX];
	struct error err;

	for (size_t n = 0; n < sizeof(path); n++) {
		memset(path, 'x', n);
		path[n] = '\0';
		errno = ENOSPC;
		assert_int_equal(error_sys(&err, "%s.part: can't become %s", path, path), -ENOSPC);
		assert_non_null(strstr(err.msg, ": No space left on device"));
		assert_true(n == 0 || err.msg[0] == 'x');
		error_set(&err, -EBADMSG, "no ELF file");
		assert_int_equal(error_prefix(&err, "%s", path), -EBADMSG);
		assert_true(n == 0 || err.msg[0] == 'x');
		assert_string_equal(err.msg + strlen(err.msg) - 13, ": no ELF file");
	}
}

/* Prefix upon prefix: the first reason is what stays. */
static void test_prefixes(void **state UNUSED)
{
	struct error err;

	error_set(&err, -EPROTO, "the reason");
	for (unsigned i = 0; i < 100; i++)
		error_prefix(&err, "prefix %u", i);
	assert_memory_equal(err.msg, "prefix 99: prefix 98: ", 22);
	assert_string_equal(err.msg + strlen(err.msg) - 12, ": the reason");
	assert_int_equal(err.code, -EPROTO);
}

/* errno 0 is no reason, but a failure all the same. */
static void test_no_errno(void **state UNUSED)
{
	struct error err;

	errno = 0;
	assert_int_equal(error_sys(&err, "it"), -EIO);
	assert_string_equal(err.msg, "it: Input/output error");
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "error_set: leaves out the middle of what is too long", test_sizes, NULL);
	unit_add(&u, "error_sys: says what failed and why, however long names are", test_ends,
		 NULL);
	unit_add(&u, "error_prefix: keeps the first reason", test_prefixes, NULL);
	unit_add(&u, "error_sys: fails without an errno, too", test_no_errno, NULL);
	return unit_run(&u, "error", argc, argv);
}
