/* A walk over struct pages.
 * Doesn't know what becomes of the pages. */
#include "sender/kernel/pagewalk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sender/kernel/kmodel.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Struct pages to read where nobody knows how many will be needed: after a block, of which
	 * one and its neighbour are, and elsewhere. */
	AHEAD_BLOCK = 2,
	AHEAD_MIN = 8,
	AHEAD_STEP = 4,		    /* more, with each read of which most was needed */
	AHEAD_BYTES_MAX = 32 << 10, /* more at once is hardly faster, and may be in vain */
};

struct pagewalk {
	const struct kmodel *km;
	struct page_source *source;
	size_t bytes; /* of a struct page */

	/* The translation that was found last: virtual addresses [leaf, leaf_end). */
	uint64_t leaf, leaf_end, leaf_paddr;

	/* Struct pages at hand, of [first, end); NULL: they can't be had. */
	uint64_t first, end;
	const uint8_t *raw;
	uint64_t used; /* how many of them were looked at */
	size_t ahead;  /* how many to read next */

	uint8_t one[STRUCT_PAGE_BYTES_MAX];	 /* for one that lies over two pages of memory */
	uint8_t pair[2 * STRUCT_PAGE_BYTES_MAX]; /* for neighbours that lie apart */
};

int pagewalk_new(const struct kmodel *km, struct pagewalk **walk_ret, struct error *err)
{
	AUTO(pagewalk_free) struct pagewalk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		return error_set(err, -ENOMEM, "out of memory for struct pages");
	walk->km = km;
	walk->bytes = km->rules.struct_page_bytes;
	r = page_source_new(km->core, &walk->source, err);
	if (r < 0)
		return r;
	*walk_ret = TAKE_PTR(walk);
	return 0;
}

void pagewalk_free(struct pagewalk *walk)
{
	if (!walk)
		return;
	page_source_free(walk->source);
	free(walk);
}

/* Where `vaddr` lies, and how many bytes from there on do in one piece. */
static bool translate(struct pagewalk *walk, uint64_t vaddr, uint64_t *paddr_ret,
		      uint64_t *span_ret)
{
	if (vaddr < walk->leaf || vaddr >= walk->leaf_end) {
		uint64_t span;

		walk->leaf_end = 0;
		if (!paging_translate(&walk->km->paging, vaddr, &walk->leaf_paddr, &span))
			return false;
		walk->leaf = vaddr;
		walk->leaf_end = vaddr + span;
	}
	*paddr_ret = walk->leaf_paddr + (vaddr - walk->leaf);
	*span_ret = walk->leaf_end - vaddr;
	return true;
}

/* Have n struct pages at `vaddr` at hand, or more: how many. 0: they can't be had. */
static uint64_t read_at(struct pagewalk *walk, uint64_t vaddr, uint64_t n)
{
	uint64_t paddr, span;
	size_t there;

	if (!translate(walk, vaddr, &paddr, &span))
		return 0;
	n = MIN(n, span / walk->bytes);
	if (n == 0) {
		walk->raw = walk->one;
		return paging_read(&walk->km->paging, vaddr, walk->one, walk->bytes);
	}
	walk->raw = page_source_bytes(walk->source, paddr, (size_t)n * walk->bytes, &there);
	return walk->raw ? MIN(there, span) / walk->bytes : 0;
}

/* How many to read from pfn on: more and more as long as most of them are looked at. */
static size_t choose_ahead(const struct pagewalk *walk, uint64_t pfn)
{
	const uint64_t had = walk->end - walk->first;

	if (walk->raw && pfn >= walk->end && pfn - walk->end <= had && walk->used >= had / 2)
		return MIN(walk->ahead * AHEAD_STEP, AHEAD_BYTES_MAX / walk->bytes);
	return walk->used == 1 ? AHEAD_BLOCK : AHEAD_MIN;
}

/* Have the struct pages from pfn on at hand, or know that they can't be had. */
static void fetch(struct pagewalk *walk, uint64_t pfn)
{
	const struct pagemap *map = &walk->km->pagemap;
	uint64_t pages, n = 0;
	const uint64_t vaddr = pagemap_vaddr(map, pfn, &pages);

	walk->ahead = choose_ahead(walk, pfn);
	walk->used = 0;
	if (vaddr) {
		n = read_at(walk, vaddr, MIN(pages, (uint64_t)walk->ahead));
		if (n == 0) {
			/* Something there is missing: judge what lies in one page of memory. */
			pages = MIN(pages, pagemap_pages_in_page(map, vaddr));
			n = read_at(walk, vaddr, pages);
		}
	}
	if (n == 0)
		walk->raw = NULL;
	pages = n ? MIN(n, pages) : pages;
	/* Not between neighbours that belong together. */
	if (pages > 1 && (pfn + pages) % 2)
		pages--;
	walk->first = pfn;
	walk->end = pfn + pages;
}

static const uint8_t *at_hand(struct pagewalk *walk, uint64_t pfn, uint64_t max, uint64_t *n_ret)
{
	if (pfn < walk->first || pfn >= walk->end)
		fetch(walk, pfn);
	*n_ret = MIN(walk->end - pfn, max);
	return walk->raw ? walk->raw + (pfn - walk->first) * walk->bytes : NULL;
}

const uint8_t *pagewalk_get(struct pagewalk *walk, uint64_t pfn, uint64_t max, uint64_t *n_ret)
{
	const uint8_t *page = at_hand(walk, pfn, max, n_ret);

	walk->used += *n_ret;
	return page;
}

/*
 * The struct pages of an even pfn and the next one, one behind the other; of the first alone, with
 * *next_ret NULL, where the other can't be had. They may lie in two pages of memory, or read apart.
 */
static const uint8_t *get_pair(struct pagewalk *walk, uint64_t pfn, const uint8_t **next_ret)
{
	uint64_t n;
	const uint8_t *page = at_hand(walk, pfn, 2, &n), *next;

	*next_ret = NULL;
	if (!page)
		return NULL;
	if (n == 2) {
		*next_ret = page + walk->bytes;
		return page;
	}
	memcpy(walk->pair, page, walk->bytes);
	next = at_hand(walk, pfn + 1, 1, &n);
	if (next)
		*next_ret = memcpy(walk->pair + walk->bytes, next, walk->bytes);
	return walk->pair;
}

struct page_run pagewalk_next(struct pagewalk *walk, uint64_t pfn, uint64_t end, uint64_t flags)
{
	const struct page_rules *rules = &walk->km->rules;
	struct page_run run = {.class = CLASS_KERNEL};
	const uint8_t *page, *next = NULL;
	struct page_verdict v;

	/* A compound page begins at an even pfn: the next one's struct page says nothing of others.
	 */
	if (pfn % 2 == 0)
		page = get_pair(walk, pfn, &next);
	else
		page = at_hand(walk, pfn, end - pfn, &run.pages);
	if (!page) {
		at_hand(walk, pfn, end - pfn, &run.pages);
		return run;
	}
	run.known = true;
	run.flags = page_flags(rules, page);
	v = page_classify(rules, pfn, page, next);
	run.odd = v.odd;
	if (rules->known & 1U << v.class)
		run.class = v.class;
	if (run.class != CLASS_KERNEL && v.pages > 1) {
		run.block = true;
		run.pages = v.pages;
		walk->used++;
		return run;
	}
	page = at_hand(walk, pfn, end - pfn, &run.pages);
	run.pages = page ? page_run(rules, page, (size_t)run.pages, flags) : 1;
	walk->used += run.pages;
	return run;
}
