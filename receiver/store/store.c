/* A session's dump: journal, chain, and what is assembled.
 * Doesn't know links or frames; home.h knows where the dump lives, assemble.h what it lacks. */
#include "receiver/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/dumpfile.h"
#include "receiver/assemble/assemble.h"
#include "receiver/store/extents.h"
#include "receiver/store/home.h"
#include "receiver/store/journal.h"
#include "receiver/store/meta.h"

enum {
	/* Segments' tables that wait for a sync of the data, at the most. */
	JOURNAL_WAITING_BYTES = 2 << 20,

	/* And tables altogether, beyond half of what the stream has: no limit of the dump's length
	   counts them. */
	JOURNAL_SLACK_BYTES = 2 << 20,
};

struct store {
	struct store_setup setup;
	char host[HOST_NAME_ROOM];
	struct home *home;
	struct meta meta;

	struct journal *journal;
	struct journal_facts facts; /* that it had before this session */
	bool going_on;		    /* with what an earlier session left */
	struct dumpfile *df;
	struct assemble *assemble;
	struct digester *digester;
	uint8_t chain[DIGEST_BYTES];
	uint64_t segments;	/* judged, the earlier sessions' included */
	bool began;		/* GO was said */
	uint64_t granted_bytes; /* that the dump may become long */

	struct dumpfile *attachment; /* that is coming */
	char attachment_name[ATTACH_NAME_ROOM];
	uint64_t attachment_bytes;
	unsigned attachments; /* that have begun */

	struct store_result result;
};

int store_new(const struct store_setup *setup, struct store **s_ret, struct error *err)
{
	AUTO(store_free) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->setup = *setup;
	r = digester_new(&s->digester, err);
	if (r == 0)
		r = home_new(
			&(struct home_setup){setup->dir, setup->file, setup->force, setup->alive},
			&s->home, err);
	if (r == 0)
		*s_ret = TAKE_PTR(s);
	return r;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	assemble_free(s->assemble);
	dumpfile_free(s->attachment);
	dumpfile_free(s->df);
	journal_free(s->journal);
	home_free(s->home);
	digester_free(s->digester);
	free(s);
}

uint64_t store_stream_bytes(const struct store *s)
{
	return s->assemble ? assemble_received(s->assemble) : 0;
}

bool store_is_wanted(const struct store *s)
{
	return s->journal && journal_is_wanted(s->journal);
}

/* --- names ---------------------------------------------------------------------------------- */

/*
 * A part of a path that a peer may choose who has proved nothing: at most 64 of [A-Za-z0-9._-].
 * Other characters become '_'; "unknown" stands for a name of nothing but dots.
 */
static void make_host_name(char out[static 65], const char *text)
{
	static const char others[] = "._-";
	bool dots = true;
	size_t n = 0;

	for (; *text && n < 64; text++, n++) {
		const char c = *text;
		const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				   (c >= '0' && c <= '9') || strchr(others, c);

		out[n] = (char)(plain ? c : '_');
		dots &= c == '.';
	}
	out[n] = '\0';
	/* A name that begins with a dot would be hidden from who looks after the disk. */
	if (dots)
		strcpy(out, "unknown");
	else if (*out == '.')
		*out = '_';
}

int store_check_host(const char *host, struct error *err)
{
	return host_name_is_good(host)
		       ? 0
		       : error_set(err, -EACCES, "\"%.60s\" isn't a host's name", host);
}

/* --- beginning ------------------------------------------------------------------------------ */

/* For WELCOME, where it can be told. */
static void tell_free(const struct store *s, struct welcome *w)
{
	const uint64_t bytes = home_free_bytes(s->home);

	w->free_bytes = bytes < INT64_MAX ? bytes : 0;
	w->full = bytes == 0;
}

static int begin_new(struct store *s, const struct frame *hello, struct error *err)
{
	int r = home_create(s->home, &s->df, err);

	if (r == 0)
		r = home_create_journal(s->home, hello, &s->journal, err);
	if (r == 0)
		r = journal_sync(s->journal, err);
	return r < 0 ? r : dumpfile_sync_name(s->df, err);
}

/* What an earlier session left: 1 if it is the whole dump. */
static int begin_again(struct store *s, struct error *err)
{
	int r = home_take_over(s->home, &s->journal, err);

	/* The session before has come to nothing, and removed it: the next try begins anew. */
	if (r == -ENOENT)
		r = err->code = -EBUSY;
	if (r == 0)
		r = journal_load(s->journal, &s->facts, NULL, NULL, err);
	/* The end is noted before it is published. */
	return r == 0 ? s->facts.whole && home_has_dump(s->home) : r;
}

/* Nothing is left to be done but to say so, also where the session that could has ended too early:
 * between the name and its sync, perhaps. */
static int was_there(struct store *s, struct done *done_ret, struct error *err)
{
	const int r = home_sync(s->home, err);

	if (r < 0)
		return r;
	home_complete_meta(s->home, &s->facts.end);
	s->result.complete = s->result.was_there = true;
	memcpy(done_ret->chain, s->facts.chain, DIGEST_BYTES);
	snprintf(done_ret->name, sizeof(done_ret->name), "%.199s", s->result.path);
	return 1;
}

/* Whether a dump would be taken, as far as that can be said without one. */
static int probe(struct store *s, struct welcome *welcome_ret, struct error *err)
{
	const int r = home_check(s->home, s->host, err);

	if (r == 0)
		tell_free(s, welcome_ret);
	return r;
}

/* Whom a dump belongs to: who has proved it, or else whom the sender says. */
static int name_host(struct store *s, const struct hello *hello, struct error *err)
{
	int r = 0;

	if (!s->setup.host)
		make_host_name(s->host, hello->host);
	else if ((r = store_check_host(s->setup.host, err)) == 0)
		snprintf(s->host, sizeof(s->host), "%s", s->setup.host);
	memcpy(s->result.host, s->host, sizeof(s->result.host));
	return r;
}

static int op_hello(void *ctx, const struct hello *hello, const struct frame *payload,
		    struct welcome *welcome_ret, struct done *done_ret, struct error *err)
{
	struct store *s = ctx;
	const struct store_setup *setup = &s->setup;
	int r = name_host(s, hello, err);

	if (r < 0)
		return r;
	snprintf(welcome_ret->host, sizeof(welcome_ret->host), "%.*s",
		 (int)sizeof(welcome_ret->host) - 1, s->host);
	if (hello->probe)
		return probe(s, welcome_ret, err);
	s->result.begun = true;
	r = home_find(s->home, s->host, hello->dump_id, err);
	s->going_on = r > 0;
	if (r >= 0)
		r = s->going_on ? begin_again(s, err) : begin_new(s, payload, err);
	if (r == 0)
		r = home_settle(s->home, err);
	home_path(s->home, s->result.path);
	if (r != 0)
		return r < 0 ? r : was_there(s, done_ret, err);
	s->meta = (struct meta){
		.hello = *hello,
		.host = s->host,
		.proof = setup->proof,
		.peer = setup->peer,
		.begun_s = time(NULL),
		.status = "receiving",
	};
	tell_free(s, welcome_ret);
	snprintf(welcome_ret->part, sizeof(welcome_ret->part), "%.190s.part", s->result.path);
	return home_write_meta(s->home, &s->meta, err);
}

/* --- attachments ---------------------------------------------------------------------------- */

static int begin_attachment(struct store *s, const struct attach *a, struct error *err)
{
	int r;

	if (s->attachments == ATTACH_COUNT_MAX)
		return error_set(err, -EFBIG, "more than %d attachments", ATTACH_COUNT_MAX);
	dumpfile_free(s->attachment);
	s->attachment = NULL;
	s->attachment_bytes = 0;
	snprintf(s->attachment_name, sizeof(s->attachment_name), "%s", a->name);
	r = home_attach(s->home, a, s->facts.cursor.segment > 1, &s->attachment, err);
	s->attachments += r == 0;
	return r;
}

static int op_attach(void *ctx, const struct attach *a, struct error *err)
{
	struct store *s = ctx;
	int r = 0;

	if (!s->result.begun) /* a probe */
		return 0;
	if (a->off == 0)
		r = begin_attachment(s, a, err);
	else if (!s->attachment || a->off != s->attachment_bytes ||
		 strcmp(a->name, s->attachment_name) != 0) {
		return error_set(err, -EPROTO, "a piece of %s out of turn", a->name);
	}
	if (r == 0 && a->size_bytes)
		r = dumpfile_write(s->attachment, a->off, a->bytes, a->size_bytes, err);
	if (r < 0)
		return r;
	home_take_log(s->home, &s->meta, a);
	s->attachment_bytes += a->size_bytes;
	if (s->attachment_bytes < a->total_bytes)
		return 0;
	r = dumpfile_publish(s->attachment, err);
	dumpfile_free(s->attachment);
	s->attachment = NULL;
	return r;
}

/* --- the dump ------------------------------------------------------------------------------- */

static int new_assembler(struct store *s, struct error *err)
{
	const struct assemble_limits limits = {
		.max_size_bytes = s->setup.max_size_bytes,
		.free_bytes = dumpfile_free_bytes(s->df) + dumpfile_size(s->df),
		.alive = &s->setup.alive,
		.once = true,
	};

	return assemble_new(s->df, &limits, &s->assemble, err);
}

static int note_segment(void *ctx, const struct segment *segment, struct error *err)
{
	struct store *s = ctx;
	int r = 0;

	for (size_t i = 0; i < segment->count && r == 0; i++)
		r = assemble_has(s->assemble, segment->extents[i].off,
				 segment->extents[i].size_bytes, err);
	return r;
}

/* Open the part, bring it back to what the journal says, and go on from there. */
static int resume_part(struct store *s, struct error *err)
{
	const struct cursor *cursor = &s->facts.cursor;
	struct journal_facts unused;
	int r = home_resume(s->home, &s->df, err);

	if (r == 0)
		r = extents_restore(s->journal, s->df, cursor->data_off, &s->setup.alive, err);
	if (r == 0)
		r = new_assembler(s, err);
	if (r == 0)
		r = journal_load(s->journal, &unused, note_segment, s, err);
	if (r < 0)
		return r;
	assemble_go_on(s->assemble, cursor->stream_bytes);
	memcpy(s->chain, s->facts.chain, DIGEST_BYTES);
	s->segments = cursor->segment;
	s->result.resumed = true;
	return 0;
}

/* There is nothing to go on with: the dump begins anew, in the same place. */
static int begin_over(struct store *s, struct error *err)
{
	int r;

	assemble_free(s->assemble);
	dumpfile_free(s->df);
	s->assemble = NULL;
	s->df = NULL;
	s->facts.whole = false;
	r = journal_cut(s->journal, 0, err);
	if (r == 0)
		r = home_create_over(s->home, &s->df, err);
	return r < 0 ? r : dumpfile_sync_name(s->df, err);
}

/* Ask for space, for a dump that has become `least_bytes` long. */
static int reserve(struct store *s, uint64_t least_bytes, struct error *err)
{
	const struct hello *hello = &s->meta.hello;
	struct reserve_want want = {.bound_bytes = s->meta.totals.max_bytes,
				    .least_bytes = least_bytes,
				    .level = hello->level,
				    .raw = strcmp(hello->codec, "none") == 0};

	s->granted_bytes = UINT64_MAX;
	if (!s->setup.reserve || !home_name(s->home, want.name, sizeof(want.name)))
		return 0;
	snprintf(want.host, sizeof(want.host), "%s", s->host);
	return s->setup.reserve(s->setup.reserve_ctx, &want, &s->setup.alive, &s->granted_bytes,
				err);
}

static int op_totals(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err)
{
	struct store *s = ctx;
	int r = 0;

	*go_ret = (struct go){.kind = GO_BEGIN};
	if (!s->result.begun)
		return 0;
	s->meta.totals = *totals;
	r = reserve(s, 0, err);
	if (r < 0)
		return r;
	if (s->going_on) {
		r = s->facts.cursor.segment ? resume_part(s, err) : -ENOENT;
		if (r == 0) {
			go_ret->kind = GO_RESUME;
			go_ret->cursor = s->facts.cursor;
			memcpy(go_ret->chain, s->facts.chain, DIGEST_BYTES);
			memcpy(go_ret->first, s->facts.first, DIGEST_BYTES);
			s->began = true;
			return 0;
		}
		/* It is gone, or isn't what the journal says; all else may pass. */
		if (r == -ENOENT || r == -EEXIST || r == -EBADMSG)
			r = begin_over(s, err);
	}
	if (r == 0)
		r = new_assembler(s, err);
	if (r == 0)
		r = digest_begin(s->digester, s->meta.hello.dump_id, s->chain, err);
	s->began = r == 0;
	return r;
}

static int op_data(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	struct store *s = ctx;
	const uint64_t least_bytes = dumpfile_size(s->df) + size_bytes;
	int r = 0;

	if (least_bytes > s->granted_bytes)
		r = reserve(s, least_bytes, err);
	if (r == 0)
		r = assemble_feed(s->assemble, bytes, size_bytes, err);
	return MIN(r, 0);
}

static int op_sync(void *ctx, struct error *err)
{
	struct store *s = ctx;
	const int r = dumpfile_sync(s->df, err);

	return r < 0 ? r : journal_sync(s->journal, err);
}

/* Segments without bytes, or of single ones, would fill a disk beside a dump of any length. */
static int check_table(const struct store *s, const struct frame *frame, struct error *err)
{
	const uint64_t limit = JOURNAL_SLACK_BYTES + assemble_received(s->assemble) / 2;

	if (journal_size(s->journal) + frame->payload_bytes <= limit)
		return 0;
	return error_set(err, -EFBIG, "the tables of the segments are too long for what has come");
}

static int op_checkpoint(void *ctx, const struct checkpoint *c, const struct frame *frame,
			 struct error *err)
{
	struct store *s = ctx;
	uint8_t chain[DIGEST_BYTES];
	int r = check_table(s, frame, err);

	if (r == 0)
		r = assemble_segment(s->assemble, &c->segment, c->cursor.data_off, err);
	if (r == 0)
		r = extents_verify(s->df, s->digester, &c->segment, err);
	if (r < 0)
		return error_prefix(err, "segment %" PRIu64, s->segments);
	memcpy(chain, s->chain, sizeof(chain));
	r = digest_chain(s->digester, &c->segment, chain, err);
	if (r == 0 && memcmp(chain, c->chain, sizeof(chain)) != 0)
		r = error_set(err, -EBADMSG, "segment %" PRIu64 ": the digest differs",
			      s->segments);
	if (r == 0)
		r = journal_append(s->journal, frame, err);
	if (r < 0)
		return r;
	memcpy(s->chain, chain, sizeof(chain));
	s->segments++;
	home_note_progress(s->home, &s->meta, s->df, store_stream_bytes(s));
	return journal_waiting(s->journal) > JOURNAL_WAITING_BYTES ? op_sync(s, err) : 0;
}

static void take_result(struct store *s, const struct assemble_result *res)
{
	s->result.pages = res->arrived.pages;
	s->result.pages_missing = res->arrived.pages_missing;
	s->result.pages_lost = res->arrived.pages_lost;
	s->result.usable = res->arrived.usable;
	s->result.stream_bytes = res->received_bytes;
	s->result.file_bytes = res->file_bytes;
}

/* What this process didn't see come in may have suffered since. Then all from there on has to come
 * again. */
static int verify_earlier(struct store *s, struct error *err)
{
	struct error unused;
	uint64_t good = 0;
	const int r = extents_verify_first(s->journal, s->df, s->digester, s->facts.cursor.segment,
					   &s->setup.alive, &good, err);

	if (r == -EBADMSG) {
		error_prefix(err, "segment %" PRIu64, good);
		(void)!journal_cut(s->journal, good, &unused);
	}
	return r;
}

static int op_end(void *ctx, const struct end *end, const struct frame *frame,
		  struct done *done_ret, struct error *err)
{
	struct store *s = ctx;
	struct assemble_result res;
	struct error other;
	int r;

	if (end->segments == 0 && s->segments == 0 && end->stream_bytes == 0)
		return error_set(err, -EPROTO, "END without a dump");
	if (end->segments != s->segments || memcmp(end->chain, s->chain, DIGEST_BYTES) != 0 ||
	    end->stream_bytes != assemble_received(s->assemble))
		return error_set(err, -EBADMSG, "the sender's totals differ from what has come");
	/* After the last segment there is only the end marker. */
	r = assemble_segment(s->assemble, &(struct segment){0}, dumpfile_size(s->df), err);
	if (r == 0 && s->result.resumed)
		r = verify_earlier(s, err);
	/* Before it has its final name: who comes again finds out by both that it is complete. */
	if (r == 0 && !s->facts.whole)
		r = journal_append(s->journal, frame, err);
	if (r == 0)
		r = journal_sync(s->journal, err);
	if (r < 0)
		return r;
	r = assemble_end(s->assemble, &res, err);
	take_result(s, &res);
	assemble_free(s->assemble);
	s->assemble = NULL;
	if (r < 0)
		return r;
	s->result.complete = true;
	s->result.name_unsure = dumpfile_name_is_unsure(s->df);
	s->meta.status = "complete";
	s->meta.end = *end;
	s->meta.done_s = time(NULL);
	s->meta.file_bytes = res.file_bytes;
	s->meta.received_bytes = res.received_bytes;
	snprintf(done_ret->name, sizeof(done_ret->name), "%.199s", s->result.path);
	r = home_write_meta(s->home, &s->meta, err);
	/* Whatever became of that: until then what tells of the dump may be of one before it. */
	if (home_settle_published(s->home, &other) < 0 && r == 0) {
		*err = other;
		r = err->code;
	}
	/* The dump is there, which is what counts: the sender may come again, whatever it was, and
	 * hears of it. */
	if (r < 0)
		err->code = -EIO;
	return r < 0 ? err->code : 0;
}

const struct session_ops store_ops = {
	.hello = op_hello,
	.attach = op_attach,
	.totals = op_totals,
	.data = op_data,
	.checkpoint = op_checkpoint,
	.sync = op_sync,
	.end = op_end,
};

/* Whatever it has come to, and however late it failed. */
static void note_incomplete(struct store *s)
{
	struct error unused;

	if (s->df)
		(void)home_part_path(s->home, s->result.path);
	s->meta.status = "incomplete";
	s->meta.file_bytes = s->result.file_bytes;
	s->meta.received_bytes = s->result.stream_bytes;
	s->meta.done_s = time(NULL);
	(void)!home_write_meta(s->home, &s->meta, &unused);
}

/* Whether the part, which goes if it is empty, or an attachment is worth keeping what tells of it.
 */
static bool has_come(const struct store *s)
{
	return s->result.complete || s->attachments || (s->df && dumpfile_size(s->df));
}

/* Nothing is left of who came and sent nothing; unless somebody waits for it. */
static bool clear(const struct store *s)
{
	return home_clear(s->home, s->facts.cursor.segment == 0 && !s->segments &&
					   !journal_is_wanted(s->journal));
}

void store_close(struct store *s, const struct error *why, struct store_result *result_ret)
{
	struct assemble_result res;
	struct error err, unused;

	if (s->assemble) {
		/* Of a part, what is in the journal is what counts: all of it is written first. */
		if (why)
			assemble_stop(s->assemble, why);
		if (assemble_end(s->assemble, &res, &err) < 0)
			(void)!op_sync(s, &unused);
		take_result(s, &res);
	}
	if (s->journal && !has_come(s) && clear(s))
		s->result.path[0] = '\0';
	else if (s->meta.status && !s->result.complete)
		note_incomplete(s);
	/* The sender has found that the part is of another dump, or it can't be made whole: the
	 * next session begins anew. */
	if (s->began && why && why->code == -ESTALE)
		home_forget(s->home);
	*result_ret = s->result;
}
