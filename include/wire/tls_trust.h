/* Verdicts of TLS: in plain words, why there is no trust. */
#ifndef TLS_TRUST_H
#define TLS_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* OpenSSL's, which only its users have to know. */
struct ssl_st;
struct x509_store_ctx_st;

/* What is spoken of in errors. */
struct tls_parties {
	const char *peer;     /* "server" or "client" */
	const char *host;     /* whom the server has to be; NULL on the server's side */
	const char *identity; /* of a shared key that is offered; NULL: none is */
	int64_t now_s;	      /* the time at which certificates are judged */
	struct ssl_st *ssl;   /* with our own certificate */
};

/*
 * Whether a verification goes on in spite of this verdict. Where there are CRLs, the peer's own
 * certificate has to be one of a CA that has a CRL; the CAs above are held to the CRLs that there
 * are. A certificate that stands in --tls-ca itself needs none.
 */
bool tls_may_pass(struct x509_store_ctx_st *store);

/* Why a certificate isn't trusted: -EACCES. For a callback of SSL_set_verify(). */
int tls_verdict(struct x509_store_ctx_st *store, const struct tls_parties *parties,
		struct error *err);

/* The library's oldest error, which is then forgotten: `code`, or -EACCES where trying again is of
 * no use. */
int tls_failed(const struct tls_parties *parties, int code, const char *what, struct error *err);

#endif
