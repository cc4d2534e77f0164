/* Certificates of tests, by OpenSSL.
 * Doesn't know what they are tested with. */
#include "tests/lib/certmaker.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "tests/lib/scratch.h"

enum { MADE_MAX = 64 };

#define SINCE_2020 INT64_C(1577836800)
#define UNTIL_2100 INT64_C(4102444800)

static struct made {
	const char *id;
	X509 *cert; /* or */
	X509_CRL *crl;
	EVP_PKEY *key;
} made[MADE_MAX];
static size_t made_count;

static void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "certificates of a test: %s\n", what);
	abort();
}

static struct made *find(const char *id)
{
	for (size_t i = 0; i < made_count; i++)
		if (strcmp(made[i].id, id) == 0)
			return &made[i];
	need(false, id);
	return NULL;
}

static struct made *add(const char *id)
{
	need(made_count < MADE_MAX, "too many");
	made[made_count].id = id;
	return &made[made_count++];
}

static GENERAL_NAME *make_name(const char *kind, char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	const size_t len = strlen(text);
	unsigned char address[16];

	if (strcmp(kind, "IP") == 0) {
		const bool v4 = inet_pton(AF_INET, text, address) == 1;
		ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();

		need(v4 || inet_pton(AF_INET6, text, address) == 1, text);
		ASN1_OCTET_STRING_set(s, address, v4 ? 4 : 16);
		GENERAL_NAME_set0_value(name, GEN_IPADD, s);
		return name;
	}
	for (char *c = text; *c; c++)
		if (*c == '~')
			*c = '\0';
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	ASN1_STRING_set(s, text, (int)len);
	GENERAL_NAME_set0_value(name, strcmp(kind, "DNS") == 0 ? GEN_DNS : GEN_EMAIL, s);
	return name;
}

static void add_san(X509 *cert, const char *san)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char *copy = strdup(san), *rest = copy, *word;

	while ((word = strsep(&rest, ","))) {
		char *kind = strsep(&word, ":");

		sk_GENERAL_NAME_push(names, make_name(kind, word));
	}
	X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
	GENERAL_NAMES_free(names);
	free(copy);
}

static void add_text(X509 *cert, X509 *by, int nid, const char *text)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, by, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	need(extension, text);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static void set_subject(X509 *cert, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(cert);

	X509_NAME_add_entry_by_txt(name, *cn ? "CN" : "O", MBSTRING_ASC,
				   (const unsigned char *)(*cn ? cn : "Nameless"), -1, -1, 0);
}

void cert_make(const struct cert_spec *spec)
{
	static long serial;
	struct made *m = add(spec->id);
	const struct made *by = spec->by ? find(spec->by) : m;

	m->cert = X509_new();
	m->key = spec->rsa_bits ? EVP_RSA_gen((unsigned)spec->rsa_bits) : EVP_EC_gen("P-256");
	need(m->cert && m->key, "out of memory");
	X509_set_version(m->cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(m->cert), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(m->cert), spec->from_s ? spec->from_s : SINCE_2020);
	ASN1_TIME_set(X509_getm_notAfter(m->cert), spec->until_s ? spec->until_s : UNTIL_2100);
	set_subject(m->cert, spec->cn ? spec->cn : spec->id);
	X509_set_issuer_name(m->cert, X509_get_subject_name(by->cert));
	X509_set_pubkey(m->cert, m->key);
	add_text(m->cert, by->cert, NID_basic_constraints,
		 spec->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (spec->has_key_ids)
		add_text(m->cert, by->cert, NID_subject_key_identifier, "hash");
	if (spec->has_key_ids && spec->by)
		add_text(m->cert, by->cert, NID_authority_key_identifier, "keyid:always");
	if (spec->ku)
		add_text(m->cert, by->cert, NID_key_usage, spec->ku);
	if (spec->eku)
		add_text(m->cert, by->cert, NID_ext_key_usage, spec->eku);
	if (spec->san)
		add_san(m->cert, spec->san);
	need(X509_sign(m->cert, by->key, EVP_sha256()) > 0, spec->id);
}

void crl_make(const char *id, const char *by_id, const char *revoked, int64_t from_s,
	      int64_t until_s)
{
	const struct made *by = find(by_id);
	ASN1_TIME *time = ASN1_TIME_set(NULL, from_s ? from_s : SINCE_2020);
	X509_CRL *crl = X509_CRL_new();

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
	X509_CRL_set1_lastUpdate(crl, time);
	if (revoked) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(find(revoked)->cert));
		X509_REVOKED_set_revocationDate(entry, time);
		X509_CRL_add0_revoked(crl, entry);
	}
	ASN1_TIME_set(time, until_s ? until_s : UNTIL_2100);
	X509_CRL_set1_nextUpdate(crl, time);
	ASN1_TIME_free(time);
	need(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0, id);
	add(id)->crl = crl;
}

static void write_one(FILE *out, const char *word)
{
	const bool is_key = strncmp(word, "key:", 4) == 0, is_der = strncmp(word, "der:", 4) == 0;
	const struct made *m = NULL;

	for (size_t i = 0; i < made_count; i++)
		if (strcmp(made[i].id, is_key || is_der ? word + 4 : word) == 0)
			m = &made[i];
	if (!m)
		fprintf(out, "%s\n", word);
	else if (is_key)
		PEM_write_PKCS8PrivateKey(out, m->key, NULL, NULL, 0, NULL, NULL);
	else if (is_der)
		(void)!(m->cert ? i2d_X509_fp(out, m->cert) : i2d_X509_CRL_fp(out, m->crl));
	else if (m->cert)
		PEM_write_X509(out, m->cert);
	else
		PEM_write_X509_CRL(out, m->crl);
}

const char *cert_file(const char *name, const char *ids)
{
	const char *path = scratch_path(name);
	char *copy = strdup(ids), *rest = copy, *word;
	FILE *out = fopen(path, "w");

	need(out, path);
	while ((word = strsep(&rest, " ")))
		write_one(out, word);
	need(fchmod(fileno(out), 0600) == 0 && fclose(out) == 0, path);
	free(copy);
	return path;
}
