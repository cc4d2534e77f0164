/* sender/transport/ssh_key.h: what a file with a private key is, before it is tried. The keys here
 * are none: only what is around them is looked at. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/outbuf.h"
#include "sender/transport/base64.h"
#include "sender/transport/ssh_key.h"
#include "tests/lib/scratch.h"

static void put_string(struct outbuf *o, const void *bytes, size_t n)
{
	uint8_t len[4];

	be32_put(len, (uint32_t)n);
	put_bytes(o, len, sizeof(len));
	put_bytes(o, bytes, n);
}

/* The text of a key in OpenSSH's format, cut to `cut` bytes before they are made text (0: whole).
 */
static const char *openssh(const char *cipher, const char *type, size_t cut)
{
	static char text[4096];
	uint8_t bytes[512], blob[128];
	const uint8_t one[4] = {0, 0, 0, 1};
	struct outbuf o = outbuf_init(bytes, sizeof(bytes)), b = outbuf_init(blob, sizeof(blob));
	char *p = text, base64[BASE64_ROOM(sizeof(bytes))];
	size_t len;

	put_string(&b, type, strlen(type));
	put_string(&b, "0123456789abcdef0123456789abcdef", 32);
	put_bytes(&o, "openssh-key-v1", 15);
	put_string(&o, cipher, strlen(cipher));
	put_string(&o, "bcrypt", 6);
	put_string(&o, "", 0);
	put_bytes(&o, one, sizeof(one));
	put_string(&o, blob, outbuf_used(&b));
	len = outbuf_used(&o);
	if (!cut) {
		put_string(&o, "the private part", 16);
		len = outbuf_used(&o);
	}
	base64_put(base64, bytes, cut ? MIN(cut, len) : len);
	p = stpcpy(p, "-----BEGIN OPENSSH PRIVATE KEY-----\n");
	for (const char *line = base64; *line; line += MIN(strlen(line), 70UL))
		p += sprintf(p, "%.70s\n", line);
	strcpy(p, "-----END OPENSSH PRIVATE KEY-----\n");
	return text;
}

static int load(const char *text, struct ssh_key *key, struct error *err)
{
	const char *path = scratch_path("id");

	file_write(path, text, strlen(text));
	assert_int_equal(chmod(path, 0600), 0);
	return ssh_key_load(path, key, err);
}

struct file {
	const char *name, *text;
	int result;
	const char *want; /* the type, or a part of the error */
};

#define PEM(label, body) "-----BEGIN " label "-----\n" body "AAAA\n-----END " label "-----\n"

/* clang-format off */
static const struct file files[] = {
	{"load: takes an EC key of OpenSSL's", PEM("EC PRIVATE KEY", ""), 0, "ecdsa"},
	{"load: takes an EC key behind its parameters", PEM("EC PARAMETERS", "") PEM("EC PRIVATE KEY", ""), 0, "ecdsa"},
	{"load: takes an RSA key of OpenSSL's, and says so", PEM("RSA PRIVATE KEY", ""), 0, "ssh-rsa"},
	{"load: takes PKCS 8, which doesn't say what it is", PEM("PRIVATE KEY", ""), 0, ""},
	{"load: takes what is behind a comment", "me\n" PEM("PRIVATE KEY", ""), 0, ""},
	{"load: refuses a passphrase in OpenSSL's format", PEM("EC PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n"), -EACCES, "passphrase"},
	{"load: refuses a passphrase in PKCS 8", PEM("ENCRYPTED PRIVATE KEY", ""), -EACCES, "passphrase"},
	{"load: refuses a public key", "ssh-ed25519 AAAA me\n", -EINVAL, "is a public key"},
	{"load: refuses a public key of another type", "ecdsa-sha2-nistp256 AAAA me\n", -EINVAL, "is a public key"},
	{"load: refuses a certificate", PEM("CERTIFICATE", ""), -EINVAL, "no private key"},
	{"load: refuses PuTTY's format", "PuTTY-User-Key-File-3: ssh-ed25519\n", -EINVAL, "puttygen"},
	{"load: refuses an empty file", "", -EINVAL, "no private key"},
	{"load: refuses a key without an end", "-----BEGIN PRIVATE KEY-----\nAAAA\n", -EINVAL, "cut short"},
	{"load: refuses a key without a line", "-----BEGIN PRIVATE KEY-----", -EINVAL, "cut short"},
	{"load: refuses kinds that it doesn't know", PEM("MCELIECE PRIVATE KEY", ""), -EINVAL, "isn't known"},
	{"load: refuses OpenSSH's format with nothing in it", "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----\n", -EINVAL, "damaged"},
	{"load: refuses OpenSSH's format with other things in it", PEM("OPENSSH PRIVATE KEY", "????"), -EINVAL, "damaged"},
};
/* clang-format on */

static void test_file(void **state)
{
	const struct file *row = *state;
	struct ssh_key key = {0};
	struct error err = {0};

	assert_int_equal(load(row->text, &key, &err), row->result);
	if (row->result == 0)
		assert_string_equal(key.type, row->want);
	else
		assert_non_null(strstr(err.msg, row->want));
	ssh_key_deinit(&key);
	scratch_clear();
}

static void test_openssh(void **state UNUSED)
{
	struct ssh_key key;
	struct error err;

	assert_int_equal(load(openssh("none", "ssh-ed25519", 0), &key, &err), 0);
	assert_string_equal(key.type, "ssh-ed25519");
	/* By: base64 of SHA-256 of the blob, as made above. */
	assert_string_equal(key.fingerprint, "SHA256:r0jjAatH+rPa97KMRB4yEkCq0GlcmkYyacWqmoyiTwI");
	ssh_key_deinit(&key);
	assert_int_equal(load(openssh("aes256-ctr", "ssh-ed25519", 0), &key, &err), -EACCES);
	assert_non_null(strstr(err.msg, "passphrase"));
	scratch_clear();
}

static void test_cut(void **state UNUSED)
{
	/* magic, cipher, two strings, count, a blob of 51 bytes with its length */
	const size_t need = 15 + 8 + 10 + 4 + 4 + 4 + 51;
	struct ssh_key key;
	struct error err;

	for (size_t n = 1; n < need; n++)
		assert_int_equal(load(openssh("none", "ssh-ed25519", n), &key, &err), -EINVAL);
	assert_int_equal(load(openssh("none", "ssh-ed25519", need), &key, &err), 0);
	ssh_key_deinit(&key);
	scratch_clear();
}

static void test_readable(void **state UNUSED)
{
	struct ssh_key key;
	struct error err;

	assert_int_equal(load(PEM("PRIVATE KEY", ""), &key, &err), 0);
	ssh_key_deinit(&key);
	assert_int_equal(chmod(scratch_path("id"), 0644), 0);
	assert_int_equal(ssh_key_load(scratch_path("id"), &key, &err), -EACCES);
	assert_non_null(strstr(err.msg, "can be read by others"));
	scratch_clear();
}

static void test_blob(void **state UNUSED)
{
	static const uint8_t long_type[100] = {0, 0, 0, SSH_TYPE_ROOM};
	char type[SSH_TYPE_ROOM];

	ssh_blob_type((const uint8_t *)"\0\0\0\3abcd", 8, type);
	assert_string_equal(type, "abc");
	ssh_blob_type((const uint8_t *)"\0\0\0\3abcd", 6, type);
	assert_string_equal(type, "");
	ssh_blob_type((const uint8_t *)"\0\0\0\3a\033\0", 7, type);
	assert_string_equal(type, "a??");
	ssh_blob_type(long_type, sizeof(long_type), type);
	assert_string_equal(type, "");
	ssh_blob_type(long_type, 0, type);
	assert_string_equal(type, "");
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, files, test_file);
	unit_add(&u, "load: knows OpenSSH's format", test_openssh, NULL);
	unit_add(&u, "load: refuses OpenSSH's format cut at any byte", test_cut, NULL);
	unit_add(&u, "load: refuses a key that others can read", test_readable, NULL);
	unit_add(&u, "blob_type: takes what is fit to be shown", test_blob, NULL);
	return unit_run(&u, "ssh_key", argc, argv);
}
