/* CRC-32C (Castagnoli), as frames carry it and as the sums of a file do. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` is that of, and then of `bytes`; 0 is that of nothing. Any thread. Uses the
 * CPU's instruction where it has one. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes);

/* The same without the instruction, as on a CPU that lacks it. */
uint32_t crc32c_by_tables(uint32_t crc, const void *bytes, size_t size_bytes);

/*
 * A bare CRC is one without the complements at its beginning and its end. That makes it linear:
 * zeros before the bytes don't change it, and the bare CRC of the XOR of two blocks is the XOR of
 * theirs. So that of a block can be put together from those of its parts, in any order, and a part
 * can be taken out again.
 */
uint32_t crc32c_bare(const void *bytes, size_t size_bytes);

/* The bare CRC once so many zeros follow what `bare` is that of; negative: once as many, with which
 * it ends, are taken away. */
uint32_t crc32c_shift(uint32_t bare, int64_t zero_bytes);

/* The CRC of what `bare` is that of, which is less than 2^63 bytes. */
uint32_t crc32c_of_bare(uint32_t bare, uint64_t size_bytes);

#endif
