/* The files of TLS: our certificate and its key, the authorities to trust, and the revoked
 * certificates. */
#ifndef TLS_FILES_H
#define TLS_FILES_H

#include <stdint.h>

#include "base/error.h"

/* OpenSSL's SSL_CTX, so that only files that use it need OpenSSL's headers. */
struct ssl_ctx_st;
struct tls_files;

/*
 * Certificate, key, authorities and CRLs of `files`. Where there is a CRL, a peer is trusted only
 * if its CA has a CRL, too. Fails with the file's name and what is wrong with it.
 */
NODISCARD int tls_files_load(struct ssl_ctx_st *ctx, const struct tls_files *files,
			     struct error *err);

/* Whether a server's certificate, CAs and CRLs are valid at that time: fails -EINVAL, and the error
 * names the first that isn't. */
NODISCARD int tls_files_check(const struct ssl_ctx_st *ctx, int64_t now_s, struct error *err);

enum { TLS_FILE_COUNT = 5 };

/* The state of files: it differs where one was replaced, or written to. */
struct tls_stamp {
	struct tls_stamp_of {
		uint64_t device, inode;
		int64_t size_bytes, written_s, written_ns, changed_s, changed_ns;
	} files[TLS_FILE_COUNT];
};

/* The files' present state, to be compared by memcmp(). A file that isn't there is all zero. */
void tls_files_stamp(const struct tls_files *files, struct tls_stamp *stamp_ret);

#endif
