/* include/base/secret.h: files that are their owner's alone. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"
#include "tests/lib/scratch.h"

enum { KEY_MAX = 64 };

struct mode {
	const char *name;
	mode_t mode;
	int result;
};

/* clang-format off */
static const struct mode modes[] = {
	{"secret: takes what its owner reads", 0400, 0},
	{"secret: takes what its owner reads and writes", 0600, 0},
	{"secret: refuses what the group reads", 0640, -EACCES},
	{"secret: refuses what the group writes", 0620, -EACCES},
	{"secret: refuses what others read", 0604, -EACCES},
	{"secret: refuses what others run", 0701, -EACCES},
};
/* clang-format on */

static void test_mode(void **state)
{
	const struct mode *row = *state;
	const char *path = scratch_path("key");
	uint8_t *bytes = NULL;
	size_t size = 4711;
	struct error err = {0};

	file_write(path, "secret", 6);
	assert_int_equal(chmod(path, row->mode), 0);
	assert_int_equal(secret_read(path, KEY_MAX, &bytes, &size, &err), row->result);
	if (row->result == 0) {
		assert_int_equal(size, 6);
		assert_string_equal((char *)bytes, "secret");
	} else {
		assert_null(bytes);
		assert_non_null(strstr(err.msg, "chmod 600"));
	}
	secret_free(bytes, 6);
	scratch_clear();
}

struct length {
	const char *name;
	size_t bytes;
	int result;
};

static const struct length lengths[] = {
	{"secret_read: takes an empty file", 0, 0},
	{"secret_read: takes the longest", KEY_MAX, 0},
	{"secret_read: refuses one byte more", KEY_MAX + 1, -EFBIG},
	{"secret_read: refuses a long one", 100 * KEY_MAX, -EFBIG},
};

static void test_length(void **state)
{
	const struct length *row = *state;
	const char *path = scratch_path("key");
	char text[100 * KEY_MAX];
	uint8_t *bytes = NULL;
	size_t size = 4711;
	struct error err;

	memset(text, 'k', sizeof(text));
	file_write(path, text, row->bytes);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(secret_read(path, KEY_MAX, &bytes, &size, &err), row->result);
	assert_int_equal(size, row->result ? 4711 : row->bytes);
	if (row->result == 0) {
		assert_memory_equal(bytes, text, row->bytes);
		assert_int_equal(bytes[row->bytes], '\0');
		secret_free(bytes, size);
	}
	scratch_clear();
}

static void test_no_file(void **state UNUSED)
{
	uint8_t *bytes;
	size_t size;
	struct error err;

	assert_int_equal(secret_read(scratch_path("none"), KEY_MAX, &bytes, &size, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "No such file"));
}

/* A pipe without a writer would wait for one. */
static void test_odd_file(void **state UNUSED)
{
	const char *path = scratch_path("pipe");
	uint8_t *bytes;
	size_t size;
	struct error err;

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(secret_read(path, KEY_MAX, &bytes, &size, &err), -EINVAL);
	scratch_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, modes, test_mode);
	UNIT_ADD_ROWS(&u, lengths, test_length);
	unit_add(&u, "secret: says that a file isn't there", test_no_file, NULL);
	unit_add(&u, "secret: refuses a pipe, without waiting for its writer", test_odd_file, NULL);
	return unit_run(&u, "secret", argc, argv);
}
