/* Names and times in certificates, as text that is fit for a line. */
#ifndef TLS_NAMES_H
#define TLS_NAMES_H

#include <stddef.h>
#include <time.h>

#include "base/error.h"
#include "base/hostname.h"

/* OpenSSL's SSL and X509, which only its users have to know. */
struct ssl_st;
struct x509_st;

/* The first subject alternative name (DNS, in lower case, or IP) of the peer's certificate. Fails
 * -EACCES if there is none, or one that is no host's name. */
NODISCARD int tls_peer_name(const struct ssl_st *ssl, char name[static HOST_NAME_ROOM],
			    struct error *err);

/* All of them: "a.example, 10.0.0.1", or as much as there is room for. */
void tls_list_names(const struct x509_st *cert, char *out, size_t room);

/* "2026-12-01 04:00 UTC" */
void tls_time_text(time_t t, char out[static 24]);

#endif
