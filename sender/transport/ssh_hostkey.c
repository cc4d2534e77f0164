/* Whether an SSH server is the one that it should be.
 * Doesn't ask anybody, nor remember anything. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sender/transport/known_hosts.h"
#include "sender/transport/ssh.h"
#include "sender/transport/ssh_key.h"
#include "sender/transport/ssh_steps.h"

/* The best order where no key is known. */
#define ALL_TYPES                                                                                  \
	"ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,"                 \
	"rsa-sha2-512,rsa-sha2-256"

enum { TYPES_MAX = 8 }; /* types of known keys that are asked for first */

/* The key that the server shows. */
struct shown {
	const uint8_t *blob;
	size_t blob_bytes;
	char type[SSH_TYPE_ROOM], fingerprint[SSH_FINGERPRINT_ROOM];
};

/* --- what is known -------------------------------------------------------------------------- */

/* Read the files of ssh(1). A missing file counts as empty. */
static int read_usual_files(struct ssh_steps *s, struct error *err)
{
	const struct {
		const char *folder, *name;
	} files[] = {
		{s->home, ".ssh/known_hosts"},
		{s->home, ".ssh/known_hosts2"},
		{"/etc/ssh", "ssh_known_hosts"},
		{"/etc/ssh", "ssh_known_hosts2"},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++) {
		char path[SSH_PATH_ROOM + 32];

		snprintf(path, sizeof(path), "%s/%s", files[i].folder, files[i].name);
		if (*files[i].folder && access(path, F_OK) == 0)
			r = known_hosts_read(s->known, path, err);
	}
	return r;
}

int ssh_read_known_hosts(struct ssh_steps *s, struct error *err)
{
	int r = known_hosts_new(s->url->host, s->url->port, &s->known, err);

	if (r < 0)
		return r;
	r = s->setup->known_hosts ? known_hosts_read(s->known, s->setup->known_hosts, err)
				  : read_usual_files(s, err);
	if (r == 0 || r == -ENOMEM)
		return r;
	error_prefix(err, "host key");
	return err->code = -EACCES; /* another try doesn't mend the file */
}

/* The signatures to ask for, for keys of a type. NULL for "ssh-rsa" and "ssh-dss": these sign by
 * SHA-1, which servers have given up. */
static const char *signatures_of(const char *type)
{
	if (strcmp(type, "ssh-rsa") == 0)
		return "rsa-sha2-512,rsa-sha2-256";
	return strcmp(type, "ssh-dss") == 0 ? NULL : type;
}

/* Whether `list` has the name. */
static bool has_name(const char *list, const char *name, size_t len)
{
	for (const char *at = list; *at; at += *at == ',') {
		const size_t n = strcspn(at, ",");

		if (n == len && memcmp(at, name, n) == 0)
			return true;
		at += n;
	}
	return false;
}

/* Add the names of `more` that neither `out` nor `seen` has. */
static void add_names(char out[static SSH_LIST_ROOM], const char *more, const char *seen)
{
	for (const char *at = more; *at; at += *at == ',') {
		const size_t n = strcspn(at, ","), used = strlen(out);

		if (!has_name(out, at, n) && !has_name(seen, at, n))
			snprintf(out + used, SSH_LIST_ROOM - used, "%s%.*s", used ? "," : "",
				 (int)n, at);
		at += n;
	}
}

bool ssh_key_types(const struct ssh_steps *s, const char *seen, char out[static SSH_LIST_ROOM])
{
	char without[SSH_LIST_ROOM] = "";
	const char *type;

	*out = '\0';
	for (const char *at = seen ? seen : ""; *at; at += *at == ',') {
		const size_t n = strcspn(at, ",");
		char one[SSH_TYPE_ROOM];

		snprintf(one, sizeof(one), "%.*s", (int)n, at);
		add_names(without, signatures_of(one) ? signatures_of(one) : "", "");
		at += n;
	}
	for (size_t i = 0; s->known && i < TYPES_MAX && (type = known_hosts_type(s->known, i)); i++)
		if (signatures_of(type) &&
		    has_name(ALL_TYPES, signatures_of(type), strcspn(signatures_of(type), ",")))
			add_names(out, signatures_of(type), without);
	add_names(out, ALL_TYPES, without);
	return *out;
}

/* --- judging -------------------------------------------------------------------------------- */

static int get_shown(const struct ssh_steps *s, struct shown *key_ret, struct error *err)
{
	int unused;

	key_ret->blob = (const uint8_t *)libssh2_session_hostkey(s->ssh->session,
								 &key_ret->blob_bytes, &unused);
	if (!key_ret->blob)
		return error_set(err, -EACCES, "host key: the server has shown none");
	ssh_blob_type(key_ret->blob, key_ret->blob_bytes, key_ret->type);
	return ssh_fingerprint(key_ret->blob, key_ret->blob_bytes, key_ret->fingerprint, err);
}

/* Check a key against the fingerprints of --host-key. */
static int check_pinned(const struct ssh_steps *s, const struct shown *key, struct error *err)
{
	const struct connect_setup *c = s->setup;

	for (size_t i = 0; i < c->host_key_count; i++)
		if (strncmp(c->host_keys[i], key->fingerprint, strlen(key->fingerprint)) == 0)
			return 0;
	return error_set(err, -ESTALE, "host key: %s shows %s %s, which is not the --host-key",
			 s->url->host, key->type, key->fingerprint);
}

/* No line has this key, nor another one of its type. */
static int not_known(const struct ssh_steps *s, const struct shown *key, struct error *err)
{
	const char *name = known_hosts_name(s->known), *type = known_hosts_type(s->known, 0);
	const char *file = s->setup->known_hosts ? s->setup->known_hosts
						 : "~/.ssh/known_hosts or /etc/ssh/ssh_known_hosts";

	if (type)
		return error_set(
			err, -EACCES,
			"host key: %s has an %s key of %s, but it shows %s %s: add that, if "
			"it is the server's own (ssh-keyscan)",
			file, type, name, key->type, key->fingerprint);
	if (known_hosts_has_authority(s->known))
		return error_set(err, -EACCES,
				 "host key: %s has only an authority for %s, and certificates "
				 "aren't supported: add the key, which is %s %s",
				 file, name, key->type, key->fingerprint);
	return error_set(
		err, -EACCES,
		"host key: %s isn't in %s; it shows %s %s: if that is the server's own, add "
		"it there (ssh-keyscan), or use --host-key",
		name, file, key->type, key->fingerprint);
}

static int check_known(const struct ssh_steps *s, const struct shown *key, struct error *err)
{
	const char *where, *name = known_hosts_name(s->known);

	switch (known_hosts_check(s->known, key->blob, key->blob_bytes, &where)) {
	case KNOWN_GOOD:
		return 0;
	case KNOWN_REVOKED:
		return error_set(err, -EACCES, "host key: %s revokes the key of %s, %s %s", where,
				 name, key->type, key->fingerprint);
	case KNOWN_CHANGED:
		return error_set(err, -EACCES,
				 "host key: %s has another key of %s than the %s %s that it shows: "
				 "an attack, or a new key; ask its operator, then mend that line",
				 where, name, key->type, key->fingerprint);
	default:
		return not_known(s, key, err);
	}
}

int ssh_check_host_key(const struct ssh_steps *s, char type_ret[static 64], struct error *err)
{
	struct shown key;
	char text[SSH_TYPE_ROOM + SSH_FINGERPRINT_ROOM];
	int r = get_shown(s, &key, err);

	if (r < 0)
		return r;
	snprintf(type_ret, 64, "%s", key.type);
	r = s->known ? check_known(s, &key, err) : check_pinned(s, &key, err);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%s %s", key.type, key.fingerprint);
	ssh_passed(s, "host key", text);
	return 0;
}
