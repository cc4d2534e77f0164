/* Gathers what --info tells.
 * Doesn't know how it is shown. */
#include "receiver/inspect/facts.h"

#include <errno.h>

#include "base/zero.h"
#include "format/vmcoreinfo.h"

/* A dump that is damaged still has things to tell: only failures of ours end the gathering. */
static int tolerate(int r, struct error *trouble, const struct error *err)
{
	if (r != -EBADMSG && r != -ENODATA && r != -EFBIG)
		return r;
	if (trouble->code == 0)
		*trouble = *err;
	return 0;
}

/* The lowest payload: writers put the page of zeros first, and let all pages of zeros share it. */
struct lowest {
	struct kdump_desc desc;
	uint64_t pages;
};

static void take_page(struct facts *f, const struct kdump_desc *desc, struct lowest *lowest)
{
	enum codec_id codec;

	if (desc->off == 0) {
		f->missing++;
		return;
	}
	if (codec_by_kdump_flag(desc->flags, &codec))
		f->by_codec[codec]++;
	else
		f->odd++;
	if (desc->off == lowest->desc.off) {
		lowest->pages++;
		return;
	}
	f->payload_bytes += desc->size_bytes;
	if (lowest->pages == 0 || desc->off < lowest->desc.off)
		*lowest = (struct lowest){.desc = *desc, .pages = 1};
}

static int gather_pages(struct facts *f, const struct dump *d, struct lowest *lowest,
			struct error *err)
{
	struct dump_cursor c;
	struct dump_page page;
	uint64_t begin, end;
	int r = dump_cursor_init(&c, d, err);

	if (r < 0)
		return r;
	dump_pfns(d, &begin, &end);
	dump_cursor_seek(&c, begin, end, 0);
	while ((r = dump_cursor_next(&c, &page, err)) > 0)
		take_page(f, &page.desc, lowest);
	dump_cursor_deinit(&c);
	return r;
}

static int gather_shared(struct facts *f, const struct dump *d, const struct lowest *lowest,
			 struct error *err)
{
	const uint8_t *bytes;
	struct window w;
	int r;

	if (lowest->pages < 2)
		return 0;
	f->shared = lowest->pages;
	if (lowest->desc.flags != 0 || lowest->desc.size_bytes != f->header.block_size)
		return 0;
	r = window_init(&w, f->header.block_size, err);
	if (r < 0)
		return r;
	r = window_get(&w, d, lowest->desc.off, f->header.block_size, &bytes, err);
	if (r == 0)
		f->shared_is_zero = is_zero(bytes, f->header.block_size);
	window_deinit(&w);
	return r;
}

static int gather_notes(struct facts *f, const struct dump *d, struct error *trouble,
			struct error *err)
{
	uint64_t seconds;
	int r = tolerate(notes_read(d, &f->notes, err), trouble, err);

	if (r == 0)
		r = tolerate(notes_vmcoreinfo(d, &f->notes, &f->vmcoreinfo, err), trouble, err);
	if (r < 0)
		return r;
	/* makedumpfile before 1.7 left the header's time at 0. */
	if (f->crash_time_s == 0 && vmcoreinfo_decimal(f->vmcoreinfo, "CRASHTIME", &seconds) &&
	    seconds <= INT64_MAX)
		f->crash_time_s = (int64_t)seconds;
	return 0;
}

int facts_init(struct facts *f, const struct dump *d, struct error *trouble, struct error *err)
{
	struct lowest lowest = {0};
	int r;

	*trouble = (struct error){0};
	*f = (struct facts){.header = *dump_header(d),
			    .file_bytes = dump_size(d),
			    .crash_time_s = dump_header(d)->crash_time_s};
	r = gather_notes(f, d, trouble, err);
	if (r == 0)
		r = tolerate(dump_read_bitmaps(d, &f->bitmaps, err), trouble, err);
	if (r == 0)
		r = tolerate(gather_pages(f, d, &lowest, err), trouble, err);
	if (r == 0)
		r = tolerate(gather_shared(f, d, &lowest, err), trouble, err);
	if (r < 0)
		facts_deinit(f);
	return r;
}

void facts_deinit(struct facts *f)
{
	vmcoreinfo_free(f->vmcoreinfo);
	f->vmcoreinfo = NULL;
}
