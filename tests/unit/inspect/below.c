/* receiver/inspect/below.h: which files below a directory are dumps. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver/inspect/below.h"
#include "tests/lib/scratch.h"

/* A directory of one file, or of two, removed again. */
static char directory[256];

static char *path_in(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", directory, name) > 0);
	return path;
}

static void put(const char *name, const char *bytes, size_t size_bytes)
{
	char *path = path_in(name);

	file_write(path, bytes, size_bytes);
	free(path);
}

static void drop(const char *name)
{
	char *path = path_in(name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

struct name_row {
	const char *name, *file;
	const char *bytes;
	size_t size_bytes;
	const char *beside; /* another, empty file; NULL: none */
	bool is_dump;
};

/* clang-format off */
#define BYTES(text) text, sizeof(text) - 1
static const struct name_row names[] = {
	{"below: takes what begins as a dump", "any", BYTES("KDUMP   \6"), NULL, true},
	{"below: takes a signature and no more", "any", BYTES("KDUMP   "), NULL, true},
	{"below: leaves a signature cut short", "any", BYTES("KDUMP  "), NULL, false},
	{"below: takes a flattened dump", "any", BYTES("makedumpfile\0\0\0\0"), NULL, true},
	{"below: leaves text about makedumpfile", "any", BYTES("makedumpfile is a tool\n"), NULL, false},
	{"below: leaves an empty file", "any", BYTES(""), NULL, false},
	{"below: takes vmcore, whatever it is", "vmcore", BYTES("\177ELF"), NULL, true},
	{"below: takes NAME.part, whatever it is", "any.part", BYTES(""), NULL, true},
	{"below: leaves .part", ".part", BYTES(""), NULL, false},
	{"below: takes what has its segments beside it", "any", BYTES(""), "any.segments", true},
	{"below: takes what has its sums beside it", "any", BYTES(""), "any.sums", true},
	{"below: leaves what has others' segments beside it", "any", BYTES(""), "many.segments", false},
	{"below: leaves the log", "vmcore-dmesg.txt", BYTES("[    0.0]"), NULL, false},
	{"below: leaves what is beside a part", "vmcore.part.segments", BYTES("x"), "vmcore.part-dmesg.txt", false},
};
/* clang-format on */

static void test_name(void **state)
{
	const struct name_row *row = *state;
	char *path = path_in(row->file);
	struct below b;
	struct error err;

	put(row->file, row->bytes, row->size_bytes);
	if (row->beside)
		put(row->beside, "", 0);
	assert_int_equal(below_find(directory, &b, &err), 0);
	assert_int_equal(b.count, 1);
	assert_int_equal(b.items[0].trouble == NULL, row->is_dump);
	assert_string_equal(b.items[0].path, row->is_dump ? path : directory);
	below_deinit(&b);

	/* A file that is named is meant, whatever it is. */
	assert_int_equal(below_find(path, &b, &err), 0);
	assert_int_equal(b.count, 1);
	assert_null(b.items[0].trouble);
	below_deinit(&b);
	drop(row->file);
	if (row->beside)
		drop(row->beside);
	free(path);
}

static void test_nothing(void **state UNUSED)
{
	struct below b;
	struct error err;

	assert_int_equal(below_find("/nowhere/at/all", &b, &err), 0);
	assert_int_equal(b.count, 1);
	assert_null(b.items[0].trouble);
	below_deinit(&b);
	assert_int_equal(below_find(directory, &b, &err), 0);
	assert_int_equal(b.count, 1);
	assert_string_equal(b.items[0].trouble->msg, "no dump lies below it");
	below_deinit(&b);
}

/* "a-b" and "a.b" sort before "a/b" by their bytes. */
static void test_order(void **state UNUSED)
{
	static const char *const folders[] = {"a", "a-b", "a.b"};
	struct below b;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char *path = path_in(folders[i]), name[64];

		assert_int_equal(mkdir(path, 0700), 0);
		free(path);
		snprintf(name, sizeof(name), "%s/vmcore", folders[i]);
		put(name, "", 0);
	}
	put("b.part", "", 0);
	assert_int_equal(below_find(directory, &b, &err), 0);
	assert_int_equal(b.count, 4);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char name[64], *path;

		snprintf(name, sizeof(name), "%s/vmcore", folders[i]);
		path = path_in(name);
		assert_string_equal(b.items[i].path, path);
		free(path);
		drop(name);
		path = path_in(folders[i]);
		assert_int_equal(rmdir(path), 0);
		free(path);
	}
	drop("b.part");
	below_deinit(&b);
}

/* A collector goes on meanwhile. */
static void test_meanwhile(void **state UNUSED)
{
	char *part = path_in("a.part"), *whole = path_in("a"), *gone = path_in("b.part");
	struct below b;
	struct error err;

	put("a.part", "", 0);
	put("b.part", "", 0);
	assert_int_equal(below_find(directory, &b, &err), 0);
	assert_int_equal(b.count, 2);
	assert_true(below_is_there(&b.items[0]));
	assert_string_equal(b.items[0].path, part);
	assert_int_equal(rename(part, whole), 0);
	drop("b.part");
	assert_true(below_is_there(&b.items[0]));
	assert_string_equal(b.items[0].path, whole);
	assert_false(below_is_there(&b.items[1]));
	below_deinit(&b);
	drop("a");

	/* What was named and isn't there is an error. */
	assert_int_equal(below_find(gone, &b, &err), 0);
	assert_true(below_is_there(&b.items[0]));
	assert_string_equal(b.items[0].path, gone);
	below_deinit(&b);
	free(part);
	free(whole);
	free(gone);
}

int main(int argc, char **argv)
{
	struct unit u = {0};
	int r;

	snprintf(directory, sizeof(directory), "%s", scratch_path("below"));
	if (mkdir(directory, 0700) < 0)
		return 1;
	UNIT_ADD_ROWS(&u, names, test_name);
	unit_add(&u, "below: has nothing to look for where nothing is", test_nothing, NULL);
	unit_add(&u, "below: goes folder by folder, in order", test_order, NULL);
	unit_add(&u, "below: knows a dump that was published or removed meanwhile", test_meanwhile,
		 NULL);
	r = unit_run(&u, "below", argc, argv);
	rmdir(directory);
	return r;
}
