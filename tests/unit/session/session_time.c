/* receiver/session/session.h: acknowledgements, heartbeats, waiting, silence. */
#include "tests/lib/unit.h"

#include <errno.h>

#include "tests/lib/sessiontalk.h"

static int tick(struct talk *t)
{
	return session_tick(t->s, t->now_ms, &t->err);
}

static void test_acks(void **state UNUSED)
{
	struct talk t;
	struct frame f;

	talk_init(&t, false);
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_data(&t, 0, 8), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 8), 0);
	t.now_ms += ACK_MS - 1;
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 0);
	assert_int_equal(session_next_tick_ms(t.s), t.now_ms + 1);
	assert_int_equal(talk_say_data(&t, 8, 8), 0);
	assert_int_equal(talk_say_checkpoint(&t, 2, 16), 0);
	assert_int_equal(talk_say_data(&t, 16, 8), 0);
	t.now_ms += 1;
	assert_int_equal(tick(&t), 0);
	/* One sync, and one acknowledgement of all that it made durable. */
	assert_int_equal(t.fake.calls[OP_SYNC], 1);
	assert_int_equal(t.fake.synced, 2);
	f = talk_hear(&t);
	assert_int_equal(f.type, FRAME_ACK);
	assert_int_equal(le64_get(f.payload), 2);
	/* The next comes a second later at the soonest, and only for something new. */
	t.now_ms += 10 * ACK_MS / 4;
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 1);
	assert_int_equal(talk_say_checkpoint(&t, 3, 24), 0);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(t.fake.calls[OP_SYNC], 2);
	assert_int_equal(talk_hear(&t).type, FRAME_ACK);
	talk_deinit(&t);
}

/* Nothing is acknowledged that could not be made durable. */
static void test_failed_sync(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_data(&t, 0, 8), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 8), 0);
	t.fake.fails = OP_SYNC;
	t.fake.code = -ENOSPC;
	t.now_ms += ACK_MS;
	assert_int_equal(tick(&t), -ENOSPC);
	talk_expect_farewell(&t, FRAME_ABORT, REASON_NO_SPACE, 0);
	talk_deinit(&t);
}

static void test_heartbeats(void **state UNUSED)
{
	for (int at = SESSION_OPEN; at <= SESSION_GOING; at++) {
		struct talk t;
		size_t n, later;

		talk_init(&t, false);
		talk_reach(&t, (enum session_state)at);
		t.now_ms += BEAT_MS - 1;
		assert_int_equal(tick(&t), 0);
		assert_int_equal(talk_hear(&t).type, 0);
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
		assert_int_equal(talk_hear(&t).type, FRAME_HEARTBEAT);
		assert_int_equal(talk_hear(&t).type, 0);
		talk_deinit(&t);
	}
}

static uint32_t hear_wait(struct talk *t)
{
	const struct frame f = talk_hear(t);
	struct wait wait;

	assert_int_equal(f.type, FRAME_WAIT);
	assert_int_equal(wait_get(&f, &wait, &t->err), 0);
	return wait.place;
}

static void test_queue(void **state UNUSED)
{
	uint64_t begun_ms;
	struct talk t;

	talk_init(&t, false);
	t.fake.place = 3;
	assert_int_equal(talk_say_hello(&t, &tiny.hello), 0);
	assert_int_equal(session_state(t.s), SESSION_QUEUED);
	assert_int_equal(hear_wait(&t), 3);
	assert_false(t.fake.asked_for_probe);
	/* It asks again by itself, and tells what has changed. */
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(talk_hear(&t).type, 0);
	t.fake.place = 1;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(hear_wait(&t), 1);
	assert_int_equal(t.fake.calls[OP_HELLO], 0);
	/* Its turn: what HELLO said is remembered. */
	t.fake.place = 0;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_WELCOME);
	assert_int_equal(t.fake.calls[OP_HELLO], 1);
	assert_string_equal(t.fake.hello.host, tiny.hello.host);
	assert_memory_equal(t.fake.hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	assert_int_equal(talk_say_totals(&t), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_GO);
	talk_deinit(&t);

	/* While it waits, both sides show that they are there; this one does so each second, for it
	 * doesn't know how long the sender waits. */
	talk_init(&t, false);
	talk_reach(&t, SESSION_QUEUED);
	begun_ms = t.now_ms;
	for (unsigned beats = 0; beats < 10;) {
		t.now_ms = session_next_tick_ms(t.s);
		assert_int_equal(tick(&t), 0);
		beats += talk_hear(&t).type == FRAME_HEARTBEAT;
		if (t.now_ms % BEAT_MS == 0)
			assert_int_equal(talk_say_number(&t, FRAME_HEARTBEAT, 0), 0);
	}
	assert_in_range(t.now_ms - begun_ms, 9000, 11000);
	/* It may be sent away all the same. */
	t.fake.place = -EACCES;
	t.now_ms = session_next_tick_ms(t.s);
	assert_int_equal(tick(&t), -EACCES);
	talk_expect_farewell(&t, FRAME_REFUSE, REASON_POLICY, 0);
	talk_deinit(&t);
}

static void test_no_room(void **state UNUSED)
{
	struct hello probe = tiny.hello;
	struct talk t;

	talk_init(&t, false);
	t.fake.place = -EAGAIN;
	assert_int_equal(talk_say_hello(&t, &tiny.hello), -EAGAIN);
	talk_expect_farewell(&t, FRAME_REFUSE, REASON_BUSY, 30);
	talk_deinit(&t);

	talk_init(&t, false);
	probe.probe = true;
	assert_int_equal(talk_say_hello(&t, &probe), 0);
	assert_true(t.fake.asked_for_probe);
	talk_deinit(&t);
}

static void test_silence(void **state UNUSED)
{
	for (int at = SESSION_HELLO; at <= SESSION_GOING; at++) {
		struct talk t;

		talk_init(&t, false);
		talk_reach(&t, (enum session_state)at);
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(tick(&t), 0);
		t.now_ms += 1;
		assert_int_equal(tick(&t), -ETIMEDOUT);
		talk_deinit(&t);

		/* A heartbeat is a sign of life, but none in place of HELLO. */
		talk_init(&t, false);
		talk_reach(&t, (enum session_state)at);
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(talk_say_number(&t, FRAME_HEARTBEAT, 0), 0);
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
	talk_reach(&t, SESSION_GOING);
	o = talk_begin(&t);
	data_put(&o, &data);
	assert_int_equal(frame_end(&t.out, FRAME_DATA, &o, &t.err), 0);
	bytes = frame_writer_pending(&t.out, &n);
	for (size_t i = 0; i < n; i++) {
		t.now_ms += TIMEOUT_MS - 1;
		assert_int_equal(talk_feed(&t, bytes + i, 1), 0);
		assert_int_equal(tick(&t), 0);
	}
	assert_int_equal(t.fake.data.size_bytes, 10);
	talk_deinit(&t);

	talk_init(&t, false);
	assert_int_equal(talk_feed(&t, "V", 1), 0);
	t.now_ms += TIMEOUT_MS - 1;
	assert_int_equal(talk_feed(&t, "M", 1), 0);
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
		assert_int_equal(talk_feed(&t, frames.bytes + i, 1), 0);
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
	assert_int_equal(talk_say_hello(&t, &tiny.hello), -EPROTO);
	session_output(t.s, &n);
	assert_int_equal(n, 0);
	talk_deinit(&t);

	/* A probe keeps nothing, and nobody hears of it: that must not pass for a dump. */
	hello.oneway = hello.probe = true;
	talk_init(&t, true);
	assert_int_equal(talk_say_hello(&t, &hello), -EPROTO);
	assert_int_equal(t.fake.calls[OP_HELLO], 0);
	talk_deinit(&t);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "session: acknowledges what is durable, once a second", test_acks, NULL);
	unit_add(&u, "session: doesn't acknowledge what isn't", test_failed_sync, NULL);
	unit_add(&u, "session: beats, but doesn't heap up beats", test_heartbeats, NULL);
	unit_add(&u, "session: waits for its turn", test_queue, NULL);
	unit_add(&u, "session: is sent away where the queue is full", test_no_room, NULL);
	unit_add(&u, "session: ends in silence", test_silence, NULL);
	unit_add(&u, "session: is patient with a slow link", test_trickle, NULL);
	unit_add(&u, "session: says nothing one way", test_oneway, NULL);
	r = unit_run(&u, "session_time", argc, argv);
	tinysession_free(&tiny);
	return r;
}
