/*
 * One page to DEFLATE (RFC 1951), fast: a quarter of zlib's time at level 1, half of libdeflate's,
 * for a payload a few percent longer. The result depends on the page alone, on any machine.
 * Level 2.
 */
#ifndef DEFLATE_H
#define DEFLATE_H

#include <stddef.h>
#include <stdint.h>

#include "lz.h"

enum {
	/* Bits are written eight bytes at a time: behind `room`, so many may be overwritten. */
	DEFLATE_SLACK_BYTES = 8,
};

/* What a thread needs; its contents don't matter. */
struct deflater {
	struct lz lz;
	struct lz_step steps[LZ_STEPS_MAX];
	uint8_t literals[LZ_PAGE_BYTES_MAX + LZ_PAGE_BYTES_MAX / 16 + 64];
};

/*
 * The page (LZ_PAGE_BYTES_MIN to _MAX) as one DEFLATE block of at most `room` bytes at `out`, with
 * DEFLATE_SLACK_BYTES behind them: its size, or 0 where it doesn't fit.
 */
size_t deflate_page(struct deflater *d, const uint8_t *page, size_t page_bytes, uint8_t *out,
		    size_t room);

#endif
