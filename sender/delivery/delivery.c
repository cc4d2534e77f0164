/* A dump on its way: the log, the totals, the stream, the end.
 * Doesn't know pages or formats, nor whose turn among destinations is. */
#include "sender/delivery/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/digest.h"
#include "base/log.h"
#include "format/dumpfile.h"
#include "sender/delivery/attempts.h"
#include "sender/delivery/destination.h"
#include "sender/delivery/link.h"
#include "sender/delivery/local_file.h"
#include "sender/kernel/crashlog.h"
#include "sender/output/sink.h"

struct delivery {
	struct delivery_setup setup;
	struct attempts at; /* the destination that has its turn */

	struct digester *digester;
	uint8_t chain[DIGEST_BYTES]; /* D of what was sent */
	bool resumed;
	bool in_file;
	char where[sizeof(((struct delivery_result *)NULL)->where)];
};

int delivery_new(const struct delivery_setup *setup, struct delivery **d_ret, struct error *err)
{
	AUTO(delivery_free) struct delivery *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return error_set(err, -ENOMEM, "out of memory for the delivery");
	d->setup = *setup;
	r = attempts_init(&d->at, setup->to, setup->to_count, &setup->each, err);
	if (r == 0)
		r = digester_new(&d->digester, err);
	if (r < 0)
		return r;
	*d_ret = TAKE_PTR(d);
	return 0;
}

void delivery_free(struct delivery *d)
{
	if (!d)
		return;
	attempts_deinit(&d->at);
	digester_free(d->digester);
	free(d);
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
	return link_attach(sent->d->at.link, &piece, err);
}

static int send_log(struct delivery *d, struct error *err)
{
	struct log_sent sent = {.d = d};

	if (!d->at.link || !d->setup.each.log ||
	    upload_state(link_session(d->at.link)) != UPLOAD_OPEN)
		return 0;
	return crashlog_write(d->setup.each.log, send_log_piece, &sent, err);
}

void delivery_open(struct delivery *d)
{
	struct error err;

	attempts_open(&d->at);
	if (d->at.link && send_log(d, &err) < 0)
		attempts_failed(&d->at, &err);
}

/* TOTALS, and what the receiver makes of them. The log goes again after a new connection. */
static int ask(struct delivery *d, const struct totals *totals, bool fresh,
	       struct delivery_start *start_ret, struct error *err)
{
	struct upload *session = link_session(d->at.link);
	const struct go *go = upload_go(session);
	int r = fresh ? send_log(d, err) : 0;

	if (r == 0 && upload_state(session) == UPLOAD_OPEN)
		r = link_totals(d->at.link, totals, err);
	if (r == 0)
		r = link_await(d->at.link, UPLOAD_ASKED, err);
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
		attempts_resumed(&d->at, &go->cursor);
		log_note("%s: goes on after checkpoint %" PRIu64, d->at.current->url.text,
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
	d->at.started = true;
	for (;;) {
		const bool fresh = !d->at.current;
		int r = fresh ? attempts_find(&d->at, err) : 0;

		if (r < 0)
			return r;
		*start_ret = (struct delivery_start){.kind = START_PAGES};
		if (d->at.link)
			r = ask(d, totals, fresh, start_ret, err);
		if (r == 0)
			return digest_start(d, start_ret, err);
		if (r == -ECANCELED || r == -ETIME)
			return r;
		attempts_failed(&d->at, err);
	}
}

static int write_stream(void *ctx, struct iovec *iov, int count, struct error *err)
{
	struct delivery *d = ctx;
	int r = 0;

	for (int i = 0; i < count && r == 0; i++)
		r = link_data(d->at.link, iov[i].iov_base, iov[i].iov_len, err);
	return r;
}

int delivery_sink(struct delivery *d, struct sink **sink_ret, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r;

	if (d->at.df)
		return sink_new_file(d->at.df, sink_ret, err);
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

	link_abort(d->at.link, REASON_MISMATCH, "the part that is there is of another dump");
	error_set(&err, -ESTALE, "the part that is there is of another dump");
	attempts_failed(&d->at, &err);
}

int delivery_checkpoint(struct delivery *d, const struct cursor *cursor, const struct sink *sink,
			struct error *err)
{
	struct checkpoint checkpoint = {.cursor = *cursor, .segment = *sink_segment(sink)};
	int r;

	if (!d->at.link)
		return 0;
	r = digest_chain(d->digester, &checkpoint.segment, d->chain, err);
	if (r < 0)
		return r;
	memcpy(checkpoint.chain, d->chain, DIGEST_BYTES);
	mark_sent(&d->at.current->mark, &d->at.sent, cursor);
	r = link_checkpoint(d->at.link, &checkpoint, err);
	attempts_progress(&d->at);
	return r;
}

bool delivery_has_link(const struct delivery *d)
{
	return d->at.link;
}

uint64_t delivery_waiting_bytes(const struct delivery *d)
{
	return d->at.link ? link_waiting_bytes(d->at.link) : 0;
}

int delivery_pump(struct delivery *d, struct error *err)
{
	int r;

	if (stop_check(&d->setup.each.stop, err) < 0)
		return err->code;
	if (!d->at.link)
		return 0;
	r = link_pump(d->at.link, err);
	attempts_progress(&d->at);
	return r;
}

int delivery_end(struct delivery *d, const struct end *end, struct error *err)
{
	struct end with_chain = *end;
	int r;

	if (d->at.df) {
		r = local_file_publish(d->at.df, d->at.path, err);
		d->in_file = true;
		snprintf(d->where, sizeof(d->where), "%s", d->at.path);
		return r;
	}
	memcpy(with_chain.chain, d->chain, DIGEST_BYTES);
	if (upload_state(link_session(d->at.link)) == UPLOAD_DONE)
		r = 0;
	else
		r = link_end(d->at.link, &with_chain, err);
	attempts_progress(&d->at);
	if (r == 0)
		snprintf(d->where, sizeof(d->where), "%s%s%s", d->at.current->url.text,
			 *upload_done_name(link_session(d->at.link)) ? ": " : "",
			 upload_done_name(link_session(d->at.link)));
	return r;
}

bool delivery_lost(struct delivery *d, const struct error *err)
{
	/* delivery_mismatch() told of it. */
	if (!d->at.current)
		return true;
	if (err->code == -ECANCELED || err->code == -ETIME || err->code == -ENOMEM)
		return false;
	if (d->at.link && !link_is_broken(d->at.link))
		return false;
	attempts_progress(&d->at);
	/* A full disk: what it has is kept, and the next destination's turn comes. */
	if (local_file_keep(d->at.df, 0))
		d->at.partial = true;
	attempts_failed(&d->at, err);
	return true;
}

void delivery_give_up(struct delivery *d, const struct error *why, uint64_t table_end)
{
	attempts_progress(&d->at);
	if (d->at.link && upload_state(link_session(d->at.link)) != UPLOAD_DONE)
		link_abort(d->at.link, reason_of_code(why->code), why->msg);
	if (local_file_keep(d->at.df, table_end))
		d->at.partial = true;
	attempts_end(&d->at);
}

void delivery_result(const struct delivery *d, struct delivery_result *result_ret)
{
	*result_ret = (struct delivery_result){
		.partial = d->at.partial,
		.links = d->at.links,
		.sent_bytes = attempts_sent_bytes(&d->at),
		.in_file = d->in_file,
	};
	memcpy(result_ret->where, d->where, sizeof(d->where));
}
