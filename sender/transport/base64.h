/* Base64 as SSH's files have it: RFC 4648, 4. */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* Room for the text of so many bytes, and a NUL. */
#define BASE64_ROOM(bytes) (((bytes) + 2) / 3 * 4 + 1)

/* Writes BASE64_ROOM(size_bytes) characters; returns `out`. */
char *base64_put(char *out, const uint8_t *bytes, size_t size_bytes);

/*
 * Decode `len` characters into `out`, passing over newlines. Returns the number of bytes; -1 if the
 * text isn't Base64 to its last character, with its padding, or gives more than `room`.
 */
NODISCARD ssize_t base64_get(const char *text, size_t len, uint8_t *out, size_t room);

#endif
