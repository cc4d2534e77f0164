/* Private keys of users.
 * Doesn't decrypt, nor sign: that is the SSH library's. */
#include "sender/transport/ssh_key.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/reader.h"
#include "base/secret.h"
#include "sender/transport/base64.h"

enum { KEY_BYTES_MAX = 64 << 10 };

/* The first bytes inside of a file in OpenSSH's own format, with a NUL. */
#define OPENSSH_MAGIC "openssh-key-v1"

static const struct rd no_bytes = {.bad = true};

/* A string of RFC 4251, 5: its bytes. */
static struct rd rd_string(struct rd *r)
{
	const uint32_t len = rd_be32(r);
	const uint8_t *bytes = rd_bytes(r, len);

	return bytes ? rd_init(bytes, len) : no_bytes;
}

void ssh_blob_type(const uint8_t *blob, size_t blob_bytes, char type_ret[static SSH_TYPE_ROOM])
{
	struct rd r = rd_init(blob, blob_bytes), type = rd_string(&r);
	const size_t len = rd_ok(&type) ? rd_left(&type) : 0;

	*type_ret = '\0';
	if (len >= SSH_TYPE_ROOM)
		return;
	/* We trust the file of a key, but not a server. */
	for (size_t i = 0; i < len; i++)
		type_ret[i] = (char)(isgraph(type.pos[i]) ? type.pos[i] : '?');
	type_ret[len] = '\0';
}

int ssh_fingerprint(const uint8_t *blob, size_t blob_bytes, char out[static SSH_FINGERPRINT_ROOM],
		    struct error *err)
{
	AUTO(digester_free) struct digester *d = NULL;
	uint8_t digest[DIGEST_BYTES];
	char text[BASE64_ROOM(DIGEST_BYTES)];
	int r = digester_new(&d, err);

	if (r < 0)
		return r;
	digester_begin(d);
	digester_add(d, blob, blob_bytes);
	r = digester_end(d, digest, err);
	if (r < 0)
		return r;
	base64_put(text, digest, sizeof(digest));
	snprintf(out, SSH_FINGERPRINT_ROOM, "SHA256:%.43s", text);
	return 0;
}

static int is_encrypted(const char *path, struct error *err)
{
	return error_set(err, -EACCES,
			 "%s is protected by a passphrase, which nobody is asked for: ssh-keygen "
			 "-p -N '' -f FILE, on a copy of it, takes that away",
			 path);
}

/* OpenSSH's own format: PROTOCOL.key of its source. */
static int check_openssh(const char *path, const char *body, size_t body_len, struct ssh_key *key,
			 struct error *err)
{
	const size_t room = body_len / 4 * 3;
	uint8_t *bytes = malloc(room + 1);
	const ssize_t n = bytes ? base64_get(body, body_len, bytes, room) : -1;
	struct rd r = n > 0 ? rd_init(bytes, (size_t)n) : no_bytes, cipher, blob;
	const char *magic = rd_bytes(&r, sizeof(OPENSSH_MAGIC));
	int result = 0;

	cipher = rd_string(&r);
	rd_string(&r); /* the parameters that make a key of the passphrase */
	rd_string(&r);
	rd_be32(&r); /* keys: 1 */
	blob = rd_string(&r);
	if (!bytes)
		result = error_set(err, -ENOMEM, "%s: out of memory", path);
	else if (!magic || memcmp(magic, OPENSSH_MAGIC, sizeof(OPENSSH_MAGIC)) != 0 || !rd_ok(&r))
		result = error_set(err, -EINVAL, "%s: a private key that is damaged", path);
	else if (rd_left(&cipher) != 4 || memcmp(cipher.pos, "none", 4) != 0)
		result = is_encrypted(path, err);
	if (result == 0) {
		ssh_blob_type(blob.pos, rd_left(&blob), key->type);
		result = ssh_fingerprint(blob.pos, rd_left(&blob), key->fingerprint, err);
	}
	secret_free(bytes, room);
	return result;
}

/* The label of the first private key in the text, which follows "-----BEGIN ", or NULL. */
static const char *find_private(const char *text)
{
	static const char begin[] = "-----BEGIN ";

	while ((text = strstr(text, begin))) {
		const char *label = text + strlen(begin);
		const size_t len = strcspn(label, "-\r\n");

		if (memmem(label, len, "PRIVATE KEY", 11))
			return label;
		text = label;
	}
	return NULL;
}

static int check_other(const char *path, const char *text, struct error *err)
{
	if (strncmp(text, "PuTTY-User-Key-File", 19) == 0)
		return error_set(err, -EINVAL,
				 "%s is in PuTTY's format: puttygen %s -O private-openssh -o FILE",
				 path, path);
	if (strncmp(text, "ssh-", 4) == 0 || strncmp(text, "ecdsa-", 6) == 0)
		return error_set(err, -EINVAL, "%s is a public key: name the private one", path);
	return error_set(err, -EINVAL, "%s is no private key: ssh-keygen -t ed25519 makes one",
			 path);
}

/* Check a key by the label of its first line. RFC 7468; older labels are OpenSSL's. */
static int check(const char *path, struct ssh_key *key, struct error *err)
{
	static const struct {
		const char *label, *type;
	} labels[] = {
		{"EC PRIVATE KEY-", "ecdsa"},
		{"RSA PRIVATE KEY-", "ssh-rsa"},
		{"DSA PRIVATE KEY-", "ssh-dss"},
		{"PRIVATE KEY-", ""},
	};
	const char *label = find_private((const char *)key->text);
	const char *body = label ? strchr(label, '\n') : NULL;
	const char *end = body ? strstr(body, "-----END ") : NULL;

	if (!label)
		return check_other(path, (const char *)key->text, err);
	if (!end)
		return error_set(err, -EINVAL, "%s: a private key that is cut short", path);
	if (strncmp(label, "OPENSSH PRIVATE KEY-", 20) == 0)
		return check_openssh(path, body, (size_t)(end - body), key, err);
	if (strncmp(label, "ENCRYPTED ", 10) == 0 ||
	    memmem(body, (size_t)(end - body), "ENCRYPTED", 9))
		return is_encrypted(path, err);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (strncmp(label, labels[i].label, strlen(labels[i].label)) != 0)
			continue;
		snprintf(key->type, sizeof(key->type), "%s", labels[i].type);
		return 0;
	}
	return error_set(err, -EINVAL, "%s: a kind of private key that isn't known here", path);
}

int ssh_key_load(const char *path, struct ssh_key *key_ret, struct error *err)
{
	struct ssh_key key = {0};
	int r = secret_read(path, KEY_BYTES_MAX, &key.text, &key.text_bytes, err);

	if (r == 0)
		r = check(path, &key, err);
	if (r < 0) {
		ssh_key_deinit(&key);
		return r;
	}
	*key_ret = key;
	return 0;
}

void ssh_key_deinit(struct ssh_key *key)
{
	secret_free(key->text, key->text_bytes);
	*key = (struct ssh_key){0};
}
