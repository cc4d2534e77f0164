/* Counting bits in a bitmap as kdump files have them: pfn n is bit n % 8 of byte n / 8. */
#ifndef BITS_H
#define BITS_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"

/* The set bits among [begin, end), bit numbers from the start of `bitmap`. */
static inline UNUSED uint64_t bits_count(const uint8_t *bitmap, uint64_t begin, uint64_t end)
{
	uint64_t count = 0;

	while (begin < end) {
		const unsigned shift = begin % 8;

		if (shift == 0 && end - begin >= 64) {
			count += (unsigned)__builtin_popcountll(le64_get(bitmap + begin / 8));
			begin += 64;
		} else {
			const unsigned n = (unsigned)MIN(8 - shift, end - begin);
			const unsigned mask = ((1U << n) - 1) << shift;

			count += (unsigned)__builtin_popcount(bitmap[begin / 8] & mask);
			begin += n;
		}
	}
	return count;
}

static inline UNUSED int bits_test(const uint8_t *bitmap, uint64_t bit)
{
	return bitmap[bit / 8] >> (bit % 8) & 1;
}

#endif
