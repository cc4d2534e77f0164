/* Private keys of users, as ssh-keygen makes them. A key is checked before it is tried, so that the
 * operator is told what is wrong with it. */
#ifndef SSH_KEY_H
#define SSH_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	SSH_TYPE_ROOM = 64,
	SSH_FINGERPRINT_ROOM = 56, /* "SHA256:" and 43 characters */
};

struct ssh_key {
	uint8_t *text; /* the file */
	size_t text_bytes;
	char type[SSH_TYPE_ROOM];		/* "ssh-ed25519", …; "" if the file doesn't have
						   it */
	char fingerprint[SSH_FINGERPRINT_ROOM]; /* of the public key; "" if the file has none */
};

/*
 * Read the key at `path`. Fails -EACCES if others can read it or a passphrase protects it, -EINVAL
 * if it is no private key, or with the system's error; the text says what to do.
 */
NODISCARD int ssh_key_load(const char *path, struct ssh_key *key_ret, struct error *err);
void ssh_key_deinit(struct ssh_key *key);

/* The type that a public key's blob has in front (RFC 4253, 6.6); "" if it has none. */
void ssh_blob_type(const uint8_t *blob, size_t blob_bytes, char type_ret[static SSH_TYPE_ROOM]);

/* As ssh-keygen -l shows a public key. */
NODISCARD int ssh_fingerprint(const uint8_t *blob, size_t blob_bytes,
			      char out[static SSH_FINGERPRINT_ROOM], struct error *err);

#endif
