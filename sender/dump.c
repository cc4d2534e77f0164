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
#include "sender/resume.h"
#include "sender/threads/pool.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* More than the writer takes, and all that comes behind it, such as another writer to
	   compare a receiver's part with. */
	SPARE_BYTES = 2 << 20,
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
	struct resume resume;	 /* what earlier writers wrote */
	struct pool pool;	 /* struct worker, struct chunk */

	struct codec_pace pace;
	uint64_t stream_bytes; /* when the last chunk was written */
};

/* What was written by this writer and the ones before it. */
static struct writer_counts counts_of(const struct dump *d)
{
	return resume_sum(&d->resume, writer_counts(d->writer));
}

static void dump_deinit(struct dump *d)
{
	pool_deinit(&d->pool);
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

static int new_worker(void *ctx, void **worker_ret, struct error *err)
{
	struct dump *d = ctx;
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
	struct worker *w;
	const int r = worker_new(&setup, &w, err);

	if (r == 0)
		*worker_ret = w;
	return r;
}

static void free_worker(void *worker)
{
	worker_free(worker);
}

static void *new_chunk(void *ctx)
{
	const struct dump *d = ctx;

	return chunk_new(worker_page_data_bytes(d->pool.workers[0]));
}

static void free_chunk(void *chunk)
{
	chunk_free(chunk);
}

static int make_workers(struct dump *d, unsigned threads, struct error *err)
{
	const struct pool_setup setup = {
		.threads = threads,
		.spare_bytes = spare_bytes(d),
		.worker_new = new_worker,
		.worker_free = free_worker,
		.item_new = new_chunk,
		.item_free = free_chunk,
		.ctx = d,
	};

	return pool_init(&d->pool, &setup, err);
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
static void note_pace(struct dump *d, uint64_t stream_bytes)
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
		note_pace(d, state.bytes_out);
		return r;
	}
	return stop_check(&d->setup->stop, err);
}

static int segment_end(void *ctx, const struct cursor *cursor, struct error *err)
{
	struct dump *d = ctx;
	struct writer_counts counts;

	d->cursor = *cursor;
	if (!d->setup->delivery)
		return 0;
	counts = counts_of(d);
	resume_note(&d->resume, cursor->segment, &counts);
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

/* Of this dump, without a sink. */
static struct writer_setup setup_of_writer(struct dump *d)
{
	return (struct writer_setup){
		.header = d->header,
		.pages = d->result->pages,
		.exclude_zero = d->setup->level & LEVEL_ZERO,
		.segment_end = segment_end,
		.chunk_end = chunk_end,
		.ctx = d,
	};
}

/* A writer into `sink`, which goes on after that segment (0: from the beginning). */
static int make_writer(struct dump *d, struct sink *sink, uint64_t segment, struct error *err)
{
	struct writer_setup setup = setup_of_writer(d);
	int r;

	setup.sink = sink;
	r = writer_new(&setup, &d->writer, err);

	if (r < 0)
		return r;
	d->sink = sink;
	d->pages_before = 0;
	resume_begin(&d->resume, segment);
	d->result->table_end = writer_table_end(d->writer);
	return 0;
}

static int page_pass(struct dump *d, uint64_t first_chunk, struct error *err)
{
	const struct pipeline pipeline = {
		.workers = MIN(d->threads, d->pool.worker_count),
		.first_chunk = first_chunk,
		.end_chunk = plan_chunk_count(d->plan),
		.items = d->pool.items,
		.item_count = d->pool.item_count,
		.fill = worker_fill,
		.worker = d->pool.workers,
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
	int r = make_writer(d, sink, 0, err);

	if (r == 0)
		r = writer_prologue(d->writer, d->setup->core, d->pages, err);
	if (r == 0)
		r = page_pass(d, 0, err);
	return r == 0 ? writer_finish(d->writer, err) : r;
}

/* The part of the dump after the cursor. */
static int write_rest(struct dump *d, struct sink *sink, const struct cursor *cursor,
		      struct error *err)
{
	const uint64_t chunk = MIN(cursor->chunk, plan_chunk_count(d->plan));
	int r = make_writer(d, sink, cursor->segment, err);

	if (r < 0)
		return r;
	d->cursor = *cursor;
	d->pages_before = plan_pages_before(d->plan, chunk);
	d->pages_before -= MIN(cursor->unreadable, d->pages_before); /* the writer counts them */
	writer_resume(d->writer, cursor);
	r = page_pass(d, chunk, err);
	return r == 0 ? writer_finish(d->writer, err) : r;
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
	const struct resume_dump dump = {
		.core = d->setup->core,
		.pages = d->pages,
		.writer = setup_of_writer(d),
		.chunks = plan_chunk_count(d->plan),
	};
	struct end end = {.pages = d->result->pages};
	int r = start->resumed ? resume_check(&dump, delivery, start, err) : 1;

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
