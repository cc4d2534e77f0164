/* include/wire/transport.h: TLS, against a client that uses the library in its own way. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/scratch.h"
#include "wire/transport.h"

#define KEY "000102030405060708090a0b0c0d0e0f"

static unsigned give_key(SSL *ssl UNUSED, const char *hint UNUSED, char *identity, unsigned room,
			 unsigned char *key, unsigned key_room UNUSED)
{
	snprintf(identity, room, "web1");
	for (unsigned char i = 0; i < 16; i++)
		key[i] = i;
	return 16;
}

static void *connect_client(void *arg)
{
	SSL *ssl = arg;

	return SSL_connect(ssl) == 1 ? ssl : NULL;
}

/* A session of both; the client's end doesn't block any more. */
static void meet(SSL *ssl, struct tls_server *server, struct transport **t_ret)
{
	struct error err;
	pthread_t thread;
	void *connected;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	SSL_set_fd(ssl, fds[0]);
	assert_int_equal(pthread_create(&thread, NULL, connect_client, ssl), 0);
	if (transport_tls_accept(server, fds[1], 60000, &(struct stop){0}, t_ret, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_join(thread, &connected), 0);
	assert_non_null(connected);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

static struct tls_server *new_server(void)
{
	const char *path = scratch_path("psk");
	struct tls_server *server;
	struct error err;

	file_write(path, "web1:" KEY "\n", strlen("web1:" KEY "\n"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(tls_server_new(&(struct tls_files){.psk = path}, &server, &err), 0);
	return server;
}

/* A peer that changes keys for ever, and reads nothing: what it has us say is bounded, since it
 * isn't read any more. */
static void test_bounded(void **state UNUSED)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls_server *server = new_server();
	struct transport *t;
	struct error err;
	bool stuck = false;
	SSL *ssl;
	char got[256];

	SSL_CTX_set_psk_client_callback(ctx, give_key);
	ssl = SSL_new(ctx);
	meet(ssl, server, &t);
	for (int i = 0; i < 40000 && !stuck; i++) {
		/* The library takes so many of them in a row. */
		const int r = i % 16 ? SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED)
				     : SSL_write(ssl, "x", 1);

		if (r != 1 || SSL_do_handshake(ssl) != 1) {
			ssize_t n;

			do
				n = transport_recv(t, got, sizeof(got), &err);
			while (n > 0);
			assert_true(n >= 0);
			/* Once what was on its way is read, and there is still no room: it isn't.
			 */
			stuck = SSL_do_handshake(ssl) != 1;
		}
	}
	assert_true(stuck);
	/* Nor does it turn round and round. */
	assert_int_equal(transport_wait(t, false, 1, NULL, &err), 0);
	transport_free(t);
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	tls_server_free(server);
}

/* RFC 8446, B.3: what a handshake message begins with. */
static void count_updates(int written, int version UNUSED, int type, const void *bytes,
			  size_t size_bytes, SSL *ssl UNUSED, void *arg)
{
	unsigned *updates = arg;

	*updates += !written && type == SSL3_RT_HANDSHAKE && size_bytes &&
		    *(const unsigned char *)bytes == SSL3_MT_KEY_UPDATE;
}

/* Hand over so many bytes, and take them. */
static void pass(struct transport *t, SSL *ssl, size_t size_bytes)
{
	static unsigned char bytes[256 << 10], got[256 << 10];
	size_t sent = 0, taken = 0;
	struct error err;

	while (taken < size_bytes) {
		const ssize_t n =
			transport_send(t, bytes, MIN(size_bytes - sent, sizeof(bytes)), &err);
		int r;

		assert_true(n >= 0);
		sent += (size_t)n;
		while ((r = SSL_read(ssl, got, sizeof(got))) > 0)
			taken += (size_t)r;
		assert_int_equal(SSL_get_error(ssl, r), SSL_ERROR_WANT_READ);
	}
}

/* A key of AES-GCM isn't good for a dump of any length. */
static void test_rekeys(void **state UNUSED)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls_server *server = new_server();
	struct transport *t;
	unsigned updates = 0;
	SSL *ssl;

	SSL_CTX_set_psk_client_callback(ctx, give_key);
	ssl = SSL_new(ctx);
	meet(ssl, server, &t);
	SSL_set_msg_callback(ssl, count_updates);
	SSL_set_msg_callback_arg(ssl, &updates);
	pass(t, ssl, 256 << 20);
	assert_int_equal(updates, 0);
	pass(t, ssl, 1);
	assert_int_equal(updates, 1);
	transport_free(t);
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	tls_server_free(server);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "TLS: bounds what a peer has it say", test_bounded, NULL);
	unit_add(&u, "TLS: changes its keys long before they wear out", test_rekeys, NULL);
	return unit_run(&u, "transport_tls", argc, argv);
}
