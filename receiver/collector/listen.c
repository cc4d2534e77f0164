/* The collector: accepts, forks, counts its children and gives them their places.
 * Doesn't know what peers send over a connection. */
#include "receiver/collector/listen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "receiver/collector/keys.h"
#include "receiver/collector/launch.h"
#include "receiver/collector/networks.h"
#include "receiver/collector/partings.h"
#include "receiver/collector/queue.h"
#include "receiver/collector/rates.h"
#include "receiver/collector/reload.h"
#include "receiver/collector/tidying.h"
#include "receiver/collector/words.h"
#include "receiver/intake/stop.h"
#include "receiver/store/census.h"
#include "receiver/store/dumpdir.h"
#include "wire/transport.h"

enum {
	WAIT_MS = 1000,
	GONE_MS = 20,	/* a child whose socket has closed ends any moment */
	FULL_MS = 1000, /* the pause in accepting when descriptors or memory are out */
	END_MS = 10000, /* how long children may take to end when the collector ends */
	WORDS_AT_ONCE = 32,

	/* A guest that hasn't asked for a place is given up for
	 * a new one. */
	WAITING_HOST_SHARE = 4, /* of those that wait, a host may have a quarter */
	FRESH_MAX = 128,
	PROVED_MAX = 256,
	PROVED_HOST_MAX = 64,

	/* Connections of an address: so many at once, and then so many in a second. */
	CONNECTIONS = 512,
	CONNECTIONS_PER_S = 32,

	/* Lines for the operator, at once and then in 1000 s: about an address that has proved
	 * nothing, about all such addresses, about a host. */
	STRANGER_LINES = 20,
	STRANGER_LINES_PER_KS = 300,
	STRANGERS_LINES = 200,
	STRANGERS_LINES_PER_KS = 2000,
	HOST_LINES = 1000,
	HOST_LINES_PER_KS = 2000,
	OWED_MS = 10000, /* how soon the operator hears that lines were left out */

	ADDRESSES_MAX = 1024, /* addresses with limits at a time */
};

struct collector {
	struct listen_setup setup;
	struct key_files keys; /* none: plain TCP */
	int fds[LISTEN_MAX];
	size_t count;
	struct queue queue;
	struct tidying tidying;
	struct partings partings;
	struct rates connections, stranger_lines, all_stranger_lines, host_lines;
	struct pollfd *polled; /* the listening sockets, then the guests, then the partings, then
				  the janitor */
	uint64_t accept_ms;    /* no accepting before that */
	sigset_t while_waiting;
};

/* A certificate or CRL that is out of date is no reason to end: the operator can replace it, and
 * there are peers with shared keys, too. */
static int read_keys(struct collector *c, struct error *err)
{
	struct error remark;
	int r;

	if (!c->setup.tls.cert && !c->setup.tls.psk)
		return 0;
	r = keys_read(&c->setup.tls, &c->keys, &remark, err);
	if (r == 0 && remark.code)
		log_warning("%s", remark.msg);
	return r;
}

/* Read certificates, CRLs and keys again if they were changed; they count from the next connection
 * on. */
static void refresh_keys(struct collector *c)
{
	struct error remark, err;
	int r;

	if (!keys_given(&c->keys))
		return;
	r = keys_refresh(&c->setup.tls, &c->keys, &remark, &err);
	if (r < 0)
		log_warning("%s; the files read before stay in use", err.msg);
	if (r > 0)
		log_note("certificates and keys were read again");
	if (r > 0 && remark.code)
		log_warning("%s", remark.msg);
}

/* SIGHUP. Sessions go on as they began. */
static void reload(struct collector *c)
{
	struct listen_setup fresh;
	struct key_files keys;

	if (!reload_read(&c->setup, &fresh, &keys))
		return;
	keys_close(&c->keys);
	c->keys = keys;
	c->setup = fresh;
	tidying_reset(&c->tidying, &fresh.limits);
}

static int open_all(struct collector *c, struct error *err)
{
	const struct listen_setup *setup = &c->setup;
	int r = read_keys(c, err);

	if (r == 0)
		r = dumpdir_check(setup->dir, NULL, err);
	if (r == 0)
		census_sweep(setup->dir);
	while (r == 0 && c->count < setup->address_count) {
		char address[64];

		r = tcp_listen(setup->addresses[c->count], &c->fds[c->count], address, err);
		if (r == 0) {
			log_note("listening on %s, %s", address,
				 keys_given(&c->keys) ? "TLS" : "plain TCP");
			c->count++;
		}
	}
	return r;
}

static int make_limits(struct collector *c, struct error *err)
{
	int r = rates_init(&c->connections, ADDRESSES_MAX, CONNECTIONS, CONNECTIONS_PER_S * 1000,
			   err);

	if (r == 0)
		r = rates_init(&c->stranger_lines, ADDRESSES_MAX, STRANGER_LINES,
			       STRANGER_LINES_PER_KS, err);
	if (r == 0)
		r = rates_init(&c->all_stranger_lines, 1, STRANGERS_LINES, STRANGERS_LINES_PER_KS,
			       err);
	if (r == 0)
		r = rates_init(&c->host_lines, ADDRESSES_MAX, HOST_LINES, HOST_LINES_PER_KS, err);
	return r;
}

/* Room for as many guests as there may be, and descriptors for them. */
static int make_room(struct collector *c, struct error *err)
{
	const struct queue_limits max = {.in = c->setup.max_sessions,
					 .in_host = c->setup.host_sessions,
					 .waiting = c->setup.max_waiting,
					 .waiting_host =
						 MAX(c->setup.max_waiting / WAITING_HOST_SHARE, 1U),
					 .fresh = FRESH_MAX,
					 .proved = PROVED_MAX,
					 .proved_host = PROVED_HOST_MAX};
	struct rlimit limit;
	int r = queue_init(&c->queue, &max, err);

	if (r == 0)
		r = make_limits(c, err);
	if (r < 0)
		return r;
	c->polled = calloc(LISTEN_MAX + c->queue.room + PARTINGS_MAX + 1, sizeof(*c->polled));
	if (!c->polled)
		return error_set(err, -ENOMEM, "out of memory for sessions");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	return 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

static void say_left_out(const char *who, unsigned count)
{
	if (count)
		log_warning("%s: %u more lines like these were left out", who, count);
}

/* A line about a peer, unless there are too many. Lines about strangers never use up those about a
 * known host. */
static void say_of(struct collector *c, const char *who, bool known, enum log_level level,
		   const char *text)
{
	const uint64_t now_ms = clock_ms();
	unsigned left_out = 0, of_all = 0;

	if (!rates_take(known ? &c->host_lines : &c->stranger_lines, who, now_ms, &left_out))
		return;
	say_left_out(who, left_out);
	if (!known && !rates_take(&c->all_stranger_lines, "strangers", now_ms, &of_all))
		return;
	say_left_out("strangers", of_all);
	log_say(level, "%s", text);
}

/* Tell how many lines were left out, also where no other line about that peer comes. */
static void say_owed(struct collector *c, uint64_t age_ms)
{
	struct rates *const all[] = {&c->stranger_lines, &c->all_stranger_lines, &c->host_lines};
	const uint64_t now_ms = clock_ms();
	const char *who;
	unsigned count;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		while ((who = rates_owed(all[i], now_ms, age_ms, &count)))
			say_left_out(who, count);
}

static void say_of_guest(struct collector *c, const struct guest *g, enum log_level level,
			 const char *text)
{
	say_of(c, queue_party_name(&c->queue, g), queue_knows(&c->queue, g), level, text);
}

/* --- children ------------------------------------------------------------------------------- */

/* Send the session's process its struct launch. */
static int tell_all_of(const struct collector *c, int fd, const struct sockaddr_storage *from,
		       struct launch *l, struct error *err)
{
	const struct listen_setup *setup = &c->setup;

	*l = (struct launch){
		.max_size_bytes = setup->max_size_bytes,
		.timeout_ms = setup->timeout_ms,
		.shown = (int)setup->shown,
		.sums = (int)setup->sums,
		.keys = c->keys,
		.connection_fd = fd,
	};
	address_name(from, l->name);
	if ((size_t)snprintf(l->dir, sizeof(l->dir), "%s", setup->dir) >= sizeof(l->dir))
		return error_set(err, -ENAMETOOLONG, "--dir: the name is too long");
	return 0;
}

/* Takes fd. Fails where the system has no room for another. */
static int start_child(struct collector *c, int fd, const struct sockaddr_storage *from,
		       struct error *err)
{
	AUTO_CLOSE int connection = fd;
	AUTO_CLOSE int ours = -1;
	AUTO_CLOSE int theirs = -1;
	struct launch l;
	struct guest *g;
	int pair[2], r = tell_all_of(c, connection, from, &l, err);
	char group[64];
	pid_t pid;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_sys(err, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	if (send(ours, &l, sizeof(l), MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(l))
		return error_sys(err, "a session's socket");
	r = launch(&l, theirs, &pid, err);
	if (r < 0)
		return r;
	address_group(from, group);
	g = queue_add(&c->queue, group); /* take_one() has checked that there is room */
	snprintf(g->name, sizeof(g->name), "%s", l.name);
	g->pid = pid;
	g->fd = TAKE_FD(ours);
	return 0;
}

/* A stream's sender can't be told to leave: its process gets the signal that an operator would
 * send. */
static void end_stream(struct guest *g)
{
	log_warning("%s: its stream ends: other hosts wait for a place", g->name);
	kill(g->pid, SIGTERM);
}

/* Tell each guest its place, if that has changed. A guest that takes no word now is told another
 * time. */
static void tell_all(struct collector *c)
{
	struct queue *q = &c->queue;

	queue_settle(q, clock_ms());
	for (unsigned i = 0; i < q->count; i++) {
		struct guest *g = &q->guests[i];

		if (g->fd < 0 || g->told == g->place || g->state < GUEST_WAITING)
			continue;
		if (g->told == PLACE_IN && g->is_patient)
			end_stream(g);
		if (order_say(g->fd, &(struct order){.place = g->place, .retry_s = g->retry_s}))
			g->told = g->place;
	}
}

/* A tidying_answer_fn. A session that takes no word now asks again when its time is over. */
static void tell_answer(void *ctx, pid_t pid, const struct space_answer *answer)
{
	struct collector *c = ctx;
	const struct order o = {.is_answer = true, .answer = *answer};

	for (unsigned i = 0; i < c->queue.count; i++) {
		struct guest *g = &c->queue.guests[i];

		if (g->pid != pid || g->fd < 0)
			continue;
		g->granted_bytes = answer->granted_bytes;
		(void)order_say(g->fd, &o);
	}
}

/* What sessions may still write of what they were granted. */
static uint64_t promised_bytes(const struct queue *q)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < q->count; i++)
		bytes += q->guests[i].granted_bytes -
			 MIN(q->guests[i].granted_bytes, q->guests[i].bytes);
	return bytes;
}

/* Only a host that has a place has a dump; its name is what the collector knows, not what the
 * session says. */
static void want_space(struct collector *c, struct guest *g, const struct word *w)
{
	struct reserve_want want = {.bound_bytes = w->bytes,
				    .least_bytes = w->least_bytes,
				    .level = w->dump_level,
				    .raw = w->raw};

	if (g->state != GUEST_IN && g->state != GUEST_LEAVING)
		return;
	snprintf(want.host, sizeof(want.host), "%s", queue_party_name(&c->queue, g));
	snprintf(want.name, sizeof(want.name), "%s", w->name);
	g->granted_bytes = 0;
	tidying_want(&c->tidying, g->pid, &want, promised_bytes(&c->queue));
}

/* Handle a session's next word: 1; 0 if there is none now; -1 if the session has gone. */
static int hear_word(struct collector *c, struct guest *g)
{
	struct word w;
	const int r = word_hear(g->fd, &w);

	if (r <= 0)
		return r;
	switch (w.kind) {
	case WORD_PROVED:
		queue_prove(&c->queue, g, w.host);
		break;
	case WORD_ASK:
		queue_ask(&c->queue, g, w.host, w.has_dump ? w.dump_id : NULL, clock_ms());
		break;
	case WORD_PROGRESS:
		queue_progress(g, w.going, w.bytes, clock_ms());
		break;
	case WORD_RESERVE:
		want_space(c, g, &w);
		break;
	default:
		say_of_guest(c, g, (enum log_level)w.level, w.text);
		break;
	}
	return 1;
}

/* Handle a session's words, but a limited number: one session can't hold up the others. */
static void hear(struct collector *c, struct guest *g)
{
	int r = 1;

	for (int i = 0; i < WORDS_AT_ONCE && r > 0; i++)
		r = hear_word(c, g);
	if (r >= 0)
		return;
	close(g->fd);
	g->fd = -1;
}

/* Take leave of processes that have ended. A process that ended by itself has told the operator
 * how; about a killed one we tell. */
static void reap(struct collector *c)
{
	struct queue *q = &c->queue;

	for (unsigned i = 0; i < q->count;) {
		struct guest *g = &q->guests[i];
		int status = 0;

		if (g->fd >= 0 || waitpid(g->pid, &status, WNOHANG) == 0) {
			i++;
			continue;
		}
		if (WIFSIGNALED(status))
			log_error("%s: its session was ended by signal %d (%s)", g->name,
				  WTERMSIG(status), strsignal(WTERMSIG(status)));
		else if (WEXITSTATUS(status) == LAUNCH_FAILED)
			log_error("%s: its session's process can't be started (/proc/self/exe)",
				  g->name);
		queue_remove(q, g);
	}
}

/* --- the loop ------------------------------------------------------------------------------- */

/* Whether a connection is worth a process. If not, it is closed. */
static bool is_welcome(struct collector *c, int fd, const struct sockaddr_storage *from)
{
	const struct listen_setup *setup = &c->setup;
	char name[64], group[64], text[160];
	unsigned unused;

	address_name(from, name);
	address_group(from, group);
	if (!rates_take(&c->connections, group, clock_ms(), &unused)) {
		close(fd);
		snprintf(text, sizeof(text), "%s: more than %d connections in a second: closed",
			 group, CONNECTIONS_PER_S);
		say_of(c, group, false, LOG_WARNING, text);
		return false;
	}
	if (keys_given(&c->keys) || networks_have(setup->plain_from, setup->plain_from_count, from))
		return true;
	snprintf(text, sizeof(text), "%s is in no network of --plain-from", name);
	partings_refuse(&c->partings, fd, text, clock_ms());
	snprintf(text, sizeof(text), "%s: is in no network of --plain-from", name);
	say_of(c, group, false, LOG_WARNING, text);
	return false;
}

static void crowd_out(struct collector *c)
{
	struct guest *g = queue_crowd_out(&c->queue);
	char text[128];

	/* A known guest hears of it by its place. */
	if (!g || queue_knows(&c->queue, g))
		return;
	snprintf(text, sizeof(text), "%s: gives way to others, not having said so far who it is",
		 g->name);
	say_of_guest(c, g, LOG_WARNING, text);
	kill(g->pid, SIGTERM);
}

static void take_one(struct collector *c, int listen_fd)
{
	struct sockaddr_storage from = {0};
	struct error err;
	int fd, r = tcp_accept(listen_fd, &from, &fd, &err);

	/* These errors come from the peer or its network, and concern only that connection. */
	if (r == -EINTR || r == -EAGAIN || r == -ECONNABORTED || r == -EPROTO)
		return;
	if (r == 0 && !is_welcome(c, fd, &from))
		return;
	if (r == 0 && queue_is_full(&c->queue)) {
		close(fd);
		r = error_set(&err, -EAGAIN, "%u connections are open", c->queue.count);
	} else if (r == 0) {
		refresh_keys(c);
		r = start_child(c, fd, &from, &err);
	}
	if (r < 0) {
		log_warning("%s: no connection is taken for %d s", err.msg, FULL_MS / 1000);
		c->accept_ms = clock_ms() + FULL_MS;
		return;
	}
	crowd_out(c);
}

/* Wait for events, and handle them. Without `accepting`, no new connection is taken. */
static void turn(struct collector *c, bool accepting)
{
	const uint64_t now = clock_ms();
	struct queue *q = &c->queue;
	const size_t listening = accepting && now >= c->accept_ms ? c->count : 0;
	const unsigned guests = q->count;
	int wait_ms = accepting && !listening ? (int)(c->accept_ms - now) : WAIT_MS;
	struct timespec limit;
	size_t partings;
	int janitor_fd;

	for (size_t i = 0; i < listening; i++)
		c->polled[i] = (struct pollfd){.fd = c->fds[i], .events = POLLIN};
	for (unsigned i = 0; i < guests; i++) {
		c->polled[listening + i] = (struct pollfd){.fd = q->guests[i].fd, .events = POLLIN};
		if (q->guests[i].fd < 0)
			wait_ms = GONE_MS;
	}
	if (tidying_is_busy(&c->tidying, &janitor_fd))
		wait_ms = GONE_MS;
	partings = partings_poll(&c->partings, c->polled + listening + guests);
	c->polled[listening + guests + partings] =
		(struct pollfd){.fd = janitor_fd, .events = POLLIN};
	limit = (struct timespec){wait_ms / 1000, (long)(wait_ms % 1000) * 1000000};
	if (ppoll(c->polled, listening + guests + partings + 1, &limit, &c->while_waiting) > 0) {
		/* Guests first: none is added or moved meanwhile. */
		for (unsigned i = 0; i < guests; i++)
			if (c->polled[listening + i].revents)
				hear(c, &q->guests[i]);
		for (size_t i = 0; i < listening; i++)
			if (c->polled[i].revents)
				take_one(c, c->fds[i]);
	}
	if (accepting && stop_reload_came())
		reload(c);
	reap(c);
	tell_all(c);
	partings_turn(&c->partings, clock_ms());
	say_owed(c, OWED_MS);
	tidying_turn(&c->tidying, clock_ms());
}

/* End the sessions in order: each tells its sender, and mends its dump. */
static void end_children(struct collector *c)
{
	const uint64_t until_ms = clock_ms() + END_MS;
	struct queue *q = &c->queue;

	for (unsigned i = 0; i < q->count; i++)
		kill(q->guests[i].pid, SIGTERM);
	while (q->count && clock_ms() < until_ms)
		turn(c, false);
	if (q->count)
		log_warning("%u sessions are left to end by themselves", q->count);
}

/*
 * A core would hold keys, and a child's a dump's bytes. A limit of 1 is the only one that the
 * kernel also obeys where cores go to a program, such as a distribution's collector of cores.
 * Source: Linux fs/coredump.c, "limit == 1".
 */
static void leave_no_core(void)
{
	const struct rlimit none = {1, 1};

	(void)setrlimit(RLIMIT_CORE, &none);
}

enum exit_status listen_for_senders(const struct listen_setup *setup)
{
	struct collector c = {.setup = *setup, .keys = keys_none()};
	struct error err;
	int r;

	leave_no_core();
	tidying_init(&c.tidying, setup->dir, &setup->limits, tell_answer, &c);
	/* Where SIGCHLD is ignored, the kernel reaps a child itself: its process number may be
	   another process' by the time that a signal is sent to it. */
	signal(SIGCHLD, SIG_DFL);
	stop_catch(&c.while_waiting);
	stop_catch_reload(&c.while_waiting);
	r = make_room(&c, &err);
	if (r == 0)
		r = open_all(&c, &err);
	while (r == 0 && !stop_signal())
		turn(&c, true);
	for (size_t i = 0; i < c.count; i++)
		close(c.fds[i]);
	if (r < 0)
		log_error("%s", err.msg);
	else
		end_children(&c);
	keys_close(&c.keys);
	say_owed(&c, 0);
	partings_close(&c.partings);
	rates_deinit(&c.connections);
	rates_deinit(&c.stranger_lines);
	rates_deinit(&c.all_stranger_lines);
	rates_deinit(&c.host_lines);
	tidying_deinit(&c.tidying);
	queue_deinit(&c.queue);
	free(c.polled);
	return r < 0 ? error_exit_status(r) : EXIT_COMPLETE;
}
