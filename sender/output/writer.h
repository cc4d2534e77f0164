/*
 * Pages to a kdump-compressed file: the prologue (headers, notes, bitmaps), then descriptors and
 * data of chunk after chunk, as records of the stream.
 *
 * The data of a chunk is one record; descriptors gather into records of up to 256 KiB, never one
 * before its data. No descriptor waits at a segment's end, which is a chunk boundary at least
 * SEGMENT_BYTES of stream behind the last one: the page pass can be stopped there and begun again
 * from the cursor, and the bytes are the same.
 */
#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/codec.h"
#include "format/kdump.h"
#include "format/segment.h"
#include "sender/output/chunk.h"

struct pageset;
struct sink;
struct vmcore;
struct writer;

enum { SEGMENT_BYTES = 16 << 20 };

/* Counts of written pages. */
struct writer_counts {
	uint64_t zero, unreadable;
	uint64_t by_codec[CODEC_COUNT]; /* the others; CODEC_NONE: raw */
};

/* The number of compressed pages, and of all pages. */
uint64_t writer_counts_compressed(const struct writer_counts *counts);
uint64_t writer_counts_all(const struct writer_counts *counts);

struct writer_setup {
	struct sink *sink;
	struct kdump_header
		header;	   /* final, except for the incomplete bit if pages turn out unreadable */
	uint64_t pages;	   /* in the dump: the length of the descriptor table */
	bool exclude_zero; /* one shared payload for all zero pages */

	/*
	 * Called at each segment's end, after its last record, also for the prologue and for the
	 * last segment. sink_segment() has the table of the segment. Returns 0 to go on, 1 to end
	 * the page pass here, or fails with *err set. May be NULL.
	 */
	int (*segment_end)(void *ctx, const struct cursor *cursor, struct error *err);
	/* Called after each chunk; the same returns. May be NULL. */
	int (*chunk_end)(void *ctx, struct error *err);
	void *ctx;
};

NODISCARD int writer_new(const struct writer_setup *setup, struct writer **w_ret,
			 struct error *err);
void writer_free(struct writer *w);
DEFINE_AUTO(struct writer, writer_free)

/* Write segment 0. Returns as segment_end does. */
NODISCARD int writer_prologue(struct writer *w, const struct vmcore *core,
			      const struct pageset *pages, struct error *err);

/* Begin at a cursor that segment_end was given by another writer of the same dump, in place of the
 * prologue. */
void writer_resume(struct writer *w, const struct cursor *cursor);

/* Write the next chunk. `writer` is a struct writer, `chunk` a struct chunk. For struct
 * pipeline. */
int writer_chunk(void *writer, const void *chunk, struct error *err);

/* To be called after all chunks: writes the last descriptors, a second main header if pages were
 * unreadable, the last segment's end, and the end marker. Returns as segment_end does. */
NODISCARD int writer_finish(struct writer *w, struct error *err);

const struct writer_counts *writer_counts(const struct writer *w);

/* Bytes of the stream by now. Waiting descriptors count, and so do the bytes before the cursor
 * where this writer began. */
uint64_t writer_stream_bytes(const struct writer *w);

/* The least length of a file that holds this dump: to the end of the descriptor table. */
uint64_t writer_table_end(const struct writer *w);

#endif
