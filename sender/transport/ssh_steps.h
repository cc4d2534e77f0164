/* The steps by which an SSH connection is set up, each in a file of its own. */
#ifndef SSH_STEPS_H
#define SSH_STEPS_H

#include <stdint.h>

#include "sender/transport/ssh_channel.h"
#include "wire/url.h"

enum {
	SSH_PATH_ROOM = 1024,
	SSH_LIST_ROOM = 512, /* names of algorithms, with commas */
};

/* A connection that is being set up. */
struct ssh_steps {
	const struct url *url;
	const struct connect_setup *setup;
	uint64_t until_ms; /* clock_ms() */
	char user[64];
	char home[SSH_PATH_ROOM];  /* home of the user who runs vmsend, as ssh(1) sees it; "" if
				      there is none */
	struct known_hosts *known; /* NULL: the key has to be one of setup->host_keys */
	struct ssh *ssh;
};

/* A step has succeeded. */
void ssh_passed(const struct ssh_steps *s, const char *step, const char *detail);

/* To be called before a library call that was too early is made again: 0, or the reason to stop. */
NODISCARD int ssh_again(const struct ssh_steps *s, const char *step, struct error *err);

/* --- ssh_hostkey.c -------------------------------------------------------------------------- */

/* Read the lines about the server into s->known. The caller frees it. */
NODISCARD int ssh_read_known_hosts(struct ssh_steps *s, struct error *err);

/*
 * The types of keys to ask for, known ones first, as names of signatures (RFC 8332). Types in
 * `seen` are left out (NULL: none). False if no type is left.
 */
bool ssh_key_types(const struct ssh_steps *s, const char *seen, char out[static SSH_LIST_ROOM]);

/*
 * Check the key that the server has shown. Fails -EACCES; or -ESTALE if the key is none of
 * setup->host_keys, but another key of the server may be: type_ret has the type of the shown one.
 */
NODISCARD int ssh_check_host_key(const struct ssh_steps *s, char type_ret[static 64],
				 struct error *err);

/* --- ssh_auth.c ----------------------------------------------------------------------------- */

/* Prove who we are, by setup->identity or by the keys that ssh(1) would try. */
NODISCARD int ssh_authenticate(const struct ssh_steps *s, struct error *err);

#endif
