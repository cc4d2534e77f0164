/* Verdicts of TLS: plain words for the reason why a peer isn't trusted. */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* OpenSSL's types, so that only files that use them need OpenSSL's headers. */
struct ssl_st;
struct x509_store_ctx_st;

/* The parties of a connection, as errors name them. */
struct tls_parties {
	const char *peer;     /* "server" or "client" */
	const char *host;     /* the name that the server has to prove; NULL on the server's side */
	const char *identity; /* of a shared key that is offered; NULL: none is */
	int64_t now_s;	      /* the time at which certificates are judged */
	struct ssl_st *ssl;   /* with our own certificate */
};

/*
 * Whether a verification goes on in spite of this verdict. Where there are CRLs, the CA of the
 * peer's own certificate must have a CRL; the CAs above it may have none, but a CRL that they have
 * counts. A certificate that stands in --tls-ca itself needs none.
 */
bool tls_may_pass(struct x509_store_ctx_st *store);

/* Why a certificate isn't trusted: -EACCES. For a callback of SSL_set_verify(). */
int tls_verdict(struct x509_store_ctx_st *store, const struct tls_parties *parties,
		struct error *err);

/* Make an error of the library's oldest error, which is then removed from its queue. Returns
 * `code`, or -EACCES where trying again is of no use. */
int tls_failed(const struct tls_parties *parties, int code, const char *what, struct error *err);

#endif
