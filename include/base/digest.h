/* SHA-256, in pieces. */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	DIGEST_BYTES = 32,
	DIGEST_HEX_ROOM = 2 * DIGEST_BYTES + 1,
};

struct digester; /* one at a time for each thread */

/* Gives a digester. Fails -ENOMEM, or -ENOTSUP where the library has no SHA-256. */
NODISCARD int digester_new(struct digester **d_ret, struct error *err);
void digester_free(struct digester *d);
DEFINE_AUTO(struct digester, digester_free)

/* The order of calls is begin, add …, end. A failure of any of them is returned by the end
 * (-EIO). */
void digester_begin(struct digester *d);
void digester_add(struct digester *d, const void *bytes, size_t size_bytes);
NODISCARD int digester_end(struct digester *d, uint8_t digest_ret[static DIGEST_BYTES],
			   struct error *err);

/* Lower-case hexadecimal, with a NUL; returns `out`. */
char *digest_hex(char out[static DIGEST_HEX_ROOM], const uint8_t digest[static DIGEST_BYTES]);

/* The other way round. Fails -EBADMSG unless `hex` is exactly such a text. */
NODISCARD int digest_parse(const char *hex, uint8_t digest_ret[static DIGEST_BYTES],
			   struct error *err);

#endif
