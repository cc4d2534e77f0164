/* TLS as a server: its secrets, which only a handshake has, and who the client has proved to be.
 * Doesn't know what is spoken over it. */
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/wire/tls_connection.h"
#include "wire/tls_files.h"
#include "wire/tls_names.h"

enum {
	/* What the library's functions may have used of it. */
	STACK_BYTES = 128 << 10,

	/* What a peer that was refused gets to hear the reason. */
	GOODBYE_MS = 2000,
};

struct tls_server {
	SSL_CTX *ctx;
	SSL_CTX *bare; /* as that, without secrets: what a connection keeps */
	struct shared_keys keys;
};

/* The server's, by the identity that the client offers. */
static int find_psk(SSL *ssl, const unsigned char *id, size_t id_bytes, SSL_SESSION **session_ret)
{
	struct tls *tls = SSL_get_app_data(ssl);
	const struct tls_server *server = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct shared_key *key = shared_keys_find(&server->keys, id, id_bytes);
	size_t n = 0;

	*session_ret = key ? tls_psk_session(ssl, key) : NULL;
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

/* Growing leaves no copy of the old memory. */
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

	s->ctx = tls_ctx_new(TLS_server_method(), keys_alone);
	s->bare = tls_ctx_new(TLS_server_method(), keys_alone);
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
				   tls_on_verdict);
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
		key = SSL_SESSION_get_ex_data(SSL_get0_session(tls->ssl), tls_key_index());
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
	int r = tls_new(s->bare, "TLS client", &tls, err);

	if (r < 0) {
		close(fd);
		return r;
	}
	tls->parties = (struct tls_parties){.peer = "client", .now_s = time(NULL), .ssl = tls->ssl};
	SSL_set_accept_state(tls->ssl);
	r = tls_use_socket(tls, fd, err);
	if (r == 0)
		r = lend_secrets(tls, s, err);
	if (r == 0)
		r = tls_handshake(tls, clock_ms() + (uint64_t)timeout_ms, stop, err);
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
