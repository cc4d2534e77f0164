/* What a file or stream that isn't what we want may be, for error messages. */
#ifndef LOOKS_H
#define LOOKS_H

#include <stddef.h>

/* By its first bytes: "an ELF file", "gzip data", … Static text. */
const char *looks_like(const void *bytes, size_t size_bytes);

#endif
