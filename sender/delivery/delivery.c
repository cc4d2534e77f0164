/* Destinations: connecting, connecting again, and going on to the next.
 * Doesn't know pages or formats, nor what a session says but in outline. */
#include "sender/delivery/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
#include "sender/delivery/destination.h"
#include "sender/delivery/link.h"
#include "sender/delivery/local_file.h"
#include "sender/kernel/crashlog.h"
#include "sender/machine/network.h"
#include "sender/output/sink.h"

enum {
	BACKOFF_MS = 1000, /* doubled with each round */
	BACKOFF_MAX_MS = 30000,
	NAP_MS = 100, /* how long a signal may go unseen */

	/* A server with part of the dump is tried alone for that long: going to another one means
	   to begin again. */
	LOYALTY_MS = 30000,

	/* How long servers are tried without progress: less where a file can have the dump. */
	RETRY_MS = 600000,
	RETRY_BEFORE_FILE_MS = 120000,

	/* A thousand machines that crashed together have their turn within it. */
	QUEUE_MS = 3600000,
};

struct delivery {
	struct delivery_setup setup;
	struct destination to[DESTINATIONS_MAX];
	struct destination *current; /* NULL: none is connected; may be the pipe */
	struct destination pipe;     /* one way */
	struct link *link;	     /* of a server */
	struct dumpfile *df;	     /* of file: */
	char *path;		     /* of that */
	uint64_t progress_ms;	     /* when something was last acknowledged, or it all began */
	uint64_t acked;		     /* of the current link: the last that was seen */
	struct mark_link sent;	     /* over it */
	bool moved;		     /* over the current link, or the last: there was progress */
	size_t next;		     /* the server that a round begins with */
	bool started;		     /* there is a dump to be sent: trying is in vain or not */
	unsigned rounds;	     /* of trying all servers, since then */
	struct error last;	     /* why the last attempt failed; code 0: none has */
	uint32_t random;	     /* for jitter */
	int network;		     /* tells of its changes; -1: it can't */

	struct digester *digester;
	uint8_t chain[DIGEST_BYTES]; /* D of what was sent */
	bool resumed;
	struct delivery_result result;
};

int delivery_new(const struct delivery_setup *setup, struct delivery **d_ret, struct error *err)
{
	AUTO(delivery_free) struct delivery *d = calloc(1, sizeof(*d));
	struct timespec now;
	int r;

	if (!d)
		return error_set(err, -ENOMEM, "out of memory for the delivery");
	d->setup = *setup;
	d->network = -1;
	if (setup->to_count > DESTINATIONS_MAX)
		return error_set(err, -EINVAL, "more than %d destinations", DESTINATIONS_MAX);
	if (!d->setup.each.retry_ms)
		d->setup.each.retry_ms = RETRY_MS;
	if (!d->setup.each.queue_ms)
		d->setup.each.queue_ms = QUEUE_MS;
	for (size_t i = 0; i < setup->to_count; i++) {
		d->to[i].url = setup->to[i];
		if (!setup->each.retry_ms && setup->to[i].scheme == URL_FILE)
			d->setup.each.retry_ms = RETRY_BEFORE_FILE_MS;
	}
	d->pipe.oneway = true;
	snprintf(d->pipe.url.text, sizeof(d->pipe.url.text), "standard output");
	/* Machines that crashed together shall not come back together. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	d->random = (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 16 ^ setup->each.hello.dump_id[0];
	d->progress_ms = clock_ms();
	r = digester_new(&d->digester, err);
	if (r < 0)
		return r;
	*d_ret = TAKE_PTR(d);
	return 0;
}

static void disconnect(struct delivery *d)
{
	if (d->link)
		d->result.sent_bytes += link_sent_bytes(d->link);
	link_free(d->link);
	dumpfile_free(d->df);
	free(d->path);
	d->link = NULL;
	d->df = NULL;
	d->path = NULL;
	d->current = NULL;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	disconnect(d);
	if (d->network >= 0)
		close(d->network);
	digester_free(d->digester);
	free(d);
}

/* --- connecting ----------------------------------------------------------------------------- */

/* A session with a server, as far as WELCOME. */
static int open_link(struct delivery *d, struct destination *to, struct error *err)
{
	const uint64_t queued_ms = to->queued_ms;
	const int r = destination_connect(to, &d->setup.each, false, &d->link, err);

	/* As long as a queue got shorter, nothing was tried in vain. */
	d->progress_ms += to->queued_ms - queued_ms;
	d->moved = false;
	if (d->link) {
		d->current = to;
		d->acked = 0;
		mark_link_begin(&d->sent);
		d->result.links++;
	}
	return r;
}

/* Remember why it failed, and tell. The next round begins with another server, if this one has
 * welcomed us in vain: or the others would never be tried. */
static void note_failure(struct delivery *d, struct destination *to, const struct error *err)
{
	d->result.partial |= destination_note_sent(to, d->link);
	destination_failed(to, d->link, err);
	to->in_vain = d->started && !d->moved;
	if (to->in_vain && !to->oneway && d->link &&
	    upload_state(link_session(d->link)) >= UPLOAD_OPEN)
		d->next = (size_t)(to - d->to) + 1;
	d->last = *err;
	disconnect(d);
}

/* Until so much time has passed or the network has changed: 1 if it has. */
static int nap(struct delivery *d, uint64_t ms, struct error *err)
{
	const uint64_t begin_ms = clock_ms();
	bool changed = false;

	if (d->network < 0)
		d->network = network_watch();
	for (;;) {
		const uint64_t passed_ms = clock_ms() - begin_ms;

		if (stop_check(&d->setup.each.stop, err) < 0)
			return err->code;
		if (passed_ms >= ms)
			return changed;
		/* An address may come and go, and a route follows it. */
		if (changed && passed_ms >= MIN(ms, (uint64_t)BACKOFF_MS))
			return 1;
		changed |= network_changed(d->network, (int)MIN(ms - passed_ms, (uint64_t)NAP_MS));
	}
}

/* A number below n, of no quality. */
static uint32_t any_below(struct delivery *d, uint32_t n)
{
	d->random = d->random * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(d->random >> 8) * n >> 24);
}

/* Within a quarter of what is due after so many rounds. */
static uint64_t backoff_ms(struct delivery *d, unsigned round)
{
	const uint32_t due = MIN((uint32_t)BACKOFF_MS << MIN(round, 8U), (uint32_t)BACKOFF_MAX_MS);

	return due - due / 4 + any_below(d, due / 2);
}

/* Whether a server is to be left alone in this round. */
static bool is_skipped(const struct delivery *d, const struct destination *to)
{
	const uint64_t now_ms = clock_ms();

	if (destination_is_out(to) || now_ms < to->not_before_ms)
		return true;
	if (to->has_part || now_ms - d->progress_ms >= LOYALTY_MS)
		return false;
	for (size_t i = 0; i < d->setup.to_count; i++)
		if (d->to[i].has_part && !destination_is_out(&d->to[i]))
			return true;
	return false;
}

/* One server: 1 if it welcomed us. A first denial is asked again at once. */
static int try_server(struct delivery *d, struct destination *to, struct error *err)
{
	int r;

	do {
		r = open_link(d, to, err);
		if (r == 0) {
			log_note("%s: connected", to->url.text);
			to->welcomed = true;
			return 1;
		}
		note_failure(d, to, err);
	} while (destination_may_be_wronged(to, r));
	return 0;
}

/* The servers [begin, end), each once: 1 if one welcomed us, 0 if none did. */
static int try_round(struct delivery *d, size_t begin, size_t end, struct error *err)
{
	const size_t first = d->next > begin && d->next < end ? d->next : begin;

	d->rounds++;
	for (size_t n = 0; n < end - begin; n++) {
		const size_t i = first + n;
		struct destination *to = &d->to[i < end ? i : i - (end - begin)];

		if (stop_check(&d->setup.each.stop, err) < 0)
			return err->code;
		if (!is_skipped(d, to) && try_server(d, to, err))
			return 1;
	}
	return 0;
}

static bool all_out(const struct delivery *d, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (!destination_is_out(&d->to[i]))
			return false;
	return true;
}

static uint64_t passed_ms(const struct delivery *d)
{
	return clock_ms() - d->progress_ms;
}

/* Whether there was no progress for too long, with each of these servers that could be tried: also
 * where one welcomes us each time. */
static bool is_over(const struct delivery *d, size_t begin, size_t end)
{
	if (passed_ms(d) < d->setup.each.retry_ms)
		return false;
	for (size_t i = begin; i < end; i++)
		if (!d->to[i].in_vain && !is_skipped(d, &d->to[i]))
			return false;
	return true;
}

static void say_waiting(const struct delivery *d)
{
	const uint64_t passed = MIN(passed_ms(d), d->setup.each.retry_ms);
	char left[24];

	log_note("no server so far: trying for %s more",
		 format_duration(left, sizeof(left),
				 (double)(d->setup.each.retry_ms - passed) / 1000));
}

/*
 * A run of servers, round after round. A link that broke is made again at once, but one that breaks
 * before anything was acknowledged is no better than none.
 */
static int try_servers(struct delivery *d, size_t begin, size_t end, struct error *err)
{
	bool said = false;

	while (!is_over(d, begin, end) && !all_out(d, begin, end)) {
		int r = d->rounds ? nap(d, backoff_ms(d, d->rounds - 1), err) : 0;

		if (r < 0)
			return r;
		/* The network has changed. */
		if (r > 0)
			d->rounds = 0;
		r = try_round(d, begin, end, err);
		if (r)
			return r;
		if (!said && !is_over(d, begin, end) && !all_out(d, begin, end))
			say_waiting(d);
		said = true;
	}
	return 0;
}

static int open_file(struct delivery *d, struct destination *to, struct error *err)
{
	const int r = local_file_open(&to->url, &d->setup.each, &d->path, &d->df, err);

	if (r == 0)
		d->current = to;
	return r;
}

/* One way there is one try. */
static int open_pipe(struct delivery *d, struct error *err)
{
	if (d->pipe.refused) {
		*err = d->last;
		return err->code;
	}
	return open_link(d, &d->pipe, err);
}

/* Any destination, in their order. Fails as delivery_start(). */
static int find_destination(struct delivery *d, struct error *err)
{
	size_t next = 0;
	int r;

	if (d->setup.to_count == 0)
		return open_pipe(d, err);
	while (next < d->setup.to_count) {
		struct destination *to = &d->to[next];
		size_t end = next;

		while (end < d->setup.to_count && destination_is_server(&d->to[end]))
			end++;
		if (end > next) {
			r = try_servers(d, next, end, err);
			if (r)
				return MIN(r, 0);
			next = end;
			continue;
		}
		next++;
		if (to->refused)
			continue;
		r = open_file(d, to, err);
		if (r == 0)
			return 0;
		note_failure(d, to, err);
	}
	*err = d->last;
	return err->code;
}

/* --- the dialogue --------------------------------------------------------------------------- */

/* What was sent of the log. */
struct log_sent {
	struct delivery *d;
	uint64_t bytes;
};

static int send_log_piece(void *ctx, const char *text, size_t bytes, struct error *err)
{
	struct log_sent *sent = ctx;
	const struct attach piece = {
		.name = "vmcore-dmesg.txt",
		.off = sent->bytes,
		.total_bytes = sent->d->setup.each.log->bytes,
		.bytes = (const uint8_t *)text,
		.size_bytes = bytes,
	};

	sent->bytes += bytes;
	return link_attach(sent->d->link, &piece, err);
}

static int send_log(struct delivery *d, struct error *err)
{
	struct log_sent sent = {.d = d};

	if (!d->link || !d->setup.each.log || upload_state(link_session(d->link)) != UPLOAD_OPEN)
		return 0;
	return crashlog_write(d->setup.each.log, send_log_piece, &sent, err);
}

void delivery_open(struct delivery *d)
{
	struct error err;
	int r = 0;

	if (d->setup.to_count == 0) {
		r = open_pipe(d, &err);
		if (r < 0)
			note_failure(d, &d->pipe, &err);
	} else if (destination_is_server(&d->to[0])) {
		size_t end = 0;

		while (end < d->setup.to_count && destination_is_server(&d->to[end]))
			end++;
		r = try_round(d, 0, end, &err);
	}
	if (d->link && (r = send_log(d, &err)) < 0)
		note_failure(d, d->current, &err);
}

static void note_part(struct delivery *d)
{
	struct destination *to = d->current;

	to->has_part = true;
	snprintf(to->part, sizeof(to->part), "%s", upload_welcome(link_session(d->link))->part);
	d->result.partial = true;
}

/* Something is durable at a server that never was before, there. */
static void note_moved(struct delivery *d)
{
	d->moved = true;
	d->progress_ms = clock_ms();
	d->rounds = 0;
	d->next = 0;
	for (size_t i = 0; i < d->setup.to_count; i++)
		d->to[i].in_vain = false;
	d->current->mismatches = 0;
	d->current->put_off = 0;
	d->current->queued_ms = 0;
}

/* TOTALS, and what the receiver makes of them. The log goes again after a new connection. */
static int ask(struct delivery *d, const struct totals *totals, bool fresh,
	       struct delivery_start *start_ret, struct error *err)
{
	struct upload *session = link_session(d->link);
	const struct go *go = upload_go(session);
	int r = fresh ? send_log(d, err) : 0;

	if (r == 0 && upload_state(session) == UPLOAD_OPEN)
		r = link_totals(d->link, totals, err);
	if (r == 0)
		r = link_await(d->link, UPLOAD_ASKED, err);
	if (r < 0)
		return r;
	*start_ret = (struct delivery_start){.kind = START_PAGES};
	if (upload_state(session) == UPLOAD_DONE) {
		start_ret->kind = START_DONE;
	} else if (go->kind == GO_LOG_ONLY) {
		start_ret->kind = START_LOG_ONLY;
	} else if (go->kind == GO_LEVEL) {
		start_ret->kind = START_LEVEL;
		start_ret->level = go->level;
	} else if (go->kind == GO_RESUME) {
		start_ret->resumed = true;
		start_ret->cursor = go->cursor;
		memcpy(start_ret->first, go->first, DIGEST_BYTES);
		memcpy(d->chain, go->chain, DIGEST_BYTES);
		d->acked = go->cursor.segment;
		note_part(d);
		if (mark_resumed(&d->current->mark, &go->cursor))
			note_moved(d);
		log_note("%s: goes on after checkpoint %" PRIu64, d->current->url.text,
			 go->cursor.segment);
	}
	return 0;
}

static int digest_start(struct delivery *d, const struct delivery_start *start, struct error *err)
{
	d->resumed = start->resumed;
	if (start->resumed)
		return 0;
	return digest_begin(d->digester, d->setup.each.hello.dump_id, d->chain, err);
}

int delivery_start(struct delivery *d, const struct totals *totals,
		   struct delivery_start *start_ret, struct error *err)
{
	d->started = true;
	for (;;) {
		const bool fresh = !d->current;
		int r = fresh ? find_destination(d, err) : 0;

		if (r < 0)
			return r;
		*start_ret = (struct delivery_start){.kind = START_PAGES};
		if (d->link)
			r = ask(d, totals, fresh, start_ret, err);
		if (r == 0)
			return digest_start(d, start_ret, err);
		if (r == -ECANCELED || r == -ETIME)
			return r;
		note_failure(d, d->current, err);
	}
}

static int write_stream(void *ctx, struct iovec *iov, int count, struct error *err)
{
	struct delivery *d = ctx;
	int r = 0;

	for (int i = 0; i < count && r == 0; i++)
		r = link_data(d->link, iov[i].iov_base, iov[i].iov_len, err);
	return r;
}

int delivery_sink(struct delivery *d, struct sink **sink_ret, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r;

	if (d->df)
		return sink_new_file(d->df, sink_ret, err);
	r = sink_new_stream(write_stream, d, d->resumed, &sink, err);
	if (r == 0)
		r = sink_keep_segment(sink, err);
	if (r < 0)
		return r;
	*sink_ret = TAKE_PTR(sink);
	return 0;
}

int delivery_is_same(struct delivery *d, const struct delivery_start *start,
		     const struct sink *sink, struct error *err)
{
	uint8_t chain[DIGEST_BYTES];
	int r = digest_begin(d->digester, d->setup.each.hello.dump_id, chain, err);

	if (r == 0)
		r = digest_chain(d->digester, sink_segment(sink), chain, err);
	return r < 0 ? r : memcmp(chain, start->first, DIGEST_BYTES) == 0;
}

void delivery_mismatch(struct delivery *d)
{
	struct error err;

	link_abort(d->link, REASON_MISMATCH, "the part that is there is of another dump");
	error_set(&err, -ESTALE, "the part that is there is of another dump");
	note_failure(d, d->current, &err);
}

/* What was acknowledged for the first time makes a link worth coming back to. */
static void note_progress(struct delivery *d)
{
	const uint64_t acked = d->link ? upload_acked(link_session(d->link)) : 0;

	if (!d->link || acked == d->acked)
		return;
	d->acked = acked;
	note_part(d);
	if (mark_acked(&d->current->mark, &d->sent, acked))
		note_moved(d);
}

int delivery_checkpoint(struct delivery *d, const struct cursor *cursor, const struct sink *sink,
			struct error *err)
{
	struct checkpoint checkpoint = {.cursor = *cursor, .segment = *sink_segment(sink)};
	int r;

	if (!d->link)
		return 0;
	r = digest_chain(d->digester, &checkpoint.segment, d->chain, err);
	if (r < 0)
		return r;
	memcpy(checkpoint.chain, d->chain, DIGEST_BYTES);
	mark_sent(&d->current->mark, &d->sent, cursor);
	r = link_checkpoint(d->link, &checkpoint, err);
	note_progress(d);
	return r;
}

bool delivery_has_link(const struct delivery *d)
{
	return d->link;
}

uint64_t delivery_waiting_bytes(const struct delivery *d)
{
	return d->link ? link_waiting_bytes(d->link) : 0;
}

int delivery_pump(struct delivery *d, struct error *err)
{
	int r;

	if (stop_check(&d->setup.each.stop, err) < 0)
		return err->code;
	if (!d->link)
		return 0;
	r = link_pump(d->link, err);
	note_progress(d);
	return r;
}

int delivery_end(struct delivery *d, const struct end *end, struct error *err)
{
	struct end with_chain = *end;
	int r;

	if (d->df) {
		r = local_file_publish(d->df, d->path, err);
		d->result.in_file = true;
		snprintf(d->result.where, sizeof(d->result.where), "%s", d->path);
		return r;
	}
	memcpy(with_chain.chain, d->chain, DIGEST_BYTES);
	if (upload_state(link_session(d->link)) == UPLOAD_DONE)
		r = 0;
	else
		r = link_end(d->link, &with_chain, err);
	note_progress(d);
	if (r == 0)
		snprintf(d->result.where, sizeof(d->result.where), "%s%s%s", d->current->url.text,
			 *upload_done_name(link_session(d->link)) ? ": " : "",
			 upload_done_name(link_session(d->link)));
	return r;
}

bool delivery_lost(struct delivery *d, const struct error *err)
{
	/* delivery_mismatch() told of it. */
	if (!d->current)
		return true;
	if (err->code == -ECANCELED || err->code == -ETIME || err->code == -ENOMEM)
		return false;
	if (d->link && !link_is_broken(d->link))
		return false;
	note_progress(d);
	/* A full disk: what it has is kept, and the next destination's turn comes. */
	if (local_file_keep(d->df, 0))
		d->result.partial = true;
	note_failure(d, d->current, err);
	return true;
}

void delivery_give_up(struct delivery *d, const struct error *why, uint64_t table_end)
{
	note_progress(d);
	if (d->link && upload_state(link_session(d->link)) != UPLOAD_DONE)
		link_abort(d->link, reason_of_code(why->code), why->msg);
	if (local_file_keep(d->df, table_end))
		d->result.partial = true;
	if (d->current)
		d->result.partial |= destination_note_sent(d->current, d->link);
	for (size_t i = 0; i < d->setup.to_count; i++)
		destination_say_part(&d->to[i]);
	disconnect(d);
}

void delivery_result(const struct delivery *d, struct delivery_result *result_ret)
{
	*result_ret = d->result;
	if (d->link)
		result_ret->sent_bytes += link_sent_bytes(d->link);
}
