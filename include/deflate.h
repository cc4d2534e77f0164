/*
 * The DEFLATE format (RFC 1951) for pages: a fast compressor that begins anew with each page, so
 * that it has next to nothing to set up. Level 2.
 *
 * General compressors clear and fill tables that suit megabytes: of a page of 4 KiB that is more
 * work than to compress it. What comes of it is as good as zlib's level 1, within some percent.
 */
#ifndef DEFLATE_H
#define DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "compiler.h"

/* One thread's working memory, some 64 KiB. Opaque. */
struct deflater;

/* NULL: out of memory. */
struct deflater *deflater_new(void);
void deflater_free(struct deflater *d);

enum {
	/* What deflater_run() may write behind the size that it gives. */
	DEFLATE_SLACK = 8,
};

/*
 * Compress n bytes to a whole DEFLATE stream of at most room bytes at `out`, where there are
 * DEFLATE_SLACK more: its size, or 0 if it would take more. It depends on nothing but the bytes.
 */
size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out, size_t room);

#endif
