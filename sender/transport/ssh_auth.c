/* Proving to an SSH server who we are, by a key from a file.
 * Doesn't ask for passwords or passphrases: nobody is there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sender/transport/ssh.h"
#include "sender/transport/ssh_key.h"
#include "sender/transport/ssh_steps.h"

enum { RSA_VERSION = 0x010b00 }; /* libssh2 1.11.0: signs as RFC 8332 wants it */

/* Refuse keys that no library can use here, or that this library can't. */
static int check_key(const char *path, const struct ssh_key *key, struct error *err)
{
	if (strncmp(key->type, "sk-", 3) == 0)
		return error_set(err, -EACCES,
				 "%s is the key of a security token, which nobody can touch here: "
				 "ssh-keygen -t ed25519 makes one without",
				 path);
	if (strcmp(key->type, "ssh-dss") == 0 ||
	    (strcmp(key->type, "ssh-rsa") == 0 && !libssh2_version(RSA_VERSION)))
		return error_set(err, -EACCES,
				 "%s is a key of type %s, which %s can't use with today's servers: "
				 "ssh-keygen -t ed25519 makes one that it can",
				 path, key->type, ssh_library());
	return 0;
}

/* 1: the server takes the key, 0: it doesn't. */
static int try_key(const struct ssh_steps *s, const char *path, const struct ssh_key *key,
		   struct error *err)
{
	LIBSSH2_SESSION *session = s->ssh->session;

	for (;;) {
		const int why = libssh2_userauth_publickey_frommemory(
			session, s->user, strlen(s->user), NULL, 0, (const char *)key->text,
			key->text_bytes, NULL);
		int r;

		if (why == 0)
			return 1;
		if (why == LIBSSH2_ERROR_AUTHENTICATION_FAILED)
			return 0;
		if (why != LIBSSH2_ERROR_EAGAIN)
			return ssh_failed(s->ssh, -EACCES, path, err);
		r = ssh_again(s, path, err);
		if (r < 0)
			return r;
	}
}

/* Try one key: 1 if the server took it, else the failure: -EACCES where the next key may be
 * taken. */
static int use_key(const struct ssh_steps *s, const char *path, struct error *err)
{
	struct ssh_key key;
	int r = ssh_key_load(path, &key, err);

	if (r < 0)
		return r;
	r = check_key(path, &key, err);
	if (r == 0)
		r = try_key(s, path, &key, err);
	if (r == 0)
		r = error_set(err, -EACCES,
			      "%s doesn't take %s %s for %s: add %s.pub to its "
			      "~/.ssh/authorized_keys",
			      s->url->host, path, key.fingerprint, s->user, path);
	ssh_key_deinit(&key);
	return r;
}

/* Try the keys that ssh(1) would try: 1 if one was taken. */
static int use_usual_keys(const struct ssh_steps *s, struct error *err)
{
	static const char *const names[] = {"id_ed25519", "id_ecdsa", "id_rsa"};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[SSH_PATH_ROOM + 32];
		struct error why;
		int r;

		snprintf(path, sizeof(path), "%s/.ssh/%s", s->home, names[i]);
		r = use_key(s, path, &why);
		if (r == 1)
			return 1;
		if (r == -ENOENT)
			continue;
		/* Of several failures, the first is the one to tell the operator. */
		if (!found || r != -EACCES)
			*err = why;
		if (r != -EACCES && r != -EINVAL)
			return r;
		found = true;
	}
	if (found)
		return err->code;
	return error_set(
		err, -EACCES,
		"no key: %s/.ssh has neither id_ed25519 nor id_ecdsa; --identity names one, "
		"ssh-keygen -t ed25519 makes one",
		s->home);
}

/* Whether the server takes keys at all: 1 if it wants nothing, 0, or a failure. */
static int ask_methods(const struct ssh_steps *s, struct error *err)
{
	LIBSSH2_SESSION *session = s->ssh->session;
	const char *methods;

	while (!(methods = libssh2_userauth_list(session, s->user, (unsigned)strlen(s->user)))) {
		int r;

		if (libssh2_userauth_authenticated(session))
			return 1;
		if (libssh2_session_last_errno(session) != LIBSSH2_ERROR_EAGAIN)
			return ssh_failed(s->ssh, -EACCES, "authentication", err);
		r = ssh_again(s, "authentication", err);
		if (r < 0)
			return r;
	}
	if (!strstr(methods, "publickey"))
		return error_set(err, -EACCES,
				 "authentication: %s takes no keys from %s, only %.60s",
				 s->url->host, s->user, methods);
	return 0;
}

int ssh_authenticate(const struct ssh_steps *s, struct error *err)
{
	const char *identity = s->setup->identity;
	int r = ask_methods(s, err);

	if (r < 0)
		return r;
	if (r == 0) {
		r = identity ? use_key(s, identity, err) : use_usual_keys(s, err);
		if (r < 0) {
			/* A file that is wrong stays wrong at another try. */
			if (r == -ENOENT || r == -EINVAL || r == -EFBIG)
				err->code = -EACCES;
			return error_prefix(err, "authentication");
		}
	}
	ssh_passed(s, "authentication", s->user);
	return 0;
}
