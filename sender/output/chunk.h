/*
 * A worker's result for a chunk's pages, which the writer takes: a list of page_flags in pfn order,
 * and the bytes of the pages that need any, one behind the other, in page_data. A zero or lost page
 * has a page_flag only.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "sender/pages/plan.h"

enum page_kind {
	PAGE_STORED,	 /* compressed, or raw where that is smaller */
	PAGE_ZERO,	 /* all zero, and the dump level leaves such pages out */
	PAGE_UNREADABLE, /* lost */
};

struct page_flag {
	uint64_t pfn;
	uint32_t size_bytes; /* of its bytes in page_data; they begin where those of the page before
				it end */
	uint8_t kind;	     /* enum page_kind */
	uint8_t codec;	     /* enum codec_id: how the bytes are compressed */
};

struct chunk {
	uint64_t first_rank; /* the index of the first page's descriptor */
	uint32_t pages;
	struct page_flag page_flag[CHUNK_PAGES_MAX];
	uint32_t data_bytes; /* used bytes of page_data */
	uint8_t sha256[32];  /* of these bytes, if the workers make digests */

	/* Room for as many bytes as chunk_new() was given. It begins more than 1,000 bytes behind
	 * the beginning of a page, so that copies of pages into it are fast, even behind the few
	 * bytes that liblzo2 puts in front of a page that it can't compress: io_buffer(). */
	uint8_t page_data[];
};

/* A chunk with room for page_data_bytes, or NULL when memory is out. */
struct chunk *chunk_new(size_t page_data_bytes);
void chunk_free(struct chunk *chunk);

#endif
