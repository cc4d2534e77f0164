/* Both ends of a session. */
#include "tests/lib/sessiontalk.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/unit.h"

/* --- a receiver without files --------------------------------------------------------------- */

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

static int fake_admit(void *ctx, const struct hello *hello, struct error *err)
{
	struct fake *f = ctx;

	f->asked_for_probe = hello->probe;
	return f->place < 0 ? error_set(err, f->place, "the test's reason") : f->place;
}

/* --- a sender ------------------------------------------------------------------------------- */

struct tinysession tiny;

void talk_init(struct talk *t, bool oneway)
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

void talk_deinit(struct talk *t)
{
	session_free(t->s);
	stream_free(&t->fake.data);
	frame_writer_deinit(&t->out);
	frame_reader_deinit(&t->in);
}

int talk_feed(struct talk *t, const void *bytes, size_t size_bytes)
{
	return session_feed(t->s, bytes, size_bytes, t->now_ms, &t->err);
}

/* Hand over what the sender's writer has. */
static int deliver(struct talk *t)
{
	size_t n;
	const uint8_t *bytes = frame_writer_pending(&t->out, &n);
	const int r = talk_feed(t, bytes, n);

	frame_writer_sent(&t->out, n);
	return r;
}

struct frame talk_hear(struct talk *t)
{
	struct frame f = {0};
	size_t n;
	const uint8_t *bytes = session_output(t->s, &n), *pos = bytes;
	const int r = frame_reader_feed(&t->in, &pos, &n, &f, &t->err);

	assert_in_range(r, 0, 1);
	session_sent(t->s, (size_t)(pos - bytes), t->now_ms);
	return f;
}

struct outbuf talk_begin(struct talk *t)
{
	return frame_begin(&t->out);
}

int talk_say(struct talk *t, enum frame_type type, const struct outbuf *payload)
{
	struct error err;

	assert_int_equal(frame_end(&t->out, type, payload, &err), 0);
	return deliver(t);
}

int talk_say_hello(struct talk *t, const struct hello *hello)
{
	struct outbuf o = talk_begin(t);

	hello_put(&o, hello);
	return talk_say(t, FRAME_HELLO, &o);
}

int talk_say_attach(struct talk *t, const struct attach *attach)
{
	struct outbuf o = talk_begin(t);

	attach_put(&o, attach);
	return talk_say(t, FRAME_ATTACH, &o);
}

int talk_say_totals(struct talk *t)
{
	struct outbuf o = talk_begin(t);

	totals_put(&o, &tiny.totals);
	return talk_say(t, FRAME_TOTALS, &o);
}

int talk_say_data(struct talk *t, uint64_t off, size_t size_bytes)
{
	static const uint8_t zeros[100000];
	const struct data data = {off, zeros, size_bytes};
	struct outbuf o = talk_begin(t);

	data_put(&o, &data);
	return talk_say(t, FRAME_DATA, &o);
}

int talk_say_checkpoint(struct talk *t, uint64_t number, uint64_t stream_bytes)
{
	struct checkpoint c = {.cursor = {.segment = number, .stream_bytes = stream_bytes}};
	struct outbuf o = talk_begin(t);

	checkpoint_put(&o, &c);
	return talk_say(t, FRAME_CHECKPOINT, &o);
}

int talk_say_number(struct talk *t, enum frame_type type, uint64_t number)
{
	struct outbuf o = talk_begin(t);

	number_put(&o, number);
	return talk_say(t, type, &o);
}

int talk_say_end(struct talk *t)
{
	struct outbuf o = talk_begin(t);

	end_put(&o, &tiny.end);
	return talk_say(t, FRAME_END, &o);
}

int talk_say_abort(struct talk *t, enum reason reason)
{
	const struct farewell bye = {.reason = reason, .text = "the sender's reason"};
	struct outbuf o = talk_begin(t);

	farewell_put(&o, &bye);
	return talk_say(t, FRAME_ABORT, &o);
}

void talk_reach(struct talk *t, enum session_state state)
{
	if (state == SESSION_QUEUED) {
		t->fake.place = 2;
		assert_int_equal(talk_say_hello(t, &tiny.hello), 0);
		assert_int_equal(talk_hear(t).type, FRAME_WAIT);
	}
	if (state >= SESSION_OPEN) {
		assert_int_equal(talk_say_hello(t, &tiny.hello), 0);
		assert_int_equal(talk_hear(t).type, FRAME_WELCOME);
	}
	if (state >= SESSION_GOING) {
		assert_int_equal(talk_say_totals(t), 0);
		assert_int_equal(talk_hear(t).type, FRAME_GO);
	}
	if (state >= SESSION_DONE) {
		assert_int_equal(talk_say_end(t), 0);
		assert_int_equal(talk_hear(t).type, FRAME_DONE);
	}
	assert_int_equal(session_state(t->s), state);
}

void talk_expect_farewell(struct talk *t, enum frame_type type, enum reason reason,
			  uint32_t retry_s)
{
	struct error err = t->err;
	struct farewell bye;
	const struct frame f = talk_hear(t);

	assert_int_equal(f.type, type);
	assert_int_equal(farewell_get(&f, &bye, &t->err), 0);
	assert_int_equal(bye.reason, reason);
	assert_int_equal(bye.retry_after_s, retry_s);
	assert_int_equal(strncmp(bye.text, err.msg, sizeof(bye.text) - 1), 0);
	assert_int_equal(talk_hear(t).type, 0);
}
