/* Whom TLS trusts, and why not.
 * Doesn't know connections. */
#include "wire/tls_trust.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"

enum {
	KEY_FILE_MAX = 64 << 10,
	NAMES_ROOM = 100, /* for the names of a certificate in an error */
};

/* --- files ---------------------------------------------------------------------------------- */

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

/* --- names ---------------------------------------------------------------------------------- */

/* A subject alternative name as text, with what isn't fit for a line as '?'; false for a kind that
 * is no host's. */
static bool name_text(const GENERAL_NAME *name, char *out, size_t room)
{
	const ASN1_STRING *s = name->type == GEN_DNS	 ? name->d.dNSName
			       : name->type == GEN_IPADD ? name->d.iPAddress
							 : NULL;
	const unsigned char *bytes = s ? ASN1_STRING_get0_data(s) : NULL;
	const size_t len = s ? (size_t)ASN1_STRING_length(s) : 0;

	if (name->type == GEN_IPADD)
		return (len == 4 || len == 16) &&
		       inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, out, (socklen_t)room);
	for (size_t i = 0; i < MIN(len, room - 1); i++)
		out[i] = (char)(bytes[i] > ' ' && bytes[i] < 0x7f ? tolower(bytes[i]) : '?');
	out[MIN(len, room - 1)] = '\0';
	return s;
}

static GENERAL_NAMES *names_of(const X509 *cert)
{
	return X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
}

int tls_peer_name(const SSL *ssl, char name[static HOST_NAME_ROOM], struct error *err)
{
	X509 *cert = SSL_get1_peer_certificate(ssl);
	GENERAL_NAMES *names = cert ? names_of(cert) : NULL;
	char text[HOST_NAME_ROOM + 1] = ""; /* of a name too long, one character too many */
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
		found = name_text(sk_GENERAL_NAME_value(names, i), text, sizeof(text));
	GENERAL_NAMES_free(names);
	X509_free(cert);
	if (!found)
		return error_set(err, -EACCES,
				 "the certificate has no subject alternative name (DNS or IP): "
				 "nothing says whose it is");
	if (!host_name_is_good(text))
		return error_set(err, -EACCES,
				 "the certificate's first name, \"%.60s\", isn't a host's", text);
	memcpy(name, text, HOST_NAME_ROOM);
	return 0;
}

/* "a.example, 10.0.0.1" */
static void list_names(const X509 *cert, char *out, size_t room)
{
	GENERAL_NAMES *names = names_of(cert);
	size_t len = 0;

	*out = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && len < room; i++) {
		char name[HOST_NAME_ROOM];

		if (name_text(sk_GENERAL_NAME_value(names, i), name, sizeof(name)))
			len += (size_t)snprintf(out + len, room - len, "%s%s", len ? ", " : "",
						name);
	}
	GENERAL_NAMES_free(names);
	if (!*out)
		snprintf(out, room, "nobody (no subject alternative name)");
}

/* --- verdicts ------------------------------------------------------------------------------- */

static void time_text(time_t t, char out[static 24])
{
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, 24, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(out, 24, "?");
}

static int bad_time(const struct tls_parties *parties, const char *whose, const ASN1_TIME *limit,
		    const char *what, struct error *err)
{
	char limit_text[24] = "?", now_text[24];
	struct tm tm;

	if (limit && ASN1_TIME_to_tm(limit, &tm))
		time_text(timegm(&tm), limit_text);
	time_text((time_t)parties->now_s, now_text);
	return error_set(err, -EACCES, "%s %s %s; here it is %s", whose, what, limit_text,
			 now_text);
}

int tls_verdict(X509_STORE_CTX *store, const struct tls_parties *parties, struct error *err)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	const int verdict = X509_STORE_CTX_get_error(store);
	char whose[80], names[NAMES_ROOM];

	/* Who offers a key shows no certificate of a CA's; who answers with one doesn't know it. */
	if (parties->identity && parties->host)
		return error_set(err, -EACCES,
				 "the %s doesn't know the key of \"%.60s\": its --tls-psk lacks it",
				 parties->peer, parties->identity);
	if (X509_STORE_CTX_get_error_depth(store) == 0)
		snprintf(whose, sizeof(whose), "the %s's certificate", parties->peer);
	else
		snprintf(whose, sizeof(whose), "the certificate of the %s's CA", parties->peer);
	switch (verdict) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return error_set(err, -EACCES,
				 "the %s's certificate isn't signed by a CA of --tls-ca",
				 parties->peer);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return bad_time(parties, whose, cert ? X509_get0_notBefore(cert) : NULL,
				"isn't valid before", err);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return bad_time(parties, whose, cert ? X509_get0_notAfter(cert) : NULL,
				"has expired: it was valid until", err);
	case X509_V_ERR_INVALID_PURPOSE:
		return error_set(err, -EACCES, "%s is made for another use (extended key usage)",
				 whose);
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		if (cert)
			list_names(cert, names, sizeof(names));
		return error_set(err, -EACCES, "%s is for %s, not for \"%.60s\"", whose,
				 cert ? names : "others", parties->host);
	default:
		return error_set(err, -EACCES, "%s: %s", whose,
				 X509_verify_cert_error_string(verdict));
	}
}

/*
 * What a peer says of us by an alert: trying again is of no use. RFC 8446, 6.2; of OpenSSL, a
 * certificate that isn't valid yet, or has another's name, is "bad".
 */
static const char *alert_text(int alert)
{
	static const struct {
		int alert;
		const char *text;
	} alerts[] = {
		{SSL_AD_PROTOCOL_VERSION, "doesn't speak TLS 1.3"},
		{SSL_AD_HANDSHAKE_FAILURE, "wants other proof: a certificate, or a shared key?"},
		{SSL_AD_INSUFFICIENT_SECURITY, "wants other ciphers or keys"},
		{SSL_AD_CERTIFICATE_REQUIRED, "wants a certificate: --tls-cert"},
		{SSL_AD_UNKNOWN_CA, "doesn't know the CA of our --tls-cert: its --tls-ca lacks it"},
		{SSL_AD_CERTIFICATE_EXPIRED, "finds our --tls-cert expired, by its clock"},
		{SSL_AD_CERTIFICATE_REVOKED, "finds our --tls-cert revoked"},
		{SSL_AD_BAD_CERTIFICATE,
		 "finds our --tls-cert bad: for another name, or not valid yet by its clock"},
		{SSL_AD_UNSUPPORTED_CERTIFICATE,
		 "finds our --tls-cert made for another use (extended key usage)"},
		{SSL_AD_CERTIFICATE_UNKNOWN, "doesn't accept our --tls-cert"},
		{SSL_AD_ACCESS_DENIED, "denies access"},
		{SSL_AD_UNKNOWN_PSK_IDENTITY, "doesn't know our key: its --tls-psk lacks it"},
	};

	for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
		if (alerts[i].alert == alert)
			return alerts[i].text;
	return NULL;
}

/* The same to who offers a shared key. */
static int key_alert(const struct tls_parties *parties, int alert, struct error *err)
{
	switch (alert) {
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_UNKNOWN_PSK_IDENTITY:
		return error_set(err, -EACCES,
				 "the %s doesn't know the key of \"%.60s\": its --tls-psk lacks it",
				 parties->peer, parties->identity);
	case SSL_AD_ILLEGAL_PARAMETER: /* OpenSSL's; RFC 8446, 4.2.11 has the other */
	case SSL_AD_DECRYPT_ERROR:
		return error_set(err, -EACCES,
				 "the %s has another key for \"%.60s\" in its --tls-psk",
				 parties->peer, parties->identity);
	default:
		return 0;
	}
}

/* What we found ourselves in a handshake; NULL: something else. */
static const char *reason_text(int reason)
{
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
		return "doesn't speak TLS 1.3";
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_BAD_RECORD_TYPE:
		return "doesn't speak TLS";
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return "shows no certificate (--tls-cert)";
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_NO_SHARED_CIPHER:
		return "offers no key of --tls-psk, nor is there a --tls-cert that it takes";
	default:
		return NULL;
	}
}

/* Of a server whose client offered a key. */
static int key_reason(const struct tls_parties *parties, int reason, struct error *err)
{
	if (reason == SSL_R_BINDER_DOES_NOT_VERIFY)
		return error_set(err, -EACCES,
				 "the %s has another key for \"%.60s\" than --tls-psk",
				 parties->peer, parties->identity);
	return 0;
}

int tls_failed(const struct tls_parties *parties, int code, const char *what, struct error *err)
{
	const unsigned long e = ERR_get_error();
	const int reason = ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) : 0;
	const int alert = reason - SSL_AD_REASON_OFFSET;
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	const char *known = alert > 0 ? alert_text(alert) : reason_text(reason);
	int r = 0;

	ERR_clear_error();
	if (parties->identity)
		r = alert > 0 ? key_alert(parties, alert, err) : key_reason(parties, reason, err);
	if (r < 0)
		return r;
	if (known)
		return error_set(err, -EACCES, "the %s %s", parties->peer, known);
	return error_set(err, code, "%s: %s", what, text ? text : "failed");
}
