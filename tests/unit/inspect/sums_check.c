/* receiver/inspect/sums_check.h, and include/format/sums*.h by way of include/format/dumpfile.h:
 * what is summed while a dump is written, against the file that comes of it. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "format/dumpfile.h"
#include "format/sums.h"
#include "format/sums_text.h"
#include "receiver/inspect/sums_check.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"

static struct dumpfile *create(enum dumpfile_replace replace, enum sums_kind kind)
{
	struct dumpfile *df = NULL;
	struct error err;

	if (dumpfile_create(scratch_path("dump"), replace, &df, &err) < 0 ||
	    dumpfile_keep_sums(df, kind, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	return df;
}

static void put(struct dumpfile *df, uint64_t off, const void *bytes, size_t size_bytes)
{
	struct error err;

	if (dumpfile_write(df, off, bytes, size_bytes, &err) < 0)
		fail_msg("%s", err.msg);
}

static void publish(struct dumpfile *df)
{
	struct error err;

	if (dumpfile_publish(df, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(dumpfile_sums_failure(df).code, 0);
	dumpfile_free(df);
}

/* A dump under its final name, with its sums. */
static struct tinydump publish_tiny(enum sums_kind kind)
{
	struct tinydump t = tinydump_make();
	struct dumpfile *df;

	scratch_clear();
	df = create(DUMPFILE_REPLACE_NOTHING, kind);
	put(df, 0, t.bytes, t.size_bytes);
	publish(df);
	return t;
}

/* Its path of the sums is freed: only whether there is one is of interest. */
static struct sums_check check(const char *name)
{
	struct sums_check result;
	struct error err;

	if (sums_check_file(scratch_path(name), &result, &err) < 0)
		fail_msg("%s", err.msg);
	free(result.path);
	return result;
}

static void assert_state(const char *name, enum sums_state want)
{
	assert_int_equal(check(name).state, want);
}

static const struct kind_row {
	const char *name;
	enum sums_kind kind;
} kind_rows[] = {
	{"sums: CRC-32C of what is written in any order, again, and over what was there",
	 SUMS_CRC32C},
	{"sums: SHA-256 of what is written in any order, again, and over what was there",
	 SUMS_SHA256},
};

/* Pieces and zeros at random places of a file of a few chunks. */
static void test_any_order(void **state)
{
	enum { SIZE = 5 << 20, PIECE = 300 << 10 };
	const struct kind_row *row = *state;
	uint8_t *piece = malloc(PIECE);
	uint32_t random = unit_seed();
	struct tinydump t = tinydump_make();
	struct dumpfile *df;
	struct sums_check result;

	scratch_clear();
	df = create(DUMPFILE_REPLACE_NOTHING, row->kind);
	for (int i = 0; i < 60; i++) {
		const size_t n = 1 + unit_random(&random) % PIECE;

		memset(piece, i % 3 ? (int)(unit_random(&random) & 0xff) : 0, n);
		put(df, unit_random(&random) % SIZE, piece, n);
	}
	put(df, 0, t.bytes, KDUMP_HEADER_BYTES);
	publish(df);
	result = check("dump");
	assert_int_equal(result.state, SUMS_FIT);
	assert_int_equal(result.sha256, row->kind == SUMS_SHA256);
	free(piece);
	tinydump_free(&t);
}

static void flip(const char *name, size_t at)
{
	const int fd = open(scratch_path(name), O_RDWR | O_CLOEXEC);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= 0x10;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
	close(fd);
}

static void test_flipped(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_CRC32C);

	for (size_t at = 0; at < t.size_bytes; at += unit_stride(97)) {
		struct sums_check result;

		flip("dump", at);
		result = check("dump");
		assert_int_equal(result.state, SUMS_DIFFER);
		assert_int_equal(result.bad_count, 1);
		assert_true(at >= result.bad[0].off &&
			    at - result.bad[0].off < result.bad[0].size_bytes);
		flip("dump", at);
	}
	assert_state("dump", SUMS_FIT);
	tinydump_free(&t);
}

static void test_length(void **state UNUSED)
{
	static const char more[] = "more";
	enum { SIZE = 3 << 20 };
	uint8_t *bytes = malloc(SIZE);
	struct dumpfile *df;

	scratch_clear();
	memset(bytes, 'x', SIZE);
	df = create(DUMPFILE_REPLACE_NOTHING, SUMS_SHA256);
	put(df, 0, bytes, SIZE);
	publish(df);
	assert_int_equal(truncate(scratch_path("dump"), SIZE + 5), 0);
	assert_state("dump", SUMS_DIFFER);
	assert_int_equal(truncate(scratch_path("dump"), SIZE - 1), 0);
	assert_state("dump", SUMS_DIFFER);
	assert_int_equal(check("dump").bad_count, 1);
	assert_int_equal(truncate(scratch_path("dump"), 5000), 0);
	assert_state("dump", SUMS_UNUSABLE); /* another dump of that kernel, for all they tell */
	file_write(scratch_path("dump"), more, sizeof(more));
	assert_state("dump", SUMS_UNUSABLE);
	free(bytes);
}

/* Whatever is wrong with the sums, it isn't the dump. */
static void test_damaged(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_SHA256);
	struct stat st;
	const char *sums = scratch_path("dump.sums");

	assert_int_equal(stat(sums, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	for (size_t at = 0; at < (size_t)st.st_size; at++) {
		flip("dump.sums", at);
		assert_state("dump", SUMS_UNUSABLE);
		flip("dump.sums", at);
	}
	assert_state("dump", SUMS_FIT);
	for (off_t end = st.st_size - 1; end >= 0; end--) {
		assert_int_equal(truncate(sums, end), 0);
		assert_state("dump", SUMS_UNUSABLE);
	}
	unlink(sums);
	assert_state("dump", SUMS_ABSENT);
	tinydump_free(&t);
}

static void test_other(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_CRC32C);
	uint8_t *bytes = malloc(t.size_bytes);

	memset(bytes, 'x', t.size_bytes);
	file_write(scratch_path("dump"), bytes, t.size_bytes);
	assert_state("dump", SUMS_UNUSABLE);
	assert_non_null(strstr(check("dump").why.msg, "of another file"));
	free(bytes);
	tinydump_free(&t);
}

static void test_part(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_CRC32C);
	struct dumpfile *df;
	struct error err;

	/* It was killed: nothing tells of what there is, nor does what was there before. */
	rename(scratch_path("dump"), scratch_path("dump.part"));
	rename(scratch_path("dump.sums"), scratch_path("dump.part.sums"));
	df = create(DUMPFILE_REPLACE_PART, SUMS_CRC32C);
	put(df, 0, t.bytes, t.size_bytes / 2);
	assert_state("dump.part", SUMS_ABSENT);
	/* It was cut short, and lengthened. */
	assert_int_equal(dumpfile_keep_part(df, t.size_bytes, &err), 0);
	dumpfile_free(df);
	assert_state("dump.part", SUMS_FIT);
	flip("dump.part", KDUMP_STATUS_OFFSET + 1);
	assert_state("dump.part", SUMS_DIFFER);
	tinydump_free(&t);
}

/* Stopped between the two names. The other way round they'd be of no dump. */
static void test_between_names(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_CRC32C);

	rename(scratch_path("dump.sums"), scratch_path("dump.part.sums"));
	assert_state("dump", SUMS_FIT);
	file_write(scratch_path("dump.part"), "x", 1);
	assert_state("dump", SUMS_ABSENT);
	tinydump_free(&t);
}

static void test_replaced(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_CRC32C);

	t.bytes[t.size_bytes - 1] ^= 1;
	for (int kind = SUMS_CRC32C; kind >= SUMS_NONE; kind--) {
		struct dumpfile *df = create(DUMPFILE_REPLACE_ALL, (enum sums_kind)kind);

		put(df, 0, t.bytes, t.size_bytes);
		assert_state("dump", SUMS_FIT); /* those of the dump that is still there */
		publish(df);
		assert_state("dump", kind == SUMS_NONE ? SUMS_ABSENT : SUMS_FIT);
	}
	tinydump_free(&t);
}

/* Sums whose dump has gone are in nobody's way; what isn't ours is. */
static void test_refused(void **state UNUSED)
{
	static const char *const names[] = {"dump.sums", "dump.part.sums"};
	struct tinydump t = publish_tiny(SUMS_CRC32C);
	struct dumpfile *df;
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		unlink(scratch_path("dump"));
		df = create(DUMPFILE_REPLACE_NOTHING, SUMS_CRC32C);
		put(df, 0, t.bytes, t.size_bytes);
		publish(df);
		assert_state("dump", SUMS_FIT);
		scratch_clear();
		file_write(scratch_path(names[i]), "mine", 4);
		assert_int_equal(
			dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &err),
			0);
		assert_int_equal(dumpfile_keep_sums(df, SUMS_CRC32C, NULL, &err), -EEXIST);
		assert_non_null(strstr(err.msg, "--force replaces it"));
		dumpfile_free(df);
		assert_false(file_exists(scratch_path("dump.part")));
		df = create(DUMPFILE_REPLACE_ALL, SUMS_CRC32C);
		put(df, 0, t.bytes, t.size_bytes);
		publish(df);
		assert_state("dump", SUMS_FIT);
	}
	tinydump_free(&t);
}

/* A write that fails on its way: what is there is what is summed. */
static int write_too_much(const void *unused UNUSED)
{
	struct tinydump t = tinydump_make();
	struct dumpfile *df = create(DUMPFILE_REPLACE_NOTHING, SUMS_CRC32C);
	struct error err;
	int bad = 0;

	bad += dumpfile_write(df, 8192, t.bytes, 8192, &err) != 0;
	bad += dumpfile_write(df, 4096, t.bytes, t.size_bytes, &err) != -EFBIG;
	bad += dumpfile_keep_part(df, 0, &err) != 0;
	dumpfile_free(df);
	tinydump_free(&t);
	return bad;
}

static void test_write_error(void **state UNUSED)
{
	scratch_clear();
	assert_int_equal(run_with_file_limit(20000, write_too_much, NULL), 0);
	assert_state("dump.part", SUMS_FIT);
}

/* 300 GiB of next to nothing: chunks get longer, holes are neither read nor summed. */
static void test_long(void **state)
{
	static const uint64_t at[] = {UINT64_C(299) << 30, 5000, UINT64_C(70) << 30,
				      UINT64_C(1) << 30};
	const struct kind_row *row = *state;
	struct dumpfile *df;

	scratch_clear();
	df = create(DUMPFILE_REPLACE_NOTHING, row->kind);
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		put(df, at[i], "some bytes", 10);
	put(df, at[0], "others", 6);
	publish(df);
	assert_state("dump", SUMS_FIT);
	flip("dump", at[2]);
	assert_state("dump", SUMS_DIFFER);
	assert_int_equal(check("dump").bad_count, 1);
}

/* Sums in which a chunk is as long as you like, for a file that has a header and a hole. Without a
 * bound of the work, digesting the hole takes as long as it is. */
static void test_vast_hole(void **state UNUSED)
{
	enum { HEAD = 4096 };
	const uint64_t size_bytes = UINT64_C(16) << 30;
	struct sums_line head = {.size_bytes = HEAD};
	struct sums_line hole = {.off = HEAD, .size_bytes = size_bytes - HEAD, .has_sha256 = true};
	uint8_t bytes[HEAD];
	struct sums_text text;
	FILE *to;

	scratch_clear();
	memset(bytes, 'x', sizeof(bytes));
	file_write(scratch_path("dump"), bytes, sizeof(bytes));
	assert_int_equal(truncate(scratch_path("dump"), (off_t)size_bytes), 0);
	head.crc32c = crc32c(0, bytes, sizeof(bytes));
	hole.crc32c = crc32c_of_bare(0, hole.size_bytes);
	to = fopen(scratch_path("dump.sums"), "w");
	assert_non_null(to);
	sums_text_begin(&text, to, size_bytes);
	sums_text_line(&text, &head);
	sums_text_line(&text, &hole);
	sums_text_end(&text);
	fclose(to);
	assert_state("dump", SUMS_FIT);
	assert_false(check("dump").sha256);
}

/* Some chunks with SHA-256, and some without it. */
static void test_mixed(void **state UNUSED)
{
	struct tinydump t = publish_tiny(SUMS_SHA256);
	struct sums_line head = {.size_bytes = t.size_bytes}, rest;
	struct sums_text text;
	struct digester *d;
	struct error err;
	FILE *to = fopen(scratch_path("dump.sums"), "w");

	assert_non_null(to);
	assert_int_equal(digester_new(&d, &err), 0);
	rest = (struct sums_line){.off = SUMS_HEAD_BYTES,
				  .size_bytes = t.size_bytes - SUMS_HEAD_BYTES};
	head.size_bytes = SUMS_HEAD_BYTES;
	head.has_sha256 = true;
	head.crc32c = crc32c(0, t.bytes, SUMS_HEAD_BYTES);
	rest.crc32c = crc32c(0, t.bytes + SUMS_HEAD_BYTES, (size_t)rest.size_bytes);
	digester_begin(d);
	digester_add(d, t.bytes, SUMS_HEAD_BYTES);
	assert_int_equal(digester_end(d, head.sha256, &err), 0);
	digester_free(d);
	sums_text_begin(&text, to, t.size_bytes);
	sums_text_line(&text, &head);
	sums_text_line(&text, &rest);
	sums_text_end(&text);
	fclose(to);
	assert_state("dump", SUMS_FIT);
	assert_false(check("dump").sha256);
	tinydump_free(&t);
}

static const struct kind_row long_rows[] = {
	{"sums: CRC-32C of a long file with little in it", SUMS_CRC32C},
	{"sums: SHA-256 of a long file with little in it", SUMS_SHA256},
};

/* What somebody else writes to it meanwhile is found when it is read back. */
static void test_read_back(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct dumpfile *df;
	struct error err;

	scratch_clear();
	df = create(DUMPFILE_REPLACE_NOTHING, SUMS_SHA256);
	put(df, 0, t.bytes, t.size_bytes);
	flip("dump.part", t.size_bytes - 5);
	assert_int_equal(dumpfile_publish(df, &err), -EIO);
	dumpfile_free(df);
	assert_false(file_exists(scratch_path("dump")));
	tinydump_free(&t);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, kind_rows, test_any_order);
	UNIT_ADD_ROWS(&u, long_rows, test_long);
	unit_add(&u, "sums: find each byte that is flipped, and say where", test_flipped, NULL);
	unit_add(&u, "sums: find a file that is longer or shorter", test_length, NULL);
	unit_add(&u, "sums: that are damaged say nothing of the dump", test_damaged, NULL);
	unit_add(&u, "sums: don't have zeros of a vast hole digested", test_vast_hole, NULL);
	unit_add(&u, "sums: of which some have no SHA-256 are no proof by it", test_mixed, NULL);
	unit_add(&u, "sums: of another file are told from a damaged dump", test_other, NULL);
	unit_add(&u, "sums: of a part are of what is there, or aren't there", test_part, NULL);
	unit_add(&u, "sums: are found whenever their writer was stopped", test_between_names, NULL);
	unit_add(&u, "sums: are replaced along with the dump", test_replaced, NULL);
	unit_add(&u, "sums: replace nothing that is no sums", test_refused, NULL);
	unit_add(&u, "sums: are right behind a write that fails", test_write_error, NULL);
	unit_add(&u, "sums: by SHA-256 find what was read back otherwise", test_read_back, NULL);
	return unit_run(&u, "sums_check", argc, argv);
}
