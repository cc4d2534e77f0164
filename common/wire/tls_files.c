/* Certificates, keys, authorities and lists of what was revoked, out of files.
 * Doesn't know connections, nor what a peer shows. */
#include "wire/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/secret.h"
#include "wire/tls_names.h"
#include "wire/transport.h"

enum {
	KEY_FILE_MAX = 64 << 10,
	PEM_FILE_MAX = 64 << 20, /* the CRLs of large authorities have some MiB */

	DER_FIRST_BYTE = 0x30, /* a SEQUENCE, which all of these files are. X.690, 8.9 */
};

/* The library's oldest reason that says more than which part of it has failed; NULL: none. */
static const char *take_reason(void)
{
	const char *text = NULL;
	unsigned long e;

	while (!text && (e = ERR_get_error())) {
		text = ERR_reason_error_string(e);
		if (text && strlen(text) > 4 && strcmp(text + strlen(text) - 4, " lib") == 0)
			text = NULL;
	}
	ERR_clear_error();
	return text;
}

/* That, as an error of a file of ours. */
static int bad_file(const char *path, const char *what, struct error *err)
{
	const char *text = take_reason();

	return error_set(err, -EINVAL, "%s: %s%s%s", path, what, text ? ": " : "",
			 text ? text : "");
}

/* --- PEM ------------------------------------------------------------------------------------ */

/* Nobody is there to be asked. */
static int no_password(char *buf UNUSED, int size UNUSED, int writing UNUSED, void *ctx UNUSED)
{
	return -1;
}

/* All of a file that others may read, too. */
static int read_file(const char *path, uint8_t **bytes_ret, size_t *size_bytes_ret,
		     struct error *err)
{
	/* A pipe blocks when it is opened, and can't be read another time. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FREE uint8_t *bytes = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is no regular file", path);
	if (st.st_size > PEM_FILE_MAX)
		return error_set(err, -EFBIG, "%s is longer than %d MiB", path, PEM_FILE_MAX >> 20);
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	n = io_read_full(fd, bytes, (size_t)st.st_size);
	if (n < 0)
		return error_set(err, (int)n, "%s: %s", path, strerror((int)-n));
	bytes[n] = '\0';
	*bytes_ret = TAKE_PTR(bytes);
	*size_bytes_ret = (size_t)n;
	return 0;
}

/* Without a line of PEM in it. `kind`: "certificate"; `tool`: of openssl, which converts it. */
static int no_pem(const char *path, bool binary, const char *kind, const char *tool,
		  struct error *err)
{
	ERR_clear_error();
	if (binary)
		return error_set(
			err, -EINVAL,
			"%s: no %s in PEM, but binary data: openssl %s -inform der -in %s converts "
			"DER",
			path, kind, tool, path);
	return error_set(err, -EINVAL, "%s: no %s in PEM", path, kind);
}

/* The contents of a file in PEM, in their order; fails where none is of the kind that is wanted. */
static int read_pem(const char *path, bool want_crl, STACK_OF(X509_INFO) * *items_ret,
		    struct error *err)
{
	STACK_OF(X509_INFO) *items = NULL;
	uint8_t *bytes = NULL;
	size_t size_bytes = 0;
	bool found = false, binary;
	BIO *bio;
	int r = read_file(path, &bytes, &size_bytes, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(bytes, (int)size_bytes);
	if (bio)
		items = PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL);
	BIO_free(bio);
	binary = size_bytes && *bytes == DER_FIRST_BYTE;
	secret_free(bytes, size_bytes); /* a key may be in the same file */
	if (!items)
		return bad_file(path, "is damaged", err);
	for (int i = 0; i < sk_X509_INFO_num(items) && !found; i++) {
		const X509_INFO *item = sk_X509_INFO_value(items, i);

		found = want_crl ? item->crl != NULL : item->x509 != NULL;
	}
	if (!found) {
		sk_X509_INFO_pop_free(items, X509_INFO_free);
		return no_pem(path, binary, want_crl ? "CRL" : "certificate",
			      want_crl ? "crl" : "x509", err);
	}
	*items_ret = items;
	return 0;
}

/* --- whom to trust -------------------------------------------------------------------------- */

/* A CRL of a CA that is known has to be that CA's. One of another CA may be for an intermediate one
 * that peers bring along. */
static int check_crl(X509_STORE *store, X509_CRL *crl, const char *path, struct error *err)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	const X509_NAME *issuer = X509_CRL_get_issuer(crl);
	char name[TLS_NAME_ROOM];
	bool known = false;

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (!ca || X509_NAME_cmp(X509_get_subject_name(ca), issuer) != 0)
			continue;
		known = true;
		if (X509_CRL_verify(crl, X509_get0_pubkey(ca)) == 1)
			return 0;
	}
	ERR_clear_error();
	return known ? error_set(err, -EINVAL,
				 "%s: the CRL of \"%s\" isn't signed by the CA of that name in "
				 "--tls-ca",
				 path, tls_name_text(issuer, name))
		     : 0;
}

/* The CRLs among these; `count` of them is counted on. */
static int add_crls(SSL_CTX *ctx, const char *path, const STACK_OF(X509_INFO) * items, int *count,
		    struct error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	for (int i = 0; i < sk_X509_INFO_num(items); i++) {
		X509_CRL *crl = sk_X509_INFO_value(items, i)->crl;
		int r;

		if (!crl)
			continue;
		r = check_crl(store, crl, path, err);
		if (r < 0)
			return r;
		if (X509_STORE_add_crl(store, crl) != 1)
			return bad_file(path, "a CRL can't be used", err);
		++*count;
	}
	return 0;
}

static int add_authorities(SSL_CTX *ctx, const char *path, const STACK_OF(X509_INFO) * items,
			   struct error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	for (int i = 0; i < sk_X509_INFO_num(items); i++) {
		X509 *cert = sk_X509_INFO_value(items, i)->x509;

		if (cert && X509_STORE_add_cert(store, cert) != 1)
			return bad_file(path, "a certificate can't be used", err);
	}
	return 0;
}

/* CRLs may stand among the authorities, too. */
static int load_trust(SSL_CTX *ctx, const struct tls_files *files, struct error *err)
{
	/* An intermediate CA that is named here is trusted, whoever signed it. */
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
	STACK_OF(X509_INFO) *cas = NULL, *crls = NULL;
	int crl_count = 0;
	int r = read_pem(files->ca, false, &cas, err);

	if (r == 0)
		r = add_authorities(ctx, files->ca, cas, err);
	if (r == 0)
		r = add_crls(ctx, files->ca, cas, &crl_count, err);
	if (r == 0 && files->crl)
		r = read_pem(files->crl, true, &crls, err);
	if (r == 0 && files->crl)
		r = add_crls(ctx, files->crl, crls, &crl_count, err);
	if (crl_count)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	if (r == 0 && X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), flags) != 1)
		r = error_set(err, -ENOMEM, "out of memory for TLS");
	sk_X509_INFO_pop_free(cas, X509_INFO_free);
	sk_X509_INFO_pop_free(crls, X509_INFO_free);
	return r;
}

/* --- who we are ----------------------------------------------------------------------------- */

/* The file is right, but the library would take such a certificate from no peer, either. */
static int refused(const char *path, const X509 *cert, struct error *err)
{
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	char name[TLS_NAME_ROOM], what[TLS_NAME_ROOM + 80];

	snprintf(what, sizeof(what), "OpenSSL refuses the certificate of \"%s\", a key of %d bits",
		 tls_name_text(X509_get_subject_name(cert), name),
		 key ? EVP_PKEY_get_bits(key) : 0);
	return bad_file(path, what, err);
}

/* Ours is the first; the others lead up to a CA. */
static int load_own(SSL_CTX *ctx, const char *path, struct error *err)
{
	STACK_OF(X509_INFO) * items;
	bool first = true;
	int r = read_pem(path, false, &items, err);

	if (r < 0)
		return r;
	for (int i = 0; i < sk_X509_INFO_num(items) && r == 0; i++) {
		X509 *cert = sk_X509_INFO_value(items, i)->x509;

		if (!cert)
			continue;
		if (first ? SSL_CTX_use_certificate(ctx, cert) != 1
			  : SSL_CTX_add1_chain_cert(ctx, cert) != 1)
			r = refused(path, cert, err);
		first = false;
	}
	sk_X509_INFO_pop_free(items, X509_INFO_free);
	return r;
}

/* Which of the other certificates it is the key of; 0: none. */
static int dumpdir_of_key(SSL_CTX *ctx, const EVP_PKEY *key)
{
	STACK_OF(X509) *chain = NULL;

	SSL_CTX_get0_chain_certs(ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++)
		if (X509_check_private_key(sk_X509_value(chain, i), key) == 1)
			return i + 2;
	return 0;
}

static int use_key(SSL_CTX *ctx, EVP_PKEY *key, const struct tls_files *files, struct error *err)
{
	int place;

	if (X509_check_private_key(SSL_CTX_get0_certificate(ctx), key) != 1) {
		place = dumpdir_of_key(ctx, key);
		ERR_clear_error();
		if (place)
			return error_set(err, -EINVAL,
					 "%s: our own certificate has to be the first: %s is the "
					 "key of number %d",
					 files->cert, files->key, place);
		return error_set(err, -EINVAL, "%s: isn't the key of the certificate in %s",
				 files->key, files->cert);
	}
	return SSL_CTX_use_PrivateKey(ctx, key) == 1
		       ? 0
		       : bad_file(files->key, "OpenSSL refuses the key", err);
}

static int load_key(SSL_CTX *ctx, const struct tls_files *files, struct error *err)
{
	uint8_t *text;
	size_t size_bytes;
	EVP_PKEY *key;
	BIO *bio;
	int r = secret_read(files->key, KEY_FILE_MAX, &text, &size_bytes, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)size_bytes);
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	if (key)
		r = use_key(ctx, key, files, err);
	else if (strstr((char *)text, "ENCRYPTED"))
		r = bad_file(files->key, "is protected by a password: remove it (openssl pkey)",
			     err);
	else if (strstr((char *)text, "PRIVATE KEY-----"))
		r = bad_file(files->key, "is damaged", err);
	else
		r = no_pem(files->key, size_bytes && *text == DER_FIRST_BYTE, "private key", "pkey",
			   err);
	EVP_PKEY_free(key);
	BIO_free(bio);
	secret_free(text, size_bytes);
	return r;
}

int tls_files_load(SSL_CTX *ctx, const struct tls_files *files, struct error *err)
{
	int r;

	if (!files->cert || !files->key || !files->ca)
		return error_set(err, -EINVAL,
				 "it needs --tls-cert, --tls-key and --tls-ca, or --tls-psk");
	r = load_trust(ctx, files, err);
	if (r == 0)
		r = load_own(ctx, files->cert, err);
	return r == 0 ? load_key(ctx, files, err) : r;
}

/* --- time ----------------------------------------------------------------------------------- */

/* Whether a time has passed; false where there is none. Its text is written in any case. */
static bool is_over(const ASN1_TIME *limit, int64_t now_s, char text[static TLS_TIME_ROOM])
{
	const int64_t limit_s = tls_asn1_time_text(limit, text);

	return limit && limit_s < now_s;
}

static int check_own(const SSL_CTX *ctx, int64_t now_s, struct error *err)
{
	X509 *cert = SSL_CTX_get0_certificate(ctx);
	char limit[TLS_TIME_ROOM];

	if (!cert)
		return 0;
	if (is_over(X509_get0_notAfter(cert), now_s, limit))
		return error_set(err, -EINVAL,
				 "our --tls-cert has expired: it was valid until %s; peers won't "
				 "trust us",
				 limit);
	if (!is_over(X509_get0_notBefore(cert), now_s + 1, limit))
		return error_set(err, -EINVAL,
				 "our --tls-cert isn't valid before %s; peers won't trust us",
				 limit);
	if (X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0) != 1)
		return error_set(err, -EINVAL,
				 "our --tls-cert is made for another use than a server's (extended "
				 "key usage); peers won't trust us");
	return 0;
}

/* An authority, or its CRL. */
static int check_object(const X509_OBJECT *object, int64_t now_s, struct error *err)
{
	X509 *ca = X509_OBJECT_get0_X509(object);
	X509_CRL *crl = X509_OBJECT_get0_X509_CRL((X509_OBJECT *)(uintptr_t)object);
	char limit[TLS_TIME_ROOM], name[TLS_NAME_ROOM];

	if (ca && is_over(X509_get0_notAfter(ca), now_s, limit))
		return error_set(err, -EINVAL,
				 "the CA \"%s\" of --tls-ca has expired: it was valid until %s",
				 tls_name_text(X509_get_subject_name(ca), name), limit);
	if (crl && is_over(X509_CRL_get0_nextUpdate(crl), now_s, limit))
		return error_set(err, -EINVAL,
				 "the CRL of \"%s\" is out of date: it was valid until %s; nobody "
				 "of that CA is let in until there is a newer one",
				 tls_name_text(X509_CRL_get_issuer(crl), name), limit);
	return 0;
}

int tls_files_check(const SSL_CTX *ctx, int64_t now_s, struct error *err)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	int r = check_own(ctx, now_s, err);

	for (int i = 0; i < sk_X509_OBJECT_num(objects) && r == 0; i++)
		r = check_object(sk_X509_OBJECT_value(objects, i), now_s, err);
	return r;
}

void tls_files_stamp(const struct tls_files *files, struct tls_stamp *stamp_ret)
{
	const char *const paths[TLS_FILE_COUNT] = {files->cert, files->key, files->ca, files->crl,
						   files->psk};

	memset(stamp_ret, 0, sizeof(*stamp_ret)); /* they are compared byte by byte */
	for (size_t i = 0; i < TLS_FILE_COUNT; i++) {
		struct tls_stamp_of *of = &stamp_ret->files[i];
		struct stat st;

		if (!paths[i] || stat(paths[i], &st) < 0)
			continue;
		*of = (struct tls_stamp_of){
			st.st_dev,	    st.st_ino,	       st.st_size,	  st.st_mtim.tv_sec,
			st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec};
	}
}
