/*
 * The lines about one server in files of host keys, in the format of sshd(8), "SSH_KNOWN_HOSTS FILE
 * FORMAT": plain and hashed names, patterns, [host]:port, @revoked, @cert-authority.
 */
#ifndef KNOWN_HOSTS_H
#define KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct known_hosts;

/* Begin without any line. Fails -ENOMEM. */
NODISCARD int known_hosts_new(const char *host, const char *port, struct known_hosts **k_ret,
			      struct error *err);
void known_hosts_free(struct known_hosts *k);
DEFINE_AUTO(struct known_hosts, known_hosts_free)

/*
 * Take the lines about the server from one more file. Lines that have no key are passed over, as by
 * ssh(1). Fails with the system's error, or -EFBIG for more keys than anybody has.
 */
NODISCARD int known_hosts_read(struct known_hosts *k, const char *path, struct error *err);

/* The name that lines have for this server: "host", or "[host]:port" if that isn't 22. */
const char *known_hosts_name(const struct known_hosts *k);

/*
 * The types of its keys ("ssh-ed25519", …), the most specific lines first: the i-th, or NULL after
 * the last. A type may come more than once.
 */
const char *known_hosts_type(const struct known_hosts *k, size_t i);

/* Whether a line names a certificate authority for the server. */
bool known_hosts_has_authority(const struct known_hosts *k);

enum known_verdict {
	KNOWN_GOOD,
	KNOWN_REVOKED,
	KNOWN_CHANGED, /* there is another key of this type */
	KNOWN_NOT,
};

/* Check the key that the server has (the blob of RFC 4253, 6.6). where_ret: the line that decided,
 * as "FILE:LINE" (borrowed); "" for KNOWN_NOT. */
enum known_verdict known_hosts_check(const struct known_hosts *k, const uint8_t *key,
				     size_t key_bytes, const char **where_ret);

#endif
