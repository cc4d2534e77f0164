/* include/base/dirsync.h: names made durable, where a directory can be synced and where it can't.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "tests/lib/scratch.h"

/* In the place of the library's. */
static int fsync_error, syncfs_error;
static unsigned fsyncs, syncfss, interrupted;

static int fake(int code)
{
	if (interrupted) {
		interrupted--;
		code = EINTR;
	}
	errno = code;
	return code ? -1 : 0;
}

int fsync(int fd)
{
	fsyncs++;
	/* As the kernel has it of what was opened for its place alone. */
	return fake(fd < 0 || fcntl(fd, F_GETFL) & O_PATH ? EBADF : fsync_error);
}

int syncfs(int fd UNUSED)
{
	syncfss++;
	return fake(syncfs_error);
}

static void set(int by_fsync, int by_syncfs)
{
	fsync_error = by_fsync;
	syncfs_error = by_syncfs;
	fsyncs = syncfss = interrupted = 0;
}

static void test_results(void **state UNUSED)
{
	static const struct {
		int fsync_error, syncfs_error, want;
		bool all; /* the whole file system was synced */
	} rows[] = {
		{0, EIO, DIRSYNC_DONE, false},
		{EIO, 0, -EIO, false},
		{ENOSPC, 0, -ENOSPC, false},
		{EROFS, 0, -EROFS, false}, /* a file system that gave up after an error */
		{EINVAL, 0, DIRSYNC_UNSURE, true},
		{EBADF, 0, DIRSYNC_UNSURE, true},
		{ENOTSUP, 0, DIRSYNC_UNSURE, true},
		{ENOSYS, 0, DIRSYNC_UNSURE, true},
		{EACCES, 0, DIRSYNC_UNSURE, true},
		{EBADF, ENOSYS, DIRSYNC_UNSURE, true},
		{EBADF, EIO, -EIO, true},
	};
	const int dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		set(rows[i].fsync_error, rows[i].syncfs_error);
		if (dirsync(dir, dir) != rows[i].want)
			fail_msg("row %zu", i);
		assert_int_equal(syncfss, rows[i].all);
	}
	close(dir);
}

static void test_closed(void **state UNUSED)
{
	const int dir = open("/tmp", O_PATH | O_DIRECTORY), file = open("/tmp", O_RDONLY);

	set(0, 0);
	assert_int_equal(dirsync(dir, file), DIRSYNC_DONE);
	assert_int_equal(dirsync(-1, file), DIRSYNC_DONE);
	assert_int_equal(syncfss, 2);
	assert_int_equal(dirsync(dir, -1), DIRSYNC_UNSURE);
	set(0, EIO);
	assert_int_equal(dirsync(dir, file), -EIO);
	set(0, EPERM);
	assert_int_equal(dirsync(dir, file), DIRSYNC_UNSURE);
	close(dir);
	close(file);
}

static void test_interrupted(void **state UNUSED)
{
	const int dir = open("/tmp", O_RDONLY | O_DIRECTORY);

	set(0, 0);
	interrupted = 2;
	assert_int_equal(dirsync(dir, dir), DIRSYNC_DONE);
	assert_int_equal(fsyncs, 3);
	close(dir);
}

static void test_parent(void **state UNUSED)
{
	set(0, 0);
	assert_int_equal(dirsync_parent("/tmp/file", -1), DIRSYNC_DONE);
	assert_int_equal(dirsync_parent("file", -1), DIRSYNC_DONE);
	assert_int_equal(dirsync_parent("/", -1), DIRSYNC_DONE);
	assert_int_equal(dirsync_parent("/nonexistent/file", -1), -ENOENT);
	assert_int_equal(dirsync_parent("/dev/null/file", -1), -ENOTDIR);
	assert_int_equal(fsyncs, 3);
}

/* A directory that may be written and not read: by what is in it. */
static void test_drop(void **state UNUSED)
{
	const char *dir, *file;

	scratch_clear();
	dir = scratch_path("drop");
	assert_int_equal(mkdir(dir, 0700), 0);
	file = scratch_path("drop/file");
	file_write(file, "x", 1);
	assert_int_equal(chmod(dir, 0300), 0);
	set(0, 0);
	assert_int_equal(dirsync_parent(file, -1), DIRSYNC_DONE);
	/* root reads it all the same */
	assert_int_equal(syncfss, geteuid() != 0);
	assert_int_equal(chmod(dir, 0700), 0);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "dirsync: tells a disk that fails from a file system that has no such call",
		 test_results, NULL);
	unit_add(&u, "dirsync: syncs the whole file system where the directory can't be opened",
		 test_closed, NULL);
	unit_add(&u, "dirsync: goes on after an interrupted call", test_interrupted, NULL);
	unit_add(&u, "dirsync_parent: takes any path", test_parent, NULL);
	unit_add(&u, "dirsync_parent: takes a directory that can't be read", test_drop, NULL);
	return unit_run(&u, "dirsync", argc, argv);
}
