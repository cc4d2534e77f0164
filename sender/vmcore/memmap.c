/* Loads to a map of disjoint pieces and of page ranges.
 * Doesn't read anything. */
#include "sender/vmcore/memmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "sender/vmcore/elf.h"

/*
 * 2^50 bytes are the largest machines' address spaces with their holes (SGI UV: 2^46 … 2^50); one
 * bitmap of 4 KiB pages then is 32 GiB of the stream, and what lies above is a corrupt header.
 */
#define PADDR_END (UINT64_C(1) << 50)

/* A range of memory that a load offers: [paddr, end) at off, in order of preference. */
struct offer {
	uint64_t paddr, end, off;
	size_t rank; /* lower wins: first the load's index, then the lost ones behind all others */
};

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_offers(const void *a, const void *b)
{
	const struct offer *x = a, *y = b;
	const int order = compare_u64(x->paddr, y->paddr);

	return order ? order : compare_u64(x->rank, y->rank);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct pfn_range *x = a, *y = b;

	return compare_u64(x->first, y->first);
}

static int compare_addresses(const void *a, const void *b)
{
	return compare_u64(*(const uint64_t *)a, *(const uint64_t *)b);
}

/* Each load's part that is in the file, and the part that was cut off. */
static size_t make_offers(struct offer *offers, const struct elf_load *loads, size_t load_count,
			  uint64_t file_bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < load_count; i++) {
		const struct elf_load *l = &loads[i];
		const uint64_t in_file = l->off < file_bytes ? file_bytes - l->off : 0;
		const uint64_t there = MIN(l->file_bytes, in_file);

		if (there)
			offers[n++] = (struct offer){l->paddr, l->paddr + there, l->off, i};
		if (there < l->file_bytes)
			offers[n++] = (struct offer){l->paddr + there, l->paddr + l->file_bytes,
						     MEMMAP_LOST, load_count + i};
	}
	return n;
}

/* A binary heap of offers, the most preferred on top. */
static void heap_push(const struct offer **heap, size_t *count, const struct offer *o)
{
	size_t i = (*count)++;

	for (; i > 0 && heap[(i - 1) / 2]->rank > o->rank; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = o;
}

static void heap_pop(const struct offer **heap, size_t *count)
{
	const struct offer *last = heap[--*count];
	size_t i = 0;

	for (size_t child = 1; child < *count; i = child, child = 2 * i + 1) {
		if (child + 1 < *count && heap[child + 1]->rank < heap[child]->rank)
			child++;
		if (heap[child]->rank >= last->rank)
			break;
		heap[i] = heap[child];
	}
	heap[i] = last;
}

/* [from, to) belongs to `o`: a new piece, or more of the last one. */
static void add_piece(struct memmap *map, const struct offer *o, uint64_t from, uint64_t to)
{
	const uint64_t off = o->off == MEMMAP_LOST ? MEMMAP_LOST : o->off + (from - o->paddr);
	struct memmap_piece *last = map->piece_count ? &map->pieces[map->piece_count - 1] : NULL;

	if (off == MEMMAP_LOST)
		map->lost_bytes += to - from;
	if (last && last->end == from &&
	    (off == MEMMAP_LOST
		     ? last->off == MEMMAP_LOST
		     : last->off != MEMMAP_LOST && last->off + (last->end - last->paddr) == off))
		last->end = to;
	else
		map->pieces[map->piece_count++] =
			(struct memmap_piece){.paddr = from, .end = to, .off = off};
}

/*
 * Sweep over all addresses where an offer begins or ends: between two of them the most preferred
 * offer that is open has the memory. At most one piece per gap, so fewer than twice as many pieces
 * as offers.
 */
static int sweep(struct memmap *map, struct offer *offers, size_t n, struct error *err)
{
	AUTO_FREE const struct offer **heap = calloc(n + 1, sizeof(*heap));
	AUTO_FREE uint64_t *edges = calloc(2 * n + 1, sizeof(*edges));
	size_t open = 0, next = 0;

	map->pieces = calloc(2 * n + 1, sizeof(*map->pieces));
	if (!heap || !edges || !map->pieces)
		return error_set(err, -ENOMEM, "out of memory for a map of %zu segments", n);
	for (size_t i = 0; i < n; i++) {
		edges[2 * i] = offers[i].paddr;
		edges[2 * i + 1] = offers[i].end;
	}
	qsort(offers, n, sizeof(*offers), compare_offers);
	qsort(edges, 2 * n, sizeof(*edges), compare_addresses);
	for (size_t e = 0; e + 1 < 2 * n; e++) {
		const uint64_t from = edges[e], to = edges[e + 1];

		while (next < n && offers[next].paddr <= from)
			heap_push(heap, &open, &offers[next++]);
		while (open && heap[0]->end <= from)
			heap_pop(heap, &open);
		if (open && from < to)
			add_piece(map, heap[0], from, to);
	}
	return 0;
}

/* Sort the ranges, and join those that overlap or touch. Returns the new count. */
static size_t join_ranges(struct pfn_range *ranges, size_t count)
{
	size_t n = 0;

	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < count; i++) {
		if (n && ranges[i].first <= ranges[n - 1].end)
			ranges[n - 1].end = MAX(ranges[n - 1].end, ranges[i].end);
		else
			ranges[n++] = ranges[i];
	}
	return n;
}

static struct pfn_range touched_pages(uint64_t paddr, uint64_t end, uint64_t page_bytes)
{
	return (struct pfn_range){paddr / page_bytes, div_round_up(end, page_bytes)};
}

static int make_ranges(struct memmap *map, const struct elf_load *loads, size_t load_count,
		       uint64_t page_bytes, struct error *err)
{
	map->ram = calloc(load_count + 1, sizeof(*map->ram));
	map->data = calloc(map->piece_count + 1, sizeof(*map->data));
	if (!map->ram || !map->data)
		return error_set(err, -ENOMEM, "out of memory for a map of %zu segments",
				 load_count);
	for (size_t i = 0; i < load_count; i++)
		map->ram[i] = touched_pages(loads[i].paddr, loads[i].paddr + loads[i].mem_bytes,
					    page_bytes);
	map->ram_count = join_ranges(map->ram, load_count);
	for (size_t i = 0; i < map->piece_count; i++)
		map->data[i] = touched_pages(map->pieces[i].paddr, map->pieces[i].end, page_bytes);
	map->data_count = join_ranges(map->data, map->piece_count);
	map->max_mapnr = map->ram_count ? map->ram[map->ram_count - 1].end : 0;
	return 0;
}

int memmap_init(struct memmap *map, const struct elf_load *loads, size_t load_count,
		uint64_t file_bytes, uint64_t page_bytes, struct error *err)
{
	AUTO_FREE struct offer *offers = calloc(2 * load_count + 1, sizeof(*offers));
	int r;

	*map = (struct memmap){0};
	if (!offers)
		return error_set(err, -ENOMEM, "out of memory for a map of %zu segments",
				 load_count);
	for (size_t i = 0; i < load_count; i++)
		if (loads[i].paddr + loads[i].mem_bytes > PADDR_END)
			return error_set(err, -EFBIG,
					 "memory at paddr 0x%" PRIx64 "+0x%" PRIx64
					 " is beyond any machine's",
					 loads[i].paddr, loads[i].mem_bytes);
	r = sweep(map, offers, make_offers(offers, loads, load_count, file_bytes), err);
	if (r < 0)
		return r;
	return make_ranges(map, loads, load_count, page_bytes, err);
}

void memmap_deinit(struct memmap *map)
{
	free(map->pieces);
	free(map->ram);
	free(map->data);
	*map = (struct memmap){0};
}

const struct memmap_piece *memmap_find(const struct memmap *map, uint64_t paddr)
{
	size_t low = 0, high = map->piece_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (map->pieces[middle].end <= paddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < map->piece_count ? &map->pieces[low] : NULL;
}
