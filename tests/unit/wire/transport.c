/* include/wire/transport.h: the transport of two descriptors, which are sockets or pipes. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "wire/transport.h"
#include "wire/url.h"

/* A transport and the other end of it. */
struct ends {
	struct transport *t;
	int to_peer, from_peer; /* of the other end: it reads the first and writes the second */
};

static void open_socket(struct ends *e)
{
	struct error err;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(transport_new_fds(fds[0], fds[0], "peer", &e->t, &err), 0);
	e->to_peer = fds[1];
	e->from_peer = dup(fds[1]);
}

static void open_pipes(struct ends *e)
{
	struct error err;
	int in[2], out[2];

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(transport_new_fds(in[0], out[1], "peer", &e->t, &err), 0);
	e->to_peer = out[0];
	e->from_peer = in[1];
}

static void close_peer(struct ends *e)
{
	close(e->to_peer);
	close(e->from_peer);
	e->to_peer = e->from_peer = -1;
}

static void ends_deinit(struct ends *e)
{
	transport_free(e->t);
	if (e->to_peer >= 0)
		close_peer(e);
}

static const struct kind {
	const char *name;
	void (*open)(struct ends *e);
} kinds[] = {{"socket", open_socket}, {"pipes", open_pipes}};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Both ways, and neither blocks where there is nothing. */
static void test_moves(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct error err;
		struct ends e;
		char got[64];

		kinds[i].open(&e);
		assert_string_equal(e.t->peer, "peer");
		assert_string_equal(e.t->identity, "");
		assert_int_equal(transport_recv(e.t, got, sizeof(got), &err), 0);
		assert_int_equal(transport_wait(e.t, false, 0, NULL, &err), 0);
		assert_int_equal(write(e.from_peer, "hello", 5), 5);
		assert_int_equal(transport_wait(e.t, false, 10000, NULL, &err), 1);
		assert_int_equal(transport_recv(e.t, got, 3, &err), 3);
		assert_int_equal(transport_recv(e.t, got + 3, sizeof(got), &err), 2);
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(transport_recv(e.t, got, sizeof(got), &err), 0);
		assert_int_equal(transport_send(e.t, "there", 5, &err), 5);
		assert_int_equal(read(e.to_peer, got, sizeof(got)), 5);
		assert_memory_equal(got, "there", 5);
		ends_deinit(&e);
	}
}

/* A peer that doesn't read fills what is between, and blocks nobody; not a byte is lost. */
static void test_full(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		static uint8_t bytes[1 << 22], got[1 << 22];
		size_t sent = 0, read_bytes = 0;
		struct error err;
		struct ends e;
		ssize_t n;

		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)(k * 7 + k / 1000);
		kinds[i].open(&e);
		n = transport_send(e.t, bytes, sizeof(bytes), &err);
		assert_true(n > 0 && (size_t)n < sizeof(bytes));
		sent = (size_t)n;
		assert_int_equal(transport_send(e.t, bytes + sent, 100000, &err), 0);
		assert_int_equal(transport_wait(e.t, true, 0, NULL, &err), 0);
		while (read_bytes < sizeof(bytes)) {
			n = read(e.to_peer, got + read_bytes,
				 MIN(sizeof(bytes) - read_bytes, (size_t)50001));
			assert_true(n > 0);
			read_bytes += (size_t)n;
			n = transport_send(e.t, bytes + sent, sizeof(bytes) - sent, &err);
			assert_true(n >= 0);
			sent += (size_t)n;
		}
		assert_memory_equal(got, bytes, sizeof(bytes));
		ends_deinit(&e);
	}
}

static void test_closed(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct error err;
		struct ends e;
		char got[8];

		/* What came before the end comes before it. */
		kinds[i].open(&e);
		assert_int_equal(write(e.from_peer, "bye", 3), 3);
		close_peer(&e);
		assert_int_equal(transport_recv(e.t, got, sizeof(got), &err), 3);
		assert_int_equal(transport_wait(e.t, false, 10000, NULL, &err), 1);
		assert_int_equal(transport_recv(e.t, got, sizeof(got), &err), -ENODATA);
		signal(SIGPIPE, SIG_IGN);
		assert_int_equal(transport_send(e.t, "x", 1, &err), -EPIPE);
		ends_deinit(&e);
	}
}

/* A socket raises no SIGPIPE, whatever the process does about that. */
static void test_no_sigpipe(void **state UNUSED)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct error err;
		struct ends e;

		signal(SIGPIPE, SIG_DFL);
		open_socket(&e);
		close_peer(&e);
		_exit(transport_send(e.t, "x", 1, &err) == -EPIPE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* One way, there is nobody to hear. */
static void test_oneway(void **state UNUSED)
{
	struct transport *t;
	struct error err;
	char got[8];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(transport_new_fds(-1, fds[1], "out", &t, &err), 0);
	assert_int_equal(transport_recv(t, got, sizeof(got), &err), 0);
	assert_int_equal(transport_send(t, "x", 1, &err), 1);
	assert_int_equal(transport_wait(t, true, 1000, NULL, &err), 1);
	assert_int_equal(transport_finish(t, 100000, &err), 0);
	transport_free(t);
	assert_int_equal(read(fds[0], got, 8), 1);
	assert_int_equal(read(fds[0], got, 8), 0);
	close(fds[0]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(transport_new_fds(-1, fds[1], "out", &t, &err), 0);
	assert_int_equal(transport_finish(t, 100000, &err), 0);
	transport_free(t);
	close(fds[0]);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int number UNUSED)
{
	alarms++;
}

/* A signal that is let through while waiting ends the wait, and nothing else. */
static void test_signal(void **state UNUSED)
{
	struct sigaction action = {.sa_handler = on_alarm};
	sigset_t blocked, while_waiting;
	struct error err;
	struct ends e;

	open_socket(&e);
	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
	raise(SIGALRM);
	assert_int_equal(alarms, 0);
	assert_int_equal(transport_wait(e.t, false, 100000, &while_waiting, &err), 0);
	assert_int_equal(alarms, 1);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	ends_deinit(&e);
}

/* The peer gets all that was sent, and then the end. */
static void test_finish(void **state UNUSED)
{
	struct error err;
	struct ends e;
	pid_t pid;
	int status;

	open_socket(&e);
	pid = fork();
	if (pid == 0) {
		char got[8];
		int bad = 0;

		transport_free(e.t);
		bad += read(e.to_peer, got, 8) != 4;
		bad += read(e.to_peer, got, 8) != 0;
		bad += write(e.from_peer, "last words", 10) != 10;
		_exit(bad);
	}
	close_peer(&e);
	assert_int_equal(transport_send(e.t, "data", 4, &err), 4);
	assert_int_equal(transport_finish(e.t, 60000, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ends_deinit(&e);
}

static void *talk_on(void *arg)
{
	const struct ends *e = arg;

	/* Until it is hung up on. */
	while (send(e->from_peer, "and another thing", 17, MSG_NOSIGNAL) > 0)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	return NULL;
}

/* Who never hangs up, silent or not, is hung up on. */
static void test_finish_limit(void **state UNUSED)
{
	for (int talks = 0; talks < 2; talks++) {
		struct error err;
		struct ends e;
		pthread_t thread;
		int64_t begin_ms;

		open_socket(&e);
		if (talks)
			assert_int_equal(pthread_create(&thread, NULL, talk_on, &e), 0);
		begin_ms = now_ms();
		assert_int_equal(transport_finish(e.t, 100, &err), 0);
		assert_true(now_ms() - begin_ms >= 99);
		transport_free(e.t);
		if (talks)
			assert_int_equal(pthread_join(thread, NULL), 0);
		close_peer(&e);
	}
}

/* What was taken and hasn't gone out. */
static void test_unsent(void **state UNUSED)
{
	static char bytes[20000];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct error err;
		struct ends e;

		kinds[i].open(&e);
		assert_int_equal(transport_unsent_bytes(e.t), 0);
		assert_int_equal(transport_send(e.t, bytes, sizeof(bytes), &err), sizeof(bytes));
		assert_true(transport_unsent_bytes(e.t) >= sizeof(bytes));
		assert_int_equal(io_read_full(e.to_peer, bytes, sizeof(bytes)), sizeof(bytes));
		assert_int_equal(transport_unsent_bytes(e.t), 0);
		transport_free(e.t);
		close_peer(&e);
	}
}

static void test_listen_zone(void **state UNUSED)
{
	char address[64];
	struct error err;
	int fd;

	assert_int_equal(tcp_listen("[fe80::1]:0", &fd, address, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "[fe80::1%eth0]"));
}

/* Over TCP what the peer's window has no room for. */
static void test_unsent_tcp(void **state UNUSED)
{
	static char bytes[1 << 16], address[64];
	struct sockaddr_storage from;
	struct connect_setup setup = {.timeout_ms = 10000};
	struct transport *t;
	struct error err;
	struct url url;
	ssize_t n;
	int listen_fd, fd;

	assert_int_equal(tcp_listen("127.0.0.1:0", &listen_fd, address, &err), 0);
	snprintf(bytes, sizeof(bytes), "tcp://%s", address);
	assert_int_equal(url_parse(bytes, &url, &err), 0);
	assert_int_equal(transport_tcp_connect(&url, &setup, &t, &err), 0);
	assert_int_equal(tcp_accept(listen_fd, &from, &fd, &err), 0);
	assert_int_equal(transport_unsent_bytes(t), 0);
	do
		n = transport_send(t, bytes, sizeof(bytes), &err);
	while (n > 0);
	assert_int_equal(n, 0);
	assert_true(transport_unsent_bytes(t) > 0);
	transport_free(t);
	close(fd);
	close(listen_fd);
}

/* The descriptors go with it, one or two. */
static void test_freed(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct ends e;
		char got;

		kinds[i].open(&e);
		transport_free(e.t);
		assert_int_equal(read(e.to_peer, &got, 1), 0);
		close_peer(&e);
	}
	transport_free(NULL);
}

/* Where to listen: on the port that is named, or on `any`; or what the error has in it. */
static const struct listening {
	const char *name, *address, *want_error;
	bool any;
} listenings[] = {
	{"tcp_listen: takes port 0 for any", "127.0.0.1:0", NULL, true},
	{"tcp_listen: takes leading zeros", "127.0.0.1:00000000000", NULL, true},
	{"tcp_listen: takes port 65535", "127.77.0.1:65535", NULL, false},
	{"tcp_listen: refuses port 65536", "127.0.0.1:65536",
	 "the port of \"127.0.0.1:65536\": \"65536\" isn't a number from 0 to 65535", false},
	{"tcp_listen: refuses port 99999", ":99999", "isn't a number from 0 to 65535", false},
	{"tcp_listen: refuses port 2^32", "127.0.0.1:4294967296", "isn't a number", false},
	{"tcp_listen: refuses port 2^64", "127.0.0.1:18446744073709551616", "isn't a number",
	 false},
	{"tcp_listen: refuses port -1", "127.0.0.1:-1", "isn't a number", false},
	{"tcp_listen: refuses a port with a plus", "127.0.0.1:+7777", "isn't a number", false},
	{"tcp_listen: refuses a port with a blank", "127.0.0.1: 7777", "isn't a number", false},
	{"tcp_listen: refuses a port in words", "127.0.0.1:http", "isn't a number", false},
	{"tcp_listen: refuses a hexadecimal port", "[::1]:0x50", "isn't a number", false},
	{"tcp_listen: refuses no port", "127.0.0.1:", "isn't ADDR:PORT", false},
};

static void test_listen(void **state)
{
	const struct listening *row = *state;
	char address[64];
	struct error err;
	int fd, r = tcp_listen(row->address, &fd, address, &err);

	if (row->want_error) {
		assert_int_equal(r, -EINVAL);
		assert_non_null(strstr(err.msg, row->want_error));
		return;
	}
	if (r == -EADDRINUSE) /* by somebody else on this machine: it was taken for what it is */
		return;
	assert_int_equal(r, 0);
	close(fd);
	if (row->any)
		assert_null(strstr(address, ":0"));
	else
		assert_string_equal(address, row->address);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, listenings, test_listen);
	unit_add(&u, "transport: moves bytes both ways", test_moves, NULL);
	unit_add(&u, "transport: blocks for no peer that doesn't read", test_full, NULL);
	unit_add(&u, "transport: ends when the peer does", test_closed, NULL);
	unit_add(&u, "transport: raises no signal", test_no_sigpipe, NULL);
	unit_add(&u, "transport: hears nobody one way", test_oneway, NULL);
	unit_add(&u, "transport: lets signals in while it waits", test_signal, NULL);
	unit_add(&u, "transport: waits until the peer has it all", test_finish, NULL);
	unit_add(&u, "transport: waits for no peer for ever", test_finish_limit, NULL);
	unit_add(&u, "transport: knows what hasn't gone out", test_unsent, NULL);
	unit_add(&u, "transport: knows what hasn't gone out by TCP", test_unsent_tcp, NULL);
	unit_add(&u, "transport: takes its descriptors along", test_freed, NULL);
	unit_add(&u, "tcp_listen: asks for the interface of a link-local address", test_listen_zone,
		 NULL);
	return unit_run(&u, "transport", argc, argv);
}
