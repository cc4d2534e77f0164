/* include/transport.h: TLS, against a client that uses the library in its own way. */
#include "../lib/unit.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"
#include "../lib/scratch.h"

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
	if (transport_tls_accept(server, fds[1], 60000, NULL, t_ret, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(pthread_join(thread, &connected), 0);
	assert_non_null(connected);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
}

/* A peer that changes keys for ever, and reads nothing: what it has us say is bounded, since it
 * isn't read any more. */
static void test_bounded(void **state UNUSED)
{
	const char *path = scratch_path("psk");
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct tls_server *server;
	struct transport *t;
	struct error err;
	bool stuck = false;
	SSL *ssl;
	char got[256];

	file_write(path, "web1:" KEY "\n", strlen("web1:" KEY "\n"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(tls_server_new(NULL, NULL, NULL, path, &server, &err), 0);
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

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "TLS: bounds what a peer has it say", test_bounded, NULL);
	return unit_run(&u, "transport_tls", argc, argv);
}
