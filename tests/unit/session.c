/* receiver/session.h: the receiver's side of a session, driven by a sender of the test's own. */
#include "../lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../receiver/session.h"
#include "../lib/tinysession.h"

enum { TIMEOUT_MS = 20000, BEAT_MS = TIMEOUT_MS / 4, ACK_MS = 1000 };

/* --- a receiver without files --------------------------------------------------------------- */

enum op { OP_HELLO, OP_ATTACH, OP_TOTALS, OP_DATA, OP_CHECKPOINT, OP_SYNC, OP_END, OP_COUNT };

struct fake {
	unsigned calls[OP_COUNT];
	enum op fails; /* with `code`; 0: it succeeds */
	int code;
	bool there_already;
	struct go go;
	struct stream data; /* what came */
	struct hello hello;
	size_t synced; /* checkpoints before the last sync */
	int place;     /* in the queue; < 0: none is to be had */
	bool asked_for_probe;
};

static int call(struct fake *f, enum op op, struct error *err)
{
	f->calls[op]++;
	return f->code && f->fails == op ? error_set(err, f->code, "the test's reason") : 0;
}

static int fake_hello(void *ctx, const struct hello *hello, const struct frame *payload UNUSED,
		      struct welcome *welcome_ret, struct done *done_ret, struct error *err)
{
	struct fake *f = ctx;

	f->hello = *hello;
	strcpy(welcome_ret->host, "host");
	if (f->there_already)
		strcpy(done_ret->name, "there");
	return call(f, OP_HELLO, err) < 0 ? err->code : f->there_already;
}

static int fake_attach(void *ctx, const struct attach *attach UNUSED, struct error *err)
{
	return call(ctx, OP_ATTACH, err);
}

static int fake_totals(void *ctx, const struct totals *totals UNUSED, struct go *go_ret,
		       struct error *err)
{
	struct fake *f = ctx;

	*go_ret = f->go;
	return call(f, OP_TOTALS, err);
}

static int fake_data(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	struct fake *f = ctx;

	stream_add(&f->data, bytes, size_bytes);
	return call(f, OP_DATA, err);
}

static int fake_checkpoint(void *ctx, const struct checkpoint *checkpoint UNUSED,
			   const struct frame *frame UNUSED, struct error *err)
{
	return call(ctx, OP_CHECKPOINT, err);
}

static int fake_sync(void *ctx, struct error *err)
{
	struct fake *f = ctx;

	f->synced = f->calls[OP_CHECKPOINT];
	return call(f, OP_SYNC, err);
}

static int fake_end(void *ctx, const struct end *end UNUSED, const struct frame *frame UNUSED,
		    struct done *done_ret, struct error *err)
{
	strcpy(done_ret->name, "/var/crash/vmcore");
	return call(ctx, OP_END, err);
}

static const struct session_ops fake_ops = {
	.hello = fake_hello,
	.attach = fake_attach,
	.totals = fake_totals,
	.data = fake_data,
	.checkpoint = fake_checkpoint,
	.sync = fake_sync,
	.end = fake_end,
};

static int fake_admit(void *ctx, bool probe, struct error *err)
{
	struct fake *f = ctx;

	f->asked_for_probe = probe;
	return f->place < 0 ? error_set(err, f->place, "the test's reason") : f->place;
}

/* --- a sender ------------------------------------------------------------------------------- */

static struct tinysession tiny;

struct talk {
	struct session *s;
	struct fake fake;
	struct frame_writer out; /* of the sender */
	struct frame_reader in;	 /* of the sender */
	uint64_t now_ms;
	struct error err;
};

static void talk_init(struct talk *t, bool oneway)
{
	const struct session_setup setup = {
		.ops = &fake_ops,
		.ctx = &t->fake,
		.admit = fake_admit,
		.admit_ctx = &t->fake,
		.oneway = oneway,
		.timeout_ms = TIMEOUT_MS,
	};

	*t = (struct talk){.now_ms = 5000};
	frame_reader_init(&t->in, false);
	assert_int_equal(frame_writer_init(&t->out, 2 << 20, &t->err), 0);
	assert_int_equal(session_new(&setup, t->now_ms, &t->s, &t->err), 0);
}

static void talk_deinit(struct talk *t)
{
	session_free(t->s);
	stream_free(&t->fake.data);
	frame_writer_deinit(&t->out);
	frame_reader_deinit(&t->in);
}

static int feed(struct talk *t, const void *bytes, size_t size_bytes)
{
	return session_feed(t->s, bytes, size_bytes, t->now_ms, &t->err);
}

/* Hand over what the sender's writer has. */
static int deliver(struct talk *t)
{
	size_t n;
	const uint8_t *bytes = frame_writer_pending(&t->out, &n);
	const int r = feed(t, bytes, n);

	frame_writer_sent(&t->out, n);
	return r;
}

/* The next frame that the receiver has said; type 0 if there is none. */
static struct frame hear(struct talk *t)
{
	struct frame f = {0};
	size_t n;
	const uint8_t *bytes = session_output(t->s, &n), *pos = bytes;
	const int r = frame_reader_feed(&t->in, &pos, &n, &f, &t->err);

	assert_in_range(r, 0, 1);
	session_sent(t->s, (size_t)(pos - bytes), t->now_ms);
	return f;
}

static struct outbuf begin(struct talk *t)
{
	return frame_begin(&t->out);
}

static int say(struct talk *t, enum frame_type type, const struct outbuf *payload)
{
	struct error err;

	assert_int_equal(frame_end(&t->out, type, payload, &err), 0);
	return deliver(t);
}

static int say_hello(struct talk *t, const struct hello *hello)
{
	struct outbuf o = begin(t);

	hello_put(&o, hello);
	return say(t, FRAME_HELLO, &o);
}

static int say_attach(struct talk *t, const struct attach *attach)
{
	struct outbuf o = begin(t);

	attach_put(&o, attach);
	return say(t, FRAME_ATTACH, &o);
}

static int say_totals(struct talk *t)
{
	struct outbuf o = begin(t);

	totals_put(&o, &tiny.totals);
	return say(t, FRAME_TOTALS, &o);
}

static int say_data(struct talk *t, uint64_t off, size_t size_bytes)
{
	static const uint8_t zeros[100000];
	const struct data data = {off, zeros, size_bytes};
	struct outbuf o = begin(t);

	data_put(&o, &data);
	return say(t, FRAME_DATA, &o);
}

static int say_checkpoint(struct talk *t, uint64_t number, uint64_t stream_bytes)
{
	struct checkpoint c = {.cursor = {.segment = number, .stream_bytes = stream_bytes}};
	struct outbuf o = begin(t);

	checkpoint_put(&o, &c);
	return say(t, FRAME_CHECKPOINT, &o);
}

static int say_number(struct talk *t, enum frame_type type, uint64_t number)
{
	struct outbuf o = begin(t);

	number_put(&o, number);
	return say(t, type, &o);
}

static int say_end(struct talk *t)
{
	struct outbuf o = begin(t);

	end_put(&o, &tiny.end);
	return say(t, FRAME_END, &o);
}

static int say_abort(struct talk *t, enum reason reason)
{
	const struct farewell bye = {.reason = reason, .text = "the sender's reason"};
	struct outbuf o = begin(t);

	farewell_put(&o, &bye);
	return say(t, FRAME_ABORT, &o);
}

/* As far as a state. */
static void reach(struct talk *t, enum session_state state)
{
	if (state == SESSION_QUEUED) {
		t->fake.place = 2;
		assert_int_equal(say_hello(t, &tiny.hello), 0);
		assert_int_equal(hear(t).type, FRAME_WAIT);
	}
	if (state >= SESSION_OPEN) {
		assert_int_equal(say_hello(t, &tiny.hello), 0);
		assert_int_equal(hear(t).type, FRAME_WELCOME);
	}
	if (state >= SESSION_GOING) {
		assert_int_equal(say_totals(t), 0);
		assert_int_equal(hear(t).type, FRAME_GO);
	}
	if (state >= SESSION_DONE) {
		assert_int_equal(say_end(t), 0);
		assert_int_equal(hear(t).type, FRAME_DONE);
	}
	assert_int_equal(session_state(t->s), state);
}

/* The last words: which, why and whether to come again. */
static void says_farewell(struct talk *t, enum frame_type type, enum reason reason,
			  uint32_t retry_s)
{
	struct error err = t->err;
	struct farewell bye;
	const struct frame f = hear(t);

	assert_int_equal(f.type, type);
	assert_int_equal(farewell_get(&f, &bye, &t->err), 0);
	assert_int_equal(bye.reason, reason);
	assert_int_equal(bye.retry_after_s, retry_s);
	assert_int_equal(strncmp(bye.text, err.msg, sizeof(bye.text) - 1), 0);
	assert_int_equal(hear(t).type, 0);
}

/* --- cut ------------------------------------------------------------------------------------ */

/* What a dialogue comes to. */
struct outcome {
	struct stream said;
	struct stream data;
	unsigned calls[OP_COUNT];
	enum session_state state;
};

/* Feed it as pieces that end at the two cuts, or of `step` bytes. */
static struct outcome run_cut(const struct stream *frames, size_t cut1, size_t cut2, size_t step)
{
	struct outcome out = {0};
	struct talk t;
	size_t at = 0, n;
	const uint8_t *said;

	talk_init(&t, false);
	while (at < frames->size_bytes) {
		size_t end = step ? at + step : at < cut1 ? cut1 : at < cut2 ? cut2 : SIZE_MAX;

		end = MIN(end, frames->size_bytes);
		if (feed(&t, frames->bytes + at, end - at) < 0)
			fail_msg("%s", t.err.msg);
		at = end;
	}
	said = session_output(t.s, &n);
	stream_add(&out.said, said, n);
	out.data = t.fake.data;
	t.fake.data = (struct stream){0};
	memcpy(out.calls, t.fake.calls, sizeof(out.calls));
	out.state = session_state(t.s);
	talk_deinit(&t);
	return out;
}

static void outcome_deinit(struct outcome *o)
{
	stream_free(&o->said);
	stream_free(&o->data);
}

static void outcome_is(const struct outcome *got, const struct outcome *want)
{
	assert_int_equal(got->state, SESSION_DONE);
	assert_int_equal(got->said.size_bytes, want->said.size_bytes);
	assert_memory_equal(got->said.bytes, want->said.bytes, want->said.size_bytes);
	assert_int_equal(got->data.size_bytes, want->data.size_bytes);
	assert_memory_equal(got->data.bytes, want->data.bytes, want->data.size_bytes);
	assert_memory_equal(got->calls, want->calls, sizeof(want->calls));
}

static void test_cut(void **state UNUSED)
{
	static const size_t steps[] = {1, 2, 3, 23, 24, 25, 1000};
	struct stream frames = tinysession_frames(&tiny, false, 1500);
	struct outcome whole = run_cut(&frames, 0, 0, 0);
	uint32_t random = unit_seed();

	outcome_is(&whole, &whole);
	assert_int_equal(whole.data.size_bytes, tiny.stream.size_bytes);
	assert_memory_equal(whole.data.bytes, tiny.stream.bytes, tiny.stream.size_bytes);
	assert_int_equal(whole.calls[OP_CHECKPOINT], tiny.segments);
	assert_int_equal(whole.calls[OP_END], 1);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct outcome out = run_cut(&frames, 0, 0, steps[i]);

		outcome_is(&out, &whole);
		outcome_deinit(&out);
	}
	/* Cut once at each byte, and at another one behind it. */
	for (size_t cut = 1; cut < frames.size_bytes; cut++) {
		const size_t more = 1 + unit_random(&random) % (frames.size_bytes - cut);
		struct outcome out = run_cut(&frames, cut, cut + more, 0);

		outcome_is(&out, &whole);
		outcome_deinit(&out);
	}
	outcome_deinit(&whole);
	stream_free(&frames);
}

/* Ended anywhere, it isn't done, and says so to nobody. */
static void test_short(void **state UNUSED)
{
	struct stream frames = tinysession_frames(&tiny, false, 1500);

	for (size_t n = 0; n < frames.size_bytes; n++) {
		struct talk t;

		talk_init(&t, false);
		assert_int_equal(feed(&t, frames.bytes, n), 0);
		assert_int_not_equal(session_state(t.s), SESSION_DONE);
		assert_int_equal(t.fake.calls[OP_END], 0);
		talk_deinit(&t);
	}
	stream_free(&frames);
}

/* A byte changed anywhere ends the session, before it has an effect. */
static void test_damaged(void **state UNUSED)
{
	struct stream frames = tinysession_frames(&tiny, false, 1500);

	for (size_t n = 0; n < frames.size_bytes; n++) {
		struct talk t;
		int r;

		frames.bytes[n] ^= (uint8_t)(1 << n % 8);
		talk_init(&t, false);
		r = feed(&t, frames.bytes, frames.size_bytes);
		/* A length that grew waits for bytes that never come. */
		assert_true(r == -EBADMSG || (r == 0 && session_state(t.s) != SESSION_DONE));
		assert_int_equal(t.fake.calls[OP_END], 0);
		assert_true(t.fake.data.size_bytes <= n);
		if (t.fake.data.size_bytes)
			assert_memory_equal(t.fake.data.bytes, tiny.stream.bytes,
					    t.fake.data.size_bytes);
		talk_deinit(&t);
		frames.bytes[n] ^= (uint8_t)(1 << n % 8);
	}
	stream_free(&frames);
}

/* --- rules ---------------------------------------------------------------------------------- */

/* Every type, in every state. */
static void test_turns(void **state UNUSED)
{
	static const uint8_t good[][4] = {
		[SESSION_HELLO] = {FRAME_HELLO, FRAME_HEARTBEAT, FRAME_ABORT},
		[SESSION_QUEUED] = {FRAME_HEARTBEAT, FRAME_ABORT},
		[SESSION_OPEN] = {FRAME_ATTACH, FRAME_TOTALS, FRAME_HEARTBEAT, FRAME_ABORT},
		[SESSION_GOING] = {FRAME_DATA, FRAME_CHECKPOINT, FRAME_END, FRAME_HEARTBEAT},
	};

	for (int at = SESSION_HELLO; at <= SESSION_GOING; at++) {
		for (uint8_t type = 0; type < 0xff; type++) {
			struct outbuf o;
			struct talk t;
			int want = -EPROTO, r;

			talk_init(&t, false);
			reach(&t, (enum session_state)at);
			o = begin(&t);
			r = say(&t, (enum frame_type)type, &o);
			if (memchr(good[at], type, sizeof(good[at])) || type == FRAME_ABORT)
				want = -EBADMSG; /* in turn, but an empty payload is none */
			else if (type >= FRAME_OPTIONAL)
				want = 0;
			else if (type == 0 || type >= FRAME_TYPE_END)
				want = -EBADMSG;
			assert_int_equal(r, want);
			if (r == -EPROTO)
				assert_non_null(strstr(t.err.msg, "out of turn"));
			if (r < 0 && type != FRAME_ABORT)
				says_farewell(&t, at <= SESSION_QUEUED ? FRAME_REFUSE : FRAME_ABORT,
					      REASON_PROTOCOL, 1);
			else
				assert_int_equal(hear(&t).type, 0);
			talk_deinit(&t);
		}
	}
}

static void test_replayed(void **state UNUSED)
{
	struct stream frames = tinysession_frames(&tiny, false, 1500);
	size_t ends[64], count = 0;

	for (size_t at = 0; at < frames.size_bytes; count++) {
		at += FRAME_HEADER_BYTES + le32_get(frames.bytes + at + 8);
		ends[count] = at;
	}
	for (size_t i = 0; i + 2 < count; i++) {
		struct talk t;

		/* Frame i once more; frame i + 1 in the place of i + 2's, and lost. */
		talk_init(&t, false);
		assert_int_equal(feed(&t, frames.bytes, ends[i]), 0);
		assert_int_equal(feed(&t, frames.bytes + (i ? ends[i - 1] : 0),
				      ends[i] - (i ? ends[i - 1] : 0)),
				 -EBADMSG);
		assert_non_null(strstr(t.err.msg, "in place of"));
		talk_deinit(&t);

		talk_init(&t, false);
		assert_int_equal(feed(&t, frames.bytes, ends[i]), 0);
		assert_int_equal(feed(&t, frames.bytes + ends[i + 1], ends[i + 2] - ends[i + 1]),
				 -EBADMSG);
		talk_deinit(&t);
	}
	stream_free(&frames);
}

static void test_data_rules(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	assert_int_equal(say_data(&t, 0, 100), 0);
	assert_int_equal(say_data(&t, 100, 1), 0);
	assert_int_equal(say_checkpoint(&t, 1, 101), 0);
	assert_int_equal(say_data(&t, 101, 1), 0);
	assert_int_equal(t.fake.data.size_bytes, 102);
	assert_int_equal(say_data(&t, 103, 1), -EPROTO);
	says_farewell(&t, FRAME_ABORT, REASON_PROTOCOL, 1);
	talk_deinit(&t);

	for (uint64_t n = 0; n < 3; n++) {
		const struct {
			uint64_t number, stream_bytes;
			int want;
		} rows[] = {{2, 101, -EPROTO}, {1, 100, -EPROTO}, {0, 101, -EBADMSG}};

		talk_init(&t, false);
		reach(&t, SESSION_GOING);
		assert_int_equal(say_data(&t, 0, 101), 0);
		assert_int_equal(say_checkpoint(&t, rows[n].number, rows[n].stream_bytes),
				 rows[n].want);
		assert_int_equal(t.fake.calls[OP_CHECKPOINT], 0);
		talk_deinit(&t);
	}

	/* The same number twice. */
	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	assert_int_equal(say_data(&t, 0, 7), 0);
	assert_int_equal(say_checkpoint(&t, 1, 7), 0);
	assert_int_equal(say_checkpoint(&t, 1, 7), -EPROTO);
	talk_deinit(&t);
}

static void test_resume(void **state UNUSED)
{
	struct talk t;
	struct frame f;
	struct go go;

	talk_init(&t, false);
	t.fake.go = (struct go){.kind = GO_RESUME,
				.cursor = {.segment = 7, .stream_bytes = 1234567},
				.chain = {1},
				.first = {2}};
	assert_int_equal(say_hello(&t, &tiny.hello), 0);
	assert_int_equal(hear(&t).type, FRAME_WELCOME);
	assert_int_equal(say_totals(&t), 0);
	f = hear(&t);
	assert_int_equal(go_get(&f, &go, &t.err), 0);
	assert_memory_equal(&go.cursor, &t.fake.go.cursor, sizeof(go.cursor));
	assert_int_equal(go.chain[0], 1);
	assert_int_equal(go.first[0], 2);
	assert_int_equal(say_data(&t, 1234567, 10), 0);
	assert_int_equal(say_checkpoint(&t, 8, 1234577), 0);
	t.now_ms += ACK_MS;
	assert_int_equal(session_tick(t.s, t.now_ms, &t.err), 0);
	f = hear(&t);
	assert_int_equal(f.type, FRAME_ACK);
	assert_int_equal(le64_get(f.payload), 8);
	talk_deinit(&t);

	talk_init(&t, false);
	t.fake.go = (struct go){.kind = GO_RESUME, .cursor = {.segment = 7, .stream_bytes = 9}};
	reach(&t, SESSION_GOING);
	assert_int_equal(say_data(&t, 0, 10), -EPROTO);
	talk_deinit(&t);
}

/* Where no pages are wanted, none are taken. */
static void test_unwanted(void **state UNUSED)
{
	static const enum go_kind kinds[] = {GO_LEVEL, GO_LOG_ONLY};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (int what = 0; what < 3; what++) {
			struct talk t;
			int r;

			talk_init(&t, false);
			t.fake.go = (struct go){.kind = kinds[i], .level = 31};
			reach(&t, SESSION_GOING);
			r = what == 0	? say_data(&t, 0, 1)
			    : what == 1 ? say_checkpoint(&t, 1, 0)
					: say_end(&t);
			if (what == 2 && kinds[i] == GO_LOG_ONLY) {
				assert_int_equal(r, 0);
				assert_int_equal(hear(&t).type, FRAME_DONE);
			} else {
				assert_int_equal(r, -EPROTO);
			}
			assert_int_equal(t.fake.data.size_bytes, 0);
			talk_deinit(&t);
		}
	}
}

static void test_hello(void **state UNUSED)
{
	static const struct {
		uint32_t min, max;
		bool oneway;
		int want;
	} rows[] = {
		{1, 1, false, 0},	 {0, 7, false, 0},	  {2, 3, false, -ENOTSUP},
		{0, 0, false, -ENOTSUP}, {3, 1, false, -EBADMSG}, {1, 1, true, -EPROTO},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hello hello = tiny.hello;
		struct talk t;

		hello.protocol_min = rows[i].min;
		hello.protocol_max = rows[i].max;
		hello.oneway = rows[i].oneway;
		talk_init(&t, false);
		assert_int_equal(say_hello(&t, &hello), rows[i].want);
		assert_int_equal(t.fake.calls[OP_HELLO], rows[i].want == 0);
		if (rows[i].want < 0)
			says_farewell(&t, FRAME_REFUSE, REASON_PROTOCOL,
				      rows[i].want == -ENOTSUP ? 0 : 1);
		else
			assert_int_equal(hear(&t).type, FRAME_WELCOME);
		talk_deinit(&t);
	}
}

static void test_welcome(void **state UNUSED)
{
	struct welcome w;
	struct frame f;
	struct talk t;

	talk_init(&t, false);
	assert_int_equal(say_hello(&t, &tiny.hello), 0);
	assert_memory_equal(t.fake.hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	f = hear(&t);
	assert_int_equal(welcome_get(&f, &w, &t.err), 0);
	assert_int_equal(w.protocol, 1);
	assert_int_equal(w.timeout_ms, TIMEOUT_MS);
	assert_int_equal(w.heartbeat_ms, BEAT_MS);
	assert_string_equal(w.host, "host");
	talk_deinit(&t);
}

static void test_there_already(void **state UNUSED)
{
	struct done done;
	struct frame f;
	struct talk t;

	talk_init(&t, false);
	t.fake.there_already = true;
	assert_int_equal(say_hello(&t, &tiny.hello), 0);
	f = hear(&t);
	assert_int_equal(f.type, FRAME_DONE);
	assert_int_equal(done_get(&f, &done, &t.err), 0);
	assert_string_equal(done.name, "there");
	assert_int_equal(session_state(t.s), SESSION_DONE);
	talk_deinit(&t);
}

static void test_attach(void **state UNUSED)
{
	const uint8_t bytes[100] = {0};
	struct attach a = {
		.name = "log", .total_bytes = ATTACH_BYTES_MAX, .bytes = bytes, .size_bytes = 100};
	struct talk t;

	talk_init(&t, false);
	reach(&t, SESSION_OPEN);
	assert_int_equal(say_attach(&t, &a), 0);
	a.total_bytes++;
	assert_int_equal(say_attach(&t, &a), -EFBIG);
	says_farewell(&t, FRAME_ABORT, REASON_NO_SPACE, 0);
	assert_int_equal(t.fake.calls[OP_ATTACH], 1);
	talk_deinit(&t);
}

/* What an operation fails with is what the sender is told. */
static void test_failures(void **state UNUSED)
{
	static const struct {
		enum op op;
		int code;
		enum reason reason;
		uint32_t retry_s;
	} rows[] = {
		{OP_HELLO, -EACCES, REASON_POLICY, 0},
		{OP_HELLO, -EBUSY, REASON_BUSY, 1},
		{OP_HELLO, -ENOSPC, REASON_NO_SPACE, 0},
		{OP_ATTACH, -EDQUOT, REASON_NO_SPACE, 0},
		{OP_TOTALS, -ENOMEM, REASON_OTHER, 1},
		{OP_TOTALS, -EIO, REASON_IO, 1},
		{OP_DATA, -EFBIG, REASON_NO_SPACE, 0},
		{OP_DATA, -EBADMSG, REASON_MISMATCH, 1},
		{OP_CHECKPOINT, -EBADMSG, REASON_MISMATCH, 1},
		{OP_CHECKPOINT, -EPROTO, REASON_PROTOCOL, 1},
		{OP_SYNC, -EIO, REASON_IO, 1},
		{OP_END, -EBADMSG, REASON_MISMATCH, 1},
		{OP_END, -ESTALE, REASON_IO, 1}, /* of NFS: no word of the sender's */
		{OP_END, -ENODATA, REASON_OTHER, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct attach a = {.name = "log"};
		struct talk t;
		int r;

		talk_init(&t, false);
		t.fake.fails = rows[i].op;
		t.fake.code = rows[i].code;
		r = say_hello(&t, &tiny.hello);
		if (r == 0) {
			assert_int_equal(hear(&t).type, FRAME_WELCOME);
			r = say_attach(&t, &a);
		}
		if (r == 0)
			r = say_totals(&t);
		if (r == 0) {
			assert_int_equal(hear(&t).type, FRAME_GO);
			r = say_data(&t, 0, 5);
		}
		if (r == 0)
			r = say_checkpoint(&t, 1, 5);
		if (r == 0)
			r = say_end(&t);
		assert_int_equal(r, rows[i].code == -ESTALE ? -EIO : rows[i].code);
		if (rows[i].op == OP_END) /* what was durable before is acknowledged */
			assert_int_equal(hear(&t).type, FRAME_ACK);
		says_farewell(&t, rows[i].op == OP_HELLO ? FRAME_REFUSE : FRAME_ABORT,
			      rows[i].reason, rows[i].retry_s);
		assert_int_not_equal(session_state(t.s), SESSION_DONE);
		talk_deinit(&t);
	}
}

static void test_aborted(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	assert_int_equal(say_abort(&t, REASON_MISMATCH), -ESTALE);
	assert_non_null(strstr(t.err.msg, "the sender's reason"));
	assert_int_equal(hear(&t).type, 0);
	talk_deinit(&t);
}

/* What comes behind the end changes nothing, a farewell least of all. */
static void test_behind_done(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	reach(&t, SESSION_DONE);
	assert_int_equal(say_abort(&t, REASON_MISMATCH), 0);
	assert_int_equal(say_hello(&t, &tiny.hello), 0);
	assert_int_equal(feed(&t, "noise", 5), 0);
	assert_int_equal(session_tick(t.s, t.now_ms + 10 * TIMEOUT_MS, &t.err), 0);
	assert_true(session_next_tick_ms(t.s) == UINT64_MAX);
	session_abort(t.s, -ECANCELED, 5, "stopped");
	assert_int_equal(hear(&t).type, 0);
	assert_int_equal(session_state(t.s), SESSION_DONE);
	talk_deinit(&t);
}

static void test_probe(void **state UNUSED)
{
	struct hello hello = tiny.hello;
	struct talk t;

	hello.probe = true;
	talk_init(&t, false);
	assert_int_equal(say_hello(&t, &hello), 0);
	assert_int_equal(hear(&t).type, FRAME_WELCOME);
	assert_int_equal(say_totals(&t), 0);
	assert_int_equal(hear(&t).type, FRAME_GO);
	assert_int_equal(say_data(&t, 0, 1000), 0);
	assert_int_equal(t.fake.calls[OP_DATA], 0);
	assert_int_equal(say_end(&t), 0);
	assert_int_equal(hear(&t).type, FRAME_DONE);
	assert_int_equal(t.fake.calls[OP_END] + t.fake.calls[OP_SYNC], 0);
	talk_deinit(&t);

	talk_init(&t, false);
	assert_int_equal(say_hello(&t, &hello), 0);
	assert_int_equal(say_totals(&t), 0);
	assert_int_equal(say_checkpoint(&t, 1, 0), -EPROTO);
	talk_deinit(&t);
}

/* --- time ----------------------------------------------------------------------------------- */

static int tick(struct talk *t)
{
	return session_tick(t->s, t->now_ms, &t->err);
}

static void test_acks(void **state UNUSED)
{
	struct talk t;
	struct frame f;

	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	assert_int_equal(say_data(&t, 0, 8), 0);
	assert_int_equal(say_checkpoint(&t, 1, 8), 0);
	t.now_ms += ACK_MS - 1;
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 0);
	assert_int_equal(session_next_tick_ms(t.s), t.now_ms + 1);
	assert_int_equal(say_data(&t, 8, 8), 0);
	assert_int_equal(say_checkpoint(&t, 2, 16), 0);
	assert_int_equal(say_data(&t, 16, 8), 0);
	t.now_ms += 1;
	assert_int_equal(tick(&t), 0);
	/* One sync, and one acknowledgement of all that it made durable. */
	assert_int_equal(t.fake.calls[OP_SYNC], 1);
	assert_int_equal(t.fake.synced, 2);
	f = hear(&t);
	assert_int_equal(f.type, FRAME_ACK);
	assert_int_equal(le64_get(f.payload), 2);
	/* The next comes a second later at the soonest, and only for something new. */
	t.now_ms += 10 * ACK_MS / 4;
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 1);
	assert_int_equal(say_checkpoint(&t, 3, 24), 0);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 2);
	assert_int_equal(hear(&t).type, FRAME_ACK);
	talk_deinit(&t);
}

/* Nothing is acknowledged that could not be made durable. */
static void test_failed_sync(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	assert_int_equal(say_data(&t, 0, 8), 0);
	assert_int_equal(say_checkpoint(&t, 1, 8), 0);
	t.fake.fails = OP_SYNC;
	t.fake.code = -ENOSPC;
	t.now_ms += ACK_MS;
	assert_int_equal(tick(&t), -ENOSPC);
	says_farewell(&t, FRAME_ABORT, REASON_NO_SPACE, 0);
	talk_deinit(&t);
}

static void test_heartbeats(void **state UNUSED)
{
	for (int at = SESSION_OPEN; at <= SESSION_GOING; at++) {
		struct talk t;
		size_t n, later;

		talk_init(&t, false);
		reach(&t, (enum session_state)at);
		t.now_ms += BEAT_MS - 1;
		assert_int_equal(tick(&t), 0);
		assert_int_equal(hear(&t).type, 0);
		assert_int_equal(session_next_tick_ms(t.s), t.now_ms + 1);
		t.now_ms += 1;
		assert_int_equal(tick(&t), 0);
		/* Not another one while it waits to be sent. */
		session_output(t.s, &n);
		assert_true(n > 0);
		t.now_ms += BEAT_MS;
		assert_int_equal(tick(&t), 0);
		session_output(t.s, &later);
		assert_int_equal(later, n);
		assert_true(session_next_tick_ms(t.s) > t.now_ms);
		assert_int_equal(hear(&t).type, FRAME_HEARTBEAT);
		assert_int_equal(hear(&t).type, 0);
		talk_deinit(&t);
	}
}

static uint32_t hear_wait(struct talk *t)
{
	const struct frame f = hear(t);
	struct wait wait;

	assert_int_equal(f.type, FRAME_WAIT);
	assert_int_equal(wait_get(&f, &wait, &t->err), 0);
	return wait.place;
}

static void test_queue(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	t.fake.place = 3;
	assert_int_equal(say_hello(&t, &tiny.hello), 0);
	assert_int_equal(session_state(t.s), SESSION_QUEUED);
	assert_int_equal(hear_wait(&t), 3);
	assert_false(t.fake.asked_for_probe);
	/* It asks again by itself, and tells what has changed. */
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(hear(&t).type, 0);
	t.fake.place = 1;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(hear_wait(&t), 1);
	assert_int_equal(t.fake.calls[OP_HELLO], 0);
	/* Its turn: what HELLO said is remembered. */
	t.fake.place = 0;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(hear(&t).type, FRAME_WELCOME);
	assert_int_equal(t.fake.calls[OP_HELLO], 1);
	assert_string_equal(t.fake.hello.host, tiny.hello.host);
	assert_memory_equal(t.fake.hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	assert_int_equal(say_totals(&t), 0);
	assert_int_equal(hear(&t).type, FRAME_GO);
	talk_deinit(&t);

	/* While it waits, both sides show that they are there. */
	talk_init(&t, false);
	reach(&t, SESSION_QUEUED);
	for (unsigned beats = 0; beats < 10;) {
		t.now_ms = session_next_tick_ms(t.s);
		assert_int_equal(tick(&t), 0);
		beats += hear(&t).type == FRAME_HEARTBEAT;
		if (t.now_ms % BEAT_MS == 0)
			assert_int_equal(say_number(&t, FRAME_HEARTBEAT, 0), 0);
	}
	/* It may be sent away all the same. */
	t.fake.place = -EACCES;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), -EACCES);
	says_farewell(&t, FRAME_REFUSE, REASON_POLICY, 0);
	talk_deinit(&t);
}

static void test_no_room(void **state UNUSED)
{
	struct hello probe = tiny.hello;
	struct talk t;

	talk_init(&t, false);
	t.fake.place = -EAGAIN;
	assert_int_equal(say_hello(&t, &tiny.hello), -EAGAIN);
	says_farewell(&t, FRAME_REFUSE, REASON_BUSY, 30);
	talk_deinit(&t);

	talk_init(&t, false);
	probe.probe = true;
	assert_int_equal(say_hello(&t, &probe), 0);
	assert_true(t.fake.asked_for_probe);
	talk_deinit(&t);
}

static void test_silence(void **state UNUSED)
{
	for (int at = SESSION_HELLO; at <= SESSION_GOING; at++) {
		struct talk t;

		talk_init(&t, false);
		reach(&t, (enum session_state)at);
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(tick(&t), 0);
		t.now_ms += 1;
		assert_int_equal(tick(&t), -ETIMEDOUT);
		talk_deinit(&t);

		/* A heartbeat is a sign of life, but none in place of HELLO. */
		talk_init(&t, false);
		reach(&t, (enum session_state)at);
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(say_number(&t, FRAME_HEARTBEAT, 0), 0);
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(tick(&t), at == SESSION_HELLO ? -ETIMEDOUT : 0);
		talk_deinit(&t);
	}
}

/* A large frame over a slow link: each piece of it is a sign of life; but not of HELLO. */
static void test_trickle(void **state UNUSED)
{
	static const struct data data = {0, (const uint8_t *)"0123456789", 10};
	struct outbuf o;
	struct talk t;
	const uint8_t *bytes;
	size_t n;

	talk_init(&t, false);
	reach(&t, SESSION_GOING);
	o = begin(&t);
	data_put(&o, &data);
	assert_int_equal(frame_end(&t.out, FRAME_DATA, &o, &t.err), 0);
	bytes = frame_writer_pending(&t.out, &n);
	for (size_t i = 0; i < n; i++) {
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(feed(&t, bytes + i, 1), 0);
		assert_int_equal(tick(&t), 0);
	}
	assert_int_equal(t.fake.data.size_bytes, 10);
	talk_deinit(&t);

	talk_init(&t, false);
	assert_int_equal(feed(&t, "V", 1), 0);
	t.now_ms += TIMEOUT_MS - 1;
	assert_int_equal(feed(&t, "M", 1), 0);
	t.now_ms += 1;
	assert_int_equal(tick(&t), -ETIMEDOUT);
	talk_deinit(&t);
}

static void test_oneway(void **state UNUSED)
{
	struct stream frames = tinysession_frames(&tiny, true, 1500);
	struct hello hello = tiny.hello;
	struct talk t;
	size_t n;

	talk_init(&t, true);
	assert_true(session_next_tick_ms(t.s) == UINT64_MAX);
	for (size_t i = 0; i < frames.size_bytes; i++) {
		assert_int_equal(feed(&t, frames.bytes + i, 1), 0);
		t.now_ms += ACK_MS;
		assert_int_equal(tick(&t), 0);
	}
	assert_int_equal(session_state(t.s), SESSION_DONE);
	assert_int_equal(t.fake.synced, tiny.segments);
	session_output(t.s, &n);
	assert_int_equal(n, 0);
	talk_deinit(&t);
	stream_free(&frames);

	talk_init(&t, true);
	assert_int_equal(say_hello(&t, &tiny.hello), -EPROTO);
	session_output(t.s, &n);
	assert_int_equal(n, 0);
	talk_deinit(&t);

	/* A probe keeps nothing, and nobody hears of it: that must not pass for a dump. */
	hello.oneway = hello.probe = true;
	talk_init(&t, true);
	assert_int_equal(say_hello(&t, &hello), -EPROTO);
	assert_int_equal(t.fake.calls[OP_HELLO], 0);
	talk_deinit(&t);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "session: is the same however its bytes are cut", test_cut, NULL);
	unit_add(&u, "session: is never done before the last byte", test_short, NULL);
	unit_add(&u, "session: ends at a byte that was changed, whichever", test_damaged, NULL);
	unit_add(&u, "session: takes each frame in its turn only", test_turns, NULL);
	unit_add(&u, "session: takes no frame twice, and none too soon", test_replayed, NULL);
	unit_add(&u, "session: takes data and checkpoints in order only", test_data_rules, NULL);
	unit_add(&u, "session: goes on from a cursor", test_resume, NULL);
	unit_add(&u, "session: takes no pages where none are wanted", test_unwanted, NULL);
	unit_add(&u, "session: judges HELLO", test_hello, NULL);
	unit_add(&u, "session: tells the intervals", test_welcome, NULL);
	unit_add(&u, "session: answers DONE for a dump that is there", test_there_already, NULL);
	unit_add(&u, "session: limits attachments", test_attach, NULL);
	unit_add(&u, "session: tells the sender what failed, and whether to come again",
		 test_failures, NULL);
	unit_add(&u, "session: is ended by the sender", test_aborted, NULL);
	unit_add(&u, "session: is over when it is done", test_behind_done, NULL);
	unit_add(&u, "session: keeps nothing of a probe", test_probe, NULL);
	unit_add(&u, "session: acknowledges what is durable, once a second", test_acks, NULL);
	unit_add(&u, "session: doesn't acknowledge what isn't", test_failed_sync, NULL);
	unit_add(&u, "session: beats, but doesn't heap up beats", test_heartbeats, NULL);
	unit_add(&u, "session: waits for its turn", test_queue, NULL);
	unit_add(&u, "session: is sent away where the queue is full", test_no_room, NULL);
	unit_add(&u, "session: ends in silence", test_silence, NULL);
	unit_add(&u, "session: is patient with a slow link", test_trickle, NULL);
	unit_add(&u, "session: says nothing one way", test_oneway, NULL);
	r = unit_run(&u, "session", argc, argv);
	tinysession_free(&tiny);
	return r;
}
