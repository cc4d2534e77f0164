/* Where a dump goes on that was begun.
 * Doesn't know links, nor how pages become chunks. */
#include "sender/resume.h"

#include "format/segment.h"
#include "sender/delivery/delivery.h"
#include "sender/output/sink.h"

void resume_begin(struct resume *resume, uint64_t segment)
{
	const uint64_t i = segment % RESUME_SNAPSHOTS;

	resume->before = resume->snapshots[i].segment == segment ? resume->snapshots[i].counts
								 : (struct writer_counts){0};
}

struct writer_counts resume_sum(const struct resume *resume, const struct writer_counts *counts)
{
	const struct writer_counts *before = &resume->before;
	struct writer_counts sum = *counts;

	sum.zero += before->zero;
	for (size_t i = 0; i < CODEC_COUNT; i++)
		sum.by_codec[i] += before->by_codec[i];
	return sum;
}

void resume_note(struct resume *resume, uint64_t segment, const struct writer_counts *sum)
{
	resume->snapshots[segment % RESUME_SNAPSHOTS].segment = segment;
	resume->snapshots[segment % RESUME_SNAPSHOTS].counts = *sum;
}

/* For the comparison of a prologue with the one that a receiver has. */
struct comparison {
	struct delivery *delivery;
	const struct delivery_start *start;
	const struct sink *sink;
	bool same;
};

static int compare_prologue(void *ctx, const struct cursor *cursor UNUSED, struct error *err)
{
	struct comparison *c = ctx;
	const int r = delivery_is_same(c->delivery, c->start, c->sink, err);

	c->same = r > 0;
	return MIN(r, 0);
}

int resume_check(const struct resume_dump *dump, struct delivery *delivery,
		 const struct delivery_start *start, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	AUTO(writer_free) struct writer *writer = NULL;
	struct comparison c = {.delivery = delivery, .start = start};
	struct writer_setup setup = dump->writer;
	int r = sink_new_null(&sink, err);

	if (r == 0)
		r = sink_keep_segment(sink, err);
	c.sink = setup.sink = sink;
	setup.segment_end = compare_prologue;
	setup.chunk_end = NULL;
	setup.ctx = &c;
	if (r == 0)
		r = writer_new(&setup, &writer, err);
	if (r == 0)
		r = writer_prologue(writer, dump->core, dump->pages, err);
	if (r < 0)
		return r;
	return c.same && start->cursor.data_off >= writer_table_end(writer) &&
	       (start->cursor.chunk == CURSOR_AT_END || start->cursor.chunk <= dump->chunks);
}
