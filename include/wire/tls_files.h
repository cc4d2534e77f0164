/* The files of TLS: our certificate and its key, and whom to trust. */
#ifndef TLS_FILES_H
#define TLS_FILES_H

#include "base/error.h"

/* OpenSSL's SSL_CTX, which only its users have to know. */
struct ssl_ctx_st;

/* Files in PEM: our certificate (with what leads up to a CA), its key, and the CAs of peers. Fails
 * with the file's name and what is wrong with it. */
NODISCARD int tls_load_certificates(struct ssl_ctx_st *ctx, const char *cert, const char *key,
				    const char *ca, struct error *err);

#endif
