/* include/base/owner.h: whom what is there may belong to, and who may write to it. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "tests/lib/scratch.h"

enum { US = 1000, GROUP = 100, STRANGER = 77 };

/* In the place of the library's. */
uid_t geteuid(void)
{
	return US;
}

gid_t getegid(void)
{
	return GROUP;
}

int getgroups(int size UNUSED, gid_t list[] UNUSED)
{
	return 0;
}

/* What a file system gives to all that is made there. */
static uid_t sample_uid;
static mode_t sample_mode;
static unsigned samples;

int fstatat64(int dir_fd UNUSED, const char *name UNUSED, struct stat64 *st, int flags UNUSED)
{
	samples++;
	*st = (struct stat64){.st_uid = sample_uid, .st_mode = sample_mode};
	return 0;
}

struct row {
	uid_t uid;
	mode_t mode;
	int want, want_top;
};

static void check_rows(const struct row *rows, size_t count)
{
	const char *file = scratch_path("file");
	const int dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	file_write(file, "x", 1);
	for (size_t i = 0; i < count; i++) {
		const struct stat st = {
			.st_uid = rows[i].uid, .st_gid = GROUP, .st_mode = rows[i].mode};
		struct error err;

		if (owner_check(&st, dir, "place", &err) != rows[i].want ||
		    owner_check_top(&st, dir, "place", &err) != rows[i].want_top)
			fail_msg("row %zu: %s", i, err.msg);
		if (rows[i].want_top)
			assert_non_null(strstr(err.msg, "place"));
	}
	close(dir);
}

static void test_rows(void **state UNUSED)
{
	static const struct row rows[] = {
		{US, S_IFDIR | 0700, 0, 0},
		{0, S_IFDIR | 0755, 0, 0},
		{US, S_IFREG | 0644, 0, 0},
		{STRANGER, S_IFDIR | 0700, -EACCES, -EACCES},
		{STRANGER, S_IFDIR | 01777, -EACCES, -EACCES},
		{US, S_IFDIR | 0770, -EACCES, 0}, /* our own group */
		{US, S_IFDIR | 0702, -EACCES, -EACCES},
		{US, S_IFDIR | 0777, -EACCES, -EACCES},
		{0, S_IFDIR | 01777, -EACCES, 0},
		{US, S_IFREG | 0620, -EACCES, 0},
		{US, S_IFLNK | 0777, 0, 0},
		{STRANGER, S_IFLNK | 0777, -EACCES, -EACCES},
	};

	sample_uid = US;
	sample_mode = S_IFDIR | 0700;
	check_rows(rows, ARRAY_LEN(rows));
}

/* All that we make there belongs to nobody, or may be written by all. */
static void test_own_owners(void **state UNUSED)
{
	static const struct row rows[] = {
		{65534, S_IFDIR | 0777, 0, 0},
		{65534, S_IFREG | 0777, 0, 0},
		{STRANGER, S_IFREG | 0600, -EACCES, -EACCES},
	};

	sample_uid = 65534;
	sample_mode = S_IFDIR | 0777;
	check_rows(rows, ARRAY_LEN(rows));
	assert_true(samples > 0);
}

static void test_no_sample(void **state UNUSED)
{
	const struct stat st = {.st_uid = 65534, .st_mode = S_IFDIR | 0700};
	struct error err;

	sample_uid = 65534;
	assert_int_equal(owner_check(&st, -1, "DIR/HOST", &err), -EACCES);
	assert_string_equal(err.msg, "DIR/HOST belongs to uid 65534 (mode 0700), and only uid 1000 "
				     "and root are trusted here: remove it, or chown it");
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "owner: trusts us and root, and what nobody else may write to", test_rows,
		 NULL);
	unit_add(&u, "owner: knows file systems with owners and modes of their own",
		 test_own_owners, NULL);
	unit_add(&u, "owner: trusts nobody where nothing can be made to compare with",
		 test_no_sample, NULL);
	return unit_run(&u, "owner", argc, argv);
}
