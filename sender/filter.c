/* The filter pass: struct pages to a set of pages.
 * Doesn't know how a class is told (pageclass.c), nor in which order pages are sent. */
#include "filter.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "bytes.h"
#include "checked.h"
#include "kmodel.h"
#include "pageset.h"
#include "pipeline.h"
#include "remarks.h"
#include "vmcore.h"

enum { CHUNK_WORDS_MAX = (1 << FILTER_CHUNK_BITS_MAX) / 64 };

/* What a worker finds out of a chunk. */
struct filter_chunk {
	uint64_t first, end;		  /* pfns; a bit of the words is a pfn from first on */
	uint64_t drop[CHUNK_WORDS_MAX];	  /* pages to leave out */
	uint64_t poison[CHUNK_WORDS_MAX]; /* pages with broken memory: left out whatever they are */
	uint64_t image[CHUNK_WORDS_MAX];  /* the kernel image's pages in use: kept */
	uint64_t classes[CLASS_COUNT];
	uint64_t odd;
	uint64_t overhang_end; /* a block that begins here ends there; 0, or beyond `end` */
	enum page_class overhang_class;
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
	uint64_t covered_end; /* an overhang lies over all pfns before that */
	enum page_class covered_class;
};

struct filter_worker {
	const struct filter *filter;
	uint8_t *struct_pages;		 /* of a chunk, by pfn */
	uint64_t known[CHUNK_WORDS_MAX]; /* which of them could be read */
};

static bool has_bit(const uint64_t *words, uint64_t bit)
{
	return words[bit / 64] >> (bit % 64) & 1;
}

static void set_bit(uint64_t *words, uint64_t bit)
{
	words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void set_bits(uint64_t *words, uint64_t bit, uint64_t end)
{
	for (; bit < end && bit % 64; bit++)
		set_bit(words, bit);
	for (; bit + 64 <= end; bit += 64)
		words[bit / 64] = ~UINT64_C(0);
	for (; bit < end; bit++)
		set_bit(words, bit);
}

/* The index of the first range of pages with data that ends behind `pfn`. */
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

/*
 * Whether a class can't be that of the image's pages in use, whatever struct pages say: one wrong
 * bit there must not cost a page without which no reader opens the dump. Without PG_reserved all of
 * the image counts as in use, and what the buddy lists have of it is free all the same.
 */
static bool spares_image(const struct kmodel *km, enum page_class class)
{
	return class != CLASS_KERNEL && (km->reserved || class != CLASS_FREE);
}

/* Pages [first, end) of the chunk, all in the word `w`, are of that class. */
static void apply_word(const struct filter *f, struct filter_chunk *c, enum page_class class,
		       size_t w, uint64_t pages)
{
	const uint64_t poisoned = pages & c->poison[w];
	const uint64_t kept = spares_image(f->km, class) ? pages & c->image[w] & ~poisoned : 0;
	const uint64_t rest = pages & ~poisoned & ~kept;

	c->classes[CLASS_HWPOISON] += (unsigned)__builtin_popcountll(poisoned);
	c->classes[CLASS_KERNEL] += (unsigned)__builtin_popcountll(kept);
	c->classes[class] += (unsigned)__builtin_popcountll(rest);
	if (f->exclude & 1U << class)
		c->drop[w] |= rest;
}

/* Pages [first, end) of the chunk are of that class. */
static void apply(const struct filter *f, struct filter_chunk *c, enum page_class class,
		  uint64_t first, uint64_t end)
{
	uint64_t bit = first - c->first;
	const uint64_t last = end - c->first;

	while (bit < last) {
		const uint64_t n = MIN(last - bit, 64 - bit % 64);

		apply_word(f, c, class, (size_t)(bit / 64), UINT64_MAX >> (64 - n) << bit % 64);
		bit += n;
	}
}

/* --- workers --- */

/* Note of the pages from `first` on, whose struct pages lie at `raw` or aren't known (NULL), which
 * are poisoned, and which are the image's in use. */
static void note_flags(const struct kmodel *km, struct filter_chunk *c, uint64_t first, size_t n,
		       const uint8_t *raw)
{
	const struct pfn_range image = {MAX(km->image.first, first), MIN(km->image.end, first + n)};
	const size_t bytes = km->rules.struct_page_bytes;

	for (size_t i = 0; raw && km->rules.hwpoison && i < n; i++)
		if (page_is_hwpoison(&km->rules, raw + i * bytes))
			set_bit(c->poison, first - c->first + i);
	for (uint64_t pfn = image.first; pfn < image.end; pfn++) {
		const uint8_t *page = raw ? raw + (pfn - first) * bytes : NULL;

		if (!page || !km->reserved || (le64_get(page + km->rules.flags_off) & km->reserved))
			set_bit(c->image, pfn - c->first);
	}
}

/* Read the struct pages of [first, end) into their places, and note which are known, and what their
 * flags say. */
static void read_struct_pages(struct filter_worker *w, struct filter_chunk *c, uint64_t first,
			      uint64_t end)
{
	const struct kmodel *km = w->filter->km;
	const size_t bytes = km->rules.struct_page_bytes;

	while (first < end) {
		const uint64_t at = first - c->first;
		uint8_t *out = w->struct_pages + at * bytes;
		bool known;
		const size_t n =
			pagemap_read(&km->pagemap, first, (size_t)(end - first), out, &known);

		if (known)
			set_bits(w->known, at, at + n);
		note_flags(km, c, first, n, known ? out : NULL);
		first += n;
	}
}

static struct page_verdict judge(const struct filter_worker *w, struct filter_chunk *c,
				 uint64_t pfn)
{
	const struct kmodel *km = w->filter->km;
	const size_t bytes = km->rules.struct_page_bytes;
	const uint64_t at = pfn - c->first;
	const uint8_t *page = w->struct_pages + at * bytes;
	const bool has_next = pfn + 1 < c->end && has_bit(w->known, at + 1);
	struct page_verdict v = {.class = CLASS_KERNEL, .pages = 1};

	if (!has_bit(w->known, at))
		return v;
	v = page_classify(&km->rules, pfn, page, has_next ? page + bytes : NULL);
	c->odd += v.odd;
	if (!(km->rules.known & 1U << v.class))
		return (struct page_verdict){.class = CLASS_KERNEL, .pages = 1};
	return v;
}

/* The chunk as if nothing reached into it from before; pages without data are passed over. */
static int filter_fill(void *worker, uint64_t k, void *item, struct error *err UNUSED)
{
	struct filter_worker *w = worker;
	const struct filter *f = w->filter;
	const struct memmap *map = f->map;
	struct filter_chunk *c = item;
	uint64_t block_end = 0; /* of the block that was judged last */
	enum page_class block_class = CLASS_KERNEL;

	memset(c, 0, sizeof(*c));
	memset(w->known, 0, sizeof(w->known));
	c->first = k * f->chunk_pages;
	c->end = MIN(c->first + f->chunk_pages, map->max_mapnr);
	for (size_t i = first_range(map, c->first); i < map->data_count; i++) {
		uint64_t pfn = MAX(map->data[i].first, c->first);
		const uint64_t end = MIN(map->data[i].end, c->end);

		if (pfn >= end)
			break;
		read_struct_pages(w, c, pfn, end);
		while (pfn < end) {
			uint64_t until;

			if (pfn >= block_end) {
				const struct page_verdict v = judge(w, c, pfn);

				block_class = v.class;
				block_end = pfn + v.pages;
			}
			until = MIN(block_end, end);
			apply(f, c, block_class, pfn, until);
			pfn = until;
		}
	}
	if (block_end > c->end) {
		c->overhang_end = block_end;
		c->overhang_class = block_class;
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
	memset(c->drop, 0, sizeof(c->drop));
	memset(c->classes, 0, sizeof(c->classes));
	c->odd = 0;
	c->overhang_end = 0;
	for (size_t i = first_range(f->map, c->first); i < f->map->data_count; i++) {
		const uint64_t first = MAX(f->map->data[i].first, c->first);
		const uint64_t end = MIN(f->map->data[i].end, c->end);

		if (first >= end)
			break;
		apply(f, c, f->covered_class, first, end);
	}
}

static int filter_write(void *writer, const void *item, struct error *err)
{
	struct filter *f = writer;
	/* Items are the filter's own, and the pipeline gives this one to nobody else now. */
	struct filter_chunk *c = (struct filter_chunk *)(uintptr_t)item;

	if (f->setup->cancelled && f->setup->cancelled())
		return error_set(err, -ECANCELED, "stopped by a signal");
	if (c->first < f->covered_end)
		cover(f, c);
	else if (c->overhang_end) {
		f->covered_end = c->overhang_end;
		f->covered_class = c->overhang_class;
	}
	for (size_t i = 0; i < ARRAY_LEN(c->drop); i++)
		c->drop[i] |= c->poison[i];
	pageset_remove_bits(f->pages, c->first, c->drop,
			    (size_t)div_round_up(c->end - c->first, 64));
	for (size_t i = 0; i < CLASS_COUNT; i++)
		f->result->classes[i] += c->classes[i];
	f->result->odd += c->odd;
	return f->setup->chunk_end ? f->setup->chunk_end(f->setup->ctx, err) : 0;
}

/* --- running --- */

/* The free pages that were found against what the kernel's own counters say: a wrong filter shows
 * here. */
static void check_free_pages(const struct filter *f, struct remarks *remarks)
{
	const uint64_t found = f->result->classes[CLASS_FREE];
	uint64_t counted, difference;

	if (!(f->exclude & 1U << CLASS_FREE) || !kmodel_free_pages(f->km, &counted))
		return;
	difference = found > counted ? found - counted : counted - found;
	/* CPUs hold back some pages of their counts; unaccepted memory and the crash kernel's own
	 * aren't in a vmcore. */
	if (difference > counted / 20 + 1024)
		remark(remarks,
		       "%" PRIu64 " free pages were found, but the kernel counts %" PRIu64
		       ": the filter may be wrong on this kernel; --dump-level=1 leaves nothing "
		       "out by it",
		       found, counted);
}

struct filter_memory {
	void **workers, **chunks;
	unsigned worker_count;
	size_t chunk_count;
};

static void memory_deinit(struct filter_memory *m)
{
	for (unsigned i = 0; m->workers && i < m->worker_count; i++) {
		struct filter_worker *w = m->workers[i];

		free(w->struct_pages);
		free(w);
	}
	for (size_t i = 0; m->chunks && i < m->chunk_count; i++)
		free(m->chunks[i]);
	free(m->workers);
	free(m->chunks);
}

/* Fewer workers where memory is short, but at least one. */
static int memory_init(struct filter_memory *m, const struct filter *f, unsigned workers,
		       size_t chunks, struct error *err)
{
	const size_t struct_pages = (size_t)f->chunk_pages * f->km->rules.struct_page_bytes;

	*m = (struct filter_memory){0};
	m->workers = calloc(workers, sizeof(*m->workers));
	m->chunks = calloc(chunks, sizeof(*m->chunks));
	while (m->workers && m->worker_count < workers) {
		struct filter_worker *w = calloc(1, sizeof(*w));

		if (!w)
			break;
		w->filter = f;
		w->struct_pages = malloc(struct_pages);
		if (!w->struct_pages) {
			free(w);
			break;
		}
		m->workers[m->worker_count++] = w;
	}
	while (m->chunks && m->chunk_count < chunks) {
		void *c = malloc(sizeof(struct filter_chunk));

		if (!c)
			break;
		m->chunks[m->chunk_count++] = c;
	}
	if (m->worker_count == 0 || m->chunk_count == 0)
		return error_set(err, -ENOMEM, "out of memory for the filter");
	return 0;
}

static int run_pass(struct filter *f, struct error *err)
{
	const unsigned threads = f->setup->threads;
	struct filter_memory m;
	unsigned started;
	int r = memory_init(&m, f, MAX(threads, 1U),
			    threads ? (size_t)threads * PIPELINE_ITEMS_PER_WORKER : 1, err);

	if (r == 0) {
		const struct pipeline p = {
			.workers = MIN(threads, m.worker_count),
			.end_chunk = div_round_up(f->map->max_mapnr, f->chunk_pages),
			.items = m.chunks,
			.item_count = m.chunk_count,
			.fill = filter_fill,
			.worker = m.workers,
			.write = filter_write,
			.writer = f,
		};

		r = pipeline_run(&p, &started, err);
	}
	memory_deinit(&m);
	return r;
}

int filter_run(const struct filter_setup *setup, struct pageset **pages_ret,
	       struct filter_result *result_ret, struct remarks *remarks, struct error *err)
{
	const struct kmodel *km = setup->km;
	const struct memmap *map = &km->core->map;
	AUTO(pageset_free) struct pageset *pages = NULL;
	struct filter f = {
		.setup = setup,
		.km = km,
		.map = map,
		.chunk_pages = UINT64_C(1) << setup->chunk_bits,
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
	f.pages = pages;
	if (f.exclude) {
		r = run_pass(&f, err);
		if (r < 0)
			return r;
		check_free_pages(&f, remarks);
		if (result_ret->odd)
			remark(remarks,
			       "%" PRIu64
			       " free blocks have an impossible order: they stay in the dump",
			       result_ret->odd);
	}
	pageset_index(pages);
	*pages_ret = TAKE_PTR(pages);
	return 0;
}
