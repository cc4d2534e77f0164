/* Both sides of a session in memory.
 * Uses the programs' own machines, and nothing of the links between them. */
#include "tests/lib/dialogue.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receiver/session/session.h"
#include "receiver/store/store.h"
#include "sender/delivery/upload.h"
#include "tests/lib/scratch.h"
#include "tests/lib/unit.h"

enum {
	TIMEOUT_MS = 20000,
	ROUND_MS = 600, /* a round of moving bytes both ways takes so long at the most */
};

/* --- places --- */

static int remove_entry(const char *path, const struct stat *st UNUSED, int type UNUSED,
			struct FTW *ftw UNUSED)
{
	return remove(path);
}

void dialogue_clear(void)
{
	nftw(scratch_path("dir"), remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The one directory of the one host. */
static void find_place(char place[static 1024])
{
	char host[512];
	struct dirent *entry;
	DIR *dir;
	size_t n = 0;

	snprintf(host, sizeof(host), "%s/tiny", scratch_path("dir"));
	dir = opendir(host);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(place, 1024, "%s/%s", host, entry->d_name);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 1);
}

/* A file of it. */
const char *dialogue_path(const char *name)
{
	static char path[2048];
	char place[1024];

	find_place(place);
	snprintf(path, sizeof(path), "%s/%s", place, name);
	return path;
}

void dialogue_published(const struct tinysession *t)
{
	size_t size;
	uint8_t *bytes = file_read(dialogue_path("vmcore"), &size);

	assert_int_equal(size, t->dump.size_bytes);
	assert_memory_equal(bytes, t->dump.bytes, size);
	free(bytes);
	assert_false(file_exists(dialogue_path("vmcore.part")));
	assert_true(file_exists(dialogue_path("vmcore-dmesg.txt")));
}

/* --- the sender --- */

struct sender {
	const struct tinysession *t;
	struct upload *u;
	const uint8_t *stream; /* what is sent: that of `t`, or a damaged one */
	size_t segment;
	bool attached, begun;
};

static void check_resume(const struct sender *s, const struct go *go)
{
	const struct checkpoint *c = &s->t->checkpoints[go->cursor.segment - 1];

	assert_in_range(go->cursor.segment, 1, s->t->segments);
	assert_memory_equal(&go->cursor, &c->cursor, sizeof(c->cursor));
	assert_memory_equal(go->chain, c->chain, DIGEST_BYTES);
	assert_memory_equal(go->first, s->t->checkpoints[0].chain, DIGEST_BYTES);
}

/* What is to be said before the pages: 1 if something was. */
static int64_t say_first(struct sender *s, struct error *err)
{
	static const uint8_t log[] = "log";
	static const struct attach piece = {.name = "vmcore-dmesg.txt",
					    .total_bytes = sizeof(log),
					    .bytes = log,
					    .size_bytes = sizeof(log)};

	if (s->attached)
		return upload_totals(s->u, &s->t->totals, err);
	s->attached = true;
	return upload_attach(s->u, &piece, err);
}

static int64_t say_pages(struct sender *s, struct error *err)
{
	const struct go *go = upload_go(s->u);
	const struct tinysession *t = s->t;
	const uint64_t at = upload_stream_off(s->u);
	uint64_t end;
	int64_t n;

	if (!s->begun && go->kind == GO_RESUME)
		check_resume(s, go);
	if (!s->begun)
		s->segment = go->kind == GO_RESUME ? (size_t)go->cursor.segment : 0;
	s->begun = true;
	end = s->segment < t->segments ? tinysession_begin(t, s->segment + 1)
				       : t->stream.size_bytes;
	if (at < end)
		return upload_data(s->u, s->stream + at, MIN((size_t)(end - at), 1500), err);
	if (s->segment == t->segments)
		return upload_end(s->u, &t->end, err);
	n = upload_checkpoint(s->u, &t->checkpoints[s->segment], err);
	s->segment += n > 0;
	return n;
}

/* As much as there is room for. */
static void say_all(struct sender *s)
{
	struct error err;
	int64_t n = 1;

	while (n > 0) {
		const enum upload_state state = upload_state(s->u);

		n = state == UPLOAD_OPEN    ? say_first(s, &err)
		    : state == UPLOAD_GOING ? say_pages(s, &err)
					    : 0;
		if (n < 0)
			fail_msg("%s", err.msg);
	}
}

/* --- the link --- */

struct link_ends {
	const struct script *script;
	struct sender sender;
	struct session *session;
	struct store *store;
	uint64_t now_ms;
	size_t out, in; /* that have gone through */
	struct error receiver_error;
};

static int move_out(struct link_ends *l)
{
	uint8_t bytes[4096];
	size_t n;
	const uint8_t *said = upload_output(l->sender.u, &n);

	n = MIN(MIN(n, l->script->out - l->out), MIN(l->script->step, sizeof(bytes)));
	memcpy(bytes, said, n);
	if (l->script->flip_out - l->out < n)
		bytes[l->script->flip_out - l->out] ^= 0x10;
	upload_sent(l->sender.u, n, l->now_ms);
	l->out += n;
	return session_feed(l->session, bytes, n, l->now_ms, &l->receiver_error);
}

static int move_in(struct link_ends *l)
{
	struct error err;
	size_t n;
	const uint8_t *said = session_output(l->session, &n);
	int r;

	n = MIN(n, l->script->in - l->in);
	r = upload_feed(l->sender.u, said, n, l->now_ms, &err);
	session_sent(l->session, n, l->now_ms);
	l->in += n;
	return r;
}

/* Both ways until one side is done or fails, or nothing gets through any more. */
static void run_link(struct link_ends *l, struct ending *end)
{
	struct error err;

	while (end->sender == 0 && end->receiver == 0 && upload_state(l->sender.u) != UPLOAD_DONE) {
		const size_t before = l->out + l->in;
		const uint64_t acked = upload_acked(l->sender.u);

		l->now_ms += MIN(l->script->step, (size_t)ROUND_MS);
		end->sender = upload_tick(l->sender.u, l->now_ms, &err);
		say_all(&l->sender);
		end->receiver = move_out(l);
		if (end->receiver == 0)
			end->receiver = session_tick(l->session, l->now_ms, &l->receiver_error);
		if (end->sender == 0)
			end->sender = move_in(l);
		assert_true(upload_acked(l->sender.u) >= acked);
		if (l->script->acked && upload_acked(l->sender.u) != acked)
			l->script->acked(upload_acked(l->sender.u));
		if (l->out == l->script->out || l->in == l->script->in)
			break;
		assert_true(l->out + l->in > before || end->sender || end->receiver ||
			    l->now_ms < 100000000);
	}
}

struct ending dialogue_run(const struct script *script)
{
	const struct store_setup store = {
		.dir = scratch_path("dir"), .host = "tiny", .proof = "test", .peer = "test"};
	const struct upload_setup upload = {.hello = script->t->hello, .timeout_ms = TIMEOUT_MS};
	struct session_setup session = {.ops = &store_ops, .timeout_ms = TIMEOUT_MS};
	struct link_ends l = {
		.script = script,
		.sender = {.t = script->t,
			   .stream = script->stream ? script->stream : script->t->stream.bytes},
		.now_ms = 1000,
	};
	const struct error cut = {.code = -ECONNRESET, .msg = "the test's cut"};
	struct store_result res = {0};
	struct ending end = {0};
	struct error err;

	assert_int_equal(store_new(&store, &l.store, &err), 0);
	session.ctx = l.store;
	assert_int_equal(session_new(&session, l.now_ms, &l.session, &err), 0);
	assert_int_equal(upload_new(&upload, l.now_ms, &l.sender.u, &err), 0);
	run_link(&l, &end);
	end.complete = session_state(l.session) == SESSION_DONE;
	if (!script->kill)
		store_close(l.store,
			    end.receiver   ? &l.receiver_error
			    : end.complete ? NULL
					   : &cut,
			    &res);
	store_free(l.store);
	end.done = upload_state(l.sender.u) == UPLOAD_DONE;
	end.acked = upload_acked(l.sender.u);
	end.resumed = res.resumed;
	end.was_there = res.was_there;
	if (upload_go(l.sender.u)->kind == GO_RESUME)
		end.begin = upload_go(l.sender.u)->cursor.stream_bytes;
	end.sent_out = l.out;
	session_free(l.session);
	upload_free(l.sender.u);
	return end;
}

struct script dialogue_undisturbed(const struct tinysession *t)
{
	return (struct script){.t = t,
			       .out = DIALOGUE_NEVER,
			       .in = DIALOGUE_NEVER,
			       .flip_out = DIALOGUE_NEVER,
			       .step = 700};
}

/* What was left of an earlier link is gone on with, to the end. */
struct ending dialogue_finish(const struct tinysession *t, const struct ending *before)
{
	const struct script script = dialogue_undisturbed(t);
	const struct ending end = dialogue_run(&script);

	assert_int_equal(end.sender, 0);
	assert_int_equal(end.receiver, 0);
	assert_true(end.done && end.complete);
	assert_int_equal(end.was_there, before->complete);
	/* At the place that was acknowledged, or after it. */
	if (before->acked && !before->complete)
		assert_true(end.begin >= t->checkpoints[before->acked - 1].cursor.stream_bytes);
	dialogue_published(t);
	return end;
}

/* Before its end was said, nothing is published. */
void dialogue_nothing_early(const struct ending *end)
{
	if (!end->complete && file_exists(scratch_path("dir"))) {
		char host[512];

		snprintf(host, sizeof(host), "%s/tiny", scratch_path("dir"));
		if (file_exists(host))
			assert_false(file_exists(dialogue_path("vmcore")));
	}
}
