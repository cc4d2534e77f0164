/* A session's dump in files.
 * Doesn't know links or frames; what a kdump file lacks is known by assemble.h. */
#include "receiver/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "format/dumpfile.h"
#include "receiver/assemble/assemble.h"
#include "receiver/store/census.h"
#include "receiver/store/dumpdir.h"
#include "receiver/store/extents.h"
#include "receiver/store/journal.h"
#include "receiver/store/meta.h"
#include "receiver/store/sidecars.h"

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
	struct dumpdir place; /* the directory of the dump; not of a file */
	char *base;	      /* path of the dump */
	const char *beside;   /* between that and what is beside it: ".part" of a file, which may be
				 there already; else "" */
	struct meta meta;
	char *meta_path;

	struct journal *journal;
	struct journal_facts facts; /* that it had before this session */
	bool going_on;		    /* with what an earlier session left */
	struct dumpfile *df;
	struct assemble *assemble;
	struct digester *digester;
	uint8_t chain[DIGEST_BYTES];
	uint64_t segments; /* judged, the earlier sessions' included */
	bool began;	   /* GO was said */

	struct dumpfile *attachment; /* that is coming */
	char attachment_name[ATTACH_NAME_ROOM];
	uint64_t attachment_bytes;
	char attached[ATTACH_COUNT_MAX][ATTACH_NAME_ROOM]; /* that have begun */
	unsigned attachments;				   /* how many */

	struct store_result result;
};

int store_new(const struct store_setup *setup, struct store **s_ret, struct error *err)
{
	AUTO(store_free) struct store *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->setup = *setup;
	s->place.host_fd = -1;
	r = digester_new(&s->digester, err);
	if (r < 0)
		return r;
	*s_ret = TAKE_PTR(s);
	return 0;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	assemble_free(s->assemble);
	dumpfile_free(s->attachment);
	dumpfile_free(s->df);
	journal_free(s->journal);
	dumpdir_deinit(&s->place);
	digester_free(s->digester);
	free(s->base);
	free(s->meta_path);
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

const char *store_host(const struct store *s)
{
	return s->host;
}

/* --- names ---------------------------------------------------------------------------------- */

char *store_name(char out[static 65], const char *text)
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
	return out;
}

int store_check_host(const char *host, struct error *err)
{
	return host_name_is_good(host)
		       ? 0
		       : error_set(err, -EACCES, "\"%.60s\" isn't a host's name", host);
}

/* --- beginning ------------------------------------------------------------------------------ */

/* For WELCOME, where it can be told. */
static void tell_free(struct welcome *w, const char *path)
{
	const uint64_t bytes = io_free_bytes(path);

	w->free_bytes = bytes < INT64_MAX ? bytes : 0;
	w->full = bytes == 0;
}

static char *beside(const struct store *s, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s%s%s", s->base, s->beside, suffix) < 0 ? NULL : path;
}

static int begin_new(struct store *s, const struct frame *hello, struct error *err)
{
	AUTO_FREE char *path = beside(s, ".segments");
	int r;

	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	/* The part first: a FILE that isn't to be replaced keeps its journal, too. */
	r = dumpfile_create(s->base, dumpfile_replace_if(s->setup.force), &s->df, err);
	/* The journal has digests of a session's dump; sums are of another one. */
	if (r == 0)
		r = dumpfile_keep_sums(s->df, SUMS_NONE, NULL, err);
	if (r == 0 && s->setup.file)
		r = s->setup.force ? sidecars_drop_part(s->base, err)
				   : sidecars_check(s->base, true, err);
	if (r == 0)
		r = journal_create(path, hello, &s->journal, err);
	if (r == 0)
		r = journal_sync(s->journal, err);
	return r < 0 ? r : dumpfile_sync_name(s->df, err);
}

/* What an earlier session left: 1 if it is the whole dump. */
static int begin_again(struct store *s, struct error *err)
{
	AUTO_FREE char *path = beside(s, ".segments");
	int r;

	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	r = journal_take_over(path, &s->setup.alive, &s->journal, err);
	/* The session before has come to nothing, and removed it: the next try begins anew. */
	if (r == -ENOENT)
		r = err->code = -EBUSY;
	if (r == 0)
		r = journal_load(s->journal, &s->facts, NULL, NULL, err);
	/* The end is noted before it is published. */
	return r == 0 ? s->facts.whole && io_exists(s->base) : r;
}

/* Nothing is left to be done but to say so, also where the session that could has ended too early:
 * between the name and its sync, perhaps. */
static int was_there(struct store *s, struct done *done_ret, struct error *err)
{
	const int r = sidecars_sync(s->base, err);
	struct error unused;
	struct stat st;

	if (r < 0)
		return r;

	if (stat(s->base, &st) == 0)
		(void)!meta_complete(s->meta_path, &s->facts.end, st.st_mtime, (uint64_t)st.st_size,
				     &unused);
	s->result.complete = s->result.was_there = true;
	memcpy(done_ret->chain, s->facts.chain, DIGEST_BYTES);
	snprintf(done_ret->name, sizeof(done_ret->name), "%.199s", s->result.path);
	return 1;
}

/* Whether a dump would be taken, as far as that can be said without one. */
static int probe(struct store *s, struct welcome *welcome_ret, struct error *err)
{
	const char *dir = s->setup.dir;
	const int r = dir ? dumpdir_check(dir, s->host, err) : 0;

	if (r == 0)
		tell_free(welcome_ret, dir ? dir : ".");
	return r;
}

/* To the directory of the dump, or, without --dir, where we are. */
static int go_to_place(struct store *s, const struct hello *hello, struct error *err)
{
	const struct store_setup *setup = &s->setup;
	int r = setup->dir ? dumpdir_find(&s->place, setup->dir, s->host, hello->dump_id,
					  &setup->alive, err)
			   : 0;

	if (r < 0)
		return r;
	s->going_on = r > 0;
	s->base = strdup(setup->dir ? "vmcore" : setup->file);
	s->beside = setup->dir ? "" : ".part";
	if (s->base)
		s->meta_path = setup->dir ? strdup("meta.json") : beside(s, ".json");
	if (!s->base || !s->meta_path)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* Whom a dump belongs to: who has proved it, or else whom the sender says. */
static int name_host(struct store *s, const struct hello *hello, struct error *err)
{
	int r = 0;

	if (!s->setup.host)
		store_name(s->host, hello->host);
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
	r = go_to_place(s, hello, err);
	if (r == 0)
		r = s->going_on ? begin_again(s, err) : begin_new(s, payload, err);
	if (r == 0)
		r = dumpdir_settle(&s->place, err);
	snprintf(s->result.path, sizeof(s->result.path), "%s%s", s->place.path,
		 s->base ? s->base : "");
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
	tell_free(welcome_ret, setup->dir ? "." : setup->file);
	snprintf(welcome_ret->part, sizeof(welcome_ret->part), "%.190s.part", s->result.path);
	return meta_write(s->meta_path, &s->meta, err);
}

/* --- attachments ---------------------------------------------------------------------------- */

/* NAME of vmcore-NAME, whether it is sent with that prefix or without. */
static const char *bare_name(const char *name)
{
	static const char prefix[] = "vmcore-";

	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

static char *attachment_path(const struct store *s, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s-%s", s->base, s->beside, bare_name(name)) < 0 ? NULL : path;
}

static bool was_attached(const struct store *s, const char *name)
{
	for (unsigned i = 0; i < s->attachments; i++)
		if (strcmp(s->attached[i], name) == 0)
			return true;
	return false;
}

/* A dump's own directory has nothing of others. Beside FILE, what isn't this session's may be
 * anybody's, and the sender chooses the name. */
static int check_attachment(const struct store *s, const char *name, struct error *err)
{
	if (s->setup.dir || s->setup.force || was_attached(s, name))
		return 0;
	return sidecars_check_other(s->base, bare_name(name), err);
}

/* What attachments without a dump may take of the disk. */
static int check_room(const struct store *s, const char *path, uint64_t more_bytes,
		      struct error *err)
{
	struct census census;
	int r;

	if (!s->setup.dir || s->facts.cursor.segment > 1)
		return 0;
	r = census_take(AT_FDCWD, "..", &census, err);
	if (r < 0)
		return r;
	if (census.attached_bytes + more_bytes > ATTACHED_BYTES_MAX)
		return error_set(err, -EDQUOT,
				 "%s: the host has %" PRIu64 " MiB of attachments of dumps without "
				 "a page, and more aren't taken",
				 path, census.attached_bytes >> 20);
	return 0;
}

static int begin_attachment(struct store *s, const struct attach *a, struct error *err)
{
	AUTO_FREE char *path = attachment_path(s, a->name);
	int r = check_attachment(s, a->name, err);

	if (r < 0)
		return r;
	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	r = check_room(s, path, a->total_bytes, err);
	if (r < 0)
		return r;
	/* An earlier session's count, too. */
	if (s->attachments == ATTACH_COUNT_MAX ||
	    (s->setup.dir && census_attachments(path) >= ATTACH_COUNT_MAX))
		return error_set(err, -EFBIG, "more than %d attachments", ATTACH_COUNT_MAX);
	dumpfile_free(s->attachment);
	s->attachment = NULL;
	s->attachment_bytes = 0;
	snprintf(s->attachment_name, sizeof(s->attachment_name), "%s", a->name);
	r = dumpfile_create(path, DUMPFILE_REPLACE_ALL, &s->attachment, err);
	if (r == 0)
		memcpy(s->attached[s->attachments++], a->name, ATTACH_NAME_ROOM);
	return r;
}

static int op_attach(void *ctx, const struct attach *a, struct error *err)
{
	struct store *s = ctx;
	int r = 0;

	if (!s->base) /* a probe */
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
	if (strcmp(bare_name(a->name), "dmesg.txt") == 0)
		meta_take_log(&s->meta, s->base, a);
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
		.free_bytes = io_free_bytes(dumpfile_part_path(s->df)) + dumpfile_size(s->df),
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
	int r = dumpfile_resume(s->base, &s->df, err);

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
		r = dumpfile_create(s->base, DUMPFILE_REPLACE_ALL, &s->df, err);
	return r < 0 ? r : dumpfile_sync_name(s->df, err);
}

static int op_totals(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err)
{
	struct store *s = ctx;
	int r = 0;

	*go_ret = (struct go){.kind = GO_BEGIN};
	if (!s->base)
		return 0;
	s->meta.totals = *totals;
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
	const int r = assemble_feed(s->assemble, bytes, size_bytes, err);

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
	meta_progress(&s->meta, s->meta_path, s->df, store_stream_bytes(s));
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

/* FILE is there: what lies beside FILE.part goes with it, all that can. The first error. */
static int settle_beside(const struct store *s, struct error *err)
{
	struct error first = {0}, other;

	(void)!sidecars_settle(s->base, &first);
	for (unsigned i = 0; i < s->attachments; i++)
		if (sidecars_settle_other(s->base, bare_name(s->attached[i]), s->setup.force,
					  &other) < 0 &&
		    first.code == 0)
			first = other;
	if (sidecars_sync(s->base, &other) < 0 && first.code == 0)
		first = other;
	*err = first;
	return first.code;
}

static int op_end(void *ctx, const struct end *end, const struct frame *frame,
		  struct done *done_ret, struct error *err)
{
	struct store *s = ctx;
	struct assemble_result res;
	struct error sidecars_err;
	int r;

	if (end->segments == 0 && s->segments == 0 && end->stream_bytes == 0)
		return error_set(err, -EPROTO, "END without a dump");
	if (end->segments != s->segments || memcmp(end->chain, s->chain, DIGEST_BYTES) != 0 ||
	    end->stream_bytes != assemble_received(s->assemble))
		return error_set(err, -EBADMSG, "the sender's totals differ from what has come");
	/* Behind the last segment there is nothing but the end marker. */
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
	r = meta_write(s->meta_path, &s->meta, err);
	/* Whatever became of that: until then what lies beside FILE is of the dump before it. */
	if (s->setup.file && settle_beside(s, &sidecars_err) < 0 && r == 0) {
		*err = sidecars_err;
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

/* The sender has found that the part is of another dump, or it can't be made whole: the next
 * session begins anew. */
static void forget(struct store *s)
{
	AUTO_FREE char *segments = beside(s, ".segments");

	if (segments)
		unlink(segments);
}

/* Whatever it has come to, and however late it failed. */
static void note_incomplete(struct store *s)
{
	const char *part = s->df ? dumpfile_part_path(s->df) : NULL;
	struct error unused;

	if (part && io_exists(part))
		snprintf(s->result.path, sizeof(s->result.path), "%s%s", s->place.path, part);
	s->meta.status = "incomplete";
	s->meta.file_bytes = s->result.file_bytes;
	s->meta.received_bytes = s->result.stream_bytes;
	s->meta.done_s = time(NULL);
	(void)!meta_write(s->meta_path, &s->meta, &unused);
}

/* Whether FILE.part, which goes if it is empty, or an attachment is worth keeping what tells of it.
 */
static bool has_come(const struct store *s)
{
	return s->result.complete || s->attachments || (s->df && dumpfile_size(s->df));
}

/* Nothing is left of who came and sent nothing, not even a directory; unless somebody waits for
 * it. */
static bool clear(const struct store *s)
{
	AUTO_CLOSE int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && s->facts.cursor.segment == 0 && !s->segments &&
	       !journal_is_wanted(s->journal) && census_clear(fd, true);
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
	if (s->setup.file && s->journal && !has_come(s))
		(void)!sidecars_drop_part(s->base, &unused);
	else if (s->setup.dir && s->journal && !has_come(s) && clear(s))
		s->result.path[0] = '\0';
	else if (s->meta.status && !s->result.complete)
		note_incomplete(s);
	if (s->began && why && why->code == -ESTALE)
		forget(s);
	*result_ret = s->result;
}
