/* Base64.
 * Doesn't know what is in it. */
#include "sender/transport/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_put(char *out, const uint8_t *bytes, size_t size_bytes)
{
	char *p = out;

	for (size_t i = 0; i < size_bytes; i += 3) {
		const size_t n = size_bytes - i;
		const uint32_t group = (uint32_t)bytes[i] << 16 |
				       (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
				       (n > 2 ? bytes[i + 2] : 0);

		*p++ = digits[group >> 18];
		*p++ = digits[group >> 12 & 63];
		*p++ = n > 1 ? digits[group >> 6 & 63] : '=';
		*p++ = n > 2 ? digits[group & 63] : '=';
	}
	*p = '\0';
	return out;
}

static int value_of(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

ssize_t base64_get(const char *text, size_t len, uint8_t *out, size_t room)
{
	uint32_t group = 0;
	size_t have = 0, padding = 0, done = 0;

	for (size_t i = 0; i < len; i++) {
		const int value = value_of(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		/* A group with padding is the last one. */
		if (text[i] == '=' ? have < 2 : value < 0 || padding)
			return -1;
		padding += text[i] == '=';
		group = group << 6 | (uint32_t)MAX(value, 0);
		if (++have < 4)
			continue;
		for (size_t k = 0; k < 3 - padding; k++) {
			if (done == room)
				return -1;
			out[done++] = (uint8_t)(group >> (16 - 8 * k));
		}
		have = 0;
		group = 0;
	}
	return have == 0 ? (ssize_t)done : -1;
}
