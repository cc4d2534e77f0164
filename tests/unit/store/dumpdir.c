/* receiver/store/dumpdir.h: directories that can't be read, and that nothing came to. */
#include "tests/lib/unit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "receiver/store/dumpdir.h"
#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

static struct tinysession tiny;
static bool disk_fails; /* what a directory has can't be read to its end */

/* In place of the C library's. */
struct dirent *readdir(DIR *dir)
{
	struct dirent *(*real)(DIR *);

	*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (!disk_fails)
		return real(dir);
	errno = EIO;
	return NULL;
}

/* A place with the journal of the dump. */
static void begin(const char *dir)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame hello = tinysession_kept(&tiny, 0, payload);
	struct journal *j;
	struct dumpdir p;
	struct error err;

	assert_int_equal(dumpdir_find(&p, dir, "host", tiny.hello.dump_id, NULL, &err), 0);
	assert_int_equal(journal_create(p.fd, "vmcore.segments", &hello, &j, &err), 0);
	assert_int_equal(journal_sync(j, &err), 0);
	journal_free(j);
	assert_int_equal(dumpdir_settle(&p, &err), 0);
	dumpdir_deinit(&p);
}

static void test_unreadable(void **state UNUSED)
{
	const char *dir = scratch_path("dir");
	struct dumpdir p;
	struct error err;

	scratch_clear();
	begin(dir);
	disk_fails = true;
	assert_int_equal(dumpdir_find(&p, dir, "host", tiny.hello.dump_id, NULL, &err), -EIO);
	dumpdir_deinit(&p);
	disk_fails = false;
	assert_int_equal(dumpdir_find(&p, dir, "host", tiny.hello.dump_id, NULL, &err), 1);
	dumpdir_deinit(&p);
}

static void test_empty(void **state UNUSED)
{
	const char *dir = scratch_path("dir");
	struct dumpdir p;
	struct error err;

	scratch_clear();
	for (int kept = 0; kept < 2; kept++) {
		char path[sizeof(p.path)];

		assert_int_equal(dumpdir_make(&p, dir, "host", &err), 0);
		assert_int_equal(dumpdir_settle(&p, &err), 0);
		snprintf(path, sizeof(path), "%s", p.path);
		assert_true(file_exists(path));
		if (kept) {
			char part[sizeof(path) + 16];

			snprintf(part, sizeof(part), "%svmcore.part", path);
			file_write(part, "a part", 6);
		}
		dumpdir_deinit(&p);
		assert_int_equal(file_exists(path), kept);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "place: takes an error for no end of a directory", test_unreadable, NULL);
	unit_add(&u, "place: goes if nothing is in it", test_empty, NULL);
	r = unit_run(&u, "place", argc, argv);
	tinysession_free(&tiny);
	return r;
}
