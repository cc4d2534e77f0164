/* sender/delivery/link.h: a session over a connection, against a receiver in a thread of its own.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "receiver/session/session.h"
#include "sender/delivery/link.h"
#include "wire/transport.h"

enum { TIMEOUT_MS = 60000 };

/* Ours takes the place of the library's: the clock can be moved on. */
static _Atomic time_t later_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
	const int r = (int)syscall(SYS_clock_gettime, clock, now);

	now->tv_sec += atomic_load(&later_s);
	return r;
}

/* --- a receiver that keeps nothing --- */

/* What it does of its own accord. */
enum whim {
	OBEYS,
	HANGS_UP_AT_DATA, /* without a word */
	GIVES_UP_AT_DATA, /* with one */
	QUEUES_FIRST,	  /* WAIT, then it obeys */
	READS_NOTHING,
};

struct peer {
	enum whim whim;
	int fd;
	pthread_t thread;
	uint64_t data_bytes, attach_bytes, checkpoints;
	bool ended, aborted;
	atomic_bool gone;
};

static int op_hello(void *ctx UNUSED, const struct hello *hello UNUSED,
		    const struct frame *payload UNUSED, struct welcome *welcome_ret,
		    struct done *done_ret UNUSED, struct error *err UNUSED)
{
	strcpy(welcome_ret->host, "host");
	return 0;
}

static int op_attach(void *ctx, const struct attach *attach, struct error *err UNUSED)
{
	struct peer *p = ctx;

	p->attach_bytes += attach->size_bytes;
	return 0;
}

static int op_totals(void *ctx UNUSED, const struct totals *totals UNUSED, struct go *go_ret,
		     struct error *err UNUSED)
{
	*go_ret = (struct go){.kind = GO_BEGIN};
	return 0;
}

static int op_data(void *ctx, const uint8_t *bytes UNUSED, size_t size_bytes, struct error *err)
{
	struct peer *p = ctx;

	p->data_bytes += size_bytes;
	if (p->whim == GIVES_UP_AT_DATA)
		return error_set(err, -ENOSPC, "the disk is full");
	return p->whim == HANGS_UP_AT_DATA ? error_set(err, -ECANCELED, "hangs up") : 0;
}

static int op_checkpoint(void *ctx, const struct checkpoint *c UNUSED,
			 const struct frame *frame UNUSED, struct error *err UNUSED)
{
	struct peer *p = ctx;

	p->checkpoints++;
	return 0;
}

static int op_sync(void *ctx UNUSED, struct error *err UNUSED)
{
	return 0;
}

static int op_end(void *ctx, const struct end *end UNUSED, const struct frame *frame UNUSED,
		  struct done *done_ret, struct error *err UNUSED)
{
	struct peer *p = ctx;

	p->ended = true;
	strcpy(done_ret->name, "dump");
	return 0;
}

static const struct session_ops ops = {
	op_hello, op_attach, op_totals, op_data, op_checkpoint, op_sync, op_end,
};

static void send_all(int fd, const void *bytes, size_t size_bytes)
{
	const char *p = bytes;

	while (size_bytes) {
		const ssize_t n = send(fd, p, size_bytes, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		p += n;
		size_bytes -= (size_t)n;
	}
}

static void say_wait(int fd)
{
	struct frame_writer w;
	struct error err;
	struct outbuf o;
	size_t n;

	if (frame_writer_init(&w, 4096, &err) < 0)
		abort();
	o = frame_begin(&w);
	wait_put(&o, &(struct wait){3});
	if (frame_end(&w, FRAME_WAIT, &o, &err) < 0)
		abort();
	send_all(fd, frame_writer_pending(&w, &n), FRAME_HEADER_BYTES + 4);
	frame_writer_deinit(&w);
}

static void serve(struct peer *p, struct session *s)
{
	static uint8_t bytes[1 << 16];
	struct error err;
	int r = 0;

	while (r == 0 && session_state(s) != SESSION_DONE) {
		struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
		const uint8_t *said;
		ssize_t n = 0;
		size_t out;

		if (poll(&pfd, 1, 20) > 0)
			n = recv(p->fd, bytes, sizeof(bytes), 0);
		if (pfd.revents && n <= 0)
			break;
		r = session_feed(s, bytes, (size_t)n, clock_ms(), &err);
		if (r == 0)
			r = session_tick(s, clock_ms(), &err);
		p->aborted = r == -ECANCELED;
		if (p->whim == HANGS_UP_AT_DATA && r < 0)
			break;
		said = session_output(s, &out);
		send_all(p->fd, said, out);
		session_sent(s, out, clock_ms());
	}
}

static void *peer_main(void *arg)
{
	struct peer *p = arg;
	const struct session_setup setup = {.ops = &ops, .ctx = p, .timeout_ms = TIMEOUT_MS};
	struct session *s;
	struct error err;

	if (session_new(&setup, clock_ms(), &s, &err) < 0)
		abort();
	while (p->whim == READS_NOTHING && !p->gone)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (p->whim != READS_NOTHING)
		serve(p, s);
	shutdown(p->fd, SHUT_WR);
	/* What still comes is read, or what was said might be lost to a reset. */
	while (p->whim != HANGS_UP_AT_DATA) {
		char rest[4096];

		if (recv(p->fd, rest, sizeof(rest), 0) <= 0)
			break;
	}
	close(p->fd);
	session_free(s);
	return NULL;
}

/* A frame of the receiver's that isn't in its session's sequence would end the link: so WAIT is
 * tried without one. */
static struct link *link_to(struct peer *p, enum whim whim, const struct link_setup *setup)
{
	const struct upload_setup session = {.timeout_ms = TIMEOUT_MS};
	struct transport *t;
	struct error err;
	struct link *l;
	int fds[2];

	*p = (struct peer){.whim = whim};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	p->fd = fds[1];
	assert_int_equal(transport_new_fds(fds[0], fds[0], "peer", &t, &err), 0);
	assert_int_equal(link_new(t, &session, setup, &l, &err), 0);
	if (whim != QUEUES_FIRST)
		assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
	return l;
}

static void end_peer(struct peer *p, struct link *l)
{
	p->gone = true;
	link_free(l);
	if (p->whim == QUEUES_FIRST)
		close(p->fd);
	else
		assert_int_equal(pthread_join(p->thread, NULL), 0);
}

static const struct link_setup no_limits;

/* --- tests --- */

static void test_whole(void **state UNUSED)
{
	static uint8_t bytes[3 << 20];
	const struct checkpoint c = {.cursor = {.segment = 1, .stream_bytes = sizeof(bytes)}};
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, OBEYS, &no_limits);

	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), 0);
	assert_int_equal(upload_state(link_session(l)), UPLOAD_OPEN);
	for (uint64_t off = 0; off < 200000; off += 40000)
		assert_int_equal(link_attach(l,
					     &(struct attach){.name = "log",
							      .off = off,
							      .total_bytes = 200000,
							      .bytes = bytes,
							      .size_bytes = 40000},
					     &err),
				 0);
	assert_int_equal(link_attach(l, &(struct attach){.name = "empty"}, &err), 0);
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_ASKED, &err), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(
			link_data(l, bytes + i * (sizeof(bytes) / 4), sizeof(bytes) / 4, &err), 0);
	assert_int_equal(link_checkpoint(l, &c, &err), 0);
	assert_int_equal(link_end(l, &(struct end){0}, &err), 0);
	assert_int_equal(upload_state(link_session(l)), UPLOAD_DONE);
	assert_string_equal(upload_done_name(link_session(l)), "dump");
	assert_int_equal(upload_acked(link_session(l)), 1);
	assert_true(link_sent_bytes(l) > sizeof(bytes) + 200000);
	end_peer(&p, l);
	assert_int_equal(p.data_bytes, sizeof(bytes));
	assert_int_equal(p.attach_bytes, 200000);
	assert_int_equal(p.checkpoints, 1);
	assert_true(p.ended);
}

/* As far as GO. */
static void reach_going(struct link *l)
{
	struct error err;

	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), 0);
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_ASKED, &err), 0);
}

/* Until the link is told to be broken; how much goes out before is chance. */
static int send_until_it_fails(struct link *l, struct error *err)
{
	static const uint8_t bytes[100000];
	int r = 0;

	for (int i = 0; r == 0 && i < 1000; i++)
		r = link_data(l, bytes, sizeof(bytes), err);
	return r;
}

static void test_hung_up(void **state UNUSED)
{
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, HANGS_UP_AT_DATA, &no_limits);
	int r;

	reach_going(l);
	r = send_until_it_fails(l, &err);
	assert_true(r == -ECONNRESET || r == -EPIPE);
	assert_int_equal(err.code, r);
	assert_int_equal(upload_failure(link_session(l)), UPLOAD_BROKEN);
	end_peer(&p, l);
}

/* What the receiver said before it hung up tells more than that it did. */
static void test_given_up(void **state UNUSED)
{
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, GIVES_UP_AT_DATA, &no_limits);

	reach_going(l);
	assert_int_equal(send_until_it_fails(l, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "the disk is full"));
	assert_int_equal(upload_failure(link_session(l)), UPLOAD_REFUSED);
	end_peer(&p, l);
}

static void test_queued(void **state UNUSED)
{
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, QUEUES_FIRST, &no_limits);

	say_wait(p.fd);
	assert_int_equal(link_await(l, UPLOAD_HELLO, &err), 0);
	assert_int_equal(upload_state(link_session(l)), UPLOAD_QUEUED);
	end_peer(&p, l);
}

static bool is_cancelled(void)
{
	return true;
}

/* A receiver that doesn't read, and data without end: somebody else has to end it. */
static void test_ended(void **state UNUSED)
{
	const struct link_setup deadline = {.stop.deadline_ms = clock_ms() + 300};
	const struct link_setup cancelled = {.stop.signalled = is_cancelled};
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, READS_NOTHING, &deadline);

	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), -ETIME);
	assert_true(clock_ms() >= deadline.stop.deadline_ms);
	end_peer(&p, l);
	l = link_to(&p, READS_NOTHING, &cancelled);
	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), -ECANCELED);
	end_peer(&p, l);
}

/* No more than the rate, measured over all of it; how much less is the machine's doing. */
static void test_rate(void **state UNUSED)
{
	enum { RATE = 400000, BYTES = 500000 };
	static const uint8_t bytes[BYTES];
	const struct link_setup setup = {.bytes_per_s = RATE};
	const uint64_t begin_ms = clock_ms();
	struct error err;
	struct peer p;
	struct link *l = link_to(&p, OBEYS, &setup);

	reach_going(l);
	assert_int_equal(link_data(l, bytes, BYTES, &err), 0);
	assert_int_equal(link_end(l, &(struct end){0}, &err), 0);
	/* A tenth of a second's worth may go at once. */
	assert_true(clock_ms() - begin_ms >= 1000 * (BYTES - RATE / 10) / RATE);
	end_peer(&p, l);
	assert_int_equal(p.data_bytes, BYTES);
}

static void test_abort(void **state UNUSED)
{
	struct peer p;
	struct link *l = link_to(&p, OBEYS, &no_limits);

	reach_going(l);
	link_abort(l, REASON_STOPPED, "stopped by a signal");
	end_peer(&p, l);
	assert_true(p.aborted);
	assert_false(p.ended);
}

/* --- a connection that is stuck --- */

/* Takes HELLO, has WELCOME, and then nothing gets through, or one HEARTBEAT after the other comes,
 * for so long; counts how often it is waited for. */
struct stuck {
	struct transport t;
	struct frame_writer out;
	bool hello;
	unsigned waits;
	uint64_t talks_until_ms; /* 0: it is silent */
	bool has_ended;		 /* which who sends notices */
};

static ssize_t stuck_send(struct transport *t, const void *bytes UNUSED, size_t size_bytes,
			  struct error *err)
{
	struct stuck *s = (struct stuck *)t;
	const bool first = !s->hello;

	if (s->has_ended)
		return error_set(err, -ENODATA, "it has ended");
	s->hello = true;
	return first ? (ssize_t)size_bytes : 0;
}

static ssize_t stuck_recv(struct transport *t, void *bytes, size_t size_bytes,
			  struct error *err UNUSED)
{
	struct stuck *s = (struct stuck *)t;
	const uint8_t *said;
	size_t n;

	if (clock_ms() < s->talks_until_ms) {
		struct outbuf o = frame_begin(&s->out);
		struct error unused;

		number_put(&o, 0);
		assert_int_equal(frame_end(&s->out, FRAME_HEARTBEAT, &o, &unused), 0);
	}
	said = frame_writer_pending(&s->out, &n);
	assert_true(n <= size_bytes);
	memcpy(bytes, said, n);
	frame_writer_sent(&s->out, n);
	return (ssize_t)n;
}

static int stuck_wait(struct transport *t, bool to_send UNUSED, int timeout_ms,
		      const sigset_t *mask UNUSED, struct error *err UNUSED)
{
	((struct stuck *)t)->waits++;
	assert_true(timeout_ms > 0);
	nanosleep(&(struct timespec){.tv_sec = timeout_ms / 1000,
				     .tv_nsec = (long)(timeout_ms % 1000) * 1000000},
		  NULL);
	return 0;
}

static int stuck_finish(struct transport *t UNUSED, int timeout_ms UNUSED, struct error *err UNUSED)
{
	return 0;
}

static void stuck_free(struct transport *t UNUSED)
{
}

/* A link by it, as far as WELCOME. */
static struct link *stuck_link(struct stuck *stuck, const struct link_setup *setup)
{
	static const struct transport_ops stuck_ops = {
		stuck_send, stuck_recv, stuck_wait, stuck_finish, stuck_free, NULL, NULL};
	const struct welcome welcome = {.protocol = 1, .heartbeat_ms = 50, .timeout_ms = 1000};
	const struct upload_setup session = {.timeout_ms = TIMEOUT_MS};
	struct outbuf o;
	struct error err;
	struct link *l;

	*stuck = (struct stuck){.t.ops = &stuck_ops};
	assert_int_equal(frame_writer_init(&stuck->out, 4096, &err), 0);
	o = frame_begin(&stuck->out);
	welcome_put(&o, &welcome);
	assert_int_equal(frame_end(&stuck->out, FRAME_WELCOME, &o, &err), 0);
	assert_int_equal(link_new(&stuck->t, &session, setup, &l, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), 0);
	return l;
}

/* A machine that has crashed has better to do than to look a thousand times a second. */
static void test_stuck(void **state UNUSED)
{
	struct stuck stuck;
	struct link *l = stuck_link(&stuck, &no_limits);
	struct error err;

	/* What waits to be sent is as good as a heartbeat, which is due long since. */
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_ASKED, &err), -ETIMEDOUT);
	assert_in_range(stuck.waits, 1, 10);
	/* TOTALS. */
	assert_int_equal(link_waiting_bytes(l), FRAME_HEADER_BYTES + 24);
	link_free(l);
	frame_writer_deinit(&stuck.out);
}

/* A program at the other end that has ended is a link that broke, whoever sees it first. */
static void test_end_seen_sending(void **state UNUSED)
{
	struct stuck stuck;
	struct link *l = stuck_link(&stuck, &no_limits);
	struct error err;

	stuck.has_ended = true;
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_ASKED, &err), -ECONNRESET);
	assert_string_equal(err.msg, "it has ended");
	assert_true(link_is_broken(l));
	link_free(l);
	frame_writer_deinit(&stuck.out);
}

/* On whose link something always moves: the deadline is over all the same. */
static void test_talks(void **state UNUSED)
{
	for (int pump = 0; pump <= 1; pump++) {
		/* It comes as far as WELCOME in time, also where it is kept from a CPU. */
		const struct link_setup deadline = {.stop.deadline_ms = clock_ms() + 30000};
		struct stuck stuck;
		struct link *l = stuck_link(&stuck, &deadline);
		struct error err;

		later_s += 29;
		stuck.talks_until_ms = clock_ms() + 30000;
		assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
		assert_int_equal(pump ? link_pump(l, &err) : link_await(l, UPLOAD_ASKED, &err),
				 -ETIME);
		assert_true(clock_ms() < stuck.talks_until_ms);
		link_free(l);
		frame_writer_deinit(&stuck.out);
	}
}

/* --- one way --- */

static void test_oneway(void **state UNUSED)
{
	const struct upload_setup session = {.oneway = true, .timeout_ms = TIMEOUT_MS};
	struct transport *t;
	struct error err;
	struct link *l;
	char got[1 << 16];
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(transport_new_fds(-1, fds[1], "out", &t, &err), 0);
	assert_int_equal(link_new(t, &session, &no_limits, &l, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_QUEUED, &err), 0);
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(link_await(l, UPLOAD_ASKED, &err), 0);
	assert_int_equal(link_data(l, (const uint8_t *)"bytes", 5, &err), 0);
	assert_int_equal(link_end(l, &(struct end){0}, &err), 0);
	assert_int_equal(upload_state(link_session(l)), UPLOAD_DONE);
	assert_true(read(fds[0], got, sizeof(got)) > 100);
	assert_memory_equal(got, "VMSF", 4);
	close(fds[0]);
	link_free(l);
}

static void test_oneway_broken(void **state UNUSED)
{
	const struct upload_setup session = {.oneway = true, .timeout_ms = TIMEOUT_MS};
	struct transport *t;
	struct error err;
	struct link *l;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(transport_new_fds(-1, fds[1], "out", &t, &err), 0);
	assert_int_equal(link_new(t, &session, &no_limits, &l, &err), 0);
	assert_int_equal(link_totals(l, &(struct totals){0}, &err), 0);
	assert_int_equal(send_until_it_fails(l, &err), -EPIPE);
	link_free(l);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "link: brings all of it over", test_whole, NULL);
	unit_add(&u, "link: breaks when the receiver hangs up", test_hung_up, NULL);
	unit_add(&u, "link: tells why the receiver gives up", test_given_up, NULL);
	unit_add(&u, "link: waits in a queue", test_queued, NULL);
	unit_add(&u, "link: ends at its deadline, or when it is cancelled", test_ended, NULL);
	unit_add(&u, "link: keeps to its rate", test_rate, NULL);
	unit_add(&u, "link: says why it gives up", test_abort, NULL);
	unit_add(&u, "link: waits quietly where it is stuck", test_stuck, NULL);
	unit_add(&u, "link: is broken by an end that is seen when it sends", test_end_seen_sending,
		 NULL);
	unit_add(&u, "link: ends at its deadline whatever the receiver says", test_talks, NULL);
	unit_add(&u, "link: needs no answer one way", test_oneway, NULL);
	unit_add(&u, "link: breaks with a pipe that nobody reads", test_oneway_broken, NULL);
	return unit_run(&u, "link", argc, argv);
}
