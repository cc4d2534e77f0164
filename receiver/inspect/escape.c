/* Makes text harmless.
 * Doesn't know where the text goes. */
#include "receiver/inspect/escape.h"

#include <stdbool.h>
#include <stdio.h>

#include "base/printable.h"

const char *escape_text(char *out, size_t out_bytes, const char *text)
{
	size_t n = 0;

	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;
		const bool plain = is_printable(c) && c != '\\';

		if (n + (plain ? 1 : 4) >= out_bytes)
			break;
		if (plain)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, out_bytes - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}
