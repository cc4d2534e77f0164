/* One dump from beginning to end.
 * Doesn't know the command line, nor where the sink leads. */
#include "dump.h"

#include <errno.h>

#include "flat.h"
#include "pageset.h"
#include "pipeline.h"
#include "plan.h"
#include "progress.h"
#include "prologue.h"
#include "sending_order.h"
#include "sink.h"
#include "vmcore.h"
#include "worker.h"

enum {
	/* What a thread's codec takes, rounded up: libdeflate 205 KiB, zlib 268 KiB, zstd level 1
	   600 KiB. */
	CODEC_MEMORY_BYTES = 1 << 20,
	/* Code, libraries, stacks and the C library's own: measured, and rounded up. */
	BASE_MEMORY_BYTES = 9 << 20,
};

struct dump {
	const struct dump_setup *setup;
	struct dump_result *result;
	struct pageset *pages;
	struct sending_order order;
	uint64_t data_pages; /* essential ones but for the kernel's code */
	struct plan *plan;
	struct writer *writer;
	void **workers; /* struct worker */
	unsigned worker_count;
	void **chunks; /* struct chunk: what the workers fill */
	size_t chunk_count;
};

static void dump_deinit(struct dump *d)
{
	for (unsigned i = 0; d->workers && i < d->worker_count; i++)
		worker_free(d->workers[i]);
	free(d->workers);
	for (size_t i = 0; d->chunks && i < d->chunk_count; i++)
		chunk_free(d->chunks[i]);
	free(d->chunks);
	writer_free(d->writer);
	plan_free(d->plan);
	sending_order_deinit(&d->order);
	pageset_free(d->pages);
}

/* A mostly constant sum: only the bitmap grows with memory. docs/ARCHITECTURE.md, "Memory". */
uint64_t dump_memory_bytes(const struct vmcore *core, enum codec_id codec, unsigned threads)
{
	const uint64_t slot = CHUNK_BYTES + 2 * core->page_bytes;
	const uint64_t slots = threads ? (uint64_t)threads * PIPELINE_ITEMS_PER_WORKER : 1;
	const uint64_t worker = PAGE_RUN_BYTES + (codec == CODEC_NONE ? 0 : CODEC_MEMORY_BYTES);

	return BASE_MEMORY_BYTES + FLAT_DATA_RUN_BYTES + FLAT_DESC_RUN_BYTES +
	       core->map.max_mapnr / 8 + core->elf.notes_bytes + slots * slot +
	       MAX(threads, 1U) * worker;
}

unsigned dump_threads(const struct vmcore *core, enum codec_id codec, unsigned threads,
		      uint64_t memory_bytes)
{
	while (memory_bytes && threads && dump_memory_bytes(core, codec, threads) > memory_bytes)
		threads--;
	return threads;
}

static int make_workers(struct dump *d, unsigned count, struct error *err)
{
	const struct dump_setup *s = d->setup;
	const struct worker_setup setup = {
		.core = s->core,
		.pages = d->pages,
		.plan = d->plan,
		.codec = s->codec,
		.codec_level = s->codec_level,
		.exclude_zero = s->level & LEVEL_ZERO,
	};
	int r = 0;

	d->workers = calloc(count, sizeof(*d->workers));
	if (!d->workers)
		return error_set(err, -ENOMEM, "out of memory for %u workers", count);
	while (d->worker_count < count) {
		struct worker *w;

		r = worker_new(&setup, &w, err);
		if (r < 0)
			break;
		d->workers[d->worker_count++] = w;
	}
	/* Memory for fewer of them is a reason to be slower, not to fail. */
	return r == -ENOMEM && d->worker_count ? 0 : r;
}

/* Memory for fewer chunks than that is a reason to be slower, too. */
static int make_chunks(struct dump *d, size_t count, struct error *err)
{
	d->chunks = calloc(count, sizeof(*d->chunks));
	while (d->chunks && d->chunk_count < count) {
		struct chunk *chunk = chunk_new(worker_page_data_bytes(d->workers[0]));

		if (!chunk)
			break;
		d->chunks[d->chunk_count++] = chunk;
	}
	if (d->chunk_count == 0)
		return error_set(err, -ENOMEM, "out of memory for page_data");
	return 0;
}

static struct progress_state state_of(const struct dump *d)
{
	const struct writer_counts *c = writer_counts(d->writer);
	const uint64_t done = c->zero + c->compressed + c->raw + c->unreadable;

	return (struct progress_state){
		.done = done,
		.total = d->result->pages,
		.bytes_in = done * d->setup->core->page_bytes,
		.bytes_out = writer_stream_bytes(d->writer),
	};
}

static int chunk_end(void *ctx, const struct writer *w UNUSED, struct error *err)
{
	const struct dump *d = ctx;
	const struct progress_state state = state_of(d);

	/* Extents end with a chunk. */
	if (state.done == d->data_pages)
		d->result->data_end = state.bytes_out;
	if (state.done == d->result->essential_pages)
		d->result->essential_end = state.bytes_out;
	progress_update(d->setup->progress, &state);
	if (d->setup->cancelled && d->setup->cancelled())
		return error_set(err, -ECANCELED, "stopped by a signal");
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

/* All that is needed before the first byte goes out. */
static int prepare(struct dump *d, struct error *err)
{
	const struct dump_setup *s = d->setup;
	struct writer_setup w = {
		.sink = s->sink,
		.exclude_zero = s->level & LEVEL_ZERO,
		.chunk_end = chunk_end,
		.ctx = d,
	};
	const struct filter_setup filter = {
		.km = s->km,
		.exclude = page_classes_of_level(s->level),
		.threads = s->threads,
		.chunk_bits = FILTER_CHUNK_BITS,
		.cancelled = s->cancelled,
	};
	int r = filter_run(&filter, &d->pages, &d->result->filter, s->remarks, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s->core->map.ram_count; i++)
		d->result->ram_pages += s->core->map.ram[i].end - s->core->map.ram[i].first;
	w.pages = d->result->pages = pageset_count(d->pages);
	r = sending_order_init(&d->order, s->km, err);
	d->data_pages = count_pages(d, d->order.data_count);
	d->result->essential_pages = count_pages(d, d->order.essential_count);
	if (r == 0)
		r = plan_new(d->pages, d->order.extents, d->order.count,
			     chunk_pages(s->core->page_bytes), &d->plan, err);
	if (r == 0)
		r = prologue_header(s->core, s->level, codec_kdump_flag(s->codec), &w.header,
				    &d->result->uname_known, err);
	if (r == 0)
		r = writer_new(&w, &d->writer, err);
	if (r < 0)
		return r;
	d->result->table_end = writer_table_end(d->writer);
	return 0;
}

static int page_pass(struct dump *d, unsigned threads, struct error *err)
{
	const struct pipeline pipeline = {
		.workers = threads,
		.end_chunk = plan_chunk_count(d->plan),
		.items = d->chunks,
		.item_count = d->chunk_count,
		.fill = worker_fill,
		.worker = d->workers,
		.write = writer_chunk,
		.writer = d->writer,
	};

	return pipeline_run(&pipeline, &d->result->threads, err);
}

int dump_run(const struct dump_setup *setup, struct dump_result *result_ret, struct error *err)
{
	struct dump d = {.setup = setup, .result = result_ret};
	const unsigned threads = setup->threads;
	int r;

	*result_ret = (struct dump_result){0};
	r = prepare(&d, err);
	if (r == 0)
		r = make_workers(&d, MAX(threads, 1U), err);
	if (r == 0)
		r = make_chunks(&d, threads ? d.worker_count * PIPELINE_ITEMS_PER_WORKER : 1, err);
	if (r == 0)
		r = writer_prologue(d.writer, setup->core, d.pages, err);
	if (r == 0)
		r = page_pass(&d, MIN(threads, d.worker_count), err);
	if (r == 0)
		r = writer_finish(d.writer, err);
	if (d.writer) {
		const struct progress_state state = state_of(&d);

		progress_end(setup->progress, &state);
		result_ret->counts = *writer_counts(d.writer);
		result_ret->bytes_in = state.bytes_in;
		result_ret->bytes_out = state.bytes_out;
	}
	dump_deinit(&d);
	return r;
}
