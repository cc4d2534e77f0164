/* receiver/assemble/assemble.h in a session: segments against their tables, and nothing written
 * twice. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/dumpfile.h"
#include "format/flat.h"
#include "receiver/assemble/assemble.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

enum { MAX_BYTES = 4 << 20 };

/* A session's stream on its way in. */
struct incoming {
	struct tinysession t;
	struct dumpfile *df;
	struct assemble *a;
	struct error err;
};

static void incoming_init(struct incoming *in)
{
	const struct assemble_limits limits = {.max_size_bytes = MAX_BYTES, .once = true};

	*in = (struct incoming){.t = tinysession_make(&(struct tinysession_shape){
					.unreadable = true, .pages_per_segment = 30})};
	scratch_clear();
	assert_int_equal(
		dumpfile_create(scratch_path("dump"), DUMPFILE_REPLACE_NOTHING, &in->df, &in->err),
		0);
	assert_int_equal(assemble_new(in->df, &limits, &in->a, &in->err), 0);
}

static void incoming_deinit(struct incoming *in)
{
	assemble_free(in->a);
	dumpfile_free(in->df);
	tinysession_free(&in->t);
}

static int feed_stream(struct incoming *in, uint64_t begin, uint64_t end)
{
	return assemble_feed(in->a, in->t.stream.bytes + begin, (size_t)(end - begin), &in->err);
}

static int feed_segment(struct incoming *in, size_t i)
{
	return feed_stream(in, tinysession_begin(&in->t, i), tinysession_begin(&in->t, i + 1));
}

static int end_segment(struct incoming *in, size_t i)
{
	const struct checkpoint *c = &in->t.checkpoints[i];

	return assemble_segment(in->a, &c->segment, c->cursor.data_off, &in->err);
}

static void published_is(const struct tinydump *t)
{
	size_t size;
	uint8_t *bytes = file_read(scratch_path("dump"), &size);

	assert_int_equal(size, t->size_bytes);
	assert_memory_equal(bytes, t->bytes, size);
	free(bytes);
}

static void test_segments(void **state UNUSED)
{
	struct assemble_result res;
	struct incoming in;

	incoming_init(&in);
	for (size_t i = 0; i < in.t.segments; i++) {
		assert_int_equal(feed_segment(&in, i), 0);
		assert_int_equal(end_segment(&in, i), 0);
	}
	assert_int_equal(
		feed_stream(&in, tinysession_begin(&in.t, in.t.segments), in.t.stream.size_bytes),
		1);
	assert_int_equal(
		assemble_segment(in.a, &(struct segment){0}, in.t.dump.size_bytes, &in.err), 0);
	assert_int_equal(assemble_end(in.a, &res, &in.err), 0);
	assert_int_equal(res.arrived.pages_lost, 1);
	published_is(&in.t.dump);
	incoming_deinit(&in);
}

/* A table that isn't what was written, in each way; the last row is right. */
static void test_wrong_tables(void **state UNUSED)
{
	enum { MISSING, TWICE, LONGER, SHORTER, ELSEWHERE, EARLIER, RIGHT };

	for (int how = MISSING; how <= RIGHT; how++) {
		struct incoming in;
		struct segment *s;
		struct extent *last;

		incoming_init(&in);
		assert_int_equal(feed_segment(&in, 0), 0);
		assert_int_equal(end_segment(&in, 0), 0);
		assert_int_equal(feed_segment(&in, 1), 0);
		s = &in.t.checkpoints[1].segment;
		last = &s->extents[s->count - 1];
		if (how == MISSING)
			s->count--;
		else if (how == TWICE)
			assert_int_equal(segment_add(s, last, &in.err), 0);
		else if (how == LONGER)
			last->size_bytes++;
		else if (how == SHORTER)
			last->size_bytes--;
		else if (how == ELSEWHERE)
			last->off++;
		else if (how == EARLIER)
			assert_int_equal(
				segment_add(s, &in.t.checkpoints[0].segment.extents[1], &in.err),
				0);
		assert_int_equal(end_segment(&in, 1), how == RIGHT ? 0 : -EBADMSG);
		incoming_deinit(&in);
	}
}

static void test_segment_ends(void **state UNUSED)
{
	static const struct {
		int64_t more; /* beyond the file's end is where data goes on */
		int want;
	} rows[] = {
		{-1, -EBADMSG}, {0, 0}, {4096, 0}, {MAX_BYTES, -EFBIG}, {INT64_MAX / 2, -EFBIG}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct incoming in;

		incoming_init(&in);
		assert_int_equal(feed_segment(&in, 0), 0);
		assert_int_equal(assemble_segment(in.a, &in.t.checkpoints[0].segment,
						  in.t.checkpoints[0].cursor.data_off +
							  (uint64_t)rows[i].more,
						  &in.err),
				 rows[i].want);
		incoming_deinit(&in);
	}
	/* Inside of a record, or of its header. */
	for (uint64_t less = 1; less < 600; less++) {
		struct incoming in;

		incoming_init(&in);
		assert_int_equal(feed_stream(&in, 0, tinysession_begin(&in.t, 1) - less), 0);
		assert_int_equal(end_segment(&in, 0), -EPROTO);
		incoming_deinit(&in);
	}
}

/* What was judged once is never written again, by records of any size, judged or still waiting. */
static void test_once(void **state UNUSED)
{
	static const struct {
		uint64_t off;
		size_t size_bytes;
		bool fresh; /* it may come */
	} rows[] = {
		{0, KDUMP_HEADER_BYTES, true},	    /* the same header again */
		{0, KDUMP_HEADER_BYTES - 1, false}, /* a part of it */
		{463, 1, false},		    /* the last byte of it */
		{464, 1, true},			    /* the first behind it */
		{TINY_BLOCK + 5, 1, false},	    /* in the sub header */
		{TINY_BLOCK - 10, 11, false},	    /* begins before it */
		{TINY_BLOCK - 10, 10, true},	    /* ends before it */
		{300 * TINY_BLOCK - 1, 1, true},    /* far behind */
		{200 * TINY_BLOCK, 3 * TINY_BLOCK, true},
		{201 * TINY_BLOCK, 1, false}, /* in the row before, which waits */
		{199 * TINY_BLOCK, TINY_BLOCK + 1, false},
	};
	struct incoming in;
	struct stream s = {0};
	static uint8_t bytes[3 * TINY_BLOCK];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		incoming_init(&in);
		assert_int_equal(feed_segment(&in, 0), 0);
		if (i >= 9)
			stream_record(&s, rows[8].off, bytes, rows[8].size_bytes);
		stream_record(&s, rows[i].off, rows[i].off ? bytes : in.t.dump.bytes,
			      rows[i].size_bytes);
		assert_int_equal(assemble_feed(in.a, s.bytes, s.size_bytes, &in.err),
				 rows[i].fresh ? 0 : -EBADMSG);
		stream_free(&s);
		incoming_deinit(&in);
	}
}

/* The main header is a record and a piece of its own: of one that comes again only the last counts,
 * and what else the first had would be judged by nobody. */
static void test_header_alone(void **state UNUSED)
{
	static const uint8_t bytes[KDUMP_HEADER_BYTES];
	static const size_t first_bytes[] = {1, 100, KDUMP_HEADER_BYTES - 1};
	struct stream s = {0};
	struct incoming in;

	for (size_t i = 0; i < ARRAY_LEN(first_bytes); i++) {
		struct segment *table;
		struct extent rest;

		incoming_init(&in);
		assert_int_equal(feed_stream(&in, 0, FLAT_HEADER_BYTES), 0);
		stream_record(&s, 0, bytes, first_bytes[i]);
		stream_record(&s, 0, bytes, sizeof(bytes));
		assert_int_equal(assemble_feed(in.a, s.bytes, s.size_bytes, &in.err), -EBADMSG);
		stream_free(&s);
		incoming_deinit(&in);

		incoming_init(&in);
		assert_int_equal(feed_segment(&in, 0), 0);
		table = &in.t.checkpoints[0].segment;
		assert_int_equal(table->extents[0].off, 0);
		rest = table->extents[0];
		rest.off = first_bytes[i];
		rest.size_bytes -= (uint32_t)first_bytes[i];
		table->extents[0].size_bytes = (uint32_t)first_bytes[i];
		assert_int_equal(segment_add(table, &rest, &in.err), 0);
		assert_int_equal(end_segment(&in, 0), -EBADMSG);
		incoming_deinit(&in);
	}
}

/* Of the main header that comes again, only the incomplete bit may be another, and only be set. */
static void test_header_again(void **state UNUSED)
{
	for (size_t off = 0; off < KDUMP_HEADER_BYTES; off++) {
		for (int bit = 0; bit < 8; bit++) {
			const bool may = off == KDUMP_STATUS_OFFSET && 1 << bit == KDUMP_INCOMPLETE;
			uint8_t header[KDUMP_HEADER_BYTES];
			struct stream s = {0};
			struct incoming in;
			struct error err;

			incoming_init(&in);
			assert_int_equal(feed_segment(&in, 0), 0);
			assert_int_equal(dumpfile_read(in.df, 0, header, sizeof(header), &err), 0);
			header[off] ^= (uint8_t)(1 << bit);
			stream_record(&s, 0, header, sizeof(header));
			stream_record(&s, 300 * TINY_BLOCK, "x", 1);
			assert_int_equal(assemble_feed(in.a, s.bytes, s.size_bytes, &in.err),
					 may ? 0 : -EBADMSG);
			stream_free(&s);
			if (may) {
				header[off] ^= (uint8_t)(1 << bit);
				stream_record(&s, 0, header, sizeof(header));
				stream_record(&s, 301 * TINY_BLOCK, "x", 1);
				assert_int_equal(
					assemble_feed(in.a, s.bytes, s.size_bytes, &in.err),
					-EBADMSG);
				stream_free(&s);
			}
			incoming_deinit(&in);
			off += off < KDUMP_STATUS_OFFSET - 8 ? 60 : 0;
		}
	}
}

/* All is as its tables say, but it is no dump: nothing tells whether it is whole. */
static void test_other_file(void **state UNUSED)
{
	struct assemble_result res;
	struct incoming in;

	incoming_init(&in);
	memcpy(in.t.stream.bytes + FLAT_HEADER_BYTES + FLAT_RECORD_BYTES, "NOTADUMP", 8);
	assert_int_equal(feed_segment(&in, 0), 0);
	assert_int_equal(end_segment(&in, 0), 0);
	assert_int_equal(
		feed_stream(&in, tinysession_begin(&in.t, in.t.segments), in.t.stream.size_bytes),
		1);
	assert_int_equal(
		assemble_segment(in.a, &(struct segment){0}, dumpfile_size(in.df), &in.err), 0);
	assert_int_equal(assemble_end(in.a, &res, &in.err), -EBADMSG);
	assert_false(res.published);
	assert_false(file_exists(scratch_path("dump")));
	assert_true(file_exists(scratch_path("dump.part")));
	incoming_deinit(&in);
}

/* Go on with a part that an earlier assembler left at a segment's end. */
static void test_go_on(void **state UNUSED)
{
	const struct assemble_limits limits = {.max_size_bytes = MAX_BYTES, .once = true};

	for (size_t at = 1; at <= 3; at++) {
		struct assemble_result res;
		struct incoming in;
		int r = 0;

		incoming_init(&in);
		assert_in_range(in.t.segments, 3, 10);
		for (size_t i = 0; i < at; i++) {
			assert_int_equal(feed_segment(&in, i), 0);
			assert_int_equal(end_segment(&in, i), 0);
		}
		assemble_free(in.a);
		assert_int_equal(assemble_new(in.df, &limits, &in.a, &in.err), 0);
		for (size_t i = 0; i < at; i++) {
			const struct segment *s = &in.t.checkpoints[i].segment;

			for (size_t k = 0; k < s->count; k++)
				assert_int_equal(assemble_has(in.a, s->extents[k].off,
							      s->extents[k].size_bytes, &in.err),
						 0);
		}
		assemble_go_on(in.a, tinysession_begin(&in.t, at));
		assert_int_equal(assemble_received(in.a), tinysession_begin(&in.t, at));
		for (size_t i = at; i < in.t.segments && r == 0; i++) {
			r = feed_segment(&in, i);
			if (r == 0)
				r = end_segment(&in, i);
		}
		assert_int_equal(r, 0);
		assert_int_equal(feed_stream(&in, tinysession_begin(&in.t, in.t.segments),
					     in.t.stream.size_bytes),
				 1);
		assert_int_equal(assemble_end(in.a, &res, &in.err), 0);
		assert_int_equal(res.received_bytes, in.t.stream.size_bytes);
		published_is(&in.t.dump);
		incoming_deinit(&in);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "assemble: takes segments that are what their tables say", test_segments,
		 NULL);
	unit_add(&u, "assemble: refuses a table that isn't what was written", test_wrong_tables,
		 NULL);
	unit_add(&u, "assemble: judges where a segment ends, and where it goes on",
		 test_segment_ends, NULL);
	unit_add(&u, "assemble: writes nothing twice in a session", test_once, NULL);
	unit_add(&u, "assemble: takes a main header by itself only", test_header_alone, NULL);
	unit_add(&u, "assemble: takes a main header again if it is the same", test_header_again,
		 NULL);
	unit_add(&u, "assemble: publishes nothing but a dump in a session", test_other_file, NULL);
	unit_add(&u, "assemble: goes on where another one was", test_go_on, NULL);
	return unit_run(&u, "assemble_segments", argc, argv);
}
