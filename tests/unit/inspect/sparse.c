/*
 * receiver/inspect/verify.h and facts.h: files that claim more than they hold. What a reader does
 * is bounded by what is on disk: the calls and bytes of reading are counted here, in the place of
 * the C library's.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/zero.h"
#include "receiver/inspect/facts.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinydump.h"

enum { BLOCK = TINY_BLOCK };

/* --- what reading takes --- */

static struct {
	_Atomic uint64_t calls, bytes; /* relaxed: read when the threads have ended */
	bool no_holes;		       /* as a file system that doesn't tell */
} work;

ssize_t pread64(int fd, void *buf, size_t size_bytes, off64_t off)
{
	const ssize_t n = syscall(SYS_pread64, fd, buf, size_bytes, off);

	atomic_fetch_add_explicit(&work.calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&work.bytes, n > 0 ? (uint64_t)n : 0, memory_order_relaxed);
	return n;
}

off64_t lseek64(int fd, off64_t off, int whence)
{
	atomic_fetch_add_explicit(&work.calls, 1, memory_order_relaxed);
	if (work.no_holes && (whence == SEEK_DATA || whence == SEEK_HOLE)) {
		errno = EINVAL;
		return -1;
	}
	return syscall(SYS_lseek, fd, off, whence);
}

/* --- files with holes --- */

struct sparse {
	int fd;
	struct kdump_header header;
	struct kdump_layout at;
};

/* Headers that claim so many pages, and nothing else, of `file_bytes`. */
static struct sparse sparse_make(uint64_t pfns)
{
	struct sparse s = {.fd = open(scratch_path("dump"), O_RDWR | O_CREAT | O_TRUNC, 0600)};
	const uint64_t blocks = (pfns / 8 + BLOCK) / BLOCK;
	uint8_t bytes[BLOCK] = {0}, sub[BLOCK] = {0};

	s.header = (struct kdump_header){.header_version = KDUMP_HEADER_VERSION,
					 .uts = {.release = "6.1.0", .machine = "x86_64"},
					 .block_size = BLOCK,
					 .sub_hdr_blocks = 1,
					 .bitmap_blocks = (uint32_t)(2 * blocks),
					 .max_mapnr = pfns};
	s.at = kdump_layout(&s.header);
	kdump_put_header(bytes, &s.header);
	kdump_put_sub_header(sub, &s.header);
	assert_int_equal(pwrite(s.fd, bytes, BLOCK, 0), BLOCK);
	assert_int_equal(pwrite(s.fd, sub, BLOCK, BLOCK), BLOCK);
	return s;
}

/* Bytes of 0xff in both bitmaps, from byte `at` on. */
static void set_bits(const struct sparse *s, uint64_t at, size_t size_bytes)
{
	uint8_t *ones = malloc(size_bytes);

	assert_non_null(ones);
	memset(ones, 0xff, size_bytes);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pwrite(s->fd, ones, size_bytes,
					(off_t)(at + (i ? s->at.bitmap2_off : s->at.bitmap1_off))),
				 size_bytes);
	free(ones);
}

static void set_length(const struct sparse *s, uint64_t file_bytes)
{
	assert_int_equal(ftruncate(s->fd, (off_t)file_bytes), 0);
}

/* What --check and --info find, and the more work of both. */
struct found {
	struct verify_result verified;
	struct facts facts;
	uint64_t calls, bytes;
};

/* A piece of work is work, whether anything is read for it or not. */
static void count_piece(void *context UNUSED, uint64_t done UNUSED, uint64_t pages UNUSED,
			uint64_t bytes_read UNUSED)
{
	atomic_fetch_add_explicit(&work.calls, 1, memory_order_relaxed);
}

static struct found look(int threads)
{
	AUTO(kdump_file_free) struct kdump_file *d = NULL;
	struct found f = {0};
	struct error err;
	uint64_t calls, bytes;

	if (kdump_file_open(scratch_path("dump"), &d, &err) < 0)
		fail_msg("%s", err.msg);
	work.calls = work.bytes = 0;
	if (verify_dump(d, threads, count_piece, NULL, &f.verified, &err) < 0)
		fail_msg("%s", err.msg);
	calls = work.calls;
	bytes = work.bytes;
	work.calls = work.bytes = 0;
	if (facts_init(&f.facts, d, &err) < 0)
		fail_msg("%s", err.msg);
	facts_deinit(&f.facts);
	f.calls = MAX(calls, work.calls);
	f.bytes = MAX(bytes, work.bytes);
	return f;
}

/* --- claims --- */

struct claim_row {
	const char *name;
	uint64_t pfns;
	uint64_t at; /* of the bytes that are set in the bitmaps */
	size_t size_bytes;
};

/* clang-format off */
static const struct claim_row claims[] = {
	{"verify, facts: aren't led on by a claim of 2^32 pages", UINT64_C(1) << 32, 0, 0},
	{"verify, facts: aren't led on by a claim of 2^40 pages", (UINT64_C(1) << 40) - 1, 0, 0},
	{"verify, facts: aren't led on by 2^32 pages and a block of the bitmaps", UINT64_C(1) << 32, 100 << 20, BLOCK},
	{"verify, facts: aren't led on by 2^40 pages and a block of the bitmaps", (UINT64_C(1) << 40) - 1, UINT64_C(1) << 36, BLOCK},
	{"verify, facts: aren't led on by 2^40 pages and the bitmaps' last byte", (UINT64_C(1) << 40) - 8, (UINT64_C(1) << 37) - 2, 1},
	{"verify, facts: aren't led on by bitmaps without descriptors", UINT64_C(1) << 25, 0, 4 << 20},
};
/* clang-format on */

static void test_claim(void **state)
{
	const struct claim_row *row = *state;
	const struct sparse s = sparse_make(row->pfns);
	const uint64_t pages = row->size_bytes * UINT64_C(8);
	struct found f;

	if (pages > 0)
		set_bits(&s, row->at, row->size_bytes);
	/* The table is a hole, and so is what would be page data. */
	set_length(&s, s.at.desc_off + pages * KDUMP_DESC_BYTES + (UINT64_C(1) << 30));
	for (int threads = 1; threads <= 3; threads += 2) {
		f = look(threads);
		assert_int_equal(f.verified.pages, pages);
		assert_int_equal(f.verified.missing, pages);
		assert_int_equal(f.verified.problem_count, pages == 0);
		assert_int_equal(f.facts.missing, pages);
		assert_int_equal(f.facts.bitmaps.ram, pages);
		assert_int_equal(f.facts.trouble_count, pages == 0);
		assert_false(facts_complete(&f.facts));
		/* Bitmaps are read twice, in windows; a chunk of 32,768 pages is a call of its own.
		 */
		assert_in_range(f.bytes, 0, 8 * row->size_bytes + (1 << 20));
		assert_in_range(f.calls, 1, 6 * pages / 32768 + 64);
	}
	close(s.fd);
}

/* Payloads far from each other: what is between them isn't read. */
static void test_far_payloads(void **state UNUSED)
{
	enum { PAGES = 512, APART = 3 << 19 };
	const struct sparse s = sparse_make(PAGES);
	struct kdump_desc desc = {.size_bytes = BLOCK};
	uint8_t bytes[KDUMP_DESC_BYTES];
	struct found f;

	set_bits(&s, 0, PAGES / 8);
	for (unsigned i = 0; i < PAGES; i++) {
		desc.off = (uint64_t)(i + 1) * APART;
		kdump_put_desc(bytes, &desc);
		assert_int_equal(pwrite(s.fd, bytes, sizeof(bytes),
					(off_t)(s.at.desc_off + i * KDUMP_DESC_BYTES)),
				 sizeof(bytes));
	}
	set_length(&s, (PAGES + 2) * (uint64_t)APART);
	f = look(1);
	/* Raw pages of zeros: they may be holes. */
	assert_int_equal(f.verified.problem_count, 0);
	assert_true(facts_complete(&f.facts));
	assert_in_range(f.bytes, PAGES * BLOCK, PAGES * BLOCK + (1 << 20));
	close(s.fd);
}

/* A payload that no codec makes. */
static void test_payload_hole(void **state UNUSED)
{
	const struct sparse s = sparse_make(8);
	struct kdump_desc desc = {.off = 1 << 20, .size_bytes = 100, .flags = KDUMP_ZLIB};
	uint8_t bytes[KDUMP_DESC_BYTES];
	struct found f;

	set_bits(&s, 0, 1);
	for (unsigned i = 0; i < 8; i++) {
		kdump_put_desc(bytes, &desc);
		assert_int_equal(pwrite(s.fd, bytes, sizeof(bytes),
					(off_t)(s.at.desc_off + i * KDUMP_DESC_BYTES)),
				 sizeof(bytes));
		desc.off += 100;
	}
	set_length(&s, 2 << 20);
	f = look(1);
	assert_int_equal(f.verified.problem_count, 8);
	assert_int_equal(f.facts.holed, 8);
	assert_non_null(strstr(f.facts.troubles[0].msg, "data of 8 of 8 pages"));
	assert_false(facts_complete(&f.facts));
	close(s.fd);
}

/* --- the same as without holes --- */

/* Blocks of zeros become holes, if they may. */
static void write_blocks(const uint8_t *bytes, size_t size_bytes, bool holes)
{
	const int fd = open(scratch_path("dump"), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(ftruncate(fd, (off_t)size_bytes), 0);
	for (size_t at = 0; at < size_bytes; at += BLOCK) {
		const size_t n = MIN(size_bytes - at, (size_t)BLOCK);

		if (!holes || !is_zero(bytes + at, n))
			assert_int_equal(pwrite(fd, bytes + at, n, (off_t)at), n);
	}
	close(fd);
}

static void same(const struct found *a, const struct found *b)
{
	assert_int_equal(a->verified.pages, b->verified.pages);
	assert_int_equal(a->verified.missing, b->verified.missing);
	assert_int_equal(a->verified.problem_count, b->verified.problem_count);
	for (size_t i = 0; i < a->verified.kept; i++)
		assert_string_equal(a->verified.problems[i].text, b->verified.problems[i].text);
	assert_int_equal(a->facts.missing, b->facts.missing);
	assert_int_equal(a->facts.odd, b->facts.odd);
	assert_int_equal(a->facts.beyond_descs, b->facts.beyond_descs);
	assert_int_equal(a->facts.by_codec[CODEC_NONE], b->facts.by_codec[CODEC_NONE]);
	assert_memory_equal(&a->facts.bitmaps, &b->facts.bitmaps, sizeof(a->facts.bitmaps));
}

/* Random bitmaps and descriptors, blocks of which are zero; at times the table ends early. */
static void test_same(void **state UNUSED)
{
	enum { PFNS = 200000, PAYLOADS = 4 };
	const struct sparse s = sparse_make(PFNS);
	const size_t table = (size_t)s.at.desc_off, room = table + PFNS * KDUMP_DESC_BYTES;
	uint8_t *bytes = malloc(room + PAYLOADS * BLOCK);
	uint32_t random = unit_seed();

	assert_non_null(bytes);
	close(s.fd);
	for (int round = 0; round < 8; round++) {
		const uint64_t end = room + PAYLOADS * BLOCK;
		uint64_t size = round % 2 ? end : table + unit_random(&random) % (room - table);
		struct kdump_desc desc = {.off = room, .size_bytes = BLOCK};
		struct found holes, none, told;

		memset(bytes, 0, end);
		kdump_put_header(bytes, &s.header);
		kdump_put_sub_header(bytes + BLOCK, &s.header);
		for (uint64_t pfn = 0; pfn < PFNS; pfn++) {
			if (unit_random(&random) % 3 == 0)
				continue;
			bytes[s.at.bitmap1_off + pfn / 8] |= (uint8_t)(1 << pfn % 8);
			bytes[s.at.bitmap2_off + pfn / 8] |= (uint8_t)(1 << pfn % 8);
		}
		for (size_t i = 0; i < PFNS; i++) {
			desc.flags = unit_random(&random) % 20000 == 0 ? 0x80 : 0;
			kdump_put_desc(bytes + table + i * KDUMP_DESC_BYTES, &desc);
		}
		for (size_t at = 2 * BLOCK; at < room; at += BLOCK)
			if (unit_random(&random) % 2)
				memset(bytes + at, 0, MIN((size_t)BLOCK, room - at));
		write_blocks(bytes, size, false);
		none = look(1);
		write_blocks(bytes, size, true);
		holes = look(1 + round % 3);
		work.no_holes = true;
		told = look(1);
		work.no_holes = false;
		same(&none, &holes);
		same(&none, &told);
	}
	free(bytes);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, claims, test_claim);
	unit_add(&u, "verify, facts: don't read what lies between payloads", test_far_payloads,
		 NULL);
	unit_add(&u, "verify, facts: tell a hole in place of compressed pages", test_payload_hole,
		 NULL);
	unit_add(&u, "verify, facts: find the same in zeros and in holes", test_same, NULL);
	return unit_run(&u, "sparse", argc, argv);
}
