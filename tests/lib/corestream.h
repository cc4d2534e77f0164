/*
 * A flattened stream that was caught in memory, judged by the rules that ours keep, and put
 * together to a file again; by code of its own, that shares nothing with vmrecv's.
 */
#ifndef CORESTREAM_H
#define CORESTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/kdump.h"

struct core_stream {
	uint8_t *file; /* put together */
	size_t file_bytes;
	struct kdump_header header; /* the last one that was sent */
	struct kdump_layout layout;
	uint64_t pages; /* set bits of bitmap 2 */
	size_t records;
	bool whole;	   /* the end marker is there, and nothing after it */
	bool header_again; /* a second main header was sent */
};

/*
 * Judge the stream; a broken rule fails the test that runs. A stream may end after any record.
 *
 *   - the stream header, then records within the limits of their kind
 *   - no two overlap but for a second main header, which differs in the incomplete bit alone
 *   - the headers, notes and bitmaps are there, whole, before the first page
 *   - no descriptor comes before the payload that it points at
 *   - descriptors of a whole stream are all there
 */
struct core_stream core_stream_check(const uint8_t *bytes, size_t size_bytes);
void core_stream_free(struct core_stream *s);

/* The descriptor of rank n; all zero if it wasn't sent. */
struct kdump_desc core_stream_desc(const struct core_stream *s, uint64_t n);

/* Whether bitmap 1 or 2 has pfn. */
bool core_stream_has(const struct core_stream *s, int bitmap, uint64_t pfn);

/* Decode the page of rank n: false if it is marked as missing. */
bool core_stream_page(const struct core_stream *s, uint64_t n, uint8_t *page);

#endif
