/* Destinations: connecting, connecting again, and going on to the next.
 * Doesn't know what a session says, but for its acknowledgements. */
#include "sender/delivery/attempts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
#include "sender/delivery/link.h"
#include "sender/delivery/local_file.h"
#include "sender/machine/network.h"

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

int attempts_init(struct attempts *a, const struct url *to, size_t to_count,
		  const struct destination_setup *setup, struct error *err)
{
	struct timespec now;

	*a = (struct attempts){.setup = *setup, .to_count = to_count, .network = -1};
	if (to_count > DESTINATIONS_MAX)
		return error_set(err, -EINVAL, "more than %d destinations", DESTINATIONS_MAX);
	if (!a->setup.retry_ms)
		a->setup.retry_ms = RETRY_MS;
	if (!a->setup.queue_ms)
		a->setup.queue_ms = QUEUE_MS;
	for (size_t i = 0; i < to_count; i++) {
		a->to[i].url = to[i];
		if (!setup->retry_ms && to[i].scheme == URL_FILE)
			a->setup.retry_ms = RETRY_BEFORE_FILE_MS;
	}
	a->pipe.oneway = true;
	snprintf(a->pipe.url.text, sizeof(a->pipe.url.text), "standard output");
	/* Machines that crashed together shall not come back together. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	a->random = (uint32_t)now.tv_nsec ^ (uint32_t)getpid() << 16 ^ setup->hello.dump_id[0];
	a->progress_ms = clock_ms();
	return 0;
}

static void disconnect(struct attempts *a)
{
	if (a->link)
		a->sent_bytes += link_sent_bytes(a->link);
	link_free(a->link);
	dumpfile_free(a->df);
	free(a->path);
	a->link = NULL;
	a->df = NULL;
	a->path = NULL;
	a->current = NULL;
}

/* A session with a server, as far as WELCOME. */
static int open_link(struct attempts *a, struct destination *to, struct error *err)
{
	const uint64_t queued_ms = to->queued_ms;
	int r;

	/* The time for which it has sent us away is over. */
	a->progress_ms += destination_away_ms(to);
	to->away_ms = 0;
	r = destination_connect(to, &a->setup, false, &a->link, err);

	/* As long as a queue got shorter, nothing was tried in vain. */
	a->progress_ms += to->queued_ms - queued_ms;
	a->moved = false;
	if (a->link) {
		a->current = to;
		a->acked = 0;
		mark_link_begin(&a->sent);
		a->links++;
	}
	return r;
}

/* Remember why it failed, and tell. The next round begins with another server, if this one has
 * welcomed us in vain: or the others would never be tried. */
static void note_failure(struct attempts *a, struct destination *to, const struct error *err)
{
	a->partial |= destination_note_sent(to, a->link);
	destination_failed(to, a->link, a->setup.queue_ms, err);
	to->in_vain = a->started && !a->moved;
	if (to->in_vain && !to->oneway && a->link &&
	    upload_state(link_session(a->link)) >= UPLOAD_OPEN)
		a->next = (size_t)(to - a->to) + 1;
	a->last = *err;
	disconnect(a);
}

/* Until so much time has passed or the network has changed: 1 if it has. */
static int nap(struct attempts *a, uint64_t ms, struct error *err)
{
	const uint64_t begin_ms = clock_ms();
	bool changed = false;

	if (a->network < 0)
		a->network = network_watch();
	for (;;) {
		const uint64_t passed_ms = clock_ms() - begin_ms;

		if (stop_check(&a->setup.stop, err) < 0)
			return err->code;
		if (passed_ms >= ms)
			return changed;
		/* An address may come and go, and a route follows it. */
		if (changed && passed_ms >= MIN(ms, (uint64_t)BACKOFF_MS))
			return 1;
		changed |= network_changed(a->network, (int)MIN(ms - passed_ms, (uint64_t)NAP_MS));
	}
}

/* A number below n, of no quality. */
static uint32_t any_below(struct attempts *a, uint32_t n)
{
	a->random = a->random * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)(a->random >> 8) * n >> 24);
}

/* Within a quarter of what is due after so many rounds. */
static uint64_t backoff_ms(struct attempts *a, unsigned round)
{
	const uint32_t due = MIN((uint32_t)BACKOFF_MS << MIN(round, 8U), (uint32_t)BACKOFF_MAX_MS);

	return due - due / 4 + any_below(a, due / 2);
}

/* Whether a server is to be left alone in this round. */
static bool is_skipped(const struct attempts *a, const struct destination *to)
{
	const uint64_t now_ms = clock_ms();

	if (destination_is_out(to) || now_ms < to->not_before_ms)
		return true;
	if (to->has_part || now_ms - a->progress_ms >= LOYALTY_MS)
		return false;
	for (size_t i = 0; i < a->to_count; i++)
		if (a->to[i].has_part && !destination_is_out(&a->to[i]))
			return true;
	return false;
}

/* One server: 1 if it welcomed us. A first denial is asked again at once. */
static int try_server(struct attempts *a, struct destination *to, struct error *err)
{
	int r;

	do {
		r = open_link(a, to, err);
		if (r == 0) {
			log_note("%s: connected", to->url.text);
			to->welcomed = true;
			return 1;
		}
		note_failure(a, to, err);
	} while (destination_may_be_wronged(to, r));
	return 0;
}

/* The servers [begin, end), each once: 1 if one welcomed us, 0 if none did. */
static int try_round(struct attempts *a, size_t begin, size_t end, struct error *err)
{
	const size_t first = a->next > begin && a->next < end ? a->next : begin;

	a->rounds++;
	for (size_t n = 0; n < end - begin; n++) {
		const size_t i = first + n;
		struct destination *to = &a->to[i < end ? i : i - (end - begin)];

		if (stop_check(&a->setup.stop, err) < 0)
			return err->code;
		if (!is_skipped(a, to) && try_server(a, to, err))
			return 1;
	}
	return 0;
}

static bool all_out(const struct attempts *a, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		if (!destination_is_out(&a->to[i]))
			return false;
	return true;
}

/* The time without progress. As long as a queue gets shorter that has sent us away, nothing is
 * tried in vain. */
static uint64_t passed_ms(const struct attempts *a)
{
	const uint64_t passed = clock_ms() - a->progress_ms;
	uint64_t away_ms = 0;

	for (size_t i = 0; i < a->to_count; i++)
		away_ms = MAX(away_ms, destination_away_ms(&a->to[i]));
	return passed - MIN(passed, away_ms);
}

/* Whether there was no progress for too long, with each of these servers that could be tried: also
 * where one welcomes us each time. */
static bool is_over(const struct attempts *a, size_t begin, size_t end)
{
	if (passed_ms(a) < a->setup.retry_ms)
		return false;
	for (size_t i = begin; i < end; i++)
		if (!a->to[i].in_vain && !is_skipped(a, &a->to[i]))
			return false;
	return true;
}

static void say_waiting(const struct attempts *a)
{
	const uint64_t passed = MIN(passed_ms(a), a->setup.retry_ms);
	char left[24];

	log_note("no server so far: trying for %s more",
		 format_duration(left, sizeof(left), (double)(a->setup.retry_ms - passed) / 1000));
}

/*
 * A run of servers, round after round. A link that broke is made again at once, but one that breaks
 * before anything was acknowledged is no better than none.
 */
static int try_servers(struct attempts *a, size_t begin, size_t end, struct error *err)
{
	bool said = false;

	while (!is_over(a, begin, end) && !all_out(a, begin, end)) {
		int r = a->rounds ? nap(a, backoff_ms(a, a->rounds - 1), err) : 0;

		if (r < 0)
			return r;
		/* The network has changed. */
		if (r > 0)
			a->rounds = 0;
		r = try_round(a, begin, end, err);
		if (r)
			return r;
		if (!said && !is_over(a, begin, end) && !all_out(a, begin, end))
			say_waiting(a);
		said = true;
	}
	return 0;
}

static int open_file(struct attempts *a, struct destination *to, struct error *err)
{
	const int r = local_file_open(&to->url, &a->setup, &a->path, &a->df, err);

	if (r == 0)
		a->current = to;
	return r;
}

/* One way there is one try. */
static int open_pipe(struct attempts *a, struct error *err)
{
	if (a->pipe.refused) {
		*err = a->last;
		return err->code;
	}
	return open_link(a, &a->pipe, err);
}

int attempts_find(struct attempts *a, struct error *err)
{
	size_t next = 0;
	int r;

	if (a->to_count == 0)
		return open_pipe(a, err);
	while (next < a->to_count) {
		struct destination *to = &a->to[next];
		size_t end = next;

		while (end < a->to_count && destination_is_server(&a->to[end]))
			end++;
		if (end > next) {
			r = try_servers(a, next, end, err);
			if (r)
				return MIN(r, 0);
			next = end;
			continue;
		}
		next++;
		if (to->refused)
			continue;
		r = open_file(a, to, err);
		if (r == 0)
			return 0;
		note_failure(a, to, err);
	}
	*err = a->last;
	return err->code;
}

static void note_part(struct attempts *a)
{
	struct destination *to = a->current;

	to->has_part = true;
	snprintf(to->part, sizeof(to->part), "%s", upload_welcome(link_session(a->link))->part);
	a->partial = true;
}

/* Something is durable at a server that never was before, there. */
static void note_moved(struct attempts *a)
{
	a->moved = true;
	a->progress_ms = clock_ms();
	a->rounds = 0;
	a->next = 0;
	for (size_t i = 0; i < a->to_count; i++)
		a->to[i].in_vain = false;
	a->current->mismatches = 0;
	a->current->put_off = 0;
	a->current->queued_ms = 0;
	a->current->turn_s = 0;
}

void attempts_progress(struct attempts *a)
{
	const uint64_t acked = a->link ? upload_acked(link_session(a->link)) : 0;

	if (!a->link || acked == a->acked)
		return;
	a->acked = acked;
	note_part(a);
	if (mark_acked(&a->current->mark, &a->sent, acked))
		note_moved(a);
}

void attempts_deinit(struct attempts *a)
{
	disconnect(a);
	if (a->network >= 0)
		close(a->network);
	a->network = -1;
}

void attempts_open(struct attempts *a)
{
	struct error err;
	size_t end = 0;

	if (a->to_count == 0) {
		if (open_pipe(a, &err) < 0)
			note_failure(a, &a->pipe, &err);
		return;
	}
	while (end < a->to_count && destination_is_server(&a->to[end]))
		end++;
	/* Where all fail, the operator has heard of each. */
	if (end)
		(void)!try_round(a, 0, end, &err);
}

void attempts_failed(struct attempts *a, const struct error *err)
{
	note_failure(a, a->current, err);
}

void attempts_resumed(struct attempts *a, const struct cursor *cursor)
{
	a->acked = cursor->segment;
	note_part(a);
	if (mark_resumed(&a->current->mark, cursor))
		note_moved(a);
}

void attempts_end(struct attempts *a)
{
	if (a->current)
		a->partial |= destination_note_sent(a->current, a->link);
	for (size_t i = 0; i < a->to_count; i++)
		destination_say_part(&a->to[i]);
	disconnect(a);
}

uint64_t attempts_sent_bytes(const struct attempts *a)
{
	return a->sent_bytes + (a->link ? link_sent_bytes(a->link) : 0);
}
