/*
 * A small kdump-compressed file in memory, with a bit of everything: raw, each codec, pages of
 * zeros that share a payload, excluded pages, holes in RAM, notes and VMCOREINFO. And streams made
 * of such a file.
 */
#ifndef TINYDUMP_H
#define TINYDUMP_H

#include <stddef.h>
#include <stdint.h>

#include "format/kdump.h"

enum {
	TINY_BLOCK = 4096,
	TINY_PFNS = 84, /* no multiple of eight: the last byte of the bitmaps is used in part */
	TINY_HOLE_BEGIN = 32,
	TINY_HOLE_END = 40, /* [begin, end): no RAM */

	TINY_SMALL_PFNS = 8,
};

struct tinydump {
	uint8_t *bytes;
	size_t size_bytes;
	struct kdump_header header;
	struct kdump_layout at;
	size_t pages;	  /* that have a descriptor */
	size_t data_off;  /* of the first payload, the shared page of zeros if there is one */
	size_t zero_page; /* index of the first descriptor that shares it */
};

/* Make it; ends the program if memory is out. The same bytes each time. */
struct tinydump tinydump_make(void);

/* The same with no more than three pages, none of them raw or zero: for what tries every byte. */
struct tinydump tinydump_make_small(void);
void tinydump_free(struct tinydump *t);

/* The contents that pfn has (TINY_BLOCK bytes at `page`). */
void tinydump_page(uint64_t pfn, uint8_t page[static TINY_BLOCK]);

/* Whether pfn has a descriptor, and for pages that do, which codec was asked for. */
int tinydump_has(uint64_t pfn);

/* The bytes of descriptor i. */
uint8_t *tinydump_desc(struct tinydump *t, size_t i);

/* A growing stream. */
struct stream {
	uint8_t *bytes;
	size_t size_bytes, room;
};

void stream_free(struct stream *s);
void stream_add(struct stream *s, const void *bytes, size_t size_bytes);
void stream_header(struct stream *s);
void stream_record(struct stream *s, uint64_t off, const void *bytes, size_t size_bytes);
void stream_end(struct stream *s);

/* The stream that a simple writer would make of it: header, records of `record_bytes`, end marker.
 */
struct stream stream_of(const struct tinydump *t, size_t record_bytes);

#endif
