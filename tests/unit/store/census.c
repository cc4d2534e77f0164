/* receiver/store/census.h: what a host has begun, and what is empty. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/dumpfile.h"
#include "receiver/store/census.h"
#include "receiver/store/dumpdir.h"
#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

static struct tinysession tiny;
static const char *root;

static void write_in(const struct dumpdir *p, const char *name, const char *text)
{
	char path[sizeof(p->path) + 64];

	snprintf(path, sizeof(path), "%s%s", p->path, name);
	file_write(path, text, strlen(text));
}

/* A new place, with a journal of so many checkpoints. */
static int begin_dump(struct dumpdir *p, int number, size_t checkpoints, struct error *err)
{
	static uint8_t payload[TINY_FRAME_MAX];
	uint8_t dump_id[DIGEST_BYTES] = {0xff};
	struct journal *j;
	struct frame f;
	int r;

	memcpy(dump_id + 1, &number, sizeof(number));
	r = dumpdir_find(p, root, "host", dump_id, NULL, err);
	if (r < 0)
		return r;
	f = tinysession_kept(&tiny, 0, payload);
	assert_int_equal(journal_create(p->fd, "vmcore.segments", &f, &j, err), 0);
	for (size_t i = 1; i <= checkpoints; i++) {
		f = tinysession_kept(&tiny, i, payload);
		assert_int_equal(journal_append(j, &f, err), 0);
	}
	assert_int_equal(journal_sync(j, err), 0);
	journal_free(j);
	return dumpdir_settle(p, err);
}

/* So that nobody takes it for empty. */
static void leave_dump(struct dumpdir *p)
{
	write_in(p, "vmcore-dmesg.txt", "log");
	dumpdir_deinit(p);
}

static struct census take(void)
{
	struct census c;
	struct error err;
	char path[4096];

	snprintf(path, sizeof(path), "%s/host", root);
	assert_int_equal(census_take(AT_FDCWD, path, -1, &c, &err), 0);
	return c;
}

static void test_beginnings(void **state UNUSED)
{
	struct dumpdir p;
	struct error err;

	root = scratch_path("begun");
	for (int i = 0; i < BEGINNINGS_MAX; i++) {
		assert_int_equal(begin_dump(&p, i, i % 2, &err), 0);
		leave_dump(&p);
		assert_int_equal(take().beginnings, i + 1);
	}
	assert_int_equal(take().attached_bytes, 3 * BEGINNINGS_MAX);
	assert_int_equal(begin_dump(&p, 1000, 0, &err), -EDQUOT);
	assert_non_null(strstr(err.msg, "64 dumps without a page"));
	dumpdir_deinit(&p);
}

/* What has pages, or is complete, or is being received, doesn't count. */
static void test_others(void **state UNUSED)
{
	struct dumpdir p;
	struct error err;
	struct journal *j;
	int to_us[2], status;
	pid_t child, holder;
	char c;

	root = scratch_path("others");
	assert_int_equal(begin_dump(&p, 1, 2, &err), 0);
	leave_dump(&p);
	assert_int_equal(begin_dump(&p, 2, 0, &err), 0);
	write_in(&p, "vmcore", "a dump");
	leave_dump(&p);
	assert_int_equal(begin_dump(&p, 3, 0, &err), 0);
	assert_int_equal(pipe(to_us), 0);
	child = fork();
	if (child == 0) {
		(void)!journal_open(p.fd, "vmcore.segments", &j, &holder, &err);
		(void)!write(to_us[1], "+", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(to_us[0], &c, 1), 1);
	leave_dump(&p);
	assert_int_equal(take().beginnings, 0);
	assert_int_equal(take().attached_bytes, 3);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_int_equal(take().beginnings, 1);
	close(to_us[0]);
	close(to_us[1]);
}

static void make_dir(const char *name, mode_t mode)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, mode), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_file(const char *name, const char *text)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	file_write(path, text, strlen(text));
}

static bool is_there(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return file_exists(path);
}

static void test_sweep(void **state UNUSED)
{
	static const char *const goes[] = {"empty", "left/2026-01-01T00-00-00Z",
					   "left/2026-01-01T00-00-01Z-2", "left/.new"};
	static const char *const stays[] = {"left/2026-01-01T00-00-02Z", "left/mine", "operators",
					    "left/2026-01-01T00-00-03Z",
					    "left/2026-01-01T00-00-04Z"};
	struct dumpdir p;
	struct error err;

	root = scratch_path("swept");
	assert_int_equal(mkdir(root, 0700), 0);
	make_dir("empty", 0700);
	make_dir("operators", 0755);
	make_dir("left", 0700);
	for (size_t i = 1; i < ARRAY_LEN(goes); i++)
		make_dir(goes[i], 0700);
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		if (!is_there(stays[i]))
			make_dir(stays[i], 0700);
	make_file("left/2026-01-01T00-00-00Z/meta.json", "{}");
	make_file("left/2026-01-01T00-00-00Z/vmcore.part", "");
	make_file("left/2026-01-01T00-00-02Z/vmcore-dmesg.txt", "log");
	make_file("left/2026-01-01T00-00-03Z/vmcore", "");
	make_file("left/2026-01-01T00-00-04Z/vmcore.part", "pages");
	/* One that a killed session has left. */
	assert_int_equal(begin_dump(&p, 1, 0, &err), 0);
	census_sweep(root);
	assert_false(is_there("host"));
	for (size_t i = 0; i < ARRAY_LEN(goes); i++)
		assert_false(is_there(goes[i]));
	for (size_t i = 0; i < ARRAY_LEN(stays); i++)
		assert_true(is_there(stays[i]));
}

/* Each costs its sender a connection and some bytes. */
static void test_short_streams(void **state UNUSED)
{
	char part[sizeof(((struct dumpdir *)0)->path) + 64];
	struct dumpdir p;
	struct error err;

	root = scratch_path("short");
	for (int i = 0; i < BEGINNINGS_MAX + 2; i++) {
		assert_int_equal(dumpdir_make(&p, root, "host", &err), 0);
		assert_int_equal(dumpdir_settle(&p, &err), 0);
		write_in(&p, "vmcore.part", "KDUMP");
		snprintf(part, sizeof(part), "%svmcore.part", p.path);
		if (i < 2) /* these two have more */
			assert_int_equal(truncate(part, SHORT_STREAM_BYTES), 0);
		dumpdir_deinit(&p);
		assert_int_equal(take().beginnings, i < 2 ? 0 : i - 1);
	}
	assert_int_equal(dumpdir_make(&p, root, "host", &err), -EDQUOT);
	assert_non_null(strstr(err.msg, "64 dumps without a page"));
	dumpdir_deinit(&p);
}

/* A stream of which nothing has come so far: makedumpfile says nothing while it looks for pages. */
static void test_sweep_stream(void **state UNUSED)
{
	struct dumpdir p;
	struct dumpfile *df;
	struct error err;

	root = scratch_path("stream");
	assert_int_equal(dumpdir_make(&p, root, "host", &err), 0);
	assert_int_equal(dumpfile_create_at(p.fd, "vmcore", DUMPFILE_REPLACE_NOTHING, &df, &err),
			 0);
	assert_int_equal(dumpdir_settle(&p, &err), 0);
	census_sweep(root);
	assert_int_equal(faccessat(p.fd, "vmcore.part", F_OK, 0), 0);
	dumpfile_free(df);
	write_in(&p, "meta.json.part", "{"); /* a session was killed */
	census_sweep(root);
	assert_false(is_there("host"));
	dumpdir_deinit(&p);
}

static int remove_one(const char *path, const struct stat *st UNUSED, int kind UNUSED,
		      struct FTW *at UNUSED)
{
	return remove(path);
}

/* Directories in directories, which scratch_clear() leaves. */
static void clear(const char *name)
{
	(void)nftw(scratch_path(name), remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true, .pages_per_segment = 1});
	unit_add(&u, "census: bounds the dumps of a host that have no page", test_beginnings, NULL);
	unit_add(&u, "census: counts no dump that has pages, or is on its way", test_others, NULL);
	unit_add(&u, "census: removes what is empty, and nothing else", test_sweep, NULL);
	unit_add(&u, "census: bounds streams that ended at their beginning", test_short_streams,
		 NULL);
	unit_add(&u, "census: leaves a stream its place, though nothing has come",
		 test_sweep_stream, NULL);
	r = unit_run(&u, "census", argc, argv);
	clear("begun");
	clear("others");
	clear("swept");
	clear("stream");
	clear("short");
	tinysession_free(&tiny);
	return r;
}
