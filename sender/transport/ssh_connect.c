/* An SSH connection, step by step, to a command that runs.
 * Doesn't know what the command is for. */
#include "sender/transport/ssh.h"

#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/printable.h"
#include "sender/transport/known_hosts.h"
#include "sender/transport/ssh_channel.h"
#include "sender/transport/ssh_steps.h"

enum {
	STEP_MS = 200, /* how long a signal may go unnoticed */

	/* Only acknowledgements and error messages come. */
	WINDOW_BYTES = 128 << 10,
	PACKET_BYTES = 32 << 10,

	KEYS_MAX = 6, /* keys that a server may have */
};

const char *ssh_library(void)
{
	static char text[48];

	snprintf(text, sizeof(text), "libssh2 %s", libssh2_version(0));
	return text;
}

void ssh_passed(const struct ssh_steps *s, const char *step, const char *detail)
{
	if (s->setup->passed)
		s->setup->passed(s->setup->ctx, step, detail);
}

int ssh_again(const struct ssh_steps *s, const char *step, struct error *err)
{
	const uint64_t now_ms = clock_ms();

	if (stop_check(&s->setup->stop, err) < 0)
		return err->code;
	if (now_ms >= s->until_ms)
		return error_set(err, -ETIMEDOUT, "%s: no answer", step);
	return ssh_await(s->ssh, (int)MIN(s->until_ms - now_ms, (uint64_t)STEP_MS), step, err);
}

/* --- handshake ------------------------------------------------------------------------------ */

/* Choose the methods of a list that the library has, in the list's order. (Given others, the
 * library copies memory over itself to leave them out.) */
static bool choose(LIBSSH2_SESSION *session, int method, const char *list,
		   char out[static SSH_LIST_ROOM])
{
	const char **have = NULL;
	const int count = libssh2_session_supported_algs(session, method, &have);
	size_t used = 0;

	*out = '\0';
	for (const char *at = list; *at; at += *at == ',') {
		const size_t len = strcspn(at, ",");

		for (int i = 0; i < count; i++)
			if (strlen(have[i]) == len && memcmp(have[i], at, len) == 0)
				used += (size_t)snprintf(out + used, SSH_LIST_ROOM - used, "%s%.*s",
							 used ? "," : "", (int)len, at);
		at += len;
	}
	if (count > 0)
		libssh2_free(session, have);
	return *out;
}

/* The methods that OpenSSH offers by default and the library has: the cheapest first, none by
 * SHA-1. */
static int set_methods(const struct ssh *ssh, const char *key_types, struct error *err)
{
	static const char kex[] =
		"mlkem768x25519-sha256,sntrup761x25519-sha512,curve25519-sha256,"
		"curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"
		"ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,"
		"diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
		"diffie-hellman-group14-sha256";
	static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,"
				      "aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com";
	const char *const macs =
		cpus_have_sha256() ? "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
				     "hmac-sha2-256,hmac-sha2-512"
				   : "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com,"
				     "hmac-sha2-512,hmac-sha2-256";
	const struct {
		int method;
		const char *list;
	} wanted[] = {
		{LIBSSH2_METHOD_KEX, kex},	    {LIBSSH2_METHOD_HOSTKEY, key_types},
		{LIBSSH2_METHOD_CRYPT_CS, ciphers}, {LIBSSH2_METHOD_CRYPT_SC, ciphers},
		{LIBSSH2_METHOD_MAC_CS, macs},	    {LIBSSH2_METHOD_MAC_SC, macs},
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		char list[SSH_LIST_ROOM];

		if (!choose(ssh->session, wanted[i].method, wanted[i].list, list) ||
		    libssh2_session_method_pref(ssh->session, wanted[i].method, list) != 0)
			return error_set(err, -ENOTSUP, "handshake: %s has none of %s",
					 ssh_library(), wanted[i].list);
	}
	return 0;
}

static int handshake_failed(struct ssh *ssh, int why, struct error *err)
{
	const bool refused =
		why == LIBSSH2_ERROR_KEX_FAILURE && !ssh->ended && !ssh->broken && !*ssh->farewell;

	if (refused)
		return error_set(err, -ENOTSUP,
				 "handshake: no algorithms in common: %s needs a host key of type "
				 "ed25519 or ecdsa, curve25519 or ecdh, AES in counter mode, and "
				 "hmac-sha2; see sshd_config(5)",
				 ssh_library());
	return ssh_failed(ssh, why == LIBSSH2_ERROR_HOSTKEY_SIGN ? -EACCES : -ECONNRESET,
			  "handshake", err);
}

static int handshake(const struct ssh_steps *s, const char *key_types, struct error *err)
{
	struct ssh *ssh = s->ssh;
	int why, r = set_methods(ssh, key_types, err);

	while (r == 0 && (why = libssh2_session_handshake(ssh->session, ssh->fd))) {
		if (why != LIBSSH2_ERROR_EAGAIN)
			return handshake_failed(ssh, why, err);
		r = ssh_again(s, "handshake", err);
	}
	return r;
}

static void pass_handshake(const struct ssh_steps *s)
{
	LIBSSH2_SESSION *session = s->ssh->session;
	const char *said = libssh2_session_banner_get(session);
	char text[256], banner[81];

	printable_text(banner, sizeof(banner), said, strlen(said));
	snprintf(text, sizeof(text), "%s, %s, %s, %s", banner,
		 libssh2_session_methods(session, LIBSSH2_METHOD_KEX),
		 libssh2_session_methods(session, LIBSSH2_METHOD_CRYPT_CS),
		 libssh2_session_methods(session, LIBSSH2_METHOD_MAC_CS));
	ssh_passed(s, "handshake", text);
}

/* Connect until the server has shown its key, and check the key. Fails as ssh_check_host_key(). */
static int meet_server(struct ssh_steps *s, const char *key_types, char type_ret[static 64],
		       struct error *err)
{
	int fd, r = tcp_connect(s->url, s->setup, &fd, err);

	if (r == 0)
		r = ssh_new(fd, s->url->text, &s->ssh, err);
	if (r < 0)
		return r;
	remote_lines_init(&s->ssh->errors, s->setup);
	r = handshake(s, key_types, err);
	if (r < 0)
		return r;
	pass_handshake(s);
	return ssh_check_host_key(s, type_ret, err);
}

/* A fingerprint doesn't say to which of the server's keys it belongs, so ask for each type in
 * turn. */
static int meet_pinned(struct ssh_steps *s, struct error *err)
{
	char types[SSH_LIST_ROOM], seen[SSH_LIST_ROOM] = "", type[64];

	for (int i = 0; i < KEYS_MAX && ssh_key_types(s, seen, types); i++) {
		struct error why;
		const int r = meet_server(s, types, type, &why);
		const size_t used = strlen(seen);

		if (r == 0)
			return 0;
		if (r == -ENOTSUP && i > 0)
			break; /* it has no other key */
		*err = why;
		if (r != -ESTALE)
			return r;
		snprintf(seen + used, sizeof(seen) - used, "%s%s", used ? "," : "", type);
		ssh_free(s->ssh);
		s->ssh = NULL;
	}
	return err->code = -EACCES;
}

static int meet_known(struct ssh_steps *s, struct error *err)
{
	char types[SSH_LIST_ROOM], type[64];
	const int r = ssh_read_known_hosts(s, err);

	if (r < 0)
		return r;
	(void)ssh_key_types(s, "", types);
	return meet_server(s, types, type, err);
}

/* --- the command ---------------------------------------------------------------------------- */

/* The command, followed by " --dir DIR" if there is a DIR, quoted for a shell. Freed by the caller;
 * NULL: out of memory. */
static char *make_command(const struct ssh_steps *s)
{
	const char *command = s->setup->remote_command, *dir = s->url->path;
	/* A quote takes four characters. */
	const size_t room = strlen(command) + strlen(" --dir ''") + 4 * strlen(dir) + 1;
	char *text = malloc(room), *p = text;

	if (!text)
		return NULL;
	p = stpcpy(p, command);
	if (!*dir)
		return text;
	p = stpcpy(p, " --dir '");
	for (; *dir; dir++) {
		if (*dir == '\'')
			p = stpcpy(p, "'\\''");
		else
			*p++ = *dir;
	}
	strcpy(p, "'");
	return text;
}

static int run_command(const struct ssh_steps *s, struct error *err)
{
	struct ssh *ssh = s->ssh;
	AUTO_FREE char *command = make_command(s);
	int why, r;

	if (!command)
		return error_set(err, -ENOMEM, "out of memory");
	while (!(ssh->channel = libssh2_channel_open_ex(ssh->session, "session", strlen("session"),
							WINDOW_BYTES, PACKET_BYTES, NULL, 0))) {
		if (libssh2_session_last_errno(ssh->session) != LIBSSH2_ERROR_EAGAIN)
			return ssh_failed(ssh, -ECONNRESET, "exec: no session", err);
		r = ssh_again(s, "exec", err);
		if (r < 0)
			return r;
	}
	while ((why = libssh2_channel_process_startup(ssh->channel, "exec", strlen("exec"), command,
						      (unsigned)strlen(command)))) {
		if (why == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED)
			return error_set(err, -EACCES,
					 "exec: %s runs no command for %s: sshd_config(5)",
					 s->url->host, s->user);
		if (why != LIBSSH2_ERROR_EAGAIN)
			return ssh_failed(ssh, -ECONNRESET, "exec", err);
		r = ssh_again(s, "exec", err);
		if (r < 0)
			return r;
	}
	ssh_passed(s, "exec", command);
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* Find the user who runs this, as ssh(1) does, in the password file. A crash kernel may have
 * none. */
static void find_user(struct ssh_steps *s)
{
	struct passwd entry, *found = NULL;
	char buf[4096];
	const char *home = getenv("HOME"), *name = "root";

#if STATIC_PROGRAM && defined(__GLIBC__)
	/* As for names of hosts: don't load plug-ins of the C library. */
	__nss_configure_lookup("passwd", "files");
#endif
	if (getpwuid_r(getuid(), &entry, buf, sizeof(buf), &found) == 0 && found) {
		home = found->pw_dir;
		name = found->pw_name;
	} else if (!home || !*home) {
		home = "/root";
	}
	snprintf(s->home, sizeof(s->home), "%s", home);
	snprintf(s->user, sizeof(s->user), "%s", *s->url->user ? s->url->user : name);
}

int transport_ssh_connect(const struct url *url, const struct connect_setup *setup,
			  struct transport **t_ret, struct error *err)
{
	struct ssh_steps s = {
		.url = url,
		.setup = setup,
		.until_ms = clock_ms() + (uint64_t)setup->timeout_ms,
	};
	int r;

	find_user(&s);
	r = setup->host_key_count ? meet_pinned(&s, err) : meet_known(&s, err);
	if (r == 0)
		r = ssh_authenticate(&s, err);
	if (r == 0)
		r = run_command(&s, err);
	known_hosts_free(s.known);
	if (r < 0) {
		ssh_free(s.ssh);
		return r;
	}
	snprintf(s.ssh->t.identity, sizeof(s.ssh->t.identity), "%s", url->host);
	*t_ret = &s.ssh->t;
	return 0;
}
