/* Gathers the facts for --info.
 * Doesn't know how they are shown. */
#include "receiver/inspect/facts.h"

#include <errno.h>
#include <inttypes.h>

#include "base/zero.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/agree.h"
#include "receiver/inspect/descriptor.h"

static void add_trouble(struct facts *f, const struct error *err)
{
	if (f->trouble_count < FACTS_TROUBLES_MAX)
		f->troubles[f->trouble_count++] = *err;
	f->cut_short = f->cut_short || err->code == -ENODATA;
}

/* A damaged dump still has facts to give, so only failures of ours end the gathering. */
static int tolerate(int r, struct facts *f, const struct error *err)
{
	if (r != -EBADMSG && r != -ENODATA && r != -EFBIG)
		return MIN(r, 0);
	add_trouble(f, err);
	return 0;
}

/* A walk over the descriptors. */
struct walk {
	struct facts *facts;
	const struct kdump_file *dump;
	uint64_t table_end;
	struct stretch known; /* holes where payloads should be */

	/* The lowest payload: writers put the page of zeros first, and let all pages of zeros share
	   it. */
	struct kdump_desc lowest;
	uint64_t lowest_pages;
};

/* A page whose payload is in the file. */
static void take_payload(struct walk *w, const struct kdump_desc *desc)
{
	if (desc->off == w->lowest.off) {
		w->lowest_pages++;
		return;
	}
	w->facts->payload_bytes += desc->size_bytes;
	if (w->lowest_pages == 0 || desc->off < w->lowest.off) {
		w->lowest = *desc;
		w->lowest_pages = 1;
	}
}

/*
 * Whether all of a payload is a hole: no codec makes only zeros. A payload that is stored raw may
 * well be a page of zeros.
 */
static int is_hole(struct walk *w, const struct kdump_desc *desc, struct error *err)
{
	const uint64_t end = desc->off + desc->size_bytes;
	uint64_t data = 0;
	int r;

	if (desc->flags == 0)
		return 0;
	r = kdump_file_skip_hole(w->dump, &w->known, desc->off, end, &data, err);
	return r < 0 ? r : data == end;
}

static int take_page(struct walk *w, const struct kdump_file_page *page, struct error *err)
{
	const struct kdump_desc *desc = &page->desc;
	struct facts *f = w->facts;
	enum codec_id codec;
	int r;

	switch (descriptor_check(desc, f->header.block_size, w->table_end, f->file_bytes, &codec)) {
	case DESCRIPTOR_ZERO:
		f->missing += page->count;
		return 0;
	case DESCRIPTOR_BEYOND:
		f->beyond_data++;
		return 0;
	case DESCRIPTOR_BAD_SIZE:
	case DESCRIPTOR_IN_TABLE:
		f->impossible++;
		return 0;
	case DESCRIPTOR_BAD_FLAGS:
		f->odd++;
		break;
	case DESCRIPTOR_GOOD:
		r = is_hole(w, desc, err);
		f->holed += r > 0;
		if (r != 0)
			return MIN(r, 0);
		f->by_codec[codec]++;
		break;
	}
	take_payload(w, desc);
	return 0;
}

static int gather_pages(struct walk *w, struct error *err)
{
	struct kdump_file_cursor c;
	struct kdump_file_page page;
	uint64_t begin, end;
	int r = kdump_file_cursor_init(&c, w->dump, err);

	if (r < 0)
		return r;
	kdump_file_pfns(w->dump, &begin, &end);
	kdump_file_cursor_seek(&c, begin, end, 0);
	while ((r = kdump_file_cursor_next(&c, &page, err)) > 0) {
		r = take_page(w, &page, err);
		if (r < 0)
			break;
	}
	/* The bitmaps are there, so it is the table that the file cuts short. */
	if (r == -ENODATA) {
		w->facts->beyond_descs = w->facts->bitmaps.in_file - c.index;
		r = 0;
	}
	kdump_file_cursor_deinit(&c);
	return r;
}

/* Note pages that aren't as the bitmaps say. Missing pages are no trouble: an incomplete dump is
 * marked as such. */
static void check_pages(struct facts *f)
{
	const uint64_t pages = f->bitmaps.in_file;
	struct error err;

	if (f->beyond_descs > 0)
		error_set(&err, -ENODATA,
			  "descriptors of %" PRIu64 ", and data of %" PRIu64 " more, of %" PRIu64
			  " pages lie beyond the end of the file: it is cut short",
			  f->beyond_descs, f->beyond_data, pages);
	else if (f->beyond_data > 0)
		error_set(&err, -ENODATA,
			  "data of %" PRIu64 " of %" PRIu64
			  " pages lie beyond the end of the file: it is cut short",
			  f->beyond_data, pages);
	if (f->beyond_descs + f->beyond_data > 0)
		add_trouble(f, &err);
	if (f->holed > 0) {
		error_set(&err, -EBADMSG,
			  "in place of data of %" PRIu64 " of %" PRIu64
			  " pages the file has a hole",
			  f->holed, pages);
		add_trouble(f, &err);
	}
	if (f->impossible > 0) {
		error_set(&err, -EBADMSG,
			  "descriptors of %" PRIu64 " of %" PRIu64 " pages can't be right",
			  f->impossible, pages);
		add_trouble(f, &err);
	}
}

static int gather_shared(struct facts *f, const struct walk *walk, struct error *err)
{
	const struct kdump_desc *lowest = &walk->lowest;
	const uint8_t *bytes;
	struct window w;
	int r;

	if (walk->lowest_pages < 2)
		return 0;
	f->shared = walk->lowest_pages;
	if (lowest->flags != 0 || lowest->size_bytes != f->header.block_size)
		return 0;
	r = window_init(&w, f->header.block_size, err);
	if (r < 0)
		return r;
	r = window_get(&w, walk->dump, lowest->off, f->header.block_size, &bytes, err);
	if (r == 0)
		f->shared_is_zero = is_zero(bytes, f->header.block_size);
	window_deinit(&w);
	return r;
}

static int gather_notes(struct facts *f, const struct kdump_file *d, struct error *err)
{
	uint64_t seconds;
	int r = notes_read(d, &f->notes, err);

	f->notes_known = r == 0;
	r = tolerate(r, f, err);
	if (r < 0)
		return r;
	r = notes_vmcoreinfo(d, &f->notes, &f->vmcoreinfo, err);
	/* Where the notes can't be read, and the header names no VMCOREINFO, there may still be
	 * one. */
	f->vmcoreinfo_known = r > 0 || (r == 0 && f->notes_known);
	r = tolerate(r, f, err);
	if (r == 0)
		r = tolerate(agree_check(&f->header, f->vmcoreinfo, err), f, err);
	if (r == 0)
		r = tolerate(kdump_file_check_eraseinfo(d, err), f, err);
	/* makedumpfile before 1.7 left the header's time at 0. */
	if (f->crash_time_s == 0 && vmcoreinfo_decimal(f->vmcoreinfo, "CRASHTIME", &seconds) &&
	    seconds <= INT64_MAX)
		f->crash_time_s = (int64_t)seconds;
	return r;
}

/* Gather the facts about pages, for a dump whose bitmaps are there. */
static int gather_table(struct facts *f, const struct kdump_file *d, struct error *err)
{
	const uint64_t table_end =
		kdump_layout(&f->header).desc_off + f->bitmaps.in_file * KDUMP_DESC_BYTES;
	struct walk w = {.facts = f, .dump = d, .table_end = table_end};
	int r = gather_pages(&w, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < DUMP_BITMAPS_FAULTS; i++)
		if (kdump_file_bitmaps_fault(d, &f->bitmaps, i, err))
			add_trouble(f, err);
	check_pages(f);
	/* Payloads may be shared in other ways than we look for, but the file has no more bytes
	 * than that. */
	if (f->payload_bytes > 0)
		f->payload_bytes = MIN(f->payload_bytes, f->file_bytes - table_end);
	return tolerate(gather_shared(f, &w, err), f, err);
}

int facts_init(struct facts *f, const struct kdump_file *d, struct error *err)
{
	int r;

	*f = (struct facts){.header = *kdump_file_header(d),
			    .file_bytes = kdump_file_size(d),
			    .crash_time_s = kdump_file_header(d)->crash_time_s};
	r = gather_notes(f, d, err);
	if (r == 0) {
		r = kdump_file_read_bitmaps(d, &f->bitmaps, err);
		f->bitmaps_known = r == 0;
		r = tolerate(r, f, err);
	}
	if (r == 0 && f->bitmaps_known)
		r = gather_table(f, d, err);
	if (r < 0)
		facts_deinit(f);
	return r;
}

bool facts_complete(const struct facts *f)
{
	return f->trouble_count == 0 && f->bitmaps_known && f->missing == 0 &&
	       !(f->header.status & KDUMP_INCOMPLETE);
}

void facts_deinit(struct facts *f)
{
	vmcoreinfo_free(f->vmcoreinfo);
	f->vmcoreinfo = NULL;
}
