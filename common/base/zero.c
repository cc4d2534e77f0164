/* The zero test, run over every page of a dump.
 * Doesn't know what a page is. */
#include "base/zero.h"

#include <stdint.h>

/*
 * 16 bytes, which every 64-bit machine has registers for, at any alignment. Spelled as a vector,
 * for gcc doesn't find one in a loop over words without being told to: that takes five times as
 * long.
 */
typedef uint64_t lane __attribute__((vector_size(16), aligned(1), may_alias));

enum { BLOCK_LANES = 16, BLOCK_BYTES = BLOCK_LANES * sizeof(lane) };

static bool is_zero_block(const lane *p)
{
	/* Four sums, for each OR waits for the one before it. */
	lane a = p[0], b = p[1], c = p[2], d = p[3];

	for (int i = 4; i < BLOCK_LANES; i += 4) {
		a |= p[i];
		b |= p[i + 1];
		c |= p[i + 2];
		d |= p[i + 3];
	}
	a |= b;
	c |= d;
	a |= c;
	return (a[0] | a[1]) == 0;
}

/* A page that isn't zero mostly ends at the first block. */
bool is_zero(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (; n >= BLOCK_BYTES; p += BLOCK_BYTES, n -= BLOCK_BYTES)
		if (!is_zero_block((const lane *)p))
			return false;
	for (; n; p++, n--)
		if (*p)
			return false;
	return true;
}
