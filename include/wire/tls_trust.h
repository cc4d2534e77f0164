/* Certificates and verdicts of TLS: our own, the peer's, and in plain words why there is no trust.
 * */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdint.h>

#include "base/error.h"
#include "base/hostname.h"

/* OpenSSL's SSL_CTX, SSL and X509_STORE_CTX, which only its users have to know. */
struct ssl_ctx_st;
struct ssl_st;
struct x509_store_ctx_st;

/* Files in PEM: our certificate (with what leads up to a CA), its key, and the CAs of peers. Fails
 * with the file's name and what is wrong with it. */
NODISCARD int tls_load_certificates(struct ssl_ctx_st *ctx, const char *cert, const char *key,
				    const char *ca, struct error *err);

/* What is spoken of in errors. */
struct tls_parties {
	const char *peer;     /* "server" or "client" */
	const char *host;     /* whom the server has to be; NULL on the server's side */
	const char *identity; /* of a shared key that is offered; NULL: none is */
	int64_t now_s;	      /* the time at which certificates are judged */
};

/* Why a certificate isn't trusted: -EACCES. For a callback of SSL_set_verify(). */
int tls_verdict(struct x509_store_ctx_st *store, const struct tls_parties *parties,
		struct error *err);

/* The library's oldest error, which is then forgotten: `code`, or -EACCES where trying again is of
 * no use. */
int tls_failed(const struct tls_parties *parties, int code, const char *what, struct error *err);

/* The first subject alternative name (DNS, in lower case, or IP) of the peer's certificate. Fails
 * -EACCES if there is none, or one that is no host's name. */
NODISCARD int tls_peer_name(const struct ssl_st *ssl, char name[static HOST_NAME_ROOM],
			    struct error *err);

#endif
