/*
 * Text that others wrote, made fit for a terminal or a log.
 */
#ifndef PRINTABLE_H
#define PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* ASCII, and no control character. */
static inline bool is_printable(unsigned char c)
{
	return c >= ' ' && c < 0x7f;
}

/* The byte, or '?' in its place. */
static inline char printable(unsigned char c)
{
	return is_printable(c) ? (char)c : '?';
}

/* Copy as many bytes as there is room for, each printable. Returns `out`. */
static inline const char *printable_text(char *out, size_t room, const void *bytes,
					 size_t size_bytes)
{
	const unsigned char *p = bytes;
	const size_t n = MIN(size_bytes, room - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = printable(p[i]);
	out[n] = '\0';
	return out;
}

#endif
