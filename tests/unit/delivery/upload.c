/* sender/delivery/upload.h: the sender's side of a session, driven by a receiver of the test's own.
 */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "sender/delivery/upload.h"

enum { TIMEOUT_MS = 30000, BEAT_MS = 5000, PEER_TIMEOUT_MS = 20000 };

/* What the receiver says comes in pieces of so many bytes. */
static size_t piece = 7;

/* A session, and what the other end makes of its bytes. */
struct talk {
	struct upload *u;
	struct frame_reader in;	 /* of the receiver */
	struct frame_writer out; /* of the receiver */
	uint64_t now_ms;
	struct error err;
};

static void talk_init(struct talk *t, bool oneway, bool skip_noise)
{
	const struct upload_setup setup = {
		.hello = {.host = "crashed", .dump_id = {1, 2, 3}},
		.oneway = oneway,
		.skip_noise = skip_noise,
		.timeout_ms = TIMEOUT_MS,
	};

	*t = (struct talk){.now_ms = 1000};
	frame_reader_init(&t->in, false);
	assert_int_equal(frame_writer_init(&t->out, 1 << 20, &t->err), 0);
	assert_int_equal(upload_new(&setup, t->now_ms, &t->u, &t->err), 0);
}

static void talk_deinit(struct talk *t)
{
	upload_free(t->u);
	frame_reader_deinit(&t->in);
	frame_writer_deinit(&t->out);
}

/* The next frame that the sender has said; type 0 if there is none. */
static struct frame hear(struct talk *t)
{
	struct frame f = {0};
	size_t n;
	const uint8_t *bytes = upload_output(t->u, &n), *pos = bytes;
	const int r = frame_reader_feed(&t->in, &pos, &n, &f, &t->err);

	assert_in_range(r, 0, 1);
	upload_sent(t->u, (size_t)(pos - bytes), t->now_ms);
	return f;
}

/* Give the sender what the receiver's writer has, `step` bytes at a time. */
static int deliver(struct talk *t, size_t step)
{
	size_t n;
	int r = 0;

	for (;;) {
		const uint8_t *bytes = frame_writer_pending(&t->out, &n);

		if (n == 0 || r < 0)
			return r;
		n = MIN(n, step);
		r = upload_feed(t->u, bytes, n, t->now_ms, &t->err);
		frame_writer_sent(&t->out, n);
	}
}

static void put(struct talk *t, enum frame_type type, const struct outbuf *payload)
{
	assert_int_equal(frame_end(&t->out, type, payload, &t->err), 0);
}

static int say_welcome(struct talk *t)
{
	const struct welcome w = {.protocol = 1,
				  .heartbeat_ms = BEAT_MS,
				  .timeout_ms = PEER_TIMEOUT_MS,
				  .host = "host"};
	struct outbuf p = frame_begin(&t->out);

	welcome_put(&p, &w);
	put(t, FRAME_WELCOME, &p);
	return deliver(t, piece);
}

static int say_go(struct talk *t, const struct go *go)
{
	struct outbuf p = frame_begin(&t->out);

	go_put(&p, go);
	put(t, FRAME_GO, &p);
	return deliver(t, piece);
}

static int say_number(struct talk *t, enum frame_type type, uint64_t number)
{
	struct outbuf p = frame_begin(&t->out);

	number_put(&p, number);
	put(t, type, &p);
	return deliver(t, piece);
}

static int say_done(struct talk *t, uint8_t chain_byte)
{
	struct done done = {.name = "/var/crash/vmcore"};
	struct outbuf p = frame_begin(&t->out);

	memset(done.chain, chain_byte, sizeof(done.chain));
	done_put(&p, &done);
	put(t, FRAME_DONE, &p);
	return deliver(t, piece);
}

static int say_farewell(struct talk *t, enum frame_type type, enum reason reason, uint32_t retry_s)
{
	const struct farewell bye = {.reason = reason, .retry_after_s = retry_s, .text = "because"};
	struct outbuf p = frame_begin(&t->out);

	farewell_put(&p, &bye);
	put(t, type, &p);
	return deliver(t, piece);
}

/* As far as GO. */
static void reach_going(struct talk *t, const struct go *go)
{
	assert_int_equal(hear(t).type, FRAME_HELLO);
	assert_int_equal(say_welcome(t), 0);
	assert_int_equal(upload_totals(t->u, &(struct totals){.pages = 5}, &t->err), 1);
	assert_int_equal(hear(t).type, FRAME_TOTALS);
	assert_int_equal(upload_state(t->u), UPLOAD_ASKED);
	assert_int_equal(say_go(t, go), 0);
	assert_int_equal(upload_state(t->u), UPLOAD_GOING);
}

static void test_whole(void **state UNUSED)
{
	static const uint8_t log[] = "dmesg", bytes[] = "stream";
	struct checkpoint checkpoint = {.cursor = {.segment = 1, .stream_bytes = 6}};
	struct end end = {.segments = 1};
	struct talk t;
	struct hello hello;
	struct attach attach;
	struct data data;
	struct frame f;

	talk_init(&t, false, false);
	f = hear(&t);
	assert_int_equal(f.type, FRAME_HELLO);
	assert_int_equal(hello_get(&f, &hello, &t.err), 0);
	assert_string_equal(hello.host, "crashed");
	assert_false(hello.oneway);
	assert_int_equal(hello.dump_id[1], 2);
	assert_int_equal(say_welcome(&t), 0);
	assert_int_equal(upload_state(t.u), UPLOAD_OPEN);

	attach = (struct attach){.name = "log", .total_bytes = 5, .bytes = log, .size_bytes = 5};
	assert_int_equal(upload_attach(t.u, &attach, &t.err), 1);
	f = hear(&t);
	assert_int_equal(attach_get(&f, &attach, &t.err), 0);
	assert_string_equal(attach.name, "log");
	assert_memory_equal(attach.bytes, log, 5);
	assert_int_equal(upload_totals(t.u, &(struct totals){.pages = 5}, &t.err), 1);
	assert_int_equal(hear(&t).type, FRAME_TOTALS);
	assert_int_equal(say_go(&t, &(struct go){.kind = GO_BEGIN}), 0);

	assert_int_equal(upload_data(t.u, bytes, 6, &t.err), 6);
	assert_int_equal(upload_checkpoint(t.u, &checkpoint, &t.err), 1);
	assert_int_equal(upload_data(t.u, bytes, 2, &t.err), 2);
	f = hear(&t);
	assert_int_equal(data_get(&f, &data, &t.err), 0);
	assert_int_equal(data.stream_off, 0);
	assert_int_equal(data.size_bytes, 6);
	assert_int_equal(hear(&t).type, FRAME_CHECKPOINT);
	f = hear(&t);
	assert_int_equal(data_get(&f, &data, &t.err), 0);
	assert_int_equal(data.stream_off, 6);
	assert_int_equal(say_number(&t, FRAME_ACK, 1), 0);
	assert_int_equal(upload_acked(t.u), 1);

	memset(end.chain, 9, sizeof(end.chain));
	assert_int_equal(upload_end(t.u, &end, &t.err), 1);
	assert_int_equal(hear(&t).type, FRAME_END);
	assert_int_equal(upload_state(t.u), UPLOAD_ENDING);
	assert_int_equal(say_done(&t, 9), 0);
	assert_int_equal(upload_state(t.u), UPLOAD_DONE);
	assert_string_equal(upload_done_name(t.u), "/var/crash/vmcore");
	talk_deinit(&t);
}

static void test_resume(void **state UNUSED)
{
	const struct go go = {.kind = GO_RESUME, .cursor = {.segment = 7, .stream_bytes = 1234567}};
	struct data data;
	struct frame f;
	struct talk t;

	talk_init(&t, false, false);
	reach_going(&t, &go);
	assert_int_equal(upload_acked(t.u), 7);
	assert_int_equal(upload_data(t.u, (const uint8_t *)"x", 1, &t.err), 1);
	f = hear(&t);
	assert_int_equal(data_get(&f, &data, &t.err), 0);
	assert_int_equal(data.stream_off, 1234567);
	talk_deinit(&t);
}

static void test_there_already(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false, false);
	assert_int_equal(hear(&t).type, FRAME_HELLO);
	assert_int_equal(say_done(&t, 3), 0);
	assert_int_equal(upload_state(t.u), UPLOAD_DONE);
	talk_deinit(&t);
}

/* The receiver has the dump: whatever else it says comes too late. */
static void test_behind_done(void **state UNUSED)
{
	struct outbuf o;
	struct talk t;

	talk_init(&t, false, false);
	o = frame_begin(&t.out);
	done_put(&o, &(struct done){0});
	put(&t, FRAME_DONE, &o);
	o = frame_begin(&t.out);
	farewell_put(&o, &(struct farewell){.reason = REASON_STOPPED});
	put(&t, FRAME_ABORT, &o);
	assert_int_equal(deliver(&t, 1000), 0);
	assert_int_equal(upload_state(t.u), UPLOAD_DONE);
	talk_deinit(&t);
}

static void test_other_digest(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false, false);
	reach_going(&t, &(struct go){.kind = GO_BEGIN});
	assert_int_equal(upload_end(t.u, &(struct end){.chain = {1}}, &t.err), 1);
	assert_int_equal(say_done(&t, 2), -EPROTO);
	assert_int_not_equal(upload_state(t.u), UPLOAD_DONE);
	talk_deinit(&t);
}

static void test_noise(void **state UNUSED)
{
	static const char noise[] = "Welcome to hub!\nLast login: today\n";
	struct talk t;

	talk_init(&t, false, true);
	for (size_t i = 0; noise[i]; i++)
		assert_int_equal(upload_feed(t.u, (const uint8_t *)noise + i, 1, t.now_ms, &t.err),
				 0);
	assert_int_equal(say_welcome(&t), 0);
	assert_int_equal(upload_state(t.u), UPLOAD_OPEN);
	talk_deinit(&t);

	talk_init(&t, false, false);
	assert_int_equal(
		upload_feed(t.u, (const uint8_t *)noise, sizeof(noise) - 1, t.now_ms, &t.err),
		-EBADMSG);
	talk_deinit(&t);
}

static void test_refused(void **state UNUSED)
{
	static const struct {
		enum frame_type type;
		enum reason reason;
		uint32_t retry_s;
		int want;
		enum upload_failure failure;
	} rows[] = {
		{FRAME_REFUSE, REASON_POLICY, 0, -EACCES, UPLOAD_REFUSED},
		{FRAME_REFUSE, REASON_BUSY, 30, -EAGAIN, UPLOAD_LATER},
		{FRAME_ABORT, REASON_NO_SPACE, 0, -ENOSPC, UPLOAD_REFUSED},
		{FRAME_ABORT, REASON_MISMATCH, 1, -ESTALE, UPLOAD_LATER},
		{FRAME_ABORT, REASON_STOPPED, 5, -ECONNRESET, UPLOAD_LATER},
		{FRAME_ABORT, REASON_DEADLINE, 5, -ECONNRESET, UPLOAD_LATER},
		{FRAME_ABORT, (enum reason)4711, 0, -EPROTO, UPLOAD_REFUSED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct talk t;

		talk_init(&t, false, false);
		assert_int_equal(say_farewell(&t, rows[i].type, rows[i].reason, rows[i].retry_s),
				 rows[i].want);
		assert_int_equal(upload_failure(t.u), rows[i].failure);
		assert_int_equal(upload_retry_after_s(t.u), rows[i].retry_s);
		assert_non_null(strstr(t.err.msg, "because"));
		talk_deinit(&t);
	}
}

/* Each frame in each state that it may not come in. */
static void test_out_of_turn(void **state UNUSED)
{
	for (int at = 0; at < 3; at++) {
		static const enum frame_type bad[][8] = {
			{FRAME_HELLO, FRAME_GO, FRAME_ACK, FRAME_DATA, FRAME_END},
			{FRAME_HELLO, FRAME_WELCOME, FRAME_WAIT, FRAME_GO, FRAME_ACK, FRAME_REFUSE},
			{FRAME_HELLO, FRAME_WELCOME, FRAME_GO, FRAME_DONE, FRAME_TOTALS},
		};

		for (size_t i = 0; bad[at][i]; i++) {
			struct outbuf p;
			struct talk t;

			talk_init(&t, false, false);
			if (at == 1)
				assert_int_equal(say_welcome(&t), 0);
			if (at == 2)
				reach_going(&t, &(struct go){.kind = GO_BEGIN});
			p = frame_begin(&t.out);
			put(&t, bad[at][i], &p);
			assert_int_equal(deliver(&t, 1000), -EPROTO);
			assert_non_null(strstr(t.err.msg, "out of turn"));
			talk_deinit(&t);
		}
	}
}

static void test_ack_of_nothing(void **state UNUSED)
{
	const struct checkpoint checkpoint = {.cursor = {.segment = 3}};
	struct talk t;

	talk_init(&t, false, false);
	reach_going(&t, &(struct go){.kind = GO_RESUME, .cursor = {.segment = 2}});
	assert_int_equal(upload_checkpoint(t.u, &checkpoint, &t.err), 1);
	assert_int_equal(say_number(&t, FRAME_ACK, 3), 0);
	assert_int_equal(say_number(&t, FRAME_ACK, 2), -EPROTO);
	talk_deinit(&t);

	talk_init(&t, false, false);
	reach_going(&t, &(struct go){.kind = GO_BEGIN});
	assert_int_equal(say_number(&t, FRAME_ACK, 1), -EPROTO);
	talk_deinit(&t);
}

static void test_time(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false, false);
	assert_int_equal(hear(&t).type, FRAME_HELLO);
	/* Before WELCOME nothing is said, and silence has its limit. */
	t.now_ms += TIMEOUT_MS - 1;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	assert_int_equal(hear(&t).type, 0);
	assert_int_equal(upload_next_tick_ms(t.u), t.now_ms + 1);
	assert_int_equal(upload_tick(t.u, t.now_ms + 1, &t.err), -ETIMEDOUT);

	assert_int_equal(say_welcome(&t), 0);
	t.now_ms += 1;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	assert_int_equal(hear(&t).type, FRAME_HEARTBEAT);
	assert_int_equal(upload_next_tick_ms(t.u), t.now_ms + BEAT_MS);
	t.now_ms += BEAT_MS - 1;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	assert_int_equal(hear(&t).type, 0);
	t.now_ms += 1;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	assert_int_equal(hear(&t).type, FRAME_HEARTBEAT);
	/* The receiver's beat keeps it alive; its silence doesn't. */
	assert_int_equal(say_number(&t, FRAME_HEARTBEAT, 0), 0);
	t.now_ms += PEER_TIMEOUT_MS - 1;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	assert_int_equal(upload_tick(t.u, t.now_ms + 1, &t.err), -ETIMEDOUT);
	talk_deinit(&t);
}

static void test_room(void **state UNUSED)
{
	static uint8_t bytes[UPLOAD_DATA_BYTES];
	struct talk t;
	uint64_t said = 0, heard = 0;
	struct frame f;

	talk_init(&t, false, false);
	reach_going(&t, &(struct go){.kind = GO_BEGIN});
	for (int round = 0; round < 5; round++) {
		int64_t n;

		while ((n = upload_data(t.u, bytes, sizeof(bytes), &t.err)) > 0)
			said += (uint64_t)n;
		assert_int_equal(n, 0);
		assert_true(said - heard > 1 << 20);
		while ((f = hear(&t)).type) {
			struct data data;

			assert_int_equal(data_get(&f, &data, &t.err), 0);
			assert_int_equal(data.stream_off, heard);
			heard += data.size_bytes;
		}
		assert_int_equal(heard, said);
	}
	talk_deinit(&t);
}

static void test_oneway(void **state UNUSED)
{
	struct hello hello;
	struct frame f;
	struct talk t;

	talk_init(&t, true, false);
	f = hear(&t);
	assert_int_equal(hello_get(&f, &hello, &t.err), 0);
	assert_true(hello.oneway);
	assert_int_equal(upload_totals(t.u, &(struct totals){0}, &t.err), 1);
	assert_int_equal(upload_data(t.u, (const uint8_t *)"x", 1, &t.err), 1);
	assert_int_equal(upload_tick(t.u, t.now_ms + 1000000, &t.err), 0);
	assert_int_equal(upload_end(t.u, &(struct end){0}, &t.err), 1);
	assert_int_equal(hear(&t).type, FRAME_TOTALS);
	assert_int_equal(hear(&t).type, FRAME_DATA);
	assert_int_equal(upload_state(t.u), UPLOAD_ENDING);
	assert_int_equal(hear(&t).type, FRAME_END);
	assert_int_equal(upload_state(t.u), UPLOAD_DONE);
	talk_deinit(&t);
}

static void test_wrong_calls(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false, false);
	assert_int_equal(upload_totals(t.u, &(struct totals){0}, &t.err), -EPROTO);
	assert_int_equal(upload_data(t.u, (const uint8_t *)"x", 1, &t.err), -EPROTO);
	assert_int_equal(upload_end(t.u, &(struct end){0}, &t.err), -EPROTO);
	assert_int_equal(say_welcome(&t), 0);
	assert_int_equal(upload_data(t.u, (const uint8_t *)"x", 1, &t.err), -EPROTO);
	talk_deinit(&t);
}

/* The same dialogues, whatever the pieces are. */
static void test_pieces(void **state)
{
	for (piece = 1; piece <= 300; piece++) {
		test_whole(state);
		test_resume(state);
		test_there_already(state);
		test_ack_of_nothing(state);
	}
	piece = 7;
}

/* A bit changed in what the receiver says: the link ends, or waits for what never comes. */
static void test_damaged(void **state UNUSED)
{
	const struct welcome w = {.protocol = 1, .heartbeat_ms = BEAT_MS, .timeout_ms = 60000};
	size_t size = 1;

	for (size_t bit = 0; bit < 8 * size; bit++) {
		uint8_t bytes[512];
		struct outbuf o;
		struct talk t;
		int r;

		talk_init(&t, false, false);
		o = frame_begin(&t.out);
		welcome_put(&o, &w);
		put(&t, FRAME_WELCOME, &o);
		frame_writer_pending(&t.out, &size);
		assert_in_range(size, 50, sizeof(bytes));
		memcpy(bytes, frame_writer_pending(&t.out, &size), size);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = upload_feed(t.u, bytes, size, t.now_ms, &t.err);
		assert_true(r == -EBADMSG || r == 0);
		assert_int_equal(upload_state(t.u), UPLOAD_HELLO);
		/* It isn't for good: the next link may be better. */
		assert_int_equal(upload_failure(t.u), UPLOAD_BROKEN);
		talk_deinit(&t);
	}
}

/* Each piece of what comes is a sign of life, once the receiver has spoken. */
static void test_trickle(void **state UNUSED)
{
	struct outbuf p;
	struct talk t;
	const uint8_t *bytes;
	size_t n;

	talk_init(&t, false, false);
	assert_int_equal(hear(&t).type, FRAME_HELLO);
	assert_int_equal(say_welcome(&t), 0);
	p = frame_begin(&t.out);
	number_put(&p, 0);
	put(&t, FRAME_HEARTBEAT, &p);
	bytes = frame_writer_pending(&t.out, &n);
	for (size_t i = 0; i < n; i++) {
		t.now_ms += PEER_TIMEOUT_MS - 1;
		assert_int_equal(upload_feed(t.u, bytes + i, 1, t.now_ms, &t.err), 0);
		assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
		while (hear(&t).type)
			;
	}
	talk_deinit(&t);
}

/* What waits is as good as a heartbeat: none is added to it, and nobody is woken for one. */
static void test_stuck(void **state UNUSED)
{
	struct talk t;
	size_t n, later;

	talk_init(&t, false, false);
	assert_int_equal(hear(&t).type, FRAME_HELLO);
	assert_int_equal(say_welcome(&t), 0);
	assert_int_equal(upload_totals(t.u, &(struct totals){0}, &t.err), 1);
	upload_output(t.u, &n);
	t.now_ms += 2 * BEAT_MS;
	assert_int_equal(upload_tick(t.u, t.now_ms, &t.err), 0);
	upload_output(t.u, &later);
	assert_int_equal(later, n);
	assert_true(upload_next_tick_ms(t.u) > t.now_ms);
	talk_deinit(&t);
}

enum { OWED_MS = 7000 };

/* Heartbeats come all the time, until `ms` have passed: what the last tick says. */
static int hear_beats(struct talk *t, uint64_t ms)
{
	const uint64_t until_ms = t->now_ms + ms;
	int r = 0;

	while (r == 0 && t->now_ms < until_ms) {
		while (hear(t).type)
			;
		t->now_ms = MIN(t->now_ms + 1000, until_ms);
		assert_int_equal(say_number(t, FRAME_HEARTBEAT, 0), 0);
		r = upload_tick(t->u, t->now_ms, &t->err);
	}
	return r;
}

/* As far as `state`, by a sender that has so much patience. */
static void reach_patiently(struct talk *t, enum upload_state state)
{
	const struct upload_setup setup = {
		.timeout_ms = TIMEOUT_MS, .answer_ms = OWED_MS, .least_bytes_per_s = 1};

	*t = (struct talk){.now_ms = 1000};
	frame_reader_init(&t->in, false);
	assert_int_equal(frame_writer_init(&t->out, 1 << 20, &t->err), 0);
	assert_int_equal(upload_new(&setup, t->now_ms, &t->u, &t->err), 0);
	if (state >= UPLOAD_OPEN) {
		assert_int_equal(hear(t).type, FRAME_HELLO);
		assert_int_equal(say_welcome(t), 0);
	}
	if (state >= UPLOAD_ASKED)
		assert_int_equal(upload_totals(t->u, &(struct totals){0}, &t->err), 1);
	if (state >= UPLOAD_GOING)
		assert_int_equal(say_go(t, &(struct go){.kind = GO_BEGIN}), 0);
	assert_int_equal(upload_state(t->u), state);
}

static void say_segment(struct talk *t, uint64_t number)
{
	const struct checkpoint c = {.cursor = {.segment = number, .stream_bytes = number}};

	assert_int_equal(upload_data(t->u, (const uint8_t *)"x", 1, &t->err), 1);
	assert_int_equal(upload_checkpoint(t->u, &c, &t->err), 1);
}

/* Each answer that is owed, and none: the filter pass may take as long as it likes. */
static void test_owed(void **state UNUSED)
{
	struct talk t;

	reach_patiently(&t, UPLOAD_HELLO);
	assert_int_equal(hear_beats(&t, OWED_MS + 1000), -ETIMEDOUT);
	assert_non_null(strstr(t.err.msg, "no WELCOME"));
	talk_deinit(&t);
	reach_patiently(&t, UPLOAD_OPEN);
	assert_int_equal(hear_beats(&t, 100 * OWED_MS), 0);
	talk_deinit(&t);
	reach_patiently(&t, UPLOAD_ASKED);
	assert_int_equal(hear_beats(&t, OWED_MS - 1), 0);
	assert_int_equal(hear_beats(&t, 1001), -ETIMEDOUT);
	assert_non_null(strstr(t.err.msg, "no GO"));
	talk_deinit(&t);
	reach_patiently(&t, UPLOAD_GOING);
	assert_int_equal(hear_beats(&t, 100 * OWED_MS), 0);
	assert_int_equal(upload_end(t.u, &(struct end){0}, &t.err), 1);
	assert_int_equal(hear_beats(&t, OWED_MS - 1), 0);
	assert_int_equal(hear_beats(&t, 1001), -ETIMEDOUT);
	assert_non_null(strstr(t.err.msg, "no DONE"));
	talk_deinit(&t);
}

/* One that goes further than the last, each time: not one for what was acknowledged before. */
static void test_owed_acks(void **state UNUSED)
{
	struct talk t;

	reach_patiently(&t, UPLOAD_GOING);
	for (uint64_t n = 1; n < 5; n++) {
		say_segment(&t, n);
		assert_int_equal(hear_beats(&t, OWED_MS - 1), 0);
		assert_int_equal(say_number(&t, FRAME_ACK, n), 0);
		assert_int_equal(hear_beats(&t, 10 * OWED_MS), 0);
	}
	say_segment(&t, 5);
	assert_int_equal(hear_beats(&t, OWED_MS - 1000), 0);
	/* What comes later doesn't put it off, nor does END. */
	say_segment(&t, 6);
	assert_int_equal(upload_end(t.u, &(struct end){0}, &t.err), 1);
	assert_int_equal(say_number(&t, FRAME_ACK, 4), 0);
	assert_int_equal(hear_beats(&t, 2000), -ETIMEDOUT);
	assert_non_null(strstr(t.err.msg, "no acknowledgement"));
	talk_deinit(&t);
}

/* What an earlier session sent may be read again at the end. */
static void test_owed_after_resume(void **state UNUSED)
{
	const struct go go = {.kind = GO_RESUME,
			      .cursor = {.segment = 7, .stream_bytes = UINT64_C(16) << 30}};
	struct talk t;

	reach_patiently(&t, UPLOAD_ASKED);
	assert_int_equal(say_go(&t, &go), 0);
	assert_int_equal(upload_end(t.u, &(struct end){0}, &t.err), 1);
	assert_int_equal(hear_beats(&t, 1000 * 1000), 0);
	assert_int_equal(hear_beats(&t, 1000 * 1000), -ETIMEDOUT);
	talk_deinit(&t);
}

/* Whether the receiver may be said to hold something that it didn't acknowledge. */
static void test_taken(void **state UNUSED)
{
	for (int how = 0; how < 4; how++) {
		struct talk t;

		reach_patiently(&t, UPLOAD_GOING);
		if (how)
			say_segment(&t, 1);
		if (how == 2)
			assert_int_equal(say_number(&t, FRAME_HEARTBEAT, 1), 0);
		if (how != 1 && how != 2)
			assert_int_equal(say_farewell(&t, FRAME_ABORT, REASON_NO_SPACE, 0),
					 -ENOSPC);
		assert_int_equal(upload_was_taken(t.u), how >= 2);
		talk_deinit(&t);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "upload: goes from HELLO to DONE", test_whole, NULL);
	unit_add(&u, "upload: goes on from a cursor", test_resume, NULL);
	unit_add(&u, "upload: takes DONE for an answer to HELLO", test_there_already, NULL);
	unit_add(&u, "upload: is over when it is done", test_behind_done, NULL);
	unit_add(&u, "upload: refuses DONE with another digest", test_other_digest, NULL);
	unit_add(&u, "upload: passes over a shell's noise, if told to", test_noise, NULL);
	unit_add(&u, "upload: knows refusals for now and for good", test_refused, NULL);
	unit_add(&u, "upload: takes no frame out of turn", test_out_of_turn, NULL);
	unit_add(&u, "upload: takes no acknowledgement of what wasn't sent", test_ack_of_nothing,
		 NULL);
	unit_add(&u, "upload: beats, and ends in silence", test_time, NULL);
	unit_add(&u, "upload: takes data while it has room, and all of it in order", test_room,
		 NULL);
	unit_add(&u, "upload: needs no answer one way", test_oneway, NULL);
	unit_add(&u, "upload: refuses what can't be said now", test_wrong_calls, NULL);
	unit_add(&u, "upload: is the same however its bytes are cut", test_pieces, NULL);
	unit_add(&u, "upload: takes nothing that was changed on the way", test_damaged, NULL);
	unit_add(&u, "upload: is patient with a slow link", test_trickle, NULL);
	unit_add(&u, "upload: doesn't beat behind a link that is stuck", test_stuck, NULL);
	unit_add(&u, "upload: ends a wait for an answer, heartbeats or not", test_owed, NULL);
	unit_add(&u, "upload: ends a wait for acknowledgements that go further", test_owed_acks,
		 NULL);
	unit_add(&u, "upload: gives time for what is read again", test_owed_after_resume, NULL);
	unit_add(&u, "upload: knows whether some was taken", test_taken, NULL);
	return unit_run(&u, "upload", argc, argv);
}
