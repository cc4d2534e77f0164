/* Is it all zero? */
#ifndef ZERO_H
#define ZERO_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all n bytes are zero. Ends early at the first 256 bytes that are not. Any alignment. */
bool is_zero(const void *bytes, size_t n);

#endif
