/* The zero test, run over every page of a dump.
 * Doesn't know what a page is. */
#include "zero.h"

#include <stdint.h>
#include <string.h>

/*
 * 256 bytes at a time in 32 words: compilers turn the inner loop into vector ORs without any flag,
 * and a page that isn't zero mostly ends at the first block (11 ns against 40 for a zero page in
 * L2).
 */
enum { BLOCK_WORDS = 32 };

bool is_zero(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint64_t block[BLOCK_WORDS];

	for (; n >= sizeof(block); p += sizeof(block), n -= sizeof(block)) {
		uint64_t any = 0;

		memcpy(block, p, sizeof(block));
		for (size_t i = 0; i < BLOCK_WORDS; i++)
			any |= block[i];
		if (any)
			return false;
	}
	for (; n; p++, n--)
		if (*p)
			return false;
	return true;
}
