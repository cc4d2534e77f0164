/* CRC-32C (Castagnoli), as frames carry it and as the sums of a file do. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of some bytes, whose CRC is `crc`, followed by `bytes`. The CRC of no bytes is 0. Any
 * thread. Uses the CPU's instruction where it has one. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes);

/* The same without the instruction, as on a CPU that lacks it. */
uint32_t crc32c_by_tables(uint32_t crc, const void *bytes, size_t size_bytes);

/*
 * A bare CRC is one without the complements at its beginning and its end. That makes it linear:
 * zeros before the bytes don't change it, and the bare CRC of the XOR of two blocks is the XOR of
 * theirs. So the bare CRC of a block can be put together from those of its parts, in any order, and
 * a part can be taken out again.
 */
uint32_t crc32c_bare(const void *bytes, size_t size_bytes);

/* The bare CRC of a block, whose bare CRC is `bare`, followed by `zero_bytes` zeros. If
 * `zero_bytes` is negative: of that block without as many zeros at its end, which it must have. */
uint32_t crc32c_shift(uint32_t bare, int64_t zero_bytes);

/* The CRC of a block of `size_bytes`, less than 2^63, whose bare CRC is `bare`. */
uint32_t crc32c_of_bare(uint32_t bare, uint64_t size_bytes);

#endif
