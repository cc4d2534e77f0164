/* receiver/assemble/assemble.h: streams that lie, are too large, never end, or are stopped. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/keepalive.h"
#include "format/dumpfile.h"
#include "format/flat.h"
#include "receiver/assemble/ranges.h"
#include "receiver/inspect/verify.h"
#include "tests/lib/outcome.h"
#include "tests/lib/scratch.h"

struct hostile_row {
	const char *name;
	const char *bytes; /* behind the stream's header and a first record */
	size_t len;
	int want;
};

/* clang-format off */
#define AT(bytes) bytes, sizeof(bytes) - 1
static const struct hostile_row hostile[] = {
	{"assemble: refuses a negative offset", AT("\x80\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: refuses a negative size", AT("\0\0\0\0\0\0\0\0" "\x80\0\0\0\0\0\0\0" "x"), -EBADMSG},
	{"assemble: refuses a size of 0", AT("\0\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0"), -EBADMSG},
	{"assemble: refuses an end past 2^63", AT("\x7f\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: refuses an offset of 2^62", AT("\x40\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\1" "x"), -EFBIG},
	{"assemble: refuses a record of 2^62 bytes", AT("\0\0\0\0\0\0\0\0" "\x40\0\0\0\0\0\0\0" "x"), -EFBIG},
	{"assemble: refuses half an end marker", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\0\0\0\0\0\0\0\1" "x"), -EBADMSG},
	{"assemble: knows an end marker cut at byte 15", AT("\xff\xff\xff\xff\xff\xff\xff\xff" "\xff\xff\xff\xff\xff\xff\xff"), -ENODATA},
};
/* clang-format on */

static void test_hostile(void **state)
{
	const struct hostile_row *row = *state;
	struct tinydump t = tinydump_make();

	for (size_t step = 0; step < 3; step++) {
		struct stream s = {0};
		struct outcome out;

		stream_header(&s);
		stream_record(&s, 0, t.bytes, t.size_bytes);
		stream_add(&s, row->bytes, row->len);
		out = outcome_of(&s, step, &no_limits);
		assert_int_equal(out.code, row->want);
		assert_mended(&out, &t);
		/* All that came before is there. */
		assert_int_equal(out.res.arrived.pages_missing, 0);
		stream_free(&s);
	}
	tinydump_free(&t);
}

struct input_row {
	const char *name, *bytes;
	size_t len;
	int want;
	const char *says;
};

/* clang-format off */
static const struct input_row inputs[] = {
	{"assemble: says that nothing came", AT(""), -ENODATA, "nothing came"},
	{"assemble: says that a stream is cut in its signature", AT("makedump"), -ENODATA, "cut short"},
	{"assemble: says that a stream is cut in its header", AT("makedumpfile\0\0\0\0\0\0\0\0"), -ENODATA, "cut short"},
	{"assemble: says that it got ELF", AT("\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0"), -EBADMSG, "an ELF file"},
	{"assemble: says that it got a regular kdump file", AT("KDUMP   \6\0\0\0Linux\0\0\0\0"), -EBADMSG, "a kdump-compressed file"},
	{"assemble: says that it got gzip", AT("\037\213\10\0\0\0\0\0\0\3\0\0\0\0\0\0\0"), -EBADMSG, "gzip"},
	{"assemble: says that it got two bytes of gzip", AT("\037\213"), -EBADMSG, "gzip"},
	{"assemble: says that it got something else", AT("bash: vmsend: command not found\n"), -EBADMSG, "looks like text"},
};
/* clang-format on */

static void test_input(void **state)
{
	const struct input_row *row = *state;
	AUTO_FREE uint8_t *copy = malloc(row->len + 1);

	memcpy(copy, row->bytes, row->len);
	for (size_t step = 0; step < 3; step++) {
		const struct stream s = {.bytes = copy, .size_bytes = row->len};
		const struct outcome out = outcome_of(&s, step, &no_limits);

		assert_int_equal(out.code, row->want);
		if (!strstr(out.err.msg, row->says))
			fail_msg("says \"%s\", not \"%s\"", out.err.msg, row->says);
		assert_false(file_exists(scratch_path("dump")));
		assert_false(file_exists(scratch_path("dump.part")));
	}
}

static void test_max_size(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct assemble_limits limits = {.max_size_bytes = t.size_bytes, .free_bytes = 1};
	struct outcome out = outcome_of(&s, 0, &limits);

	assert_published(&out, &t);
	limits.max_size_bytes--;
	out = outcome_of(&s, 0, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_mended(&out, &t);
	assert_true(out.res.file_bytes <= limits.max_size_bytes);
	assert_non_null(strstr(out.err.msg, "--max-size"));

	/* Mending doesn't break it either: the table would end beyond. */
	limits.max_size_bytes = t.at.desc_off + 100;
	out = outcome_of(&s, 0, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_true(out.res.file_bytes <= limits.max_size_bytes);

	limits = (struct assemble_limits){.free_bytes = t.size_bytes - 1};
	out = outcome_of(&s, 0, &limits);
	assert_int_equal(out.code, -ENOSPC);

	/* No room for all descriptors: those that didn't come are a hole, which takes none. */
	limits.free_bytes = t.at.desc_off + 100;
	out = outcome_of(&s, 0, &limits);
	assert_int_equal(out.code, -ENOSPC);
	assert_mended(&out, &t);
	assert_true(out.res.file_bytes >= out.res.arrived.table_end);
	assert_true(out.res.arrived.table_end > limits.free_bytes);
	stream_free(&s);
	tinydump_free(&t);
}

/* Whatever a dump's header says, a record may be far behind it only before the header is there. */
static void test_plausible(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	const uint64_t plausible = completeness_plausible_bytes(&t.header);
	const struct {
		uint64_t off;
		bool before;
		int want;
	} rows[] = {
		{plausible - 1, false, 0},
		{plausible, false, -EFBIG},
		{plausible - 1, true, 0},
		{plausible, true, -EFBIG},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream s = {0};
		struct outcome out;

		stream_header(&s);
		if (rows[i].before)
			stream_record(&s, rows[i].off, "x", 1);
		stream_record(&s, 0, t.bytes, t.size_bytes);
		if (!rows[i].before)
			stream_record(&s, rows[i].off, "x", 1);
		stream_end(&s);
		out = outcome_of(&s, 0, &no_limits);
		assert_int_equal(out.code, rows[i].want);
		stream_free(&s);
	}
	tinydump_free(&t);
}

/* The same place again and again. */
static void test_endless(void **state UNUSED)
{
	enum { PIECE = 1 << 20 };
	const struct assemble_limits limits = {.max_size_bytes = PIECE};
	AUTO_FREE uint8_t *piece = calloc(1, PIECE);
	struct stream s = {0};
	struct outcome out;

	stream_header(&s);
	for (int i = 0; i < 80; i++)
		stream_record(&s, 0, piece, PIECE);
	out = outcome_of(&s, 65536, &limits);
	assert_int_equal(out.code, -EFBIG);
	assert_non_null(strstr(out.err.msg, "again and again"));
	assert_true(out.res.file_bytes <= PIECE);
	assert_true(out.res.received_bytes < 68 << 20);
	stream_free(&s);
}

static void test_scattered(void **state UNUSED)
{
	struct stream s = {0};
	struct outcome out;

	stream_header(&s);
	for (uint64_t i = RANGES_MAX + 1; i > 0; i--)
		stream_record(&s, 4 * i, "x", 1);
	stream_end(&s);
	out = outcome_of(&s, 65536, &no_limits);
	assert_int_equal(out.code, -EFBIG);
	assert_non_null(strstr(out.err.msg, "separate pieces"));
	stream_free(&s);
}

/* Somebody stops it while all but the end marker is there. */
static void test_stop(void **state UNUSED)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(assemble_free) struct assemble *a = NULL;
	const struct error why = {-ECANCELED, "enough"};
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct outcome out = {0};

	scratch_clear();
	assert_int_equal(
		dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &df, &out.err), 0);
	assert_int_equal(assemble_new(df, &no_limits, &a, &out.err), 0);
	assert_int_equal(assemble_feed(a, s.bytes, s.size_bytes, &out.err), 1);
	assemble_stop(a, &why);
	out.code = assemble_end(a, &out.res, &out.err);
	assert_int_equal(out.code, -ECANCELED);
	assert_string_equal(out.err.msg, "enough");
	assert_mended(&out, &t);
	assert_int_equal(out.res.arrived.pages_missing, 0);
	stream_free(&s);
	tinydump_free(&t);
}

struct waiting {
	unsigned asked, patience; /* how often it is */
};

static int ask_whether_to_go_on(void *ctx, struct error *err)
{
	struct waiting *w = ctx;

	return ++w->asked > w->patience ? error_set(err, -ECONNRESET, "gone") : 0;
}

/* The judgement of a large dump takes long. Who waits for it hears of us, and may go; a part is
 * mended whoever waits. */
static void test_alive(void **state UNUSED)
{
	struct waiting w = {.patience = 100};
	const struct keepalive alive = {ask_whether_to_go_on, &w};
	const struct assemble_limits limits = {.free_bytes = INT64_MAX, .alive = &alive};
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);
	struct outcome out = outcome_of(&s, 0, &limits);

	assert_published(&out, &t);
	assert_int_equal(w.asked, 2); /* with the bitmap, and with the table */
	for (unsigned patience = 0; patience < 2; patience++) {
		w = (struct waiting){.patience = patience};
		out = outcome_of(&s, 0, &limits);
		assert_int_equal(out.code, -ECONNRESET);
		assert_string_equal(out.err.msg, "gone");
		assert_false(file_exists(scratch_path("dump")));
		assert_true(file_exists(scratch_path("dump.part")));
	}
	w = (struct waiting){0};
	s.size_bytes -= 10;
	out = outcome_of(&s, 0, &limits);
	assert_mended(&out, &t);
	assert_int_equal(w.asked, 0);
	stream_free(&s);
	tinydump_free(&t);
}

static int feed_too_much(const void *stream)
{
	const struct outcome out = outcome_of(stream, 0, &no_limits);

	return out.code == -EFBIG && strstr(out.err.msg, "dump.part") ? 0 : 1;
}

/* The file can't grow beyond each of many lengths: what is there is mended. */
static void test_write_error(void **state UNUSED)
{
	struct tinydump t = tinydump_make();
	struct stream s = stream_of(&t, 1000);

	for (size_t limit = 100; limit < t.size_bytes; limit += 4999) {
		scratch_clear();
		assert_int_equal(run_with_file_limit(limit, feed_too_much, &s), 0);
		assert_false(file_exists(scratch_path("dump")));
		assert_true(file_exists(scratch_path("dump.part")));
		if (limit > t.data_off) {
			AUTO(kdump_file_free) struct kdump_file *d = NULL;
			struct verify_result verified;
			struct error err;

			assert_int_equal(kdump_file_open(scratch_path("dump.part"), &d, &err), 0);
			assert_int_equal(verify_dump(d, 1, NULL, NULL, &verified, &err), 0);
			assert_int_equal(verified.problem_count, 0);
			assert_true(verified.missing > 0);
		}
	}
	stream_free(&s);
	tinydump_free(&t);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, hostile, test_hostile);
	UNIT_ADD_ROWS(&u, inputs, test_input);
	unit_add(&u, "assemble: keeps to --max-size, and to what is free", test_max_size, NULL);
	unit_add(&u, "assemble: keeps to what the header makes plausible", test_plausible, NULL);
	unit_add(&u, "assemble: ends a stream that doesn't", test_endless, NULL);
	unit_add(&u, "assemble: refuses too many separate pieces", test_scattered, NULL);
	unit_add(&u, "assemble: mends what was stopped", test_stop, NULL);
	unit_add(&u, "assemble: asks while it judges whether somebody waits", test_alive, NULL);
	unit_add(&u, "assemble: mends what a full disk cut short", test_write_error, NULL);
	return unit_run(&u, "assemble_limits", argc, argv);
}
