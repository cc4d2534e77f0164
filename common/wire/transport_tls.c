/* TLS 1.3 by OpenSSL: a connection as both sides have it, from the handshake on.
 * Doesn't know which side this is, nor what is spoken over it. */
#include "common/wire/tls_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

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
};

/* With a shared key, the cipher's hash is the key's. RFC 8446, 4.2.11. */
#define PSK_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
static const unsigned char psk_cipher_id[2] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */

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

void tls_free(struct transport *t)
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
int tls_key_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_SESSION_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

/* A session that was never had, with the shared key as its secret. */
SSL_SESSION *tls_psk_session(SSL *ssl, const struct shared_key *key)
{
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, psk_cipher_id);
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && cipher &&
	    SSL_SESSION_set1_master_key(session, key->bytes, key->size_bytes) &&
	    SSL_SESSION_set_cipher(session, cipher) &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) &&
	    SSL_SESSION_set_ex_data(session, tls_key_index(), (void *)(uintptr_t)key))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

/* Keeps the reason, for the library's own error has no more than a number. */
int tls_on_verdict(int good, X509_STORE_CTX *store)
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
SSL_CTX *tls_ctx_new(const SSL_METHOD *method, bool psk)
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

/* The transport has no socket yet. */
int tls_new(SSL_CTX *ctx, const char *peer, struct tls **tls_ret, struct error *err)
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
int tls_use_socket(struct tls *tls, int fd, struct error *err)
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

int tls_handshake(struct tls *tls, uint64_t until_ms, const struct stop *stop, struct error *err)
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
