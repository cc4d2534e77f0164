/* TLS 1.3 by OpenSSL, as a client and as a server; both prove who they are, by certificates or by a
 * shared key. Doesn't know what is spoken over it. */
#include "wire/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/crypto.h>
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

#include "base/clock.h"
#include "wire/shared_keys.h"
#include "wire/tls_files.h"
#include "wire/tls_names.h"
#include "wire/tls_trust.h"
#include "wire/url.h"

enum {
	/* Records are collected that far before they are sent, and read that far ahead: a system
	   call for each record of 16 KiB halves the speed. */
	BUFFER_BYTES = 256 << 10,

	/* More than that waits to be sent only where the peer has the library answer (a change of
	   keys), and doesn't read the answers: then it isn't listened to, either. */
	WAITING_MAX = 2 * BUFFER_BYTES,

	/* New keys after so much. A key of AES-GCM is good for 2^24.5 records, some 390 GB of full
	   ones (RFC 8446, 5.5), and the library doesn't count them. */
	KEY_BYTES = 256 << 20,

	STEP_MS = 200, /* how long a signal may go unseen */

	/* What the library's functions may have used of it. */
	STACK_BYTES = 128 << 10,

	/* What a peer that was refused gets to hear the reason. */
	GOODBYE_MS = 2000,
};

/* With a shared key, the cipher's hash is the key's. RFC 8446, 4.2.11. */
#define PSK_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
static const unsigned char psk_cipher_id[2] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */

struct tls {
	struct transport t;
	int fd;
	SSL_CTX *ctx; /* of a client; a server's is shared */
	SSL *ssl;
	BIO *out;		      /* records that wait to be sent; owned by ssl */
	size_t out_off;		      /* of them, what was sent */
	uint64_t keyed_bytes;	      /* that were sent with the present key */
	struct shared_keys keys;      /* of a client */
	const struct shared_key *key; /* offered, or found by the server; NULL: none */
	char unknown[64];	      /* an identity that the client offers, and we don't know */
	struct tls_parties parties;
	struct error verdict; /* on the peer's certificate; code 0: none */
	struct error failure; /* of receiving, to be told next; code 0: none */
};

struct tls_server {
	SSL_CTX *ctx;
	SSL_CTX *bare; /* as that, without secrets: what a connection keeps */
	struct shared_keys keys;
};

/* What SSL_* returned with: 0 (nothing now), -ENODATA (orderly end), or a failure. */
static int check(struct tls *tls, int result, const char *what, struct error *err)
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
		return tls_failed(&tls->parties, -ECONNRESET, what, err);
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

static bool is_choked(const struct tls *tls)
{
	char *unused;

	return (size_t)BIO_get_mem_data(tls->out, &unused) - tls->out_off > WAITING_MAX;
}

/* The peer is told with what is sent next. Where that can't be now, it is tried again. */
static void count_keyed(struct tls *tls, size_t size_bytes)
{
	tls->keyed_bytes += size_bytes;
	if (tls->keyed_bytes < KEY_BYTES)
		return;
	if (SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
		tls->keyed_bytes = 0;
	else
		ERR_clear_error();
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
			r = check(tls, r, "sending", err);
			if (r < 0)
				return r;
			break;
		}
		done += taken;
		count_keyed(tls, taken);
		left = flush(tls, err);
	}
	return left < 0 ? left : (ssize_t)done;
}

/* As much as is there: a record has no more than 16 KiB. */
static ssize_t tls_recv(struct transport *t, void *bytes, size_t size_bytes, struct error *err)
{
	struct tls *tls = (struct tls *)t;
	size_t done = 0;
	ssize_t left;
	int r = tls->failure.code;

	while (r == 0 && done < size_bytes && !is_choked(tls)) {
		size_t n = 0;

		ERR_clear_error();
		errno = 0;
		r = SSL_read_ex(tls->ssl, (char *)bytes + done, size_bytes - done, &n);
		done += n;
		r = r > 0 ? 0 : check(tls, r, "receiving", &tls->failure);
		if (n == 0)
			break;
	}
	/* What came before is given out first. */
	if (done)
		return (ssize_t)done;
	if (r < 0) {
		*err = tls->failure;
		return r;
	}
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
	/* What the library has read, but not given out. */
	if ((SSL_pending(tls->ssl) > 0 && !is_choked(tls)) || tls->failure.code)
		return 1;
	if (is_choked(tls))
		pfd.events = POLLOUT;
	n = ppoll(&pfd, 1, timeout_ms < 0 ? NULL : &limit, mask);
	if (n < 0 && errno != EINTR)
		return error_sys(err, "waiting for the connection");
	return n > 0;
}

static int tls_finish(struct transport *t, int timeout_ms, struct error *err)
{
	struct tls *tls = (struct tls *)t;
	const uint64_t until_ms = clock_ms() + (uint64_t)timeout_ms;
	ssize_t left;

	(void)!SSL_shutdown(tls->ssl);
	ERR_clear_error();
	while ((left = flush(tls, err)) > 0) {
		struct pollfd pfd = {.fd = tls->fd, .events = POLLOUT};
		const int ms = clock_left_ms(until_ms, timeout_ms);

		if (ms == 0)
			return 0;
		(void)!poll(&pfd, 1, ms);
	}
	if (left < 0)
		return (int)left;
	transport_finish_socket(tls->fd, clock_left_ms(until_ms, timeout_ms));
	return 0;
}

static bool tls_hung_up(struct transport *t)
{
	return transport_fd_hung_up(((const struct tls *)t)->fd);
}

static size_t tls_unsent(const struct transport *t)
{
	return transport_fd_unsent_bytes(((const struct tls *)t)->fd);
}

static void tls_free(struct transport *t)
{
	struct tls *tls = (struct tls *)t;

	SSL_free(tls->ssl);
	SSL_CTX_free(tls->ctx);
	shared_keys_deinit(&tls->keys);
	if (tls->fd >= 0)
		close(tls->fd);
	free(tls);
}

/* --- proof ---------------------------------------------------------------------------------- */

/* Which key a session is of: kept in it, so that it is known for the one that was agreed on. */
static int key_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

/* A session that was never had, with the shared key as its secret. */
static SSL_SESSION *psk_session(SSL *ssl, const struct shared_key *key)
{
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, psk_cipher_id);
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && cipher &&
	    SSL_SESSION_set1_master_key(session, key->bytes, key->size_bytes) &&
	    SSL_SESSION_set_cipher(session, cipher) &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) &&
	    SSL_SESSION_set_ex_data(session, key_index(), (void *)(uintptr_t)key))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* The client's key. `md`: the hash that is asked for, NULL if any will do. */
static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id_ret, size_t *id_bytes_ret,
		   SSL_SESSION **session_ret)
{
	const struct tls *tls = SSL_get_app_data(ssl);

	*session_ret = NULL;
	*id_ret = NULL;
	*id_bytes_ret = 0;
	if (md && EVP_MD_get_type(md) != NID_sha256)
		return 1;
	*session_ret = psk_session(ssl, tls->key);
	*id_ret = (const unsigned char *)tls->key->identity;
	*id_bytes_ret = strlen(tls->key->identity);
	return *session_ret != NULL;
}

/* The server's, by the identity that the client offers. */
static int find_psk(SSL *ssl, const unsigned char *id, size_t id_bytes, SSL_SESSION **session_ret)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct shared_key *key = shared_keys_find(&server->keys, id, id_bytes);
	size_t n = 0;

	*session_ret = key ? psk_session(ssl, key) : NULL;
	if (key) {
		tls->key = key;
		tls->parties.identity = key->identity;
		return 1;
	}
	for (; n < id_bytes && n < sizeof(tls->unknown) - 1; n++)
		tls->unknown[n] = (char)(id[n] > ' ' && id[n] < 0x7f ? id[n] : '?');
	tls->unknown[n] = '\0';
	return 1;
}

/* Keeps the reason, for the library's own error has no more than a number. */
static int on_verdict(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);

	if (!good && tls_may_pass(store)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (!good && !tls->verdict.code)
		tls_verdict(store, &tls->parties, &tls->verdict);
	return good;
}

/* What both sides want: 1.3, and no state that outlives the connection. */
static SSL_CTX *new_ctx(const SSL_METHOD *method, bool psk)
{
	SSL_CTX *ctx;

	/* Newer libraries may be built to log session keys for whoever asks by this. */
	unsetenv("SSLKEYLOGFILE");
	ctx = SSL_CTX_new(method);
	if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    (psk && !SSL_CTX_set_ciphersuites(ctx, PSK_CIPHERS))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_read_buffer_len(ctx, BUFFER_BYTES);
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

/* --- connections ---------------------------------------------------------------------------- */

/* Without a socket so far. */
static int new_tls(SSL_CTX *ctx, const char *peer, struct tls **tls_ret, struct error *err)
{
	static const struct transport_ops ops = {tls_send, tls_recv,	tls_wait,  tls_finish,
						 tls_free, tls_hung_up, tls_unsent};
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return error_set(err, -ENOMEM, "out of memory for a connection");
	tls->t.ops = &ops;
	tls->fd = -1;
	snprintf(tls->t.peer, sizeof(tls->t.peer), "%s", peer);
	tls->ssl = SSL_new(ctx);
	if (!tls->ssl) {
		tls_free(&tls->t);
		return error_set(err, -ENOMEM, "out of memory for a connection");
	}
	SSL_set_app_data(tls->ssl, tls);
	*tls_ret = tls;
	return 0;
}

/* Takes fd, whatever comes back. */
static int use_socket(struct tls *tls, int fd, struct error *err)
{
	const int flags = fcntl(fd, F_GETFL);
	BIO *in;

	tls->fd = fd;
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return error_sys(err, "a connection");
	in = BIO_new_socket(fd, BIO_NOCLOSE);
	tls->out = BIO_new(BIO_s_mem());
	if (!in || !tls->out) {
		BIO_free(in);
		BIO_free(tls->out);
		return error_set(err, -ENOMEM, "out of memory for a connection");
	}
	SSL_set_bio(tls->ssl, in, tls->out);
	return 0;
}

/* Why the handshake failed: 0 if it just isn't over. */
static int handshake_failed(struct tls *tls, int result, struct error *err)
{
	int r = check(tls, result, "handshake", err);

	if (r == 0)
		return 0;
	if (tls->verdict.code)
		*err = tls->verdict;
	else if (*tls->unknown && !tls->key && r != -ECONNRESET)
		error_set(err, -EACCES,
			  "the client offers the key of \"%s\", which --tls-psk lacks",
			  tls->unknown);
	else if (r == -ENODATA)
		error_set(err, -ECONNRESET, "handshake: the connection has ended");
	return err->code;
}

static int handshake(struct tls *tls, uint64_t until_ms, const struct stop *stop, struct error *err)
{
	for (;;) {
		struct error unused;
		int ms, r;

		ERR_clear_error();
		errno = 0;
		r = SSL_do_handshake(tls->ssl);
		if (r == 1)
			return (int)MIN(flush(tls, err), 0);
		r = handshake_failed(tls, r, err);
		if (r < 0) {
			(void)!flush(tls, &unused); /* the alert that tells the peer, too */
			return r;
		}
		r = stop_check(stop, err);
		if (r < 0)
			return r;
		ms = clock_left_ms(until_ms, STEP_MS);
		if (ms == 0)
			return error_set(err, -ETIMEDOUT, "handshake: no answer");
		r = tls_wait(&tls->t, false, ms, NULL, err);
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
	char host[sizeof(url->host)], whole[sizeof(host) + 1];
	size_t len;

	snprintf(host, sizeof(host), "%s", url->host);
	host[strcspn(host, "%")] = '\0'; /* an address' zone is this machine's business */
	/* A dot at the end only says that the name is whole: that is the same name. */
	len = strlen(host);
	if (len > 1 && host[len - 1] == '.')
		host[len - 1] = '\0';
	snprintf(whole, sizeof(whole), "%s.", host);
	tls->parties = (struct tls_parties){
		.peer = "server",
		.host = url->host,
		.identity = tls->key ? tls->key->identity : NULL,
		.now_s = MAX((int64_t)time(NULL), setup->not_before_s),
		.ssl = tls->ssl,
	};
	X509_VERIFY_PARAM_set_time(param, (time_t)tls->parties.now_s);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
						       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (is_address(host) ? !X509_VERIFY_PARAM_set1_ip_asc(param, host)
			     : !X509_VERIFY_PARAM_set1_host(param, host, 0) ||
				       !X509_VERIFY_PARAM_add1_host(param, whole, 0) ||
				       !SSL_set_tlsext_host_name(tls->ssl, host))
		return tls_failed(&tls->parties, -EINVAL, url->host, err);
	SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, on_verdict);
	return 0;
}

static int load_key(struct tls *tls, const char *path, struct error *err)
{
	const int r = shared_keys_load(path, &tls->keys, err);

	if (r < 0)
		return r;
	if (tls->keys.count > 1)
		return error_set(err, -EINVAL, "%s: %zu keys, where one has to be this host's",
				 path, tls->keys.count);
	tls->key = &tls->keys.items[0];
	SSL_set_psk_use_session_callback(tls->ssl, use_psk);
	return 0;
}

/* Files first: what is wrong with them shall not wait for a network. */
static int new_client(const struct url *url, const struct connect_setup *setup,
		      struct tls **tls_ret, struct error *err)
{
	SSL_CTX *ctx = new_ctx(TLS_client_method(), setup->tls.psk);
	struct tls *tls = NULL;
	int r = 0;

	if (!ctx)
		return error_set(err, -ENOMEM, "OpenSSL can't be set up for TLS 1.3");
	if (!setup->tls.psk)
		r = tls_files_load(ctx, &setup->tls, err);
	if (r == 0)
		r = new_tls(ctx, url->text, &tls, err);
	if (r < 0) {
		SSL_CTX_free(ctx);
		return r;
	}
	tls->ctx = ctx;
	if (setup->tls.psk)
		r = load_key(tls, setup->tls.psk, err);
	if (r == 0)
		r = expect_server(tls, url, setup, err);
	if (r < 0) {
		tls_free(&tls->t);
		return r;
	}
	SSL_set_connect_state(tls->ssl);
	*tls_ret = tls;
	return 0;
}

int transport_tls_connect(const struct url *url, const struct connect_setup *setup,
			  struct transport **t_ret, struct error *err)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)setup->timeout_ms;
	struct tls *tls = NULL;
	int fd, r = new_client(url, setup, &tls, err);

	if (r < 0)
		return error_prefix(err, "TLS");
	r = tcp_connect(url, setup, &fd, err);
	if (r == 0) {
		r = use_socket(tls, fd, err);
		if (r == 0)
			r = handshake(tls, until_ms, &setup->stop, err);
		if (r < 0)
			error_prefix(err, "TLS");
	}
	if (r < 0) {
		tls_free(&tls->t);
		return r;
	}
	snprintf(tls->t.identity, sizeof(tls->t.identity), "%s", url->host);
	tls->t.proof = tls->key ? "pre-shared key" : "certificate";
	if (setup->passed)
		setup->passed(setup->ctx, "TLS", SSL_get_cipher_name(tls->ssl));
	*t_ret = &tls->t;
	return 0;
}

/* --- server --------------------------------------------------------------------------------- */

static bool wiping;

static void wipe_free(void *p, const char *file UNUSED, int line UNUSED)
{
	if (p && wiping)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *wipe_malloc(size_t size_bytes, const char *file UNUSED, int line UNUSED)
{
	return malloc(size_bytes);
}

/* What it grows out of isn't left behind. */
static void *wipe_realloc(void *p, size_t size_bytes, const char *file, int line)
{
	size_t had;
	void *grown;

	if (!wiping || !p)
		return realloc(p, size_bytes);
	if (size_bytes == 0) {
		wipe_free(p, file, line);
		return NULL;
	}
	had = malloc_usable_size(p);
	grown = malloc(size_bytes);
	if (!grown)
		return NULL;
	memcpy(grown, p, MIN(had, size_bytes));
	wipe_free(p, file, line);
	return grown;
}

/* Parts of the library clear what they give back, but not all of them that have had a key in their
 * hands: what makes it from a file doesn't. */
void tls_wipe_memory(bool on)
{
	if (on)
		(void)CRYPTO_set_mem_functions(wipe_malloc, wipe_realloc, wipe_free);
	wiping = on;
}

/* Where the functions that have returned had their variables. */
static __attribute__((noinline)) void burn_stack(void)
{
	unsigned char bytes[STACK_BYTES];

	explicit_bzero(bytes, sizeof(bytes));
}

static int load_server(struct tls_server *s, const struct tls_files *files, struct error *err)
{
	static const unsigned char context[] = "vmrecv";
	const bool keys_alone = files->psk && !files->cert;
	int r = 0;

	s->ctx = new_ctx(TLS_server_method(), keys_alone);
	s->bare = new_ctx(TLS_server_method(), keys_alone);
	if (!s->ctx || !s->bare)
		return error_set(err, -ENOMEM, "OpenSSL can't be set up for TLS 1.3");
	SSL_CTX_set_app_data(s->ctx, s);
	/* Without one the library takes no key where certificates are wanted, too. */
	if (!SSL_CTX_set_session_id_context(s->ctx, context, sizeof(context)) ||
	    !SSL_CTX_set_session_id_context(s->bare, context, sizeof(context)))
		return error_set(err, -ENOMEM, "out of memory for TLS");
	if (files->cert) {
		r = tls_files_load(s->ctx, files, err);
		SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
				   on_verdict);
	}
	if (r == 0 && files->psk)
		r = shared_keys_load(files->psk, &s->keys, err);
	return r;
}

int tls_server_new(const struct tls_files *files, struct tls_server **s_ret, struct error *err)
{
	AUTO(tls_server_free) struct tls_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory for TLS");
	r = load_server(s, files, err);
	if (r < 0)
		return r;
	*s_ret = TAKE_PTR(s);
	return 0;
}

int tls_server_check(const struct tls_server *s, struct error *err)
{
	return tls_files_check(s->ctx, time(NULL), err);
}

void tls_server_free(struct tls_server *s)
{
	if (!s)
		return;
	SSL_CTX_free(s->ctx);
	SSL_CTX_free(s->bare);
	shared_keys_deinit(&s->keys);
	free(s);
	burn_stack();
}

/*
 * A connection refers as long as it lives to what it was made from, and only the other reference
 * can be replaced: so it is made from the bare one, and has the one with the secrets while it
 * shakes hands.
 */
static int lend_secrets(struct tls *tls, const struct tls_server *s, struct error *err)
{
	if (!SSL_set_SSL_CTX(tls->ssl, s->ctx) ||
	    !SSL_set1_param(tls->ssl, SSL_CTX_get0_param(s->ctx)))
		return error_set(err, -ENOMEM, "out of memory for a connection");
	SSL_set_verify(tls->ssl, SSL_CTX_get_verify_mode(s->ctx),
		       SSL_CTX_get_verify_callback(s->ctx));
	SSL_set_psk_find_session_callback(tls->ssl, s->keys.count ? find_psk : NULL);
	return 0;
}

static int take_secrets(struct tls *tls, const struct tls_server *s, struct error *err)
{
	tls->key = NULL;
	tls->parties.identity = *tls->t.identity ? tls->t.identity : NULL;
	if (!SSL_set_SSL_CTX(tls->ssl, s->bare))
		return error_set(err, -ENOMEM, "out of memory for a connection");
	return 0;
}

/* Who the client has proved to be. */
static void identify(struct tls *tls)
{
	const struct shared_key *key = NULL;

	if (SSL_session_reused(tls->ssl)) /* by a shared key: no other sessions are kept */
		key = SSL_SESSION_get_ex_data(SSL_get0_session(tls->ssl), key_index());
	if (key)
		memcpy(tls->t.identity, key->identity, sizeof(tls->t.identity));
	else if (tls_peer_name(tls->ssl, tls->t.identity, &tls->t.unproved) < 0)
		*tls->t.identity = '\0';
	tls->t.proof = key ? "pre-shared key" : "certificate";
}

int transport_tls_accept(struct tls_server *s, int fd, int timeout_ms, const struct stop *stop,
			 struct transport **t_ret, struct error *err)
{
	struct tls *tls;
	int r = new_tls(s->bare, "TLS client", &tls, err);

	if (r < 0) {
		close(fd);
		return r;
	}
	tls->parties = (struct tls_parties){.peer = "client", .now_s = time(NULL), .ssl = tls->ssl};
	SSL_set_accept_state(tls->ssl);
	r = use_socket(tls, fd, err);
	if (r == 0)
		r = lend_secrets(tls, s, err);
	if (r == 0)
		r = handshake(tls, clock_ms() + (uint64_t)timeout_ms, stop, err);
	if (r < 0) {
		error_prefix(err, "TLS");
		if (r == -EACCES) /* the alert shall arrive */
			transport_finish_socket(fd, GOODBYE_MS);
		tls_free(&tls->t);
		return r;
	}
	identify(tls);
	r = take_secrets(tls, s, err);
	if (r < 0) {
		tls_free(&tls->t);
		return r;
	}
	*t_ret = &tls->t;
	return 0;
}
