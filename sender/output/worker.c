/* One worker: pages to page_flags and page_data.
 * Doesn't know of other workers, nor of the file that the pages go to. */
#include "sender/output/worker.h"

#include <errno.h>
#include <string.h>

#include "base/digest.h"
#include "base/zero.h"
#include "sender/output/codec_ladder.h"
#include "sender/output/codec_pace.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

struct worker {
	struct worker_setup setup;
	size_t page_bytes;
	struct page_source *source;
	struct compressor *compressor[LADDER_MAX]; /* one for each rung */
	unsigned rung;				   /* of the chunk that is being filled */
	struct digester *digester;		   /* NULL: no digests are wanted */
	size_t bound; /* room that a page may need while it is compressed */

	/* The payload of a page of zeros, made once: at level 0 half of memory is such pages. */
	uint8_t *zero_payload;
	uint32_t zero_payload_bytes;
	uint8_t zero_codec;
};

/* Append a page's payload to the chunk: its size and codec. */
static uint32_t store(struct worker *w, const uint8_t *page, uint8_t *out, uint8_t *codec_ret)
{
	const size_t size = compressor_run(w->compressor[w->rung], page, out);

	if (size) {
		*codec_ret = (uint8_t)w->setup.ladder->rung[w->rung].codec;
		return (uint32_t)size;
	}
	/* The page may have been read to this place, or to a few pages behind it: worker_fill(). */
	if (out != page)
		memmove(out, page, w->page_bytes);
	*codec_ret = CODEC_NONE;
	return (uint32_t)w->page_bytes;
}

/* Use the strongest codec: for one page that is hardly any work. */
static int make_zero_payload(struct worker *w, struct error *err)
{
	AUTO_FREE uint8_t *page = calloc(1, w->page_bytes);

	w->zero_payload = malloc(w->bound);
	if (!page || !w->zero_payload)
		return error_set(err, -ENOMEM, "out of memory for a worker");
	w->rung = w->setup.ladder->count - 1;
	w->zero_payload_bytes = store(w, page, w->zero_payload, &w->zero_codec);
	return 0;
}

int worker_new(const struct worker_setup *setup, struct worker **w_ret, struct error *err)
{
	AUTO(worker_free) struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return error_set(err, -ENOMEM, "out of memory for a worker");
	w->setup = *setup;
	w->page_bytes = (size_t)setup->core->page_bytes;
	r = page_source_new(setup->core, &w->source, err);
	for (unsigned i = 0; i < setup->ladder->count && r == 0; i++)
		r = compressor_new(setup->ladder->rung[i].codec, setup->ladder->rung[i].level,
				   w->page_bytes, &w->compressor[i], err);
	if (r == 0 && setup->digest)
		r = digester_new(&w->digester, err);
	if (r < 0)
		return r;
	w->bound = w->page_bytes;
	for (unsigned i = 0; i < setup->ladder->count; i++)
		w->bound = MAX(w->bound, compressor_bound(w->compressor[i]));
	r = make_zero_payload(w, err);
	if (r < 0)
		return r;
	*w_ret = TAKE_PTR(w);
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	page_source_free(w->source);
	for (unsigned i = 0; i < LADDER_MAX; i++)
		compressor_free(w->compressor[i]);
	digester_free(w->digester);
	free(w->zero_payload);
	free(w);
}

size_t worker_page_data_bytes(const struct worker *w)
{
	/* Every page but the last may be raw; the last needs what compressing takes. */
	return (chunk_pages(w->page_bytes) - 1) * w->page_bytes + w->bound;
}

static void add_zero_page(struct worker *w, struct chunk *chunk, struct page_flag *flag)
{
	if (w->setup.exclude_zero) {
		flag->kind = PAGE_ZERO;
		return;
	}
	flag->size_bytes = w->zero_payload_bytes;
	flag->codec = w->zero_codec;
	memcpy(chunk->page_data + chunk->data_bytes, w->zero_payload, w->zero_payload_bytes);
}

static void add_page(struct worker *w, struct chunk *chunk, uint64_t pfn, const uint8_t *page)
{
	struct page_flag *flag = &chunk->page_flag[chunk->pages++];

	*flag = (struct page_flag){.pfn = pfn, .kind = PAGE_STORED};
	if (!page)
		flag->kind = PAGE_UNREADABLE;
	else if (is_zero(page, w->page_bytes))
		add_zero_page(w, chunk, flag);
	else
		flag->size_bytes =
			store(w, page, chunk->page_data + chunk->data_bytes, &flag->codec);
	chunk->data_bytes += flag->size_bytes;
}

static int make_digest(struct worker *w, struct chunk *chunk, struct error *err)
{
	if (!w->digester || chunk->data_bytes == 0)
		return 0;
	digester_begin(w->digester);
	digester_add(w->digester, chunk->page_data, chunk->data_bytes);
	return digester_end(w->digester, chunk->sha256, err);
}

int worker_fill(void *worker, uint64_t k, void *item, struct error *err)
{
	struct worker *w = worker;
	struct chunk *chunk = item;
	const struct plan_chunk todo = plan_chunk(w->setup.plan, k);
	uint64_t pfn = todo.first_pfn;
	bool raw;

	w->rung = w->setup.pace ? codec_pace_choose(w->setup.pace, k) : 0;
	raw = w->setup.ladder->rung[w->rung].codec == CODEC_NONE;
	chunk->first_rank = todo.first_rank;
	chunk->pages = 0;
	chunk->data_bytes = 0;
	while (chunk->pages < todo.pages) {
		/* One read for each run of neighbours. */
		const size_t n =
			(size_t)pageset_run(w->setup.pages, pfn, todo.pages - chunk->pages);
		uint64_t lost;
		const uint8_t *pages =
			raw ? page_source_get_in(w->source, pfn, n,
						 chunk->page_data + chunk->data_bytes, &lost)
			    : page_source_get(w->source, pfn, n, &lost);

		for (size_t i = 0; i < n; i++)
			add_page(w, chunk, pfn + i,
				 lost >> i & 1 ? NULL : pages + i * w->page_bytes);
		if (chunk->pages < todo.pages)
			pfn = pageset_next(w->setup.pages, pfn + n);
	}
	return make_digest(w, chunk, err);
}
