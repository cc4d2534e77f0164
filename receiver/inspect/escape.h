/* Text that others wrote, shown byte by byte: nothing of it is lost, unlike with base/printable.h.
 */
#ifndef ESCAPE_H
#define ESCAPE_H

#include <stddef.h>

/*
 * Copy `text`, with everything but printable ASCII, and the backslash itself, as \xNN; cut where
 * out_bytes ends. Returns `out`.
 */
const char *escape_text(char *out, size_t out_bytes, const char *text);

#endif
