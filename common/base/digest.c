/* SHA-256 by OpenSSL.
 * Doesn't know what is hashed. */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct digester {
	EVP_MD *sha256; /* fetched once: asking for it by name each time costs more than a hash */
	EVP_MD_CTX *ctx;
	bool failed;
};

int digester_new(struct digester **d_ret, struct error *err)
{
	AUTO(digester_free) struct digester *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(err, -ENOMEM, "out of memory");
	d->ctx = EVP_MD_CTX_new();
	if (!d->ctx)
		return error_set(err, -ENOMEM, "out of memory for a digest");
	d->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!d->sha256)
		return error_set(err, -ENOTSUP, "OpenSSL has no SHA-256 here");
	*d_ret = TAKE_PTR(d);
	return 0;
}

void digester_free(struct digester *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->sha256);
	free(d);
}

void digester_begin(struct digester *d)
{
	d->failed = !EVP_DigestInit_ex2(d->ctx, d->sha256, NULL);
}

void digester_add(struct digester *d, const void *bytes, size_t size_bytes)
{
	d->failed |= !EVP_DigestUpdate(d->ctx, bytes, size_bytes);
}

int digester_end(struct digester *d, uint8_t digest_ret[static DIGEST_BYTES], struct error *err)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	d->failed |= !EVP_DigestFinal_ex(d->ctx, digest, &size);
	if (d->failed || size != DIGEST_BYTES)
		return error_set(err, -EIO, "OpenSSL could not make a digest");
	memcpy(digest_ret, digest, DIGEST_BYTES);
	return 0;
}

char *digest_hex(char out[static DIGEST_HEX_ROOM], const uint8_t digest[static DIGEST_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * DIGEST_BYTES] = '\0';
	return out;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int digest_parse(const char *hex, uint8_t digest_ret[static DIGEST_BYTES], struct error *err)
{
	uint8_t digest[DIGEST_BYTES];

	if (strlen(hex) != 2 * DIGEST_BYTES)
		return error_set(err, -EBADMSG, "no digest: not 64 hexadecimal digits");
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return error_set(err, -EBADMSG,
					 "no digest: not 64 lower-case hexadecimal digits");
		digest[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(digest_ret, digest, sizeof(digest));
	return 0;
}
