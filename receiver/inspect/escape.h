/* Text that others wrote, made fit for a terminal or a log. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>

/*
 * Copy `text`, with everything but printable ASCII, and the backslash itself, as \xNN; cut where
 * out_bytes ends. Returns `out`.
 */
const char *escape_text(char *out, size_t out_bytes, const char *text);

#endif
