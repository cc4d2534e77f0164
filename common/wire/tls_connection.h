/* A connection by TLS: what its client (tls_client.c) and its server (tls_server.c) share. */
#ifndef TLS_CONNECTION_H
#define TLS_CONNECTION_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/shared_keys.h"
#include "wire/tls_trust.h"
#include "wire/transport.h"

struct tls {
	struct transport t;
	int fd;
	SSL_CTX *ctx; /* of a client; a server's is shared */
	SSL *ssl;
	BIO *out;		      /* records that wait to be sent; owned by ssl */
	size_t out_off;		      /* of them, what was sent */
	uint64_t keyed_bytes;	      /* that were sent with the present key */
	struct shared_keys keys;      /* of a client */
	const struct shared_key *key; /* offered, or found by the server; NULL: none */
	char unknown[64];	      /* an identity that the client offers, and we don't know */
	struct tls_parties parties;
	struct error verdict; /* on the peer's certificate; code 0: none */
	struct error failure; /* of receiving, to be told next; code 0: none */
};

/* For TLS 1.3, and with no state that outlives a connection; `psk`: with shared keys alone. NULL
 * without memory. */
SSL_CTX *tls_ctx_new(const SSL_METHOD *method, bool psk);

/* A connection that has no socket yet. It is a transport, whose ops end with tls_free(). */
NODISCARD int tls_new(SSL_CTX *ctx, const char *peer, struct tls **tls_ret, struct error *err);
void tls_free(struct transport *t);

/* Takes fd, also where it fails. */
NODISCARD int tls_use_socket(struct tls *tls, int fd, struct error *err);

/* Shake hands until clock_ms() is `until_ms`. Fails as stop_check() of `stop`, -ETIMEDOUT, or with
 * why the two sides don't come together. */
NODISCARD int tls_handshake(struct tls *tls, uint64_t until_ms, const struct stop *stop,
			    struct error *err);

/* A session that was never had, with the shared key as its secret; the key is the session's datum
 * of index tls_key_index(), by which it is known for the one that was agreed on. NULL without
 * memory. */
SSL_SESSION *tls_psk_session(SSL *ssl, const struct shared_key *key);
int tls_key_index(void);

/* The library's callback on a certificate. */
int tls_on_verdict(int good, X509_STORE_CTX *store);

#endif
