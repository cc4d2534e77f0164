/*
 * A fast match finder for pages, and what it makes of one: snappy's and LZO1X's formats, or the
 * matches themselves. The libraries' compressors are made for long inputs; on 4 KiB they spend much
 * on their tables and on matches too short to be worth it. The result depends on the page alone,
 * on any machine. Level 1.
 */
#ifndef LZ_H
#define LZ_H

#include <stddef.h>
#include <stdint.h>

enum {
	/* Positions take 16 bits, and LZO's common match reaches back 16 KiB. */
	LZ_PAGE_BYTES_MAX = 16 << 10,
	LZ_PAGE_BYTES_MIN = 64,

	LZ_MATCH_MIN = 4,
	LZ_STEPS_MAX = LZ_PAGE_BYTES_MAX / LZ_MATCH_MIN + 1,

	LZ_TABLE_BITS = 12,
};

/* What a thread needs; its contents don't matter. */
struct lz {
	uint16_t table[1 << LZ_TABLE_BITS];
};

/* Room that lz_snappy() and lz_lzo() need for a page of that size. */
static inline size_t lz_bound(size_t page_bytes)
{
	/* Matches never take more than they replace; literals one byte more for each 16 at most,
	 * and are copied 18 at a time. */
	return page_bytes + page_bytes / 16 + 64;
}

/* The page (LZ_PAGE_BYTES_MIN to _MAX) in snappy's format: how many bytes were put to `out`. */
size_t lz_snappy(struct lz *lz, const uint8_t *page, size_t page_bytes, uint8_t *out);

/* The same in LZO1X's. */
size_t lz_lzo(struct lz *lz, const uint8_t *page, size_t page_bytes, uint8_t *out);

/* Take so many literals, and then, unless match_bytes is 0 (the last step), so many bytes from
 * `distance` bytes back. */
struct lz_step {
	uint16_t literal_bytes, match_bytes, distance;
};

/* The same as steps: how many there are. All their literals, one behind the other, are put to
 * `literals_ret`, which has lz_bound() of room. */
size_t lz_steps(struct lz *lz, const uint8_t *page, size_t page_bytes,
		struct lz_step steps_ret[static LZ_STEPS_MAX], uint8_t *literals_ret);

#endif
