/* CRC-32C (Castagnoli), as frames carry it. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what `crc` is that of, and then of `bytes`; 0 is that of nothing. Any thread. Uses the
 * CPU's instruction where it has one. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes);

/* The same without the instruction, as on a CPU that lacks it. */
uint32_t crc32c_by_tables(uint32_t crc, const void *bytes, size_t size_bytes);

#endif
