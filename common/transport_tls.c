/* TLS 1.3 by OpenSSL, as a client and as a server; both prove who they are, by certificates or by a
 * shared key. Doesn't know what is spoken over it. */
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "secret.h"
#include "url.h"

enum {
	/* Records are collected that far before they are sent, and read that far ahead: a system
	   call for each record of 16 KiB halves the speed. */
	BUFFER_BYTES = 256 << 10,

	STEP_MS = 200, /* how long a signal may go unseen */

	/* A shared key, in hexadecimal digits: 128 bits at the least. RFC 9257, 6. */
	PSK_HEX_MIN = 32,
	PSK_HEX_MAX = 128,
	PSK_LINES_MAX = 65536,
};

/* With a shared key, the cipher's hash is the key's. RFC 8446, 4.2.11. */
#define PSK_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
static const unsigned char psk_cipher_id[2] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */

struct psk {
	char identity[256];
	unsigned char key[PSK_HEX_MAX / 2];
	size_t key_bytes;
};

struct keys {
	struct psk *items;
	size_t count;
};

struct tls {
	struct transport t;
	int fd;
	SSL_CTX *ctx; /* of a client; a server's is shared */
	SSL *ssl;
	BIO *out;	/* records that wait to be sent; owned by ssl */
	size_t out_off; /* of them, what was sent */
	struct keys keys;
};

struct tls_server {
	SSL_CTX *ctx;
	struct keys keys;
};

/* --- errors --------------------------------------------------------------------------------- */

/* Alerts by which a peer says that it doesn't trust us, or we can't agree: trying again is of no
 * use. RFC 8446, 6.2. */
static bool is_refusal(int alert)
{
	static const int alerts[] = {
		SSL_AD_HANDSHAKE_FAILURE,
		SSL_AD_BAD_CERTIFICATE,
		SSL_AD_UNSUPPORTED_CERTIFICATE,
		SSL_AD_CERTIFICATE_REVOKED,
		SSL_AD_CERTIFICATE_EXPIRED,
		SSL_AD_CERTIFICATE_UNKNOWN,
		SSL_AD_UNKNOWN_CA,
		SSL_AD_ACCESS_DENIED,
		SSL_AD_PROTOCOL_VERSION,
		SSL_AD_INSUFFICIENT_SECURITY,
		SSL_AD_UNKNOWN_PSK_IDENTITY,
		SSL_AD_CERTIFICATE_REQUIRED,
	};

	for (size_t i = 0; i < ARRAY_LEN(alerts); i++)
		if (alerts[i] == alert)
			return true;
	return false;
}

/* The library's oldest error, as a line, and what it means for another try. */
static int tls_failed(struct error *err, int code, const char *what)
{
	const unsigned long e = ERR_get_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;
	const int alert =
		ERR_GET_LIB(e) == ERR_LIB_SSL ? ERR_GET_REASON(e) - SSL_AD_REASON_OFFSET : -1;

	ERR_clear_error();
	if (alert > 0 && is_refusal(alert))
		code = -EACCES;
	return error_set(err, code, "%s: %s", what, text ? text : "failed");
}

/* What SSL_* returned with: 0 (nothing now), -ENODATA (orderly end), or a failure. */
static int judge(struct tls *tls, int result, const char *what, struct error *err)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	case SSL_ERROR_ZERO_RETURN:
		return error_set(err, -ENODATA, "the other end has closed the connection");
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (errno)
			return error_sys(err, "%s", what);
		return error_set(err, -ECONNRESET, "%s: the connection has ended", what);
	default:
		if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			ERR_clear_error();
			return error_set(err, -ECONNRESET, "%s: the connection has ended", what);
		}
		return tls_failed(err, -ECONNRESET, what);
	}
}

/* --- moving bytes --------------------------------------------------------------------------- */

/* Send what waits: how much is left, or a failure. */
static ssize_t flush(struct tls *tls, struct error *err)
{
	char *bytes;
	const size_t have = (size_t)BIO_get_mem_data(tls->out, &bytes);

	while (tls->out_off < have) {
		const ssize_t n = send(tls->fd, bytes + tls->out_off, have - tls->out_off,
				       MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return (ssize_t)(have - tls->out_off);
		if (n < 0)
			return error_sys(err, "sending");
		tls->out_off += (size_t)n;
	}
	(void)!BIO_reset(tls->out);
	tls->out_off = 0;
	return 0;
}

static ssize_t tls_send(struct transport *t, const void *bytes, size_t size_bytes,
			struct error *err)
{
	struct tls *tls = (struct tls *)t;
	size_t done = 0;
	ssize_t left = flush(tls, err);

	while (left == 0 && done < size_bytes) {
		const size_t n = MIN(size_bytes - done, (size_t)BUFFER_BYTES);
		size_t taken = 0;
		int r;

		ERR_clear_error();
		errno = 0;
		r = SSL_write_ex(tls->ssl, (const char *)bytes + done, n, &taken);
		if (r <= 0) {
			r = judge(tls, r, "sending", err);
			if (r < 0)
				return r;
			break;
		}
		done += taken;
		left = flush(tls, err);
	}
	return left < 0 ? left : (ssize_t)done;
}

static ssize_t tls_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	struct tls *tls = (struct tls *)t;
	size_t n = 0;
	ssize_t left;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(tls->ssl, bytes, size_bytes, &n);
	if (r > 0)
		return (ssize_t)n;
	r = judge(tls, r, "receiving", err);
	if (r < 0)
		return r;
	left = flush(tls, err); /* what the library had to say for itself */
	return MIN(left, 0);
}

static int tls_wait(struct transport *t, bool to_send, int timeout_ms, const sigset_t *mask,
		    struct error *err)
{
	struct tls *tls = (struct tls *)t;
	const ssize_t left = flush(tls, err);
	const struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
	struct pollfd pfd = {.fd = tls->fd,
			     .events = (short)(POLLIN | (to_send || left > 0 ? POLLOUT : 0))};
	int n;

	if (left < 0)
		return (int)left;
	if (SSL_pending(tls->ssl) > 0)
		return 1;
	n = ppoll(&pfd, 1, timeout_ms < 0 ? NULL : &limit, mask);
	if (n < 0 && errno != EINTR)
		return error_sys(err, "waiting for the connection");
	return n > 0;
}

static int tls_finish(struct transport *t, int timeout_ms, struct error *err)
{
	struct tls *tls = (struct tls *)t;
	char rest[4096];
	int r;

	(void)!SSL_shutdown(tls->ssl);
	ERR_clear_error();
	for (;;) {
		const ssize_t left = flush(tls, err);

		if (left < 0)
			return (int)left;
		if (left == 0)
			break;
		r = tls_wait(t, true, timeout_ms, NULL, err);
		if (r <= 0)
			return r;
	}
	shutdown(tls->fd, SHUT_WR);
	/* Until the peer has closed, or what it has yet to read is lost to a reset. */
	while (tls_wait(t, false, timeout_ms, NULL, err) > 0)
		if (recv(tls->fd, rest, sizeof(rest), MSG_DONTWAIT) <= 0)
			break;
	return 0;
}

static void keys_deinit(struct keys *keys)
{
	if (keys->items)
		OPENSSL_cleanse(keys->items, keys->count * sizeof(*keys->items));
	free(keys->items);
	*keys = (struct keys){0};
}

static void tls_free(struct transport *t)
{
	struct tls *tls = (struct tls *)t;

	SSL_free(tls->ssl);
	SSL_CTX_free(tls->ctx);
	keys_deinit(&tls->keys);
	if (tls->fd >= 0)
		close(tls->fd);
	free(tls);
}

/* --- keys and certificates ------------------------------------------------------------------ */

static int nibble(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "identity:hex" */
static bool parse_psk(const char *line, struct psk *psk_ret)
{
	const size_t len = strcspn(line, "\r\n");
	const char *colon = memrchr(line, ':', len);
	const size_t identity_bytes = colon ? (size_t)(colon - line) : 0;
	const size_t digits = colon ? len - identity_bytes - 1 : 0;
	struct psk psk = {.key_bytes = digits / 2};

	if (identity_bytes == 0 || identity_bytes >= sizeof(psk.identity) || digits % 2 ||
	    digits < PSK_HEX_MIN || digits > PSK_HEX_MAX)
		return false;
	memcpy(psk.identity, line, identity_bytes);
	for (size_t i = 0; i < psk.key_bytes; i++) {
		const int high = nibble(colon[1 + 2 * i]), low = nibble(colon[2 + 2 * i]);

		if (high < 0 || low < 0)
			return false;
		psk.key[i] = (unsigned char)(high << 4 | low);
	}
	*psk_ret = psk;
	OPENSSL_cleanse(&psk, sizeof(psk));
	return true;
}

static int add_key(struct keys *keys, const struct psk *psk, struct error *err)
{
	struct psk *items;

	if (keys->count == PSK_LINES_MAX)
		return error_set(err, -EFBIG, "more than %d keys", PSK_LINES_MAX);
	/* Room is doubled by a copy, so that no key is left behind in freed memory. */
	if ((keys->count & (keys->count - 1)) == 0) {
		items = calloc(keys->count ? 2 * keys->count : 1, sizeof(*items));
		if (!items)
			return error_set(err, -ENOMEM, "out of memory for keys");
		if (keys->count) {
			memcpy(items, keys->items, keys->count * sizeof(*items));
			OPENSSL_cleanse(keys->items, keys->count * sizeof(*items));
		}
		free(keys->items);
		keys->items = items;
	}
	keys->items[keys->count++] = *psk;
	return 0;
}

static int load_keys(const char *path, struct keys *keys, struct error *err)
{
	char line[sizeof(((struct psk *)0)->identity) + PSK_HEX_MAX + 8];
	unsigned number = 0;
	FILE *in;
	int r = secret_judge(path, err);

	if (r < 0)
		return r;
	in = fopen(path, "re");
	if (!in)
		return error_sys(err, "%s", path);
	while (r == 0 && fgets(line, sizeof(line), in)) {
		struct psk psk;

		number++;
		if (*line == '#' || *line == '\n')
			continue;
		if (!parse_psk(line, &psk)) {
			r = error_set(err, -EINVAL,
				      "%s:%u: not IDENTITY:KEY, a key in %d to %d "
				      "hexadecimal digits",
				      path, number, PSK_HEX_MIN, PSK_HEX_MAX);
			break;
		}
		r = add_key(keys, &psk, err);
		OPENSSL_cleanse(&psk, sizeof(psk));
	}
	OPENSSL_cleanse(line, sizeof(line));
	fclose(in);
	if (r == 0 && keys->count == 0)
		r = error_set(err, -EINVAL, "%s has no key", path);
	return r;
}

/* A session that was never had, with the shared key as its secret. */
static SSL_SESSION *psk_session(SSL *ssl, const struct psk *psk)
{
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, psk_cipher_id);
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && cipher && SSL_SESSION_set1_master_key(session, psk->key, psk->key_bytes) &&
	    SSL_SESSION_set_cipher(session, cipher) &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id_ret, size_t *id_bytes_ret,
		   SSL_SESSION **session_ret)
{
	const struct keys *keys = SSL_get_app_data(ssl);

	*session_ret = NULL;
	*id_ret = NULL;
	*id_bytes_ret = 0;
	if (md && EVP_MD_get_type(md) != NID_sha256)
		return 1;
	*session_ret = psk_session(ssl, &keys->items[0]);
	*id_ret = (const unsigned char *)keys->items[0].identity;
	*id_bytes_ret = strlen(keys->items[0].identity);
	return *session_ret != NULL;
}

static const struct psk *find_key(const struct keys *keys, const unsigned char *id, size_t id_bytes)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strlen(keys->items[i].identity) == id_bytes &&
		    CRYPTO_memcmp(keys->items[i].identity, id, id_bytes) == 0)
			return &keys->items[i];
	return NULL;
}

static int find_psk(SSL *ssl, const unsigned char *id, size_t id_bytes, SSL_SESSION **session_ret)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct psk *psk = find_key(&server->keys, id, id_bytes);

	*session_ret = psk ? psk_session(ssl, psk) : NULL;
	if (psk)
		snprintf(tls->t.identity, sizeof(tls->t.identity), "%s", psk->identity);
	return 1;
}

/* What both sides want: 1.3, and no state that outlives the connection. */
static SSL_CTX *new_ctx(const SSL_METHOD *method, bool psk)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    (psk && !SSL_CTX_set_ciphersuites(ctx, PSK_CIPHERS))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_read_buffer_len(ctx, BUFFER_BYTES);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

/* Our own certificate with its key, and who signs the peers'. */
static int load_certificates(SSL_CTX *ctx, const char *cert, const char *key, const char *ca,
			     struct error *err)
{
	int r;

	if (!ca || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1)
		return ca ? tls_failed(err, -EINVAL, ca)
			  : error_set(err, -EINVAL, "TLS needs --tls-ca, or --tls-psk");
	if (!cert || !key)
		return error_set(err, -EINVAL, "TLS needs --tls-cert and --tls-key");
	r = secret_judge(key, err);
	if (r < 0)
		return r;
	if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
		return tls_failed(err, -EINVAL, cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return tls_failed(err, -EINVAL, key);
	return 0;
}

/* --- connections ---------------------------------------------------------------------------- */

/* Takes fd. */
static int new_tls(SSL_CTX *ctx, int fd, const char *peer, struct tls **tls_ret, struct error *err)
{
	static const struct transport_ops ops = {tls_send, tls_recv, tls_wait, tls_finish,
						 tls_free};
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO *in;

	if (!tls) {
		close(fd);
		return error_set(err, -ENOMEM, "out of memory for a connection");
	}
	tls->t.ops = &ops;
	tls->fd = fd;
	snprintf(tls->t.peer, sizeof(tls->t.peer), "%s", peer);
	tls->ssl = SSL_new(ctx);
	in = BIO_new_socket(fd, BIO_NOCLOSE);
	tls->out = BIO_new(BIO_s_mem());
	if (!tls->ssl || !in || !tls->out) {
		BIO_free(in);
		BIO_free(tls->out);
		tls_free(&tls->t);
		return error_set(err, -ENOMEM, "out of memory for a connection");
	}
	SSL_set_bio(tls->ssl, in, tls->out);
	*tls_ret = tls;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Why the handshake failed: the certificate, if that is it, else what the library says. */
static int handshake_failed(struct tls *tls, int result, struct error *err)
{
	const long verdict = SSL_get_verify_result(tls->ssl);
	int r;

	if (verdict != X509_V_OK) {
		ERR_clear_error();
		return error_set(err, -EACCES, "certificate: %s",
				 X509_verify_cert_error_string(verdict));
	}
	if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNSUPPORTED_PROTOCOL ||
	    ERR_GET_REASON(ERR_peek_error()) == SSL_R_BINDER_DOES_NOT_VERIFY)
		return tls_failed(err, -EACCES, "handshake");
	r = judge(tls, result, "handshake", err);
	return r == -ENODATA ? error_set(err, -ECONNRESET, "handshake: the connection has ended")
			     : r;
}

static int handshake(struct tls *tls, int64_t until_ms, bool (*cancelled)(void), struct error *err)
{
	for (;;) {
		const int64_t left = until_ms - now_ms();
		ssize_t waiting;
		struct error unused;
		int r;

		ERR_clear_error();
		errno = 0;
		r = SSL_do_handshake(tls->ssl);
		waiting = flush(tls, r == 1 ? err : &unused); /* an alert tells the peer, too */
		if (r == 1)
			return waiting < 0 ? (int)waiting : 0;
		r = handshake_failed(tls, r, err);
		if (r < 0)
			return r;
		if (cancelled && cancelled())
			return error_set(err, -ECANCELED, "stopped by a signal");
		if (left <= 0)
			return error_set(err, -ETIMEDOUT, "handshake: no answer");
		r = tls_wait(&tls->t, false, (int)MIN(left, (int64_t)STEP_MS), NULL, err);
		if (r < 0)
			return r;
	}
}

/* --- client --------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	uint8_t bytes[16];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/*
 * Whom the server has to be, and at what time its certificate is judged. A crash kernel's clock may
 * stand at 1970: then it is not earlier than the crash. One that has expired by either stays so.
 */
static int expect_server(struct tls *tls, const struct url *url, const struct connect_setup *setup,
			 struct error *err)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	const int64_t now = time(NULL);
	char host[sizeof(url->host)];

	memcpy(host, url->host, sizeof(host)); /* the library's macro wants no const */
	X509_VERIFY_PARAM_set_time(param, (time_t)MAX(now, setup->not_before_s));
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(url->host) ? !X509_VERIFY_PARAM_set1_ip_asc(param, url->host)
				  : !X509_VERIFY_PARAM_set1_host(param, url->host, 0) ||
					    !SSL_set_tlsext_host_name(tls->ssl, host))
		return tls_failed(err, -EINVAL, url->host);
	SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
	return 0;
}

static int set_up_client(struct tls *tls, const struct url *url, const struct connect_setup *setup,
			 struct error *err)
{
	int r = 0;

	if (setup->tls_psk) {
		r = load_keys(setup->tls_psk, &tls->keys, err);
		if (r < 0)
			return r;
		SSL_set_app_data(tls->ssl, &tls->keys);
		SSL_set_psk_use_session_callback(tls->ssl, use_psk);
	}
	SSL_set_connect_state(tls->ssl);
	return expect_server(tls, url, setup, err);
}

int transport_tls_connect(const struct url *url, const struct connect_setup *setup,
			  struct transport **t_ret, struct error *err)
{
	const int64_t until_ms = now_ms() + setup->timeout_ms;
	SSL_CTX *ctx = new_ctx(TLS_client_method(), setup->tls_psk);
	struct tls *tls = NULL;
	int fd = -1, r;

	if (!ctx)
		return tls_failed(err, -ENOMEM, "TLS");
	r = setup->tls_psk
		    ? 0
		    : load_certificates(ctx, setup->tls_cert, setup->tls_key, setup->tls_ca, err);
	if (r == 0)
		r = tcp_connect(url, setup, &fd, err);
	if (r == 0)
		r = new_tls(ctx, fd, url->text, &tls, err);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	tls->ctx = ctx;
	r = set_up_client(tls, url, setup, err);
	if (r == 0) {
		r = handshake(tls, until_ms, setup->cancelled, err);
		if (r < 0)
			error_prefix(err, "TLS");
	}
	if (r < 0) {
		tls_free(&tls->t);
		return r;
	}
	snprintf(tls->t.identity, sizeof(tls->t.identity), "%s", url->host);
	if (setup->passed)
		setup->passed(setup->ctx, "TLS", SSL_get_cipher_name(tls->ssl));
	*t_ret = &tls->t;
	return 0;
}

/* --- server --------------------------------------------------------------------------------- */

int tls_server_new(const char *cert, const char *key, const char *ca, const char *psk,
		   struct tls_server **s_ret, struct error *err)
{
	AUTO(tls_server_free) struct tls_server *s = calloc(1, sizeof(*s));
	int r = 0;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory for TLS");
	s->ctx = new_ctx(TLS_server_method(), psk && !cert);
	if (!s->ctx)
		return tls_failed(err, -ENOMEM, "TLS");
	SSL_CTX_set_app_data(s->ctx, s);
	if (cert) {
		r = load_certificates(s->ctx, cert, key, ca, err);
		SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	if (r == 0 && psk) {
		r = load_keys(psk, &s->keys, err);
		SSL_CTX_set_psk_find_session_callback(s->ctx, find_psk);
	}
	if (r < 0)
		return r;
	*s_ret = TAKE_PTR(s);
	return 0;
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	keys_deinit(&s->keys);
	free(s);
}

/* The first name of a certificate: a host's, or an address. */
static bool san_name(X509 *cert, char *name, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
		const unsigned char *bytes;
		int len;

		if (n->type == GEN_DNS) {
			bytes = ASN1_STRING_get0_data(n->d.dNSName);
			len = ASN1_STRING_length(n->d.dNSName);
			/* A name with a NUL in it pretends to be another. */
			found = len > 0 && (size_t)len < room && !memchr(bytes, 0, (size_t)len);
			if (found)
				snprintf(name, room, "%.*s", len, (const char *)bytes);
		} else if (n->type == GEN_IPADD) {
			len = ASN1_STRING_length(n->d.iPAddress);
			found = (len == 4 || len == 16) &&
				inet_ntop(len == 4 ? AF_INET : AF_INET6,
					  ASN1_STRING_get0_data(n->d.iPAddress), name,
					  (socklen_t)room);
		}
	}
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return found;
}

/* Who the client has proved to be. */
static int identify(struct tls *tls, struct error *err)
{
	X509 *cert;
	bool found;

	if (SSL_session_reused(tls->ssl)) /* by a shared key: find_psk() knows whose */
		return *tls->t.identity ? 0 : error_set(err, -EACCES, "a key without identity");
	cert = SSL_get1_peer_certificate(tls->ssl);
	found = cert && san_name(cert, tls->t.identity, sizeof(tls->t.identity));
	X509_free(cert);
	if (!found)
		return error_set(err, -EACCES,
				 "the certificate has no subject alternative name (DNS or IP)");
	return 0;
}

int transport_tls_accept(struct tls_server *s, int fd, int timeout_ms, struct transport **t_ret,
			 struct error *err)
{
	struct tls *tls;
	int r = new_tls(s->ctx, fd, "TLS client", &tls, err);

	if (r < 0)
		return r;
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_accept_state(tls->ssl);
	r = handshake(tls, now_ms() + timeout_ms, NULL, err);
	if (r == 0)
		r = identify(tls, err);
	if (r < 0) {
		error_prefix(err, "TLS");
		tls_free(&tls->t);
		return r;
	}
	*t_ret = &tls->t;
	return 0;
}
