/* TLS as a client: whom the server has to be, and what this host proves itself with.
 * Doesn't know what is spoken over it. */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "common/wire/tls_connection.h"
#include "wire/tls_files.h"
#include "wire/url.h"

/* The key of this host. `md`: the hash that is asked for, NULL if any will do. */
static int use_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id_ret, size_t *id_bytes_ret,
		   SSL_SESSION **session_ret)
{
	const struct tls *tls = SSL_get_app_data(ssl);

	*session_ret = NULL;
	*id_ret = NULL;
	*id_bytes_ret = 0;
	if (md && EVP_MD_get_type(md) != NID_sha256)
		return 1;
	*session_ret = tls_psk_session(ssl, tls->key);
	*id_ret = (const unsigned char *)tls->key->identity;
	*id_bytes_ret = strlen(tls->key->identity);
	return *session_ret != NULL;
}

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
	SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, tls_on_verdict);
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
	SSL_CTX *ctx = tls_ctx_new(TLS_client_method(), setup->tls.psk);
	struct tls *tls = NULL;
	int r = 0;

	if (!ctx)
		return error_set(err, -ENOMEM, "OpenSSL can't be set up for TLS 1.3");
	if (!setup->tls.psk)
		r = tls_files_load(ctx, &setup->tls, err);
	if (r == 0)
		r = tls_new(ctx, url->text, &tls, err);
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
		r = tls_use_socket(tls, fd, err);
		if (r == 0)
			r = tls_handshake(tls, until_ms, &setup->stop, err);
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
