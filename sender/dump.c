/* One dump from beginning to end.
 * Doesn't know the command line, nor where the sink leads. */
#include "sender/dump.h"

#include <errno.h>

#include "base/clock.h"
#include "base/progress.h"
#include "format/flat.h"
#include "sender/delivery/delivery.h"
#include "sender/machine/meminfo.h"
#include "sender/output/codec_pace.h"
#include "sender/output/prologue.h"
#include "sender/output/sink.h"
#include "sender/output/worker.h"
#include "sender/pages/budget.h"
#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"
#include "sender/pages/sending_order.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Segments of which the counts are kept for a resume: more than are sent in the second
	   between acknowledgements. */
	SNAPSHOTS = 256,

	/* More than the writer takes, and all that comes behind it, such as another writer to
	   compare a receiver's part with. */
	SPARE_BYTES = 2 << 20,
};

/* What was written when a segment ended. */
struct snapshot {
	uint64_t segment; /* the cursor's; 0: unused */
	struct writer_counts counts;
};

struct dump {
	const struct dump_setup *setup;
	struct dump_result *result;
	struct pageset *pages;
	unsigned threads; /* of the page pass */
	struct sending_order order;
	uint64_t data_pages; /* essential ones but for the kernel's code */
	struct plan *plan;
	struct kdump_header header; /* final, but for unreadable pages */
	struct writer *writer;
	const struct sink *sink; /* that it writes to */
	struct sink *own_sink;	 /* the same, of a delivery */
	struct cursor cursor;	 /* of the last segment's end */
	uint64_t pages_before;	 /* the cursor that the writer began at */
	struct writer_counts counts_before;
	struct snapshot snapshots[SNAPSHOTS];
	void **workers; /* struct worker */
	unsigned worker_count;
	void **chunks; /* struct chunk: what the workers fill */
	size_t chunk_count;

	struct codec_pace pace;
	uint64_t stream_bytes; /* when the last chunk was written */
};

/* What was written by this writer and the ones before it. */
static struct writer_counts counts_of(const struct dump *d)
{
	const struct writer_counts *before = &d->counts_before;
	struct writer_counts sum = *writer_counts(d->writer);

	sum.zero += before->zero;
	for (size_t i = 0; i < CODEC_COUNT; i++)
		sum.by_codec[i] += before->by_codec[i];
	return sum; /* unreadable: the cursor has those before it */
}

static void take_snapshot(struct dump *d, uint64_t segment)
{
	d->snapshots[segment % SNAPSHOTS] = (struct snapshot){segment, counts_of(d)};
}

/* Zeros, if the part that the receiver has was sent by another run of the program. */
static struct writer_counts find_snapshot(const struct dump *d, uint64_t segment)
{
	const struct snapshot *s = &d->snapshots[segment % SNAPSHOTS];

	return s->segment == segment ? s->counts : (struct writer_counts){0};
}

static void dump_deinit(struct dump *d)
{
	for (unsigned i = 0; d->workers && i < d->worker_count; i++)
		worker_free(d->workers[i]);
	free(d->workers);
	for (size_t i = 0; d->chunks && i < d->chunk_count; i++)
		chunk_free(d->chunks[i]);
	free(d->chunks);
	writer_free(d->writer);
	sink_free(d->own_sink);
	plan_free(d->plan);
	sending_order_deinit(&d->order);
	pageset_free(d->pages);
}

/* What has to be left when something is taken that can be done without: of what comes behind it
 * there can't be less. */
static size_t spare_bytes(const struct dump *d)
{
	const struct dump_setup *s = d->setup;
	const bool connects = s->delivery && !delivery_has_link(s->delivery);

	return SPARE_BYTES + (connects ? (size_t)s->budget->setup.session_bytes : 0);
}

/* So many, or as many as there is memory for. */
static void add_chunks(struct dump *d, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct chunk *chunk = chunk_new(worker_page_data_bytes(d->workers[0]));

		if (d->chunk_count && !meminfo_can_spare(spare_bytes(d))) {
			chunk_free(chunk);
			return;
		}
		if (!chunk)
			return;
		d->chunks[d->chunk_count++] = chunk;
	}
}

/* In line one, with one chunk to fill; with threads as many of both as there is memory for. */
static int make_workers(struct dump *d, unsigned threads, struct error *err)
{
	const struct dump_setup *s = d->setup;
	const struct worker_setup setup = {
		.core = s->core,
		.pages = d->pages,
		.plan = d->plan,
		.ladder = &s->ladder,
		.pace = &d->pace,
		.exclude_zero = s->level & LEVEL_ZERO,
		.digest = s->delivery != NULL,
	};
	const unsigned count = MAX(threads, 1U);
	const size_t each = threads ? PIPELINE_ITEMS_PER_WORKER : 1;

	d->workers = calloc(count, sizeof(*d->workers));
	d->chunks = calloc(count * each, sizeof(*d->chunks));
	if (!d->workers || !d->chunks)
		return error_set(err, -ENOMEM, "out of memory for %u workers", count);
	while (d->worker_count < count) {
		struct worker *w;
		const int r = worker_new(&setup, &w, err);

		/* Memory for fewer of them is a reason to be slower, not to fail. */
		if (r < 0)
			return r == -ENOMEM && d->worker_count ? 0 : r;
		if (d->worker_count && !meminfo_can_spare(spare_bytes(d))) {
			worker_free(w);
			break;
		}
		d->workers[d->worker_count++] = w;
		add_chunks(d, each);
		if (d->chunk_count == 0)
			return error_set(err, -ENOMEM, "out of memory for page_data");
	}
	return 0;
}

static struct progress_state state_of(const struct dump *d)
{
	const uint64_t done = d->pages_before + writer_counts_all(writer_counts(d->writer));

	return (struct progress_state){
		.done = done,
		.total = d->result->pages,
		.bytes_in = done * d->setup->core->page_bytes,
		.bytes_out = writer_stream_bytes(d->writer),
	};
}

/* What the chunk has become, and what waits for the link now. */
static void tell_pace(struct dump *d, uint64_t stream_bytes)
{
	if (d->pace.rungs == 1)
		return;
	codec_pace_written(&d->pace,
			   &(struct codec_pace_sample){
				   .waiting_bytes = delivery_waiting_bytes(d->setup->delivery),
				   .chunk_bytes = stream_bytes - d->stream_bytes,
				   .now_ms = clock_ms(),
			   });
	d->stream_bytes = stream_bytes;
}

static int chunk_end(void *ctx, struct error *err)
{
	struct dump *d = ctx;
	const struct progress_state state = state_of(d);
	int r;

	/* Extents end with a chunk. */
	if (state.done == d->data_pages)
		d->result->data_end = state.bytes_out;
	if (state.done == d->result->essential_pages)
		d->result->essential_end = state.bytes_out;
	progress_update(d->setup->progress, &state);
	if (d->setup->delivery) {
		r = delivery_pump(d->setup->delivery, err);
		tell_pace(d, state.bytes_out);
		return r;
	}
	return stop_check(&d->setup->stop, err);
}

static int segment_end(void *ctx, const struct cursor *cursor, struct error *err)
{
	struct dump *d = ctx;

	d->cursor = *cursor;
	if (!d->setup->delivery)
		return 0;
	take_snapshot(d, cursor->segment);
	return delivery_checkpoint(d->setup->delivery, cursor, d->sink, err);
}

/* A link that breaks while memory is filtered is made again when there is something to send. */
static int filter_chunk_end(void *ctx, struct error *err)
{
	struct delivery *delivery = ctx;

	if (delivery_pump(delivery, err) < 0 && !delivery_lost(delivery, err))
		return err->code;
	return 0;
}

/* The pages of the first extents that the dump level has left in. */
static uint64_t count_pages(const struct dump *d, size_t extents)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < extents; i++)
		pages += pageset_rank(d->pages, d->order.extents[i].end) -
			 pageset_rank(d->pages, d->order.extents[i].first);
	return pages;
}

/* The filter has threads only where the page pass in line, and the bitmap, find room behind it:
 * what is given back may lie in the heap's midst, and be of no use to them. */
static size_t filter_spare_bytes(const struct dump *d)
{
	const struct budget *b = d->setup->budget;
	const uint64_t pages = pageset_memory_max(d->setup->core->map.max_mapnr);

	return spare_bytes(d) +
	       (size_t)(b->dump_bytes + (b->pages_bytes ? MIN(pages, b->pages_bytes) : pages));
}

/* All that is needed before the first byte goes out. */
static int prepare(struct dump *d, struct error *err)
{
	const struct dump_setup *s = d->setup;
	const struct filter_setup filter = {
		.km = s->km,
		.exclude = page_classes_of_level(s->level),
		.threads = s->budget->threads,
		.pages_bytes = s->budget->pages_bytes,
		.spare_bytes = filter_spare_bytes(d),
		.stop = s->stop,
		.chunk_end = s->delivery ? filter_chunk_end : NULL,
		.ctx = s->delivery,
	};
	int r = filter_run(&filter, &d->pages, &d->result->filter, s->warnings, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->core->map.ram_count; i++)
		d->result->ram_pages += s->core->map.ram[i].end - s->core->map.ram[i].first;
	d->result->pages = pageset_count(d->pages);
	d->threads = budget_threads(s->budget, pageset_memory(d->pages));
	r = sending_order_init(&d->order, s->km, s->warnings, err);
	d->data_pages = count_pages(d, d->order.data_count);
	d->result->essential_pages = count_pages(d, d->order.essential_count);
	if (r == 0)
		r = plan_new(d->pages, d->order.extents, d->order.count,
			     chunk_pages(s->core->page_bytes), &d->plan, err);
	if (r == 0)
		r = prologue_header(s->core, s->level, codec_ladder_kdump_flags(&s->ladder),
				    &d->header, &d->result->uname_known, err);
	return r;
}

/* A writer into `sink`. */
static int make_writer(struct dump *d, struct sink *sink, struct error *err)
{
	const struct writer_setup setup = {
		.sink = sink,
		.header = d->header,
		.pages = d->result->pages,
		.exclude_zero = d->setup->level & LEVEL_ZERO,
		.segment_end = segment_end,
		.chunk_end = chunk_end,
		.ctx = d,
	};
	const int r = writer_new(&setup, &d->writer, err);

	if (r < 0)
		return r;
	d->sink = sink;
	d->pages_before = 0;
	d->counts_before = (struct writer_counts){0};
	d->result->table_end = writer_table_end(d->writer);
	return 0;
}

static int page_pass(struct dump *d, uint64_t first_chunk, struct error *err)
{
	const struct pipeline pipeline = {
		.workers = MIN(d->threads, d->worker_count),
		.first_chunk = first_chunk,
		.end_chunk = plan_chunk_count(d->plan),
		.items = d->chunks,
		.item_count = d->chunk_count,
		.fill = worker_fill,
		.worker = d->workers,
		.write = writer_chunk,
		.writer = d->writer,
		.spare_bytes = spare_bytes(d),
	};

	/* A file takes what comes. */
	const bool paced = d->setup->delivery && delivery_has_link(d->setup->delivery);

	codec_pace_begin(&d->pace, paced ? d->setup->ladder.count : 1, pipeline.workers,
			 first_chunk);
	d->stream_bytes = writer_stream_bytes(d->writer);
	return pipeline_run(&pipeline, &d->result->crew, err);
}

/* The whole dump into `sink`. */
static int write_all(struct dump *d, struct sink *sink, struct error *err)
{
	int r = make_writer(d, sink, err);

	if (r == 0)
		r = writer_prologue(d->writer, d->setup->core, d->pages, err);
	if (r == 0)
		r = page_pass(d, 0, err);
	return r == 0 ? writer_finish(d->writer, err) : r;
}

/* What comes behind the cursor. */
static int write_rest(struct dump *d, struct sink *sink, const struct cursor *cursor,
		      struct error *err)
{
	const uint64_t chunk = MIN(cursor->chunk, plan_chunk_count(d->plan));
	int r = make_writer(d, sink, err);

	if (r < 0)
		return r;
	d->cursor = *cursor;
	d->pages_before = plan_pages_before(d->plan, chunk);
	d->pages_before -= MIN(cursor->unreadable, d->pages_before); /* the writer counts them */
	d->counts_before = find_snapshot(d, cursor->segment);
	writer_resume(d->writer, cursor);
	r = page_pass(d, chunk, err);
	return r == 0 ? writer_finish(d->writer, err) : r;
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

/* Whether the receiver's part is of this dump, and its cursor one that can be: 1 or 0. */
static int can_resume(struct dump *d, const struct delivery_start *start, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	AUTO(writer_free) struct writer *writer = NULL;
	struct comparison c = {.delivery = d->setup->delivery, .start = start};
	struct writer_setup setup = {
		.header = d->header,
		.pages = d->result->pages,
		.exclude_zero = d->setup->level & LEVEL_ZERO,
		.segment_end = compare_prologue,
		.ctx = &c,
	};
	int r = sink_new_null(&sink, err);

	if (r == 0)
		r = sink_keep_segment(sink, err);
	c.sink = setup.sink = sink;
	if (r == 0)
		r = writer_new(&setup, &writer, err);
	if (r == 0)
		r = writer_prologue(writer, d->setup->core, d->pages, err);
	if (r < 0)
		return r;
	return c.same && start->cursor.data_off >= writer_table_end(writer) &&
	       (start->cursor.chunk == CURSOR_AT_END ||
		start->cursor.chunk <= plan_chunk_count(d->plan));
}

/* Of the attempt before. */
static void drop_writer(struct dump *d)
{
	writer_free(d->writer);
	sink_free(d->own_sink);
	d->writer = NULL;
	d->own_sink = NULL;
}

/* One attempt, from where the receiver wants it. */
static int deliver_once(struct dump *d, const struct delivery_start *start, struct error *err)
{
	struct delivery *delivery = d->setup->delivery;
	struct end end = {.pages = d->result->pages};
	int r = start->resumed ? can_resume(d, start, err) : 1;

	drop_writer(d);

	if (r == 0) {
		delivery_mismatch(delivery);
		return error_set(err, -ESTALE, "the receiver's part is of another dump");
	}
	if (r > 0)
		r = delivery_sink(delivery, &d->own_sink, err);
	if (r == 0)
		r = start->resumed ? write_rest(d, d->own_sink, &start->cursor, err)
				   : write_all(d, d->own_sink, err);
	if (r == 0) {
		end.segments = d->cursor.segment;
		end.stream_bytes = writer_stream_bytes(d->writer);
		end.unreadable = d->cursor.unreadable;
		r = delivery_end(delivery, &end, err);
	}
	return r;
}

/* Until a destination has it, or none is left. */
static int deliver(struct dump *d, struct error *err)
{
	struct delivery *delivery = d->setup->delivery;
	const struct totals totals = {
		.pages = d->result->pages,
		.ram_pages = d->result->ram_pages,
		.max_bytes = kdump_layout(&d->header).desc_off +
			     d->result->pages * (KDUMP_DESC_BYTES + d->header.block_size),
	};

	for (;;) {
		struct delivery_start start;
		int r = delivery_start(delivery, &totals, &start, err);

		if (r < 0)
			return r;
		switch (start.kind) {
		case START_LEVEL:
			d->result->other_level = true;
			d->result->wanted_level = start.level;
			return 0;
		case START_DONE:
		case START_LOG_ONLY:
			d->result->was_there = start.kind == START_DONE;
			d->result->log_only = start.kind == START_LOG_ONLY;
			r = delivery_end(delivery, &(struct end){0}, err);
			break;
		case START_PAGES:
			r = deliver_once(d, &start, err);
			break;
		}
		if (r == 0 || !delivery_lost(delivery, err))
			return r;
	}
}

int dump_run(const struct dump_setup *setup, struct dump_result *result_ret, struct error *err)
{
	struct dump d = {.setup = setup, .result = result_ret};
	int r;

	*result_ret = (struct dump_result){0};
	r = prepare(&d, err);
	if (r == 0)
		r = make_workers(&d, d.threads, err);
	if (r == 0)
		r = setup->delivery ? deliver(&d, err) : write_all(&d, setup->sink, err);
	if (d.writer) {
		const struct progress_state state = state_of(&d);

		progress_end(setup->progress, &state);
		result_ret->counts = counts_of(&d);
		result_ret->bytes_in = state.bytes_in;
		result_ret->bytes_out = state.bytes_out;
	}
	dump_deinit(&d);
	return r;
}
