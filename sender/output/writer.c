/* Chunks to records of a kdump-compressed file.
 * Doesn't know threads, nor where the records go. */
#include "sender/output/writer.h"

#include <errno.h>
#include <string.h>

#include "format/flat.h"
#include "sender/output/prologue.h"
#include "sender/output/sink.h"

enum {
	/*
	 * Descriptors wait for at most so many bytes of data: a stream that is cut loses the pages
	 * whose descriptors wait. With less, records would be small, and readers pay for each.
	 */
	DATA_AHEAD_BYTES = 4 << 20,

	DESCS_BYTES = FLAT_RUN_BYTES - FLAT_RUN_BYTES % KDUMP_DESC_BYTES,
};

struct writer {
	struct writer_setup setup;
	struct kdump_layout layout;
	uint8_t *descs; /* on their way to one record: room for DESCS_BYTES */
	size_t descs_used;
	uint64_t descs_off;	/* of the first in the file */
	uint64_t data_off;	/* of the next payload */
	struct cursor cursor;	/* chunk, segment and unreadable are always right; the other fields
				   at a segment's end */
	uint64_t described_off; /* payloads before this offset have their descriptors written */
	uint64_t segment_start; /* stream bytes where the segment began */
	uint64_t earlier_bytes; /* bytes of the stream that the sink hasn't counted; may wrap */
	uint64_t zero_off;	/* the shared page of zeros */
	struct writer_counts counts;
};

int writer_new(const struct writer_setup *setup, struct writer **w_ret, struct error *err)
{
	AUTO(writer_free) struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return error_set(err, -ENOMEM, "out of memory for the output");
	w->setup = *setup;
	w->layout = kdump_layout(&setup->header);
	w->descs = malloc(DESCS_BYTES);
	if (!w->descs)
		return error_set(err, -ENOMEM, "out of memory for the output");
	w->zero_off = writer_table_end(w);
	w->data_off = w->zero_off + (setup->exclude_zero ? setup->header.block_size : 0);
	w->described_off = w->data_off;
	*w_ret = TAKE_PTR(w);
	return 0;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	free(w->descs);
	free(w);
}

/* Write the waiting descriptors as one record; the next ones follow it in the file. Their data was
 * written before: a cut stream never has a descriptor without its data. */
static int flush_descs(struct writer *w, struct error *err)
{
	int r = 0;

	if (w->descs_used)
		r = sink_write(w->setup.sink, w->descs_off, w->descs, w->descs_used, err);
	w->descs_off += w->descs_used;
	w->descs_used = 0;
	w->described_off = w->data_off;
	return r;
}

static int end_segment(struct writer *w, struct error *err)
{
	int r = flush_descs(w, err);

	if (r < 0)
		return r;
	w->segment_start = writer_stream_bytes(w);
	w->cursor.segment++;
	w->cursor.data_off = w->data_off;
	w->cursor.stream_bytes = w->segment_start;
	r = w->setup.segment_end ? w->setup.segment_end(w->setup.ctx, &w->cursor, err) : 0;
	sink_next_segment(w->setup.sink);
	return r;
}

int writer_prologue(struct writer *w, const struct vmcore *core, const struct pageset *pages,
		    struct error *err)
{
	int r = prologue_write(w->setup.sink, &w->setup.header, core, pages, err);

	if (r == 0 && w->setup.exclude_zero) {
		AUTO_FREE uint8_t *zeros = calloc(1, w->setup.header.block_size);

		if (!zeros)
			return error_set(err, -ENOMEM, "out of memory for the output");
		r = sink_write(w->setup.sink, w->zero_off, zeros, w->setup.header.block_size, err);
	}
	return r < 0 ? r : end_segment(w, err);
}

void writer_resume(struct writer *w, const struct cursor *cursor)
{
	w->cursor = *cursor;
	w->data_off = w->described_off = cursor->data_off;
	w->earlier_bytes = cursor->stream_bytes - sink_stream_bytes(w->setup.sink);
	w->segment_start = cursor->stream_bytes;
	w->counts.unreadable = cursor->unreadable;
}

/* The descriptor of a page whose payload, if it has one, is at `off`. */
static struct kdump_desc describe(struct writer *w, const struct page_flag *flag, uint64_t off)
{
	switch ((enum page_kind)flag->kind) {
	case PAGE_ZERO:
		w->counts.zero++;
		return (struct kdump_desc){.off = w->zero_off,
					   .size_bytes = w->setup.header.block_size};
	case PAGE_UNREADABLE:
		w->counts.unreadable++;
		w->cursor.unreadable++;
		return (struct kdump_desc){0};
	case PAGE_STORED:
		break;
	}
	w->counts.by_codec[flag->codec]++;
	return (struct kdump_desc){
		.off = off, .size_bytes = flag->size_bytes, .flags = codec_kdump_flag(flag->codec)};
}

/* Make room for the chunk's descriptors, and let them go on where its first one belongs. */
static int make_room(struct writer *w, const struct chunk *chunk, struct error *err)
{
	const uint64_t desc_off = w->layout.desc_off + chunk->first_rank * KDUMP_DESC_BYTES;
	const size_t desc_bytes = (size_t)chunk->pages * KDUMP_DESC_BYTES;
	int r = 0;

	if (w->descs_off + w->descs_used != desc_off || w->descs_used + desc_bytes > DESCS_BYTES ||
	    w->data_off - w->described_off + chunk->data_bytes > DATA_AHEAD_BYTES)
		r = flush_descs(w, err);
	if (w->descs_used == 0)
		w->descs_off = desc_off;
	return r;
}

/* One record, one extent: payloads go from the chunk to the output without a copy in between. */
static int write_data(struct writer *w, const struct chunk *chunk, struct error *err)
{
	int r;

	if (chunk->data_bytes == 0)
		return 0;
	r = sink_note(w->setup.sink, w->data_off, chunk->data_bytes, chunk->sha256, err);
	if (r == 0)
		r = sink_write_told(w->setup.sink, w->data_off, chunk->page_data, chunk->data_bytes,
				    err);
	return r;
}

int writer_chunk(void *writer, const void *item, struct error *err)
{
	struct writer *w = writer;
	const struct chunk *chunk = item;
	int r = make_room(w, chunk, err);

	if (r == 0)
		r = write_data(w, chunk, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < chunk->pages; i++) {
		const struct kdump_desc desc = describe(w, &chunk->page_flag[i], w->data_off);

		kdump_put_desc(w->descs + w->descs_used, &desc);
		w->descs_used += KDUMP_DESC_BYTES;
		w->data_off += chunk->page_flag[i].size_bytes;
	}
	w->cursor.chunk++;
	if (writer_stream_bytes(w) - w->segment_start >= SEGMENT_BYTES)
		r = end_segment(w, err);
	if (r == 0 && w->setup.chunk_end)
		r = w->setup.chunk_end(w->setup.ctx, err);
	return r;
}

int writer_finish(struct writer *w, struct error *err)
{
	uint8_t main_header[KDUMP_HEADER_BYTES];
	int r;

	if (w->cursor.chunk == CURSOR_AT_END)
		return sink_finish(w->setup.sink, err);
	w->cursor.chunk = CURSOR_AT_END;
	r = flush_descs(w, err);
	if (r < 0)
		return r;
	if (w->cursor.unreadable && !(w->setup.header.status & KDUMP_INCOMPLETE)) {
		w->setup.header.status |= KDUMP_INCOMPLETE;
		kdump_put_header(main_header, &w->setup.header);
		r = sink_write(w->setup.sink, 0, main_header, sizeof(main_header), err);
		if (r < 0)
			return r;
	}
	r = end_segment(w, err);
	return r ? r : sink_finish(w->setup.sink, err);
}

uint64_t writer_counts_compressed(const struct writer_counts *counts)
{
	uint64_t pages = 0;

	for (enum codec_id id = CODEC_NONE + 1; id < CODEC_COUNT; id++)
		pages += counts->by_codec[id];
	return pages;
}

uint64_t writer_counts_all(const struct writer_counts *counts)
{
	return counts->zero + counts->unreadable + counts->by_codec[CODEC_NONE] +
	       writer_counts_compressed(counts);
}

const struct writer_counts *writer_counts(const struct writer *w)
{
	return &w->counts;
}

uint64_t writer_stream_bytes(const struct writer *w)
{
	return sink_stream_bytes(w->setup.sink) + w->earlier_bytes + w->descs_used;
}

uint64_t writer_table_end(const struct writer *w)
{
	return w->layout.desc_off + w->setup.pages * KDUMP_DESC_BYTES;
}
