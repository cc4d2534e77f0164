/* The order in which pages are sent: the essential ones, then all others.
 * Doesn't know why a page is essential, nor which pages the dump level leaves out. */
#include "sender/pages/sending_order.h"

#include <errno.h>
#include <string.h>

#include "sender/kernel/kmodel.h"
#include "sender/pages/essential.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Gaps of that many bytes between essential pages are filled: each extent costs two records
	   of its own. */
	GAP_BYTES = 128 << 10,

	/* Where there are too many extents, longer gaps are filled, up to that; after that it is
	   better to send some essential pages late than all of memory early. */
	GAP_BYTES_MAX = 4 << 20,
};

/* How many extents a set's runs of pages are. */
static size_t count_runs(const struct pageset *pages)
{
	size_t n = 0;

	for (uint64_t pfn = pageset_next(pages, 0); pfn < pageset_mapnr(pages);
	     pfn = pageset_next(pages, pageset_next_gap(pages, pfn)))
		n++;
	return n;
}

/* Append a part's runs, as many as there may be. */
static void append_runs(struct sending_order *o, const struct pageset *pages)
{
	const uint64_t mapnr = pageset_mapnr(pages);
	uint64_t end;

	for (uint64_t pfn = pageset_next(pages, 0); pfn < mapnr && o->count < ESSENTIAL_EXTENTS_MAX;
	     pfn = pageset_next(pages, end)) {
		end = pageset_next_gap(pages, pfn);
		o->extents[o->count++] = (struct pfn_range){pfn, end};
	}
}

static int compare_extents(const void *a, const void *b)
{
	const struct pfn_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* After the essential extents come the pages between them, without a second bitmap of all
 * memory. */
static int append_rest(struct sending_order *o, uint64_t mapnr, struct error *err)
{
	AUTO_FREE struct pfn_range *sorted = calloc(o->essential_count + 1, sizeof(*sorted));
	uint64_t pfn = 0;

	if (!sorted)
		return error_set(err, -ENOMEM, "out of memory for the sending order");
	memcpy(sorted, o->extents, o->essential_count * sizeof(*sorted));
	sorted[o->essential_count] = (struct pfn_range){mapnr, mapnr};
	qsort(sorted, o->essential_count, sizeof(*sorted), compare_extents);
	for (size_t i = 0; i <= o->essential_count; i++) {
		if (pfn < sorted[i].first)
			o->extents[o->count++] = (struct pfn_range){pfn, sorted[i].first};
		pfn = sorted[i].end;
	}
	return 0;
}

/* Fill gaps, and make the parts disjoint: the number of extents that they are. */
static size_t fill_gaps(struct pageset *const *parts, uint64_t gap_pages)
{
	size_t runs = 0;

	for (size_t i = 0; i < ESSENTIAL_PARTS; i++) {
		pageset_fill_gaps(parts[i], gap_pages);
		for (size_t before = 0; before < i; before++)
			pageset_subtract(parts[i], parts[before]);
		runs += count_runs(parts[i]);
	}
	return runs;
}

static int make_order(struct sending_order *o, struct pageset *const *parts, uint64_t page_bytes,
		      struct error *err)
{
	size_t runs = fill_gaps(parts, GAP_BYTES / page_bytes);

	for (uint64_t gap = 2 * GAP_BYTES; runs > ESSENTIAL_EXTENTS_MAX && gap <= GAP_BYTES_MAX;
	     gap *= 2)
		runs = fill_gaps(parts, gap / page_bytes);
	runs = MIN(runs, (size_t)ESSENTIAL_EXTENTS_MAX);
	o->extents = calloc(2 * runs + 1, sizeof(*o->extents));
	if (!o->extents)
		return error_set(err, -ENOMEM, "out of memory for the sending order");
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++) {
		if (i == ESSENTIAL_IMAGE_TEXT)
			o->data_count = o->count;
		append_runs(o, parts[i]);
	}
	o->essential_count = o->count;
	for (size_t i = 0; i < o->essential_count; i++)
		o->essential_pages += o->extents[i].end - o->extents[i].first;
	return append_rest(o, pageset_mapnr(parts[0]), err);
}

int sending_order_init(struct sending_order *order, const struct kmodel *km,
		       struct warnings *warnings, struct error *err)
{
	struct pageset *parts[ESSENTIAL_PARTS] = {NULL};
	int r = 0;

	*order = (struct sending_order){0};
	for (size_t i = 0; i < ESSENTIAL_PARTS && r == 0; i++)
		r = pageset_new(km->core->map.max_mapnr, &parts[i], err);
	if (r == 0)
		r = essential_find(km, parts, warnings, err);
	if (r == 0)
		r = make_order(order, parts, km->core->page_bytes, err);
	for (size_t i = 0; i < ESSENTIAL_PARTS && r == 0; i++)
		r = pageset_check(parts[i], err);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(parts[i]);
	return r;
}

void sending_order_deinit(struct sending_order *order)
{
	free(order->extents);
	*order = (struct sending_order){0};
}
