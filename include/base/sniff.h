/* What a file or stream of the wrong kind may be, for error messages. */
#ifndef SNIFF_H
#define SNIFF_H

#include <stddef.h>

/* A clause for the end of an error message, by the first bytes: ": it looks like an ELF file", …;
 * "" where they tell nothing. Static text. */
const char *sniff(const void *bytes, size_t size_bytes);

#endif
