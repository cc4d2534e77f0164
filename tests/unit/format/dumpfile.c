/* include/format/dumpfile.h: FILE.part, holes, the incomplete bit, and the rename. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/dumpfile.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"

/* In the place of the library's: they fail when told to, once, as the kernel's do. */
static int fsync_error;

/* Those of a directory: the errno of each of the next ones. */
static int dir_errors[2];

static int fake_sync(void)
{
	errno = fsync_error;
	fsync_error = 0;
	return errno ? -1 : 0;
}

int fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return fake_sync();
	errno = dir_errors[0];
	dir_errors[0] = dir_errors[1];
	dir_errors[1] = 0;
	return errno ? -1 : 0;
}

int syncfs(int fd UNUSED)
{
	return 0;
}

/* A file that somebody else makes as soon as ours has its final name. */
static const char *take_part_at_rename;

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	const int r = (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);

	if (r == 0 && take_part_at_rename)
		file_write(take_part_at_rename, "x", 1);
	return r;
}

int fdatasync(int fd UNUSED)
{
	return fake_sync();
}

/* The status as it stands in a file. */
static uint32_t status_in(const char *path)
{
	size_t size;
	uint8_t *bytes = file_read(path, &size);
	uint32_t status;

	assert_true(size >= KDUMP_STATUS_OFFSET + 4);
	status = le32_get(bytes + KDUMP_STATUS_OFFSET);
	free(bytes);
	return status;
}

static void assert_file(const char *path, const void *bytes, size_t size_bytes)
{
	size_t size;
	uint8_t *there = file_read(path, &size);

	assert_int_equal(size, size_bytes);
	assert_memory_equal(there, bytes, size);
	free(there);
}

static struct dumpfile *create(const char *path, enum dumpfile_replace replace)
{
	struct dumpfile *df = NULL;
	struct error err = {0};

	if (dumpfile_create(path, replace, &df, &err) < 0)
		fail_msg("%s", err.msg);
	return df;
}

static void put(struct dumpfile *df, uint64_t off, const void *bytes, size_t size_bytes)
{
	struct error err = {0};

	if (dumpfile_write(df, off, bytes, size_bytes, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(const char **path)
{
	scratch_clear();
	*path = scratch_path("dump");
	return 0;
}

static void test_publish(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;
	struct stat st;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, t.bytes, t.size_bytes);
	assert_int_equal(dumpfile_size(df), t.size_bytes);
	assert_string_equal(dumpfile_part_path(df), part);
	assert_false(file_exists(path));
	assert_int_equal(status_in(part), KDUMP_ZLIB | KDUMP_INCOMPLETE);
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_false(file_exists(part));
	assert_file(path, t.bytes, t.size_bytes);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	tinydump_free(&t);
}

/* The header in pieces, in each order: the bit is there as soon as the signature is, and goes at
 * the end. */
static void test_bit_in_pieces(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	static const size_t cuts[][2] = {{0, 4},     {4, 424},	  {424, 426},
					 {426, 464}, {464, 5000}, {5000, 20000}};
	static const size_t orders[][6] = {
		{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {2, 0, 4, 1, 5, 3}, {3, 5, 2, 0, 1, 4}};

	for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
		const char *path;
		struct dumpfile *df;
		struct error err;
		bool first = false, second = false;

		setup(&path);
		df = create(path, DUMPFILE_REPLACE_NOTHING);
		for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
			const size_t *cut = cuts[orders[o][i]];

			put(df, cut[0], t.bytes + cut[0], cut[1] - cut[0]);
			first = first || orders[o][i] == 0;
			second = second || orders[o][i] == 1;
			if (first && second)
				assert_true(status_in(scratch_path("dump.part")) &
					    KDUMP_INCOMPLETE);
		}
		assert_int_equal(dumpfile_publish(df, &err), 0);
		dumpfile_free(df);
		assert_file(path, t.bytes, 20000);
	}
	tinydump_free(&t);
}

static void test_not_kdump(void **state UNUSED)
{
	uint8_t bytes[5000];
	const char *path;
	struct dumpfile *df;
	struct error err;

	setup(&path);
	memset(bytes, 0x41, sizeof(bytes));
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, bytes, sizeof(bytes));
	assert_file(scratch_path("dump.part"), bytes, sizeof(bytes));
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, bytes, sizeof(bytes));
}

/* A sender's own incomplete bit is not ours to remove. */
static void test_true_bit(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const char *path;
	struct dumpfile *df;
	struct error err;

	setup(&path);
	t.bytes[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, t.bytes, t.size_bytes);
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, t.bytes, t.size_bytes);
	tinydump_free(&t);
}

static void test_refuse(void **state UNUSED)
{
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df = NULL;
	struct error err;

	setup(&path);
	file_write(path, "old", 3);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_NOTHING, &df, &err), -EEXIST);
	assert_null(df);
	assert_false(file_exists(part));

	scratch_clear();
	file_write(part, "old", 3);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_NOTHING, &df, &err), -EEXIST);
	assert_file(part, "old", 3);

	scratch_clear();
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, &err), -EEXIST);
	scratch_clear();
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, &err), -EEXIST);
	scratch_clear();
	assert_int_equal(symlink("elsewhere", part), 0);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, &err), -EEXIST);
	assert_false(file_exists(scratch_path("elsewhere")));
	scratch_clear();
	assert_int_equal(mkfifo(part, 0600), 0);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, &err), -EEXIST);
	assert_int_equal(dumpfile_create(scratch_path("no/such"), DUMPFILE_REPLACE_ALL, &df, &err),
			 -ENOENT);
	assert_null(df);
}

static void test_force(void **state UNUSED)
{
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;

	setup(&path);
	file_write(path, "old", 3);
	file_write(part, "older", 5);
	df = create(path, DUMPFILE_REPLACE_ALL);
	assert_file(path, "old", 3); /* until the new one is whole */
	put(df, 0, "new!", 4);
	assert_file(part, "new!", 4);
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, "new!", 4);
	assert_false(file_exists(part));
}

/* A name that is one dump's alone: a part gives way, a whole dump doesn't, however late it comes.
 */
static void test_replace_part(void **state UNUSED)
{
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df, *other = NULL;
	struct error err;

	setup(&path);
	file_write(part, "old", 3);
	df = create(path, DUMPFILE_REPLACE_PART);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_PART, &other, &err), -EBUSY);
	put(df, 0, "new!", 4);
	file_write(path, "whole", 5);
	assert_int_equal(dumpfile_publish(df, &err), -EEXIST);
	dumpfile_free(df);
	assert_file(path, "whole", 5);

	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_PART, &df, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "dump exists"));
	assert_file(path, "whole", 5);
	assert_file(part, "new!", 4);

	assert_int_equal(unlink(path), 0);
	df = create(path, DUMPFILE_REPLACE_PART);
	put(df, 0, "newer", 5);
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, "newer", 5);
	assert_false(file_exists(part));
}

/* Two writers of one FILE.part would publish each other's bytes. */
static void test_busy(void **state UNUSED)
{
	const char *path;
	struct dumpfile *one, *two = NULL;
	struct error err;

	setup(&path);
	one = create(path, DUMPFILE_REPLACE_NOTHING);
	put(one, 0, "one", 3);
	assert_int_equal(dumpfile_create(path, DUMPFILE_REPLACE_ALL, &two, &err), -EBUSY);
	assert_int_equal(dumpfile_publish(one, &err), 0);
	dumpfile_free(one);
	assert_file(path, "one", 3);
}

static void test_name_taken(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, t.bytes, t.size_bytes);
	file_write(path, "somebody", 8);
	assert_int_equal(dumpfile_publish(df, &err), -EEXIST);
	dumpfile_free(df);
	assert_file(path, "somebody", 8);
	assert_true(status_in(part) & KDUMP_INCOMPLETE);

	/* The .part isn't ours any more. */
	scratch_clear();
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, t.bytes, t.size_bytes);
	assert_int_equal(unlink(part), 0);
	file_write(part, "somebody", 8);
	assert_int_equal(dumpfile_publish(df, &err), -EEXIST);
	dumpfile_free(df);
	assert_false(file_exists(path));
	assert_file(part, "somebody", 8);
	tinydump_free(&t);
}

static void test_keep_part(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;
	struct stat st;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, t.bytes, 600);
	assert_int_equal(dumpfile_keep_part(df, 100000, &err), 0);
	assert_int_equal(dumpfile_keep_part(df, 5, &err), 0); /* never shorter */
	dumpfile_free(df);
	assert_false(file_exists(path));
	assert_int_equal(stat(part, &st), 0);
	assert_int_equal(st.st_size, 100000);
	assert_true(status_in(part) & KDUMP_INCOMPLETE);

	scratch_clear();
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	dumpfile_free(df);
	assert_false(file_exists(part)); /* nothing was written, nothing is left */
	tinydump_free(&t);
}

/* Zeros become holes, but never where something else stands. */
static void test_holes(void **state UNUSED)
{
	enum { SIZE = 1 << 20 };
	AUTO_FREE uint8_t *bytes = calloc(1, SIZE);
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, bytes, SIZE);
	assert_int_equal(dumpfile_size(df), SIZE);
	assert_true(file_disk_bytes(part) <= 128 << 10);
	memset(bytes, 0x55, SIZE);
	put(df, 0, bytes, SIZE / 2);
	memset(bytes, 0, SIZE);
	put(df, 1, bytes, SIZE - 1);
	bytes[0] = 0x55;
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, bytes, SIZE);
}

/* Random writes, of which many are zeros, against an array. */
static void test_model(void **state UNUSED)
{
	enum { SIZE = 600000 };
	AUTO_FREE uint8_t *model = malloc(SIZE), *piece = malloc(SIZE);
	uint32_t random = unit_seed();

	for (int run = 0; run < 30; run++) {
		const char *path;
		struct dumpfile *df;
		struct error err;
		size_t end = 0;

		setup(&path);
		memset(model, 0, SIZE);
		df = create(path, DUMPFILE_REPLACE_NOTHING);
		for (int step = 0; step < 20; step++) {
			const size_t off = step % 4 ? unit_random(&random) % SIZE : 0;
			const size_t n = 1 + unit_random(&random) % (SIZE - off);

			memset(piece, 0, n);
			if (unit_random(&random) % 2)
				piece[unit_random(&random) % n] = (uint8_t)unit_random(&random);
			if (step % 5 == 0)
				memcpy(piece, KDUMP_SIGNATURE, MIN(n, 8));
			memcpy(model + off, piece, n);
			end = MAX(end, off + n);
			put(df, off, piece, n);
			assert_int_equal(dumpfile_size(df), end);
			assert_int_equal(dumpfile_read(df, off / 2, piece, SIZE - off, &err), 0);
			assert_memory_equal(piece, model + off / 2, SIZE - off);
		}
		assert_int_equal(dumpfile_publish(df, &err), 0);
		dumpfile_free(df);
		assert_file(path, model, end);
	}
}

static int write_too_much(const void *path)
{
	struct tinydump t = tinydump_make();
	struct dumpfile *df = create(path, DUMPFILE_REPLACE_NOTHING);
	struct error err = {0};
	int bad = 0;

	bad += dumpfile_write(df, 0, t.bytes, t.size_bytes, &err) != -EFBIG;
	bad += strstr(err.msg, dumpfile_part_path(df)) == NULL;
	bad += dumpfile_keep_part(df, 0, &err) != 0;
	dumpfile_free(df);
	tinydump_free(&t);
	return bad;
}

/* The error names the file, and what is there stays, marked. */
static void test_write_error(void **state UNUSED)
{
	const char *path;

	setup(&path);
	assert_int_equal(run_with_file_limit(8192, write_too_much, path), 0);
	assert_false(file_exists(path));
	assert_true(status_in(scratch_path("dump.part")) & KDUMP_INCOMPLETE);
}

static int write_half(const void *path)
{
	struct dumpfile *df = create(path, DUMPFILE_REPLACE_NOTHING);
	uint8_t bytes[8192], got[sizeof(bytes)], zeros[sizeof(bytes)] = {0};
	struct error err = {0};
	int bad = 0;

	memset(bytes, 'x', sizeof(bytes));
	bad += dumpfile_write(df, 4096, bytes, 4096, &err) != 0;
	bad += dumpfile_write(df, 8192, bytes, sizeof(bytes), &err) != -EFBIG;
	bad += dumpfile_read(df, 8192, got, sizeof(got), &err) != 0;
	bad += memcmp(got, zeros, sizeof(got)) != 0;
	bad += dumpfile_read(df, 4096, got, 4096, &err) != 0;
	bad += memcmp(got, bytes, 4096) != 0; /* what came before stays */
	dumpfile_free(df);
	return bad;
}

/* Half of a descriptor is taken for a page that is there. */
static void test_half_write(void **state UNUSED)
{
	assert_int_equal(run_with_file_limit(12288 + 100, write_half, scratch_path("half")), 0);
}

static struct dumpfile *resume(const char *path)
{
	struct dumpfile *df = NULL;
	struct error err = {0};

	if (dumpfile_resume(path, &df, &err) < 0)
		fail_msg("%s", err.msg);
	return df;
}

/* What one dumpfile began another one ends; our bit in the header is still no one else's. */
static void test_resume(void **state UNUSED)
{
	struct tinydump t = tinydump_make();

	for (int came_incomplete = 0; came_incomplete < 2; came_incomplete++) {
		static uint8_t got[4096];
		const char *path;
		struct dumpfile *df;
		struct error err;

		setup(&path);
		df = create(path, DUMPFILE_REPLACE_NOTHING);
		put(df, 0, t.bytes, t.size_bytes / 2);
		dumpfile_free(df);
		assert_true(status_in(scratch_path("dump.part")) & KDUMP_INCOMPLETE);
		df = resume(path);
		assert_int_equal(dumpfile_size(df), t.size_bytes / 2);
		if (came_incomplete) {
			dumpfile_came_incomplete(df);
			t.bytes[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
		}
		assert_int_equal(dumpfile_read(df, 0, got, sizeof(got), &err), 0);
		assert_memory_equal(got, t.bytes, sizeof(got));
		put(df, t.size_bytes / 2, t.bytes + t.size_bytes / 2,
		    t.size_bytes - t.size_bytes / 2);
		assert_int_equal(dumpfile_publish(df, &err), 0);
		dumpfile_free(df);
		assert_file(path, t.bytes, t.size_bytes);
	}
	tinydump_free(&t);
}

static void test_resume_refused(void **state UNUSED)
{
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df, *other;
	struct error err;

	setup(&path);
	assert_int_equal(dumpfile_resume(path, &df, &err), -ENOENT);
	assert_int_equal(symlink("/etc/passwd", part), 0);
	assert_int_equal(dumpfile_resume(path, &df, &err), -ELOOP);
	unlink(part);
	assert_int_equal(mkfifo(part, 0600), 0);
	assert_int_equal(dumpfile_resume(path, &df, &err), -EEXIST);
	unlink(part);
	other = create(path, DUMPFILE_REPLACE_NOTHING);
	put(other, 0, "x", 1);
	assert_int_equal(dumpfile_resume(path, &df, &err), -EBUSY);
	dumpfile_free(other);
	df = resume(path);
	dumpfile_free(df);
	assert_true(file_exists(part)); /* though nothing was written to it */
}

/* Clearing and cutting, against an array. */
static void test_clear(void **state UNUSED)
{
	enum { ROOM = 300000 };
	AUTO_FREE uint8_t *want = calloc(1, ROOM), *got = malloc(ROOM);
	uint32_t random = unit_seed();
	const char *path;
	struct dumpfile *df;
	struct error err;
	uint64_t size = ROOM;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	for (int i = 0; i < 400; i++) {
		const uint64_t off = unit_random(&random) % (i & 1 ? 9000 : ROOM - 1);
		const uint64_t n = 1 + unit_random(&random) % (ROOM - off);

		if (i % 4 == 0) {
			memset(want, 'a' + i % 26, ROOM);
			put(df, 0, want, ROOM);
			size = ROOM;
		} else if (i % 7) {
			assert_int_equal(dumpfile_clear(df, off, n, &err), 0);
			memset(want + off, 0, n);
			size = MAX(size, MIN(off + n, dumpfile_size(df)));
		} else {
			assert_int_equal(dumpfile_truncate(df, off, &err), 0);
			memset(want + off, 0, ROOM - off);
			size = off;
			assert_int_equal(dumpfile_size(df), size);
		}
		assert_int_equal(dumpfile_read(df, 0, got, ROOM, &err), 0);
		assert_memory_equal(got, want, ROOM);
	}
	assert_int_equal(dumpfile_truncate(df, ROOM, &err), 0);
	assert_int_equal(dumpfile_publish(df, &err), 0);
	dumpfile_free(df);
	assert_file(path, want, ROOM);
}

/* What one fsync couldn't write the next one doesn't tell of: so the first one counts. */
static void test_failed_fsync(void **state UNUSED)
{
	const char *path;
	struct error err;

	for (int later = 0; later < 3; later++) {
		struct dumpfile *df;
		int r;

		setup(&path);
		df = create(path, DUMPFILE_REPLACE_NOTHING);
		put(df, 0, "bytes", 5);
		assert_int_equal(dumpfile_sync(df, &err), 0);
		fsync_error = EIO;
		assert_int_equal(dumpfile_sync(df, &err), -EIO);
		r = later == 0	 ? dumpfile_sync(df, &err)
		    : later == 1 ? dumpfile_publish(df, &err)
				 : dumpfile_keep_part(df, 0, &err);
		assert_int_equal(r, -EIO);
		dumpfile_free(df);
		assert_false(file_exists(path));
		assert_true(file_exists(scratch_path("dump.part")));
	}
}

/* A disk that can't sync a name: before there is one, or once it is there, when it is taken back.
 */
static void test_failed_name(void **state UNUSED)
{
	struct tinydump t = tinydump_make();

	for (int at = 0; at < 2; at++) {
		const char *path, *part = scratch_path("dump.part");
		struct dumpfile *df;
		struct error err;

		setup(&path);
		df = create(path, DUMPFILE_REPLACE_NOTHING);
		put(df, 0, t.bytes, t.size_bytes);
		dir_errors[0] = at == 0 ? EIO : 0;
		dir_errors[1] = at == 1 ? EIO : 0;
		assert_int_equal(dumpfile_publish(df, &err), -EIO);
		assert_non_null(strstr(err.msg, part));
		assert_string_equal(dumpfile_where(df), part);
		assert_int_equal(status_in(part), KDUMP_ZLIB | KDUMP_INCOMPLETE);
		assert_false(file_exists(path));
		/* And it may be well the next time. */
		assert_int_equal(dumpfile_publish(df, &err), 0);
		assert_string_equal(dumpfile_where(df), path);
		assert_false(dumpfile_name_is_unsure(df));
		assert_int_equal(status_in(path), KDUMP_ZLIB);
		dumpfile_free(df);
	}
	free(t.bytes);
}

/* A disk that fails, and somebody who takes the .part's name meanwhile: the dump stays where it is.
 */
static void test_failed_name_stays(void **state UNUSED)
{
	const char *path, *part = scratch_path("dump.part");
	struct dumpfile *df;
	struct error err;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, "bytes", 5);
	dir_errors[1] = EIO;
	take_part_at_rename = part;
	assert_int_equal(dumpfile_publish(df, &err), -EIO);
	take_part_at_rename = NULL;
	assert_string_equal(dumpfile_where(df), path);
	assert_non_null(strstr(err.msg, "dump is complete"));
	assert_null(strstr(err.msg, ".part"));
	assert_int_equal(dumpfile_keep_part(df, 0, &err), 0);
	dumpfile_free(df);
	assert_file(path, "bytes", 5);
}

static void test_unsure_name(void **state UNUSED)
{
	const char *path;
	struct dumpfile *df;
	struct error err;

	setup(&path);
	df = create(path, DUMPFILE_REPLACE_NOTHING);
	put(df, 0, "bytes", 5);
	dir_errors[0] = dir_errors[1] = EBADF;
	assert_int_equal(dumpfile_publish(df, &err), 0);
	assert_true(dumpfile_name_is_unsure(df));
	dumpfile_free(df);
	assert_file(path, "bytes", 5);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "dumpfile: is FILE.part, marked, until it is published", test_publish, NULL);
	unit_add(&u, "dumpfile: marks a header that comes in pieces, in any order",
		 test_bit_in_pieces, NULL);
	unit_add(&u, "dumpfile: leaves alone what is no kdump file", test_not_kdump, NULL);
	unit_add(&u, "dumpfile: keeps the sender's incomplete bit", test_true_bit, NULL);
	unit_add(&u, "dumpfile: refuses what exists, and what is no regular file", test_refuse,
		 NULL);
	unit_add(&u, "dumpfile: replaces by force, but only in the end", test_force, NULL);
	unit_add(&u, "dumpfile: replaces a part, and nothing that is whole", test_replace_part,
		 NULL);
	unit_add(&u, "dumpfile: refuses a .part that is being written", test_busy, NULL);
	unit_add(&u, "dumpfile: doesn't publish over or instead of somebody else's",
		 test_name_taken, NULL);
	unit_add(&u, "dumpfile: keeps and lengthens a .part, removes an empty one", test_keep_part,
		 NULL);
	unit_add(&u, "dumpfile: makes holes of zeros, and zeros of what stood there", test_holes,
		 NULL);
	unit_add(&u, "dumpfile: agrees with an array", test_model, NULL);
	unit_add(&u, "dumpfile: keeps what is there when a write fails", test_write_error, NULL);
	unit_add(&u, "dumpfile: leaves nothing of a write that fails on the way", test_half_write,
		 NULL);
	unit_add(&u, "dumpfile: goes on with what another one left", test_resume, NULL);
	unit_add(&u, "dumpfile: goes on with nothing else", test_resume_refused, NULL);
	unit_add(&u, "dumpfile: clears and cuts what was there", test_clear, NULL);
	unit_add(&u, "dumpfile: trusts no fsync after one that failed", test_failed_fsync, NULL);
	unit_add(&u, "dumpfile: has no final name that can't be synced", test_failed_name, NULL);
	unit_add(&u, "dumpfile: says where it is if the name can't be taken back",
		 test_failed_name_stays, NULL);
	unit_add(&u, "dumpfile: is published where no directory can be synced, and says so",
		 test_unsure_name, NULL);
	return unit_run(&u, "dumpfile", argc, argv);
}
