/* What a file or stream that isn't what we want may be, for error messages. */
#ifndef SNIFF_H
#define SNIFF_H

#include <stddef.h>

/* By its first bytes: ": it looks like an ELF file", …, to be put behind what it isn't; "" where
 * they tell nothing. Static text. */
const char *sniff(const void *bytes, size_t size_bytes);

#endif
