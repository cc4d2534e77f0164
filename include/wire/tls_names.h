/* Names and times in certificates, as text that is fit for a line. */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "base/hostname.h"

/* OpenSSL's SSL, X509, X509_NAME and ASN1_TIME, so that only files that use them need OpenSSL's
 * headers. */
struct ssl_st;
struct x509_st;
struct X509_name_st;
struct asn1_string_st;

enum {
	TLS_NAME_ROOM = 64,
	TLS_TIME_ROOM = 24,
};

/* The first subject alternative name (DNS, in lower case, without a dot at the end, or IP) of the
 * peer's certificate. Fails -EACCES if it has no such name, or one that no host can have. */
NODISCARD int tls_peer_name(const struct ssl_st *ssl, char name[static HOST_NAME_ROOM],
			    struct error *err);

/* All names of a certificate: "a.example, 10.0.0.1", or as many as there is room for. */
void tls_list_names(const struct x509_st *cert, char *out, size_t room);

/* The common name of an authority, or all of its name where it has none. Returns `out`. */
const char *tls_name_text(const struct X509_name_st *name, char out[static TLS_NAME_ROOM]);

/* "2026-12-01 04:00 UTC" */
void tls_time_text(time_t t, char out[static TLS_TIME_ROOM]);

/* The same for a time in a certificate. Returns seconds since 1970; or 0, with the text "?", where
 * `t` is no time. */
int64_t tls_asn1_time_text(const struct asn1_string_st *t, char out[static TLS_TIME_ROOM]);

#endif
