/* The filter pass: struct pages to a set of pages.
 * Doesn't know how a class is told (pageclass.c), nor in which order pages are sent. */
#include "sender/pages/filter.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/freecheck.h"
#include "sender/pages/pageset.h"
#include "sender/threads/pipeline.h"
#include "sender/threads/pool.h"
#include "sender/vmcore/vmcore.h"

enum { CHUNKS_EACH = 16 }; /* for each worker, that all may end at about the same time */

/* What a worker finds out of a chunk. */
struct filter_chunk {
	uint64_t first, end; /* pfns */
	uint64_t classes[CLASS_COUNT];
	uint64_t odd;
	uint64_t unknown;      /* pages whose struct pages can't be had */
	uint64_t overhang_end; /* a block that begins here ends there; 0, or beyond `end` */
	enum page_class overhang_class;
	uint64_t drop[]; /* a bit for each pfn from `first` on: the pages to leave out */
};

struct filter {
	const struct filter_setup *setup;
	const struct kmodel *km;
	const struct memmap *map;
	uint64_t chunk_pages;
	unsigned exclude; /* known classes only */

	/* The ordered step's. */
	struct pageset *pages;
	struct filter_result *result;
	struct pagewalk *walk;
	uint64_t unknown;     /* pages, as in struct filter_chunk */
	uint64_t covered_end; /* an overhang lies over all pfns before that */
	enum page_class covered_class;
};

struct filter_worker {
	const struct filter *filter;
	struct pagewalk *walk;
};

static void set_bits(uint64_t *words, uint64_t bit, uint64_t end)
{
	while (bit < end) {
		const uint64_t n = MIN(end - bit, 64 - bit % 64);

		words[bit / 64] |= UINT64_MAX >> (64 - n) << bit % 64;
		bit += n;
	}
}

static size_t chunk_bytes(const struct filter *f)
{
	return sizeof(struct filter_chunk) + (size_t)div_round_up(f->chunk_pages, 64) * 8;
}

/* The index of the first range of pages with data that ends after `pfn`. */
static size_t first_range(const struct memmap *map, uint64_t pfn)
{
	size_t low = 0, high = map->data_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (map->data[middle].end <= pfn)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- judging the pages of a chunk --- */

static bool is_excluded(const struct filter *f, enum page_class class)
{
	return f->exclude & 1U << class;
}

/* Pages [first, end) of the chunk are of that class. */
static void apply(const struct filter *f, struct filter_chunk *c, enum page_class class,
		  uint64_t first, uint64_t end)
{
	c->classes[class] += end - first;
	if (is_excluded(f, class))
		set_bits(c->drop, first - c->first, end - c->first);
}

/*
 * Pages of a block that stays: those with broken memory go for themselves. In one that goes as a
 * whole they are looked for only if somebody wants them counted; else they count as what the block
 * is.
 */
static void apply_each(const struct filter *f, struct pagewalk *walk, struct filter_chunk *c,
		       enum page_class class, uint64_t first, uint64_t end)
{
	const struct page_rules *rules = &f->km->rules;
	uint64_t n;

	for (; first < end; first += n) {
		const uint8_t *page = pagewalk_get(walk, first, end - first, &n);

		for (uint64_t i = 0; i < n; i++) {
			const bool poison =
				page &&
				page_is_hwpoison(rules, page + i * rules->struct_page_bytes);

			apply(f, c, poison ? CLASS_HWPOISON : class, first + i, first + i + 1);
		}
	}
}

/*
 * Pages of the kernel image that struct pages say are of that class. One wrong bit there must not
 * cost a page without which no reader opens the dump: those in use (PG_reserved) stay unless they
 * are broken. Without PG_reserved all of the image counts as in use, and what the buddy lists have
 * of it is free all the same.
 */
static void apply_image(const struct filter *f, struct pagewalk *walk, struct filter_chunk *c,
			enum page_class class, uint64_t first, uint64_t end)
{
	const struct kmodel *km = f->km;

	for (uint64_t pfn = first; pfn < end; pfn++) {
		uint64_t n;
		const uint8_t *page = pagewalk_get(walk, pfn, 1, &n);
		const uint64_t flags = page ? page_flags(&km->rules, page) : 0;
		const bool in_use =
			km->reserved ? !page || (flags & km->reserved) : class != CLASS_FREE;
		const enum page_class as = page && page_is_hwpoison(&km->rules, page)
						   ? CLASS_HWPOISON
					   : in_use ? CLASS_KERNEL
						    : class;

		apply(f, c, as, pfn, pfn + 1);
	}
}

/* Pages [first, end) of the chunk, one of the kernel image or none, belong to a block of that
 * class. */
static void apply_part(const struct filter *f, struct pagewalk *walk, struct filter_chunk *c,
		       enum page_class class, uint64_t first, uint64_t end, bool block)
{
	if (first >= end)
		return;
	if (block && f->km->rules.hwpoison && (f->setup->count_broken || !is_excluded(f, class)))
		apply_each(f, walk, c, class, first, end);
	else
		apply(f, c, class, first, end);
}

/* Pages [first, end) of the chunk are of that class: each by itself, or as a block's. */
static void apply_run(const struct filter *f, struct pagewalk *walk, struct filter_chunk *c,
		      enum page_class class, uint64_t first, uint64_t end, bool block)
{
	const struct pfn_range image = {MAX(f->km->image.first, first), MIN(f->km->image.end, end)};

	if (image.first >= image.end) {
		apply_part(f, walk, c, class, first, end, block);
		return;
	}
	apply_part(f, walk, c, class, first, image.first, block);
	apply_image(f, walk, c, class, image.first, image.end);
	apply_part(f, walk, c, class, image.end, end, block);
}

/* --- workers --- */

/* The chunk as if nothing reached into it from before; pages without data are passed over. */
static int filter_fill(void *worker, uint64_t k, void *item, struct error *err UNUSED)
{
	struct filter_worker *w = worker;
	const struct filter *f = w->filter;
	const struct memmap *map = f->map;
	struct filter_chunk *c = item;
	struct page_run run = {0};
	uint64_t run_end = 0;

	memset(c, 0, chunk_bytes(f));
	c->first = k * f->chunk_pages;
	c->end = MIN(c->first + f->chunk_pages, map->max_mapnr);
	for (size_t i = first_range(map, c->first); i < map->data_count; i++) {
		uint64_t pfn = MAX(map->data[i].first, c->first), until;
		const uint64_t end = MIN(map->data[i].end, c->end);

		for (; pfn < end; pfn = until) {
			if (pfn >= run_end) {
				run = pagewalk_next(w->walk, pfn, end, f->km->rules.hwpoison);
				run_end = pfn + run.pages;
				c->odd += run.odd;
				if (!run.block && (run.flags & f->km->rules.hwpoison))
					run.class = CLASS_HWPOISON;
			}
			until = MIN(run_end, end);
			if (!run.known)
				c->unknown += until - pfn;
			apply_run(f, w->walk, c, run.class, pfn, until, run.block);
		}
		if (end == c->end)
			break;
	}
	if (run_end > c->end) {
		c->overhang_end = run_end;
		c->overhang_class = run.class;
	}
	return 0;
}

/* --- the ordered step --- */

/*
 * A block from before lies over the whole chunk: blocks and chunks are powers of two and aligned,
 * so one that crosses a chunk's end covers whole chunks. What the worker made of it is void.
 */
static void cover(const struct filter *f, struct filter_chunk *c)
{
	const uint64_t first_pfn = c->first, end_pfn = c->end;

	memset(c, 0, chunk_bytes(f));
	c->first = first_pfn;
	c->end = end_pfn;
	for (size_t i = first_range(f->map, c->first); i < f->map->data_count; i++) {
		const uint64_t first = MAX(f->map->data[i].first, c->first);
		const uint64_t end = MIN(f->map->data[i].end, c->end);

		if (first >= end)
			break;
		apply_run(f, f->walk, c, f->covered_class, first, end, true);
	}
}

static int filter_write(void *writer, const void *item, struct error *err)
{
	struct filter *f = writer;
	/* Items are the filter's own, and the pipeline gives this one to nobody else now. */
	struct filter_chunk *c = (struct filter_chunk *)(uintptr_t)item;

	if (stop_check(&f->setup->stop, err) < 0)
		return err->code;
	if (c->first < f->covered_end)
		cover(f, c);
	else if (c->overhang_end) {
		f->covered_end = c->overhang_end;
		f->covered_class = c->overhang_class;
	}
	pageset_remove_bits(f->pages, c->first, c->drop,
			    (size_t)div_round_up(c->end - c->first, 64));
	for (size_t i = 0; i < CLASS_COUNT; i++)
		f->result->classes[i] += c->classes[i];
	f->result->odd += c->odd;
	f->unknown += c->unknown;
	return f->setup->chunk_end ? f->setup->chunk_end(f->setup->ctx, err) : 0;
}

/* --- running --- */

/* Pages of which nobody can say whether they are free: who made the core left them out, or their
 * struct pages are lost. */
static uint64_t unseen_pages(const struct filter *f)
{
	uint64_t pages = f->unknown;

	for (size_t i = 0; i < f->map->ram_count; i++)
		pages += f->map->ram[i].end - f->map->ram[i].first;
	for (size_t i = 0; i < f->map->data_count; i++)
		pages -= f->map->data[i].end - f->map->data[i].first;
	return pages;
}

static int new_worker(void *ctx, void **worker_ret, struct error *err)
{
	struct filter_worker *w = calloc(1, sizeof(*w));
	const struct filter *f = ctx;
	struct error unused;

	if (!w || pagewalk_new(f->km, &w->walk, &unused) < 0) {
		free(w);
		return error_set(err, -ENOMEM, "out of memory for the filter");
	}
	w->filter = f;
	*worker_ret = w;
	return 0;
}

static void free_worker(void *worker)
{
	struct filter_worker *w = worker;

	pagewalk_free(w->walk);
	free(w);
}

static void *new_chunk(void *ctx)
{
	return malloc(chunk_bytes(ctx));
}

static int run_pass(struct filter *f, struct error *err)
{
	const struct pool_setup setup = {
		.threads = f->setup->threads,
		.spare_bytes = f->setup->spare_bytes,
		.worker_new = new_worker,
		.worker_free = free_worker,
		.item_new = new_chunk,
		.item_free = free,
		.ctx = f,
	};
	struct pipeline_crew crew;
	struct pool pool;
	int r = pool_init(&pool, &setup, err);

	if (r == 0)
		r = pagewalk_new(f->km, &f->walk, err);
	if (r == 0) {
		const struct pipeline p = {
			.workers = MIN(f->setup->threads, pool.worker_count),
			.end_chunk = div_round_up(f->map->max_mapnr, f->chunk_pages),
			.items = pool.items,
			.item_count = pool.item_count,
			.fill = filter_fill,
			.worker = pool.workers,
			.write = filter_write,
			.writer = f,
			.spare_bytes = f->setup->spare_bytes,
		};

		r = pipeline_run(&p, &crew, err);
	}
	pool_deinit(&pool);
	pagewalk_free(f->walk);
	return r;
}

/* The chunks' size where the caller leaves it to us: as large as goes with some work for each. */
static unsigned chunk_bits(const struct filter_setup *setup)
{
	const uint64_t mapnr = setup->km->core->map.max_mapnr;
	unsigned bits = FILTER_CHUNK_BITS_MAX;

	if (setup->chunk_bits)
		return setup->chunk_bits;
	while (bits > FILTER_CHUNK_BITS && mapnr >> bits < (uint64_t)setup->threads * CHUNKS_EACH)
		bits--;
	return bits;
}

int filter_run(const struct filter_setup *setup, struct pageset **pages_ret,
	       struct filter_result *result_ret, struct warnings *warnings, struct error *err)
{
	const struct kmodel *km = setup->km;
	const struct memmap *map = &km->core->map;
	AUTO(pageset_free) struct pageset *pages = NULL;
	struct filter f = {
		.setup = setup,
		.km = km,
		.map = map,
		.chunk_pages = UINT64_C(1) << chunk_bits(setup),
		.exclude = setup->exclude & km->rules.known,
		.result = result_ret,
	};
	int r = pageset_new(map->max_mapnr, &pages, err);

	if (r < 0)
		return r;
	*result_ret = (struct filter_result){0};
	/* A page of which the core has no data was left out by who made the core (makedumpfile -E).
	 */
	for (size_t i = 0; i < map->data_count; i++)
		pageset_add(pages, map->data[i].first, map->data[i].end);
	pageset_limit(pages, setup->pages_bytes);
	f.pages = pages;
	if (f.exclude) {
		f.exclude |= km->rules.known & 1U << CLASS_HWPOISON;
		r = run_pass(&f, err);
		if (r < 0)
			return r;
		if (f.exclude & 1U << CLASS_FREE)
			freecheck(km, result_ret->classes[CLASS_FREE], unseen_pages(&f), warnings);
		if (result_ret->odd)
			remark(warnings,
			       "%" PRIu64
			       " free blocks have an impossible order: they stay in the dump",
			       result_ret->odd);
	}
	pageset_index(pages);
	result_ret->pages_bytes = pageset_memory(pages);
	r = pageset_check(pages, err);
	if (r < 0)
		return r;
	*pages_ret = TAKE_PTR(pages);
	return 0;
}
