/* Why TLS doesn't trust a peer, or a peer us.
 * Doesn't know connections. */
#include "wire/tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "wire/tls_names.h"

enum {
	NAMES_ROOM = 100, /* for the names of a certificate in an error */
};

static int bad_time(const struct tls_parties *parties, const char *whose, const ASN1_TIME *limit,
		    const char *what, struct error *err)
{
	char limit_text[24] = "?", now_text[24];
	struct tm tm;

	if (limit && ASN1_TIME_to_tm(limit, &tm))
		tls_time_text(timegm(&tm), limit_text);
	tls_time_text((time_t)parties->now_s, now_text);
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
			tls_list_names(cert, names, sizeof(names));
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
