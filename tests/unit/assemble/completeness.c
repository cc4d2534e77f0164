/*
 * receiver/assemble/completeness.h: streams whose headers claim more than came. What the judgement
 * takes is bounded by what was received and isn't a hole: the calls and bytes of reading are
 * counted here, in the place of the C library's.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/dumpfile.h"
#include "receiver/assemble/completeness.h"
#include "receiver/assemble/ranges.h"
#include "tests/lib/outcome.h"
#include "tests/lib/scratch.h"

enum { BLOCK = TINY_BLOCK };

static struct {
	uint64_t calls, bytes;
} work;

ssize_t pread64(int fd, void *buf, size_t size_bytes, off64_t off)
{
	const ssize_t n = syscall(SYS_pread64, fd, buf, size_bytes, off);

	work.calls++;
	work.bytes += n > 0 ? (uint64_t)n : 0;
	return n;
}

off64_t lseek64(int fd, off64_t off, int whence)
{
	work.calls++;
	return syscall(SYS_lseek, fd, off, whence);
}

/* Both headers of a dump that claims so many pages, in two blocks. */
static struct kdump_layout put_claim(uint8_t head[static 2 * BLOCK], uint64_t pfns)
{
	const uint64_t blocks = (pfns / 8 + BLOCK) / BLOCK;
	const struct kdump_header h = {.header_version = KDUMP_HEADER_VERSION,
				       .block_size = BLOCK,
				       .sub_hdr_blocks = 1,
				       .bitmap_blocks = (uint32_t)(2 * blocks),
				       .max_mapnr = pfns};

	memset(head, 0, 2 * BLOCK);
	kdump_put_header(head, &h);
	kdump_put_sub_header(head + BLOCK, &h);
	return kdump_layout(&h);
}

struct claim_row {
	const char *name;
	uint64_t pfns;
};

static const struct claim_row claims[] = {
	{"isn't led on by a claim of 2^32 pages", UINT64_C(1) << 32},
	{"isn't led on by a claim of 2^40 pages", (UINT64_C(1) << 40) - 1},
};

/* A stream that ends, or breaks off, after headers and a little of the bitmaps. */
static void test_stream(void **state)
{
	const struct claim_row *row = *state;
	uint8_t head[2 * BLOCK], ones[BLOCK];

	memset(ones, 0xff, sizeof(ones));
	for (int whole = 0; whole < 2; whole++) {
		const struct kdump_layout at = put_claim(head, row->pfns);
		struct stream s = {0};
		struct outcome out;

		stream_header(&s);
		stream_record(&s, 0, head, sizeof(head));
		stream_record(&s, at.bitmap1_off, ones, sizeof(ones));
		stream_record(&s, at.bitmap2_off, ones, sizeof(ones));
		if (whole)
			stream_end(&s);
		work.calls = work.bytes = 0;
		out = outcome_of(&s, 0, &no_limits);
		assert_int_equal(out.code, -ENODATA);
		assert_false(file_exists(scratch_path("dump")));
		assert_in_range(work.calls, 0, 64);
		assert_in_range(work.bytes, 0, 1 << 20);
		assert_in_range(file_disk_bytes(scratch_path("dump.part")), 0, 1 << 20);
		stream_free(&s);
	}
}

/* All of the bitmaps is said to have come, zeros but for a block. */
static void test_bitmaps(void **state)
{
	const struct claim_row *row = *state;
	uint8_t head[2 * BLOCK], ones[BLOCK];
	const struct kdump_layout at = put_claim(head, row->pfns);
	struct completeness arrived;
	struct ranges came;
	struct dumpfile *df;
	struct error err;

	memset(ones, 0xff, sizeof(ones));
	ranges_init(&came);
	assert_int_equal(dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_ALL, &df, &err), 0);
	assert_int_equal(dumpfile_write(df, 0, head, sizeof(head), &err), 0);
	assert_int_equal(
		dumpfile_write(df, at.bitmap2_off + row->pfns / 16, ones, sizeof(ones), &err), 0);
	assert_int_equal(ranges_add(&came, 0, at.desc_off, &err), 0);
	work.calls = work.bytes = 0;
	assert_int_equal(completeness_check(df, &came, NULL, &arrived, &err), -ENODATA);
	assert_int_equal(arrived.pages, 8 * sizeof(ones));
	assert_int_equal(arrived.pages_missing, arrived.pages);
	assert_in_range(work.calls, 1, 64);
	assert_in_range(work.bytes, sizeof(ones), 1 << 20);
	ranges_deinit(&came);
	dumpfile_free(df);
}

int main(int argc, char **argv)
{
	static char names[2 * ARRAY_LEN(claims)][80];
	struct unit u = {0};

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		snprintf(names[2 * i], sizeof(*names), "assemble: %s", claims[i].name);
		unit_add(&u, names[2 * i], test_stream, &claims[i]);
		snprintf(names[2 * i + 1], sizeof(*names), "arrived: %s in bitmaps that came",
			 claims[i].name);
		unit_add(&u, names[2 * i + 1], test_bitmaps, &claims[i]);
	}
	return unit_run(&u, "arrived", argc, argv);
}
