/* Certificates, keys and CRLs of a test, made as it runs. Failures end the test. */
#ifndef CERTMAKER_H
#define CERTMAKER_H

#include <stdbool.h>
#include <stdint.h>

/* What a certificate says; what is 0 or NULL isn't there. */
struct cert_spec {
	const char *id; /* how the test speaks of it */
	const char *cn; /* its common name; NULL: the same; "": none, but an organization */
	const char *by; /* the id of who signs it; NULL: itself */

	/* Subject alternative names, with '~' for a NUL: "DNS:a.example,IP:127.0.0.1,email:x@y". */
	const char *san;
	const char *ku, *eku;	 /* key usage, and extended, as OpenSSL has it */
	int64_t from_s, until_s; /* 0: since 2020, until 2100 */
	int rsa_bits;		 /* 0: P-256 */
	bool is_ca;
	bool has_key_ids; /* of its own key and, unless it signs itself, of the one that signs it */
};

/* Make it, to be spoken of from then on. */
void cert_make(const struct cert_spec *spec);

/* The CRL of the CA `by`, valid for that time (0: as above), spoken of as `id`. */
void crl_make(const char *id, const char *by, const char *revoked, int64_t from_s, int64_t until_s);

/* Write what `ids` names, with blanks between, into a file of the scratch directory; "key:ID" is a
 * private key, "der:ID" isn't PEM; what is none of these is text. Its mode is 0600. Returns the
 * path. */
const char *cert_file(const char *name, const char *ids);

#endif
