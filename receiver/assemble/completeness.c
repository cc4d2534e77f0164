/* Whether a kdump file has arrived whole, by the map of the bytes that were received.
 * Doesn't know of streams; doesn't decompress (that is --check). */
#include "receiver/assemble/completeness.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/zero.h"
#include "format/dumpfile.h"
#include "receiver/assemble/bits.h"
#include "receiver/assemble/ranges.h"

enum {
	BITMAP_WINDOW_BYTES = 64 << 10,
	TABLE_WINDOW_DESCS = 8192,

	/* Room for data behind the pages: erase info is text, a line for each symbol erased. */
	SLACK_BYTES = 64 << 20,
};

int completeness_look(struct dumpfile *df, struct ranges *received,
		      struct completeness *arrived_ret, struct error *err)
{
	uint8_t main_header[KDUMP_HEADER_BYTES], sub_header[KDUMP_SUB_HEADER_BYTES];
	struct completeness a = {.kind = ARRIVED_UNKNOWN};
	uint64_t sub_off;
	int r;

	*arrived_ret = a;
	if (!ranges_cover(received, 0, strlen(KDUMP_SIGNATURE)))
		return 0;
	r = dumpfile_read(df, 0, main_header, sizeof(main_header), err);
	if (r < 0)
		return r;
	if (memcmp(main_header, KDUMP_SIGNATURE, strlen(KDUMP_SIGNATURE)) != 0) {
		arrived_ret->kind = ARRIVED_OTHER;
		return 0;
	}
	if (!ranges_cover(received, 0, sizeof(main_header)))
		return 0;
	a.kind = ARRIVED_ODD;
	r = kdump_get_block_size(main_header, err);
	if (r > 0) {
		sub_off = (uint64_t)r;
		if (!ranges_cover(received, sub_off, sub_off + sizeof(sub_header)))
			return 0;
		r = dumpfile_read(df, sub_off, sub_header, sizeof(sub_header), err);
		if (r < 0)
			return r;
		r = kdump_get_header(main_header, sub_header, &a.header, err);
	}
	if (r == 0)
		a.kind = ARRIVED_KDUMP;
	*arrived_ret = a;
	return r;
}

uint64_t completeness_plausible_bytes(const struct kdump_header *h)
{
	/* Each page uncompressed. At most 2^40 × (2^18 + 24): see kdump_get_header(). */
	return kdump_layout(h).desc_off + h->max_mapnr * (h->block_size + KDUMP_DESC_BYTES) +
	       SLACK_BYTES;
}

/* All but descriptors and payloads. */
static int check_head(const struct completeness *a, struct ranges *received, struct error *err)
{
	const struct kdump_header *h = &a->header;
	const struct kdump_layout at = kdump_layout(h);
	/* The bits beyond the last pfn need not come: they read as zeros, which is their right
	 * value. */
	const uint64_t bitmap_bytes = div_round_up(h->max_mapnr, 8);
	const struct {
		const char *name;
		uint64_t off, size_bytes;
	} parts[] = {
		{"the notes", h->notes_off, h->notes_bytes},
		{"VMCOREINFO", h->vmcoreinfo_off, h->vmcoreinfo_bytes},
		{"the erase info", h->eraseinfo_off, h->eraseinfo_bytes},
		{"bitmap 1", at.bitmap1_off, bitmap_bytes},
		{"bitmap 2", at.bitmap2_off, bitmap_bytes},
	};

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!ranges_cover(received, parts[i].off, parts[i].off + parts[i].size_bytes))
			return error_set(err, -ENODATA, "%s did not arrive whole", parts[i].name);
	return 0;
}

/* The set bits of [pfn, end), all of which were read or are zero otherwise, into *pages. */
static int count_piece(struct dumpfile *df, uint64_t bitmap2_off, uint64_t pfn, uint64_t end,
		       const struct keepalive *alive, uint8_t *window, uint64_t *pages,
		       struct error *err)
{
	while (pfn < end) {
		const uint64_t first = pfn - pfn % 8;
		const uint64_t bits = MIN(end - first, BITMAP_WINDOW_BYTES * UINT64_C(8));
		int r = keepalive(alive, err);

		if (r == 0)
			r = dumpfile_read(df, bitmap2_off + first / 8, window,
					  (size_t)div_round_up(bits, 8), err);
		if (r < 0)
			return r;
		*pages += bits_count(window, pfn - first, bits);
		pfn = first + bits;
	}
	return 0;
}

/* The set bits of bitmap 2 that have a descriptor in this file. The bitmap has arrived. */
static int count_pages(struct dumpfile *df, const struct kdump_header *h,
		       const struct keepalive *alive, uint64_t *pages_ret, struct error *err)
{
	const uint64_t bitmap2_off = kdump_layout(h).bitmap2_off;
	const uint64_t end = h->split ? MIN(h->end_pfn, h->max_mapnr) : h->max_mapnr;
	AUTO_FREE uint8_t *window = malloc(BITMAP_WINDOW_BYTES);
	uint64_t pfn = h->split ? MIN(h->start_pfn, h->max_mapnr) : 0;
	uint64_t pages = 0, data, data_end;
	int r;

	if (!window)
		return error_set(err, -ENOMEM, "out of memory");
	while (pfn < end) {
		r = dumpfile_next_data(df, bitmap2_off + pfn / 8,
				       bitmap2_off + div_round_up(end, 8), &data, &data_end, err);
		if (r < 0)
			return r;
		if (r == 0)
			break;
		pfn = MAX(pfn, (data - bitmap2_off) * 8);
		data_end = MIN(end, (data_end - bitmap2_off) * 8);
		r = count_piece(df, bitmap2_off, pfn, data_end, alive, window, &pages, err);
		if (r < 0)
			return r;
		pfn = data_end;
	}
	*pages_ret = pages;
	return 0;
}

/* A walk over the descriptors that arrived. */
struct table_walk {
	struct dumpfile *df;
	struct ranges *received;
	const struct keepalive *alive;
	uint8_t *window; /* TABLE_WINDOW_DESCS descriptors */
	uint64_t table_end;
	uint32_t block_size;
	uint64_t good, lost;
};

/* Whether a page can be there: behind all descriptors, and not longer than a page. Its codec may be
 * one that we don't know. */
static bool is_possible(const struct table_walk *w, const struct kdump_desc *desc)
{
	return desc->off >= w->table_end && desc->size_bytes > 0 &&
	       desc->size_bytes <= w->block_size;
}

/* Check one descriptor, of which all bytes came if `whole`. Returns whether it has to be zeroed. */
static bool check_desc(struct table_walk *w, const uint8_t *bytes, bool whole)
{
	const struct kdump_desc desc = kdump_get_desc(bytes);
	uint64_t end;

	if (is_zero(bytes, KDUMP_DESC_BYTES)) {
		w->lost += whole;
		return false;
	}
	if (whole && is_possible(w, &desc) && !ckd_add(&end, desc.off, desc.size_bytes) &&
	    ranges_cover(w->received, desc.off, end)) {
		w->good++;
		return false;
	}
	return true;
}

/*
 * `count` descriptors from file offset `off` on, of which the bytes of `part` came. No other bytes
 * came around `part`, so a descriptor that isn't inside of it isn't whole.
 */
static int walk_window(struct table_walk *w, uint64_t off, size_t count, const struct range *part,
		       struct error *err)
{
	size_t first_bad = count, past_bad = 0;
	int r = dumpfile_read(w->df, off, w->window, count * KDUMP_DESC_BYTES, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		uint8_t *bytes = w->window + i * KDUMP_DESC_BYTES;
		const uint64_t at = off + i * KDUMP_DESC_BYTES;

		if (!check_desc(w, bytes, at >= part->begin && at + KDUMP_DESC_BYTES <= part->end))
			continue;
		memset(bytes, 0, KDUMP_DESC_BYTES);
		first_bad = MIN(first_bad, i);
		past_bad = i + 1;
	}
	if (past_bad == 0)
		return 0;
	return dumpfile_write(w->df, off + first_bad * KDUMP_DESC_BYTES,
			      w->window + first_bad * KDUMP_DESC_BYTES,
			      (past_bad - first_bad) * KDUMP_DESC_BYTES, err);
}

/* Only ranges that came are walked: the rest of the table is a hole, whatever length the header
 * gives it. */
static int walk_table(struct table_walk *w, uint64_t begin, uint64_t end, struct error *err)
{
	struct range part;

	while (ranges_first_in(w->received, begin, end, &part)) {
		uint64_t off = part.begin - (part.begin - begin) % KDUMP_DESC_BYTES;
		const uint64_t descs = div_round_up(part.end - off, KDUMP_DESC_BYTES);

		for (uint64_t left = descs; left > 0;) {
			const size_t count = (size_t)MIN(left, TABLE_WINDOW_DESCS);
			int r = keepalive(w->alive, err);

			if (r == 0)
				r = walk_window(w, off, count, &part, err);
			if (r < 0)
				return r;
			off += count * KDUMP_DESC_BYTES;
			left -= count;
		}
		begin = off;
	}
	return 0;
}

static int check_pages(struct dumpfile *df, struct ranges *received, const struct keepalive *alive,
		       struct completeness *a, struct error *err)
{
	const uint64_t desc_off = kdump_layout(&a->header).desc_off;
	AUTO_FREE uint8_t *window = malloc(TABLE_WINDOW_DESCS * KDUMP_DESC_BYTES);
	struct table_walk w = {.df = df, .received = received, .alive = alive, .window = window};
	int r;

	if (!window)
		return error_set(err, -ENOMEM, "out of memory");
	r = count_pages(df, &a->header, alive, &a->pages, err);
	if (r < 0)
		return r;
	w.table_end = a->table_end = desc_off + a->pages * KDUMP_DESC_BYTES;
	w.block_size = a->header.block_size;
	r = walk_table(&w, desc_off, a->table_end, err);
	if (r < 0)
		return r;
	a->pages_missing = a->pages - w.good;
	a->pages_lost = w.lost;
	a->usable = w.good > 0;
	return 0;
}

int completeness_check(struct dumpfile *df, struct ranges *received, const struct keepalive *alive,
		       struct completeness *arrived_ret, struct error *err)
{
	struct completeness *a = arrived_ret;
	uint64_t allowed;
	int r = completeness_look(df, received, a, err);

	if (r < 0)
		return r;
	if (a->kind == ARRIVED_UNKNOWN)
		return error_set(err, -ENODATA, "the headers did not arrive whole");
	if (a->kind != ARRIVED_KDUMP)
		return 0;
	r = check_head(a, received, err);
	if (r == 0)
		r = check_pages(df, received, alive, a, err);
	if (r < 0)
		return r;
	allowed = a->header.status & KDUMP_INCOMPLETE ? a->pages_lost : 0;
	if (a->pages_missing > allowed)
		return error_set(err, -ENODATA, "%" PRIu64 " of %" PRIu64 " pages did not arrive",
				 a->pages_missing - allowed, a->pages);
	return 0;
}
