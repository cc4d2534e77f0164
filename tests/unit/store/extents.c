/* receiver/store/extents.h: the bytes of a file against its table, and a part brought back to it.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/dumpfile.h"
#include "receiver/store/extents.h"
#include "receiver/store/journal.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

/* Without and with a second main header. */
static struct tinysession plain, marked;

/* --- helpers --- */

static const char *part_path(void)
{
	return scratch_path("dump.part");
}

/* FILE.segments with the first `segments` of them, and END if there is one more. */
static void write_journal(const struct tinysession *t, size_t segments)
{
	static uint8_t payload[TINY_FRAME_MAX];
	struct stream s = {0};

	for (size_t i = 0; i <= segments; i++) {
		const struct frame f = tinysession_kept(t, i, payload);

		add_frame(&s, i, f.type, f.payload, f.payload_bytes);
	}
	file_write(scratch_path("dump.segments"), s.bytes, s.size_bytes);
	stream_free(&s);
}

static struct journal *open_journal(void)
{
	struct journal_facts facts;
	struct journal *j;
	struct error err;
	pid_t holder;

	assert_int_equal(journal_open(AT_FDCWD, scratch_path("dump.segments"), &j, &holder, &err),
			 0);
	assert_int_equal(journal_load(j, &facts, NULL, NULL, &err), 0);
	return j;
}

static struct dumpfile *resume(void)
{
	struct dumpfile *df;
	struct error err;

	assert_int_equal(dumpfile_resume(scratch_path("dump"), &df, &err), 0);
	return df;
}

/* What the part is on disk once all of the dump was written to it. */
static void write_part(const struct tinysession *t)
{
	struct dumpfile *df;
	struct error err;

	assert_int_equal(dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_ALL, &df, &err), 0);
	assert_int_equal(dumpfile_write(df, 0, t->dump.bytes, t->dump.size_bytes, &err), 0);
	dumpfile_free(df);
}

static void flip(const char *path, uint64_t off)
{
	const int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
	byte ^= (uint8_t)(1 << off % 8);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
	close(fd);
}

/* Whether an extent of the first segments has the byte. */
static bool is_covered(const struct tinysession *t, size_t segments, uint64_t off)
{
	for (size_t i = 0; i < segments; i++) {
		const struct segment *s = &t->checkpoints[i].segment;

		for (size_t k = 0; k < s->count; k++)
			if (off >= s->extents[k].off &&
			    off - s->extents[k].off < s->extents[k].size_bytes)
				return true;
	}
	return false;
}

static bool is_status(uint64_t off)
{
	return off == KDUMP_STATUS_OFFSET;
}

static struct digester *digester(void)
{
	struct digester *d;
	struct error err;

	assert_int_equal(digester_new(&d, &err), 0);
	return d;
}

static int restore(const struct tinysession *t, size_t segments, struct error *err)
{
	struct journal *j = open_journal();
	struct dumpfile *df = resume();
	const int r =
		extents_restore(j, df, t->checkpoints[segments - 1].cursor.data_off, NULL, err);

	dumpfile_free(df);
	journal_free(j);
	return r;
}

/* The part has the bytes of the first segments, zeros elsewhere, and its length. */
static void part_is(const struct tinysession *t, size_t segments)
{
	size_t size;
	uint8_t *bytes = file_read(part_path(), &size);

	assert_int_equal(size, t->checkpoints[segments - 1].cursor.data_off);
	/* Our own bit. */
	assert_true(bytes[KDUMP_STATUS_OFFSET] & KDUMP_INCOMPLETE);
	for (uint64_t off = 0; off < size; off++) {
		if (!is_covered(t, segments, off))
			assert_int_equal(bytes[off], 0);
		else if (!is_status(off))
			assert_int_equal(bytes[off], t->dump.bytes[off]);
	}
	free(bytes);
}

/* --- against a checkpoint --- */

static void test_verify(void **state UNUSED)
{
	struct digester *d = digester();
	struct dumpfile *df;
	struct error err;

	write_part(&plain);
	df = resume();
	for (size_t i = 0; i < plain.segments; i++)
		assert_int_equal(extents_verify(df, d, &plain.checkpoints[i].segment, &err), 0);
	for (uint64_t off = 0; off < plain.dump.size_bytes; off += unit_stride(1)) {
		bool found = false;

		/* Through the dumpfile, which has the first bytes in memory. */
		plain.dump.bytes[off] ^= 1;
		assert_int_equal(dumpfile_write(df, off, plain.dump.bytes + off, 1, &err), 0);
		for (size_t i = 0; i < plain.segments; i++)
			found |= extents_verify(df, d, &plain.checkpoints[i].segment, &err) ==
				 -EBADMSG;
		assert_int_equal(found, is_covered(&plain, plain.segments, off));
		plain.dump.bytes[off] ^= 1;
		assert_int_equal(dumpfile_write(df, off, plain.dump.bytes + off, 1, &err), 0);
	}
	dumpfile_free(df);
	digester_free(d);
}

/* A sender's word for it is no reason to read for ever. */
static void test_far_extents(void **state UNUSED)
{
	static const struct extent far[] = {
		{.off = 0, .size_bytes = UINT32_MAX},
		{.off = 1, .size_bytes = UINT32_MAX - 5},
		{.off = INT64_MAX - 4096, .size_bytes = 4096},
	};
	struct digester *d = digester();
	struct dumpfile *df;
	struct error err;

	write_part(&plain);
	df = resume();
	for (size_t i = 0; i < ARRAY_LEN(far); i++) {
		struct segment s = {0};

		assert_int_equal(segment_add(&s, &far[i], &err), 0);
		assert_int_equal(extents_verify(df, d, &s, &err), -EBADMSG);
		segment_deinit(&s);
	}
	dumpfile_free(df);
	digester_free(d);
}

/* --- against a journal --- */

static int verify_first(size_t count, struct error *err)
{
	struct journal *j = open_journal();
	struct dumpfile *df = resume();
	struct digester *d = digester();
	uint64_t good;
	const int r = extents_verify_first(j, df, d, count, NULL, &good, err);

	digester_free(d);
	dumpfile_free(df);
	journal_free(j);
	return r;
}

static void test_verify_first(void **state UNUSED)
{
	struct error err;

	write_part(&plain);
	write_journal(&plain, plain.segments);
	for (size_t n = 1; n <= plain.segments; n++)
		assert_int_equal(verify_first(n, &err), 0);
	for (uint64_t off = 0; off < plain.dump.size_bytes; off += unit_stride(1)) {
		const size_t step = 1 + off % plain.segments;
		const bool covered = is_covered(&plain, step, off);

		/* Our bit on disk is no difference, and hides none. */
		if (is_status(off))
			continue;
		flip(part_path(), off);
		assert_int_equal(verify_first(step, &err), covered ? -EBADMSG : 0);
		flip(part_path(), off);
	}
}

/* --- a part brought back --- */

static void test_restore(void **state UNUSED)
{
	struct error err;

	/* The part is further than its journal. */
	for (size_t n = 1; n <= plain.segments; n++) {
		write_part(&plain);
		write_journal(&plain, n);
		assert_int_equal(restore(&plain, n, &err), 0);
		part_is(&plain, n);
	}
}

static void test_restore_garbage(void **state UNUSED)
{
	struct error err;
	uint8_t *bytes;
	size_t size;

	for (size_t n = 1; n <= plain.segments; n++) {
		write_part(&plain);
		write_journal(&plain, n);
		bytes = file_read(part_path(), &size);
		bytes = realloc(bytes, size + 100000);
		assert_non_null(bytes);
		for (uint64_t off = 0; off < size + 100000; off++)
			if (!is_covered(&plain, n, off))
				bytes[off] = 'g';
		file_write(part_path(), bytes, size + 100000);
		free(bytes);
		assert_int_equal(restore(&plain, n, &err), 0);
		part_is(&plain, n);
	}
}

/* After a power cut the part may even be shorter: then it is as long again, with zeros. */
static void test_restore_short(void **state UNUSED)
{
	struct error err;
	struct stat st;

	write_part(&plain);
	write_journal(&plain, plain.segments);
	assert_int_equal(truncate(part_path(), TINY_BLOCK), 0);
	assert_int_equal(restore(&plain, plain.segments, &err), 0);
	assert_int_equal(stat(part_path(), &st), 0);
	assert_int_equal(st.st_size, plain.dump.size_bytes);
	assert_int_equal(verify_first(plain.segments, &err), -EBADMSG);
}

/* A part that is of another dump, or has nothing in it. */
static void test_restore_other(void **state UNUSED)
{
	struct error err;

	for (uint64_t off = 0; off < KDUMP_HEADER_BYTES; off += unit_stride(1)) {
		if (is_status(off))
			continue;
		write_part(&plain);
		write_journal(&plain, 2);
		flip(part_path(), off);
		assert_int_equal(restore(&plain, 2, &err), -EBADMSG);
	}
	write_part(&plain);
	assert_int_equal(truncate(part_path(), 0), 0);
	assert_int_equal(restore(&plain, 2, &err), -EBADMSG);
}

static int count_beats(void *ctx, struct error *err UNUSED)
{
	++*(unsigned *)ctx;
	return 0;
}

/* Bytes of a part that no extent has, `size_bytes` from `off` on. */
static void write_garbage(struct dumpfile *df, uint64_t off, size_t size_bytes)
{
	static uint8_t garbage[1 << 20];
	struct error err;

	memset(garbage, 'g', sizeof(garbage));
	for (size_t at = 0; at < size_bytes; at += sizeof(garbage))
		assert_int_equal(dumpfile_write(df, off + at, garbage,
						MIN(size_bytes - at, sizeof(garbage)), &err),
				 0);
}

/* A gap of any length: zeros may have to be written there, while the sender waits. */
static void test_restore_gap(void **state UNUSED)
{
	const uint64_t data_off = UINT64_C(1) << 30, garbage_off = 700 << 20;
	unsigned beats = 0;
	const struct keepalive alive = {count_beats, &beats};
	struct journal *j;
	struct dumpfile *df;
	struct error err;
	uint8_t byte = 1;

	write_part(&plain);
	write_journal(&plain, 2);
	j = open_journal();
	df = resume();
	assert_int_equal(dumpfile_write(df, garbage_off, &byte, 1, &err), 0);
	write_garbage(df, 32 << 20, 192 << 20);
	for (uint64_t off = 256 << 20; off < data_off; off += 64 << 20)
		write_garbage(df, off, 1);
	assert_int_equal(extents_restore(j, df, data_off, &alive, &err), 0);
	assert_int_equal(dumpfile_size(df), data_off);
	assert_int_equal(dumpfile_read(df, garbage_off, &byte, 1, &err), 0);
	assert_int_equal(byte, 0);
	assert_in_range(beats, data_off >> 26, 2 * (data_off >> 26)); /* one for 64 MiB, and some */
	dumpfile_free(df);
	journal_free(j);
}

/* A gap that is a hole is clear, wherever a sender says that its data goes on. */
static void test_restore_hole(void **state UNUSED)
{
	const uint64_t data_off = UINT64_C(1) << 43;
	unsigned beats = 0;
	const struct keepalive alive = {count_beats, &beats};
	struct journal *j;
	struct dumpfile *df;
	struct error err;
	uint8_t byte;

	write_part(&plain);
	write_journal(&plain, 2);
	j = open_journal();
	df = resume();
	write_garbage(df, data_off - 5, 5);
	assert_int_equal(extents_restore(j, df, data_off, &alive, &err), 0);
	assert_int_equal(dumpfile_size(df), data_off);
	assert_int_equal(dumpfile_read(df, data_off - 1, &byte, 1, &err), 0);
	assert_int_equal(byte, 0);
	assert_in_range(beats, 1, 8); /* segments, and what had data */
	dumpfile_free(df);
	journal_free(j);
}

/* Whether the bit is the sender's, too, only the journal knows: by its last main header. */
static void test_whose_bit(void **state UNUSED)
{
	static const struct {
		const struct tinysession *of;
		size_t missing; /* segments of the journal */
		bool bit;
	} rows[] = {
		{&plain, 0, false}, {&plain, 1, false}, {&marked, 1, false}, {&marked, 0, true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tinysession *t = rows[i].of;
		const size_t segments = t->segments - rows[i].missing;
		struct journal *j;
		struct dumpfile *df;
		struct error err;
		struct digester *d = digester();
		uint64_t good;
		uint8_t status;

		write_part(t);
		write_journal(t, segments);
		j = open_journal();
		df = resume();
		assert_int_equal(extents_restore(j, df,
						 t->checkpoints[segments - 1].cursor.data_off, NULL,
						 &err),
				 0);
		assert_int_equal(dumpfile_read(df, KDUMP_STATUS_OFFSET, &status, 1, &err), 0);
		assert_int_equal((status & KDUMP_INCOMPLETE) != 0, rows[i].bit);
		assert_int_equal(extents_verify_first(j, df, d, segments, NULL, &good, &err), 0);
		assert_int_equal(good, segments);
		dumpfile_free(df);
		journal_free(j);
		digester_free(d);
	}
}

/* --- a complete file --- */

static int check_file(bool part, struct extents_proof *proof_ret, struct error *err)
{
	return extents_check_file(scratch_path("whole"), part, scratch_path("dump.segments"),
				  proof_ret, err);
}

static void test_check_file(void **state)
{
	const struct tinysession *t = *state;
	struct extents_proof proof;
	struct error err;

	file_write(scratch_path("whole"), t->dump.bytes, t->dump.size_bytes);
	write_journal(t, t->segments + 1);
	assert_int_equal(check_file(false, &proof, &err), 0);
	assert_memory_equal(proof.digest, t->end.chain, DIGEST_BYTES);
	assert_int_equal(proof.segments, t->segments);
	assert_true(proof.whole);
	for (uint64_t off = 0; off < t->dump.size_bytes; off += unit_stride(1)) {
		flip(scratch_path("whole"), off);
		assert_int_equal(check_file(false, &proof, &err),
				 is_covered(t, t->segments, off) ? -EBADMSG : 0);
		flip(scratch_path("whole"), off);
	}
	assert_int_equal(truncate(scratch_path("whole"), (off_t)t->dump.size_bytes - 1), 0);
	assert_int_equal(check_file(false, &proof, &err), -EBADMSG);
}

/* A part has our bit, and a journal without end; a file that was published has neither. */
static void test_check_part(void **state)
{
	const struct tinysession *t = *state;
	struct extents_proof proof;
	struct error err;

	for (size_t n = 1; n <= t->segments; n++) {
		const bool theirs = n == t->segments && t == &marked;

		t->dump.bytes[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
		file_write(scratch_path("whole"), t->dump.bytes, t->dump.size_bytes);
		if (t != &marked)
			t->dump.bytes[KDUMP_STATUS_OFFSET] &= (uint8_t)~KDUMP_INCOMPLETE;
		write_journal(t, n);
		assert_int_equal(check_file(true, &proof, &err), 0);
		assert_int_equal(proof.segments, n);
		assert_int_equal(proof.whole, n == t->segments);
		assert_memory_equal(proof.digest, t->checkpoints[n - 1].chain, DIGEST_BYTES);
		assert_int_equal(check_file(false, &proof, &err), theirs ? 0 : -EBADMSG);
		flip(scratch_path("whole"), KDUMP_STATUS_OFFSET + 1);
		assert_int_equal(check_file(true, &proof, &err), -EBADMSG);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;
	struct tinysession_shape shape = {.small = true, .pages_per_segment = 1};
	int r;

	plain = tinysession_make(&shape);
	shape.unreadable = true;
	marked = tinysession_make(&shape);
	unit_add(&u, "extents: finds a byte that differs, wherever it is", test_verify, NULL);
	unit_add(&u, "extents: refuses those that no file has", test_far_extents, NULL);
	unit_add(&u, "extents: finds a byte that has suffered since", test_verify_first, NULL);
	unit_add(&u, "extents: bring a part back to its journal", test_restore, NULL);
	unit_add(&u, "extents: clear all that the journal doesn't have", test_restore_garbage,
		 NULL);
	unit_add(&u, "extents: bring back the length of a part that lost its end",
		 test_restore_short, NULL);
	unit_add(&u, "extents: refuse the part of another dump", test_restore_other, NULL);
	unit_add(&u, "extents: clear a long gap in pieces", test_restore_gap, NULL);
	unit_add(&u, "extents: pass over the holes of a gap", test_restore_hole, NULL);
	unit_add(&u, "extents: know whether the incomplete bit is the sender's", test_whose_bit,
		 NULL);
	unit_add(&u, "extents: prove a file, to the byte", test_check_file, &plain);
	unit_add(&u, "extents: prove a file with a second main header", test_check_file, &marked);
	unit_add(&u, "extents: prove a part as far as it goes", test_check_part, &plain);
	unit_add(&u, "extents: prove a part that came incomplete", test_check_part, &marked);
	r = unit_run(&u, "extents", argc, argv);
	tinysession_free(&plain);
	tinysession_free(&marked);
	return r;
}
