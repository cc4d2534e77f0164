/* Why TLS doesn't trust a peer, or a peer us.
 * Doesn't know connections. */
#include "wire/tls_trust.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "wire/tls_names.h"

enum {
	NAMES_ROOM = 100, /* for the names of a certificate in an error */
};

static int bad_time(const struct tls_parties *parties, const char *whose, const ASN1_TIME *limit,
		    const char *what, struct error *err)
{
	char limit_text[TLS_TIME_ROOM], now_text[TLS_TIME_ROOM];

	(void)tls_asn1_time_text(limit, limit_text);
	tls_time_text((time_t)parties->now_s, now_text);
	return error_set(err, -EACCES, "%s %s %s; here it is %s", whose, what, limit_text,
			 now_text);
}

/* --- no way up to a CA ---------------------------------------------------------------------- */

static bool has_authority(X509_STORE *store, const X509_NAME *name)
{
	const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509 *ca = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));

		if (ca && X509_NAME_cmp(X509_get_subject_name(ca), name) == 0)
			return true;
	}
	return false;
}

/* `top`: of the certificates that the peer has shown, the last one on the way up. */
static int no_authority(X509_STORE_CTX *store, const X509 *top, const char *peer, struct error *err)
{
	const X509_NAME *issuer = top ? X509_get_issuer_name(top) : NULL;
	char name[TLS_NAME_ROOM], why[200] = "";

	if (!top)
		;
	else if (X509_NAME_cmp(X509_get_subject_name(top), issuer) == 0)
		snprintf(why, sizeof(why), ": \"%s\" is signed by itself",
			 tls_name_text(issuer, name));
	else if (has_authority(X509_STORE_CTX_get0_store(store), issuer))
		snprintf(why, sizeof(why),
			 ": \"%s\" signed it, and the CA of that name there has another key",
			 tls_name_text(issuer, name));
	else if (sk_X509_num(X509_STORE_CTX_get0_untrusted(store)) < 2)
		snprintf(why, sizeof(why),
			 ": \"%s\" signed it; if that is an intermediate CA, the %s's --tls-cert "
			 "lacks its certificate",
			 tls_name_text(issuer, name), peer);
	else
		snprintf(why, sizeof(why), ": the %s's certificates lead up to \"%s\"", peer,
			 tls_name_text(issuer, name));
	return error_set(err, -EACCES, "the %s's certificate isn't signed by a CA of --tls-ca%s",
			 peer, why);
}

/* --- what was revoked ----------------------------------------------------------------------- */

static bool is_about_crl(int verdict)
{
	switch (verdict) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
	case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
	case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
		return true;
	default:
		return false;
	}
}

bool tls_may_pass(X509_STORE_CTX *store)
{
	const int verdict = X509_STORE_CTX_get_error(store);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);

	if (verdict != X509_V_ERR_UNABLE_TO_GET_CRL &&
	    verdict != X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER)
		return false;
	return X509_STORE_CTX_get_error_depth(store) > 0 ||
	       (cert && X509_get_extension_flags(cert) & EXFLAG_SS);
}

static int crl_verdict(X509_STORE_CTX *store, const struct tls_parties *parties, const X509 *cert,
		       int verdict, struct error *err)
{
	const X509_CRL *crl = X509_STORE_CTX_get0_current_crl(store);
	char name[TLS_NAME_ROOM] = "?", whose[TLS_NAME_ROOM + 32];

	if (cert)
		tls_name_text(X509_get_issuer_name(cert), name);
	snprintf(whose, sizeof(whose), "the CRL of \"%s\" here", name);
	switch (verdict) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
		return error_set(err, -EACCES,
				 "the %s's certificate is signed by \"%s\", of which there is no "
				 "CRL here: --tls-crl needs one of each CA that signs",
				 parties->peer, name);
	case X509_V_ERR_CRL_NOT_YET_VALID:
		return bad_time(parties, whose, crl ? X509_CRL_get0_lastUpdate(crl) : NULL,
				"isn't valid before", err);
	case X509_V_ERR_CRL_HAS_EXPIRED:
		return bad_time(parties, whose, crl ? X509_CRL_get0_nextUpdate(crl) : NULL,
				"is out of date: it was valid until", err);
	default:
		return error_set(err, -EACCES, "%s can't be used: %s", whose,
				 X509_verify_cert_error_string(verdict));
	}
}

/* "was revoked by "ca" on 2026-12-01 04:00 UTC" */
static int revoked(X509_STORE_CTX *store, X509 *cert, const char *whose, struct error *err)
{
	X509_CRL *crl = X509_STORE_CTX_get0_current_crl(store);
	char name[TLS_NAME_ROOM] = "?", since[TLS_TIME_ROOM] = "?";
	X509_REVOKED *entry = NULL;

	if (crl && cert && X509_CRL_get0_by_cert(crl, &entry, cert) > 0)
		(void)tls_asn1_time_text(X509_REVOKED_get0_revocationDate(entry), since);
	if (cert)
		tls_name_text(X509_get_issuer_name(cert), name);
	return error_set(err, -EACCES, "%s was revoked by \"%s\" on %s", whose, name, since);
}

/* --- verdicts ------------------------------------------------------------------------------- */

static int cert_verdict(X509_STORE_CTX *store, const struct tls_parties *parties, int verdict,
			struct error *err)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	char whose[80], names[NAMES_ROOM];

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
		return no_authority(store, cert, parties->peer, err);
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return error_set(err, -EACCES,
				 "%s isn't signed by the CA of --tls-ca that has its CA's name",
				 whose);
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return bad_time(parties, whose, cert ? X509_get0_notBefore(cert) : NULL,
				"isn't valid before", err);
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return bad_time(parties, whose, cert ? X509_get0_notAfter(cert) : NULL,
				"has expired: it was valid until", err);
	case X509_V_ERR_CERT_REVOKED:
		return revoked(store, cert, whose, err);
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

int tls_verdict(X509_STORE_CTX *store, const struct tls_parties *parties, struct error *err)
{
	const int verdict = X509_STORE_CTX_get_error(store);

	/* Who offers a key shows no certificate of a CA's; who answers with one doesn't know it. */
	if (parties->identity && parties->host)
		return error_set(err, -EACCES,
				 "the %s doesn't know the key of \"%.60s\": its --tls-psk lacks it",
				 parties->peer, parties->identity);
	if (!is_about_crl(verdict))
		return cert_verdict(store, parties, verdict, err);
	crl_verdict(store, parties, X509_STORE_CTX_get_current_cert(store), verdict, err);
	/* The alert would call the peer's certificate expired, or its CA unknown, because of a CRL
	   of ours. Of this one the library only says that the certificate isn't accepted. */
	X509_STORE_CTX_set_error(store, X509_V_ERR_CRL_PATH_VALIDATION_ERROR);
	return err->code;
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
		{SSL_AD_CERTIFICATE_EXPIRED, "finds our --tls-cert expired, by its clock"},
		{SSL_AD_CERTIFICATE_REVOKED, "finds our --tls-cert revoked"},
		{SSL_AD_BAD_CERTIFICATE,
		 "finds our --tls-cert bad: for another name, not valid yet by its clock, or too "
		 "weak in its key or signature"},
		{SSL_AD_UNSUPPORTED_CERTIFICATE,
		 "finds our --tls-cert made for another use (extended key usage)"},
		{SSL_AD_CERTIFICATE_UNKNOWN, "doesn't accept our --tls-cert: its log says why"},
		{SSL_AD_DECRYPT_ERROR,
		 "finds a signature wrong: another CA in its --tls-ca may have "
		 "the name of the one that signed our --tls-cert"},
		{SSL_AD_ACCESS_DENIED, "denies access"},
		{SSL_AD_UNKNOWN_PSK_IDENTITY, "doesn't know our key: its --tls-psk lacks it"},
	};

	for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
		if (alerts[i].alert == alert)
			return alerts[i].text;
	return NULL;
}

/* The fault may be ours: our file has to lead up to a CA that the peer knows. */
static int unknown_authority(const struct tls_parties *parties, struct error *err)
{
	const X509 *top = SSL_get_certificate(parties->ssl);
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(parties->ssl));
	STACK_OF(X509) *chain = NULL;
	const X509_NAME *issuer;
	char name[TLS_NAME_ROOM];
	bool leads_up;

	if (!top)
		return error_set(err, -EACCES, "the %s doesn't know our CA", parties->peer);
	(void)SSL_get0_chain_certs(parties->ssl, &chain);
	if (sk_X509_num(chain) > 0)
		top = sk_X509_value(chain, sk_X509_num(chain) - 1);
	issuer = X509_get_issuer_name(top);
	leads_up = X509_NAME_cmp(X509_get_subject_name(top), issuer) == 0 ||
		   has_authority(store, issuer);
	tls_name_text(issuer, name);
	return leads_up ? error_set(err, -EACCES,
				    "the %s doesn't know the CA of our --tls-cert, \"%s\": its "
				    "--tls-ca lacks it",
				    parties->peer, name)
			: error_set(
				  err, -EACCES,
				  "the %s doesn't know the CA of our --tls-cert, \"%s\": if that "
				  "is an intermediate CA, our file lacks its certificate; else the "
				  "%s's --tls-ca does",
				  parties->peer, name, parties->peer);
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
	if (alert == SSL_AD_UNKNOWN_CA && parties->ssl)
		return unknown_authority(parties, err);
	if (known)
		return error_set(err, -EACCES, "the %s %s", parties->peer, known);
	return error_set(err, code, "%s: %s", what, text ? text : "failed");
}
