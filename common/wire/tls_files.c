/* Certificates, keys and authorities out of files.
 * Doesn't know connections, nor what a peer shows. */
#include "wire/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

enum {
	KEY_FILE_MAX = 64 << 10,
};

/* The library's reason, as an error of a file of ours. */
static int bad_file(const char *path, const char *what, struct error *err)
{
	const unsigned long e = ERR_get_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return error_set(err, -EINVAL, "%s: %s%s%s", path, what, text ? ": " : "",
			 text ? text : "");
}

/* The library's error for a file that isn't there has no text. */
static int judge_readable(const char *path, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? error_sys(err, "%s", path) : 0;
}

/* Nobody is there to be asked. */
static int no_password(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *ctx UNUSED)
{
	return -1;
}

static int load_key(SSL_CTX *ctx, const char *path, struct error *err)
{
	uint8_t *text;
	size_t size_bytes;
	EVP_PKEY *key;
	BIO *bio;
	int r = secret_read(path, KEY_FILE_MAX, &text, &size_bytes, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)size_bytes);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	if (!key)
		r = bad_file(path,
			     strstr((char *)text, "ENCRYPTED")
				     ? "is protected by a password: remove it (openssl pkey)"
				     : "no private key in PEM",
			     err);
	else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		r = bad_file(path, "isn't the key of the certificate", err);
	EVP_PKEY_free(key);
	BIO_free(bio);
	secret_free(text, size_bytes);
	return r;
}

int tls_load_certificates(SSL_CTX *ctx, const char *cert, const char *key, const char *ca,
			  struct error *err)
{
	int r;

	if (!cert || !key || !ca)
		return error_set(err, -EINVAL,
				 "it needs --tls-cert, --tls-key and --tls-ca, or --tls-psk");
	r = judge_readable(ca, err);
	if (r == 0)
		r = judge_readable(cert, err);
	if (r < 0)
		return r;
	if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		return bad_file(ca, "no certificate in PEM", err);
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return bad_file(cert, "no certificate in PEM", err);
	return load_key(ctx, key, err);
}
