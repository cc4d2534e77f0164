/* receiver/session/session.h: what may be said, and when; and what is answered. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/sessiontalk.h"

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
			talk_reach(&t, (enum session_state)at);
			o = talk_begin(&t);
			r = talk_say(&t, (enum frame_type)type, &o);
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
				talk_expect_farewell(
					&t, at <= SESSION_QUEUED ? FRAME_REFUSE : FRAME_ABORT,
					REASON_PROTOCOL, 1);
			else
				assert_int_equal(talk_hear(&t).type, 0);
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
		assert_int_equal(talk_feed(&t, frames.bytes, ends[i]), 0);
		assert_int_equal(talk_feed(&t, frames.bytes + (i ? ends[i - 1] : 0),
					   ends[i] - (i ? ends[i - 1] : 0)),
				 -EBADMSG);
		assert_non_null(strstr(t.err.msg, "in place of"));
		talk_deinit(&t);

		talk_init(&t, false);
		assert_int_equal(talk_feed(&t, frames.bytes, ends[i]), 0);
		assert_int_equal(
			talk_feed(&t, frames.bytes + ends[i + 1], ends[i + 2] - ends[i + 1]),
			-EBADMSG);
		talk_deinit(&t);
	}
	stream_free(&frames);
}

static void test_data_rules(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_data(&t, 0, 100), 0);
	assert_int_equal(talk_say_data(&t, 100, 1), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 101), 0);
	assert_int_equal(talk_say_data(&t, 101, 1), 0);
	assert_int_equal(t.fake.data.size_bytes, 102);
	assert_int_equal(talk_say_data(&t, 103, 1), -EPROTO);
	talk_expect_farewell(&t, FRAME_ABORT, REASON_PROTOCOL, 1);
	talk_deinit(&t);

	for (uint64_t n = 0; n < 3; n++) {
		const struct {
			uint64_t number, stream_bytes;
			int want;
		} rows[] = {{2, 101, -EPROTO}, {1, 100, -EPROTO}, {0, 101, -EBADMSG}};

		talk_init(&t, false);
		talk_reach(&t, SESSION_GOING);
		assert_int_equal(talk_say_data(&t, 0, 101), 0);
		assert_int_equal(talk_say_checkpoint(&t, rows[n].number, rows[n].stream_bytes),
				 rows[n].want);
		assert_int_equal(t.fake.calls[OP_CHECKPOINT], 0);
		talk_deinit(&t);
	}

	/* The same number twice. */
	talk_init(&t, false);
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_data(&t, 0, 7), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 7), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 7), -EPROTO);
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
	assert_int_equal(talk_say_hello(&t, &tiny.hello), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_WELCOME);
	assert_int_equal(talk_say_totals(&t), 0);
	f = talk_hear(&t);
	assert_int_equal(go_get(&f, &go, &t.err), 0);
	assert_memory_equal(&go.cursor, &t.fake.go.cursor, sizeof(go.cursor));
	assert_int_equal(go.chain[0], 1);
	assert_int_equal(go.first[0], 2);
	assert_int_equal(talk_say_data(&t, 1234567, 10), 0);
	assert_int_equal(talk_say_checkpoint(&t, 8, 1234577), 0);
	t.now_ms += ACK_MS;
	assert_int_equal(session_tick(t.s, t.now_ms, &t.err), 0);
	f = talk_hear(&t);
	assert_int_equal(f.type, FRAME_ACK);
	assert_int_equal(le64_get(f.payload), 8);
	talk_deinit(&t);

	talk_init(&t, false);
	t.fake.go = (struct go){.kind = GO_RESUME, .cursor = {.segment = 7, .stream_bytes = 9}};
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_data(&t, 0, 10), -EPROTO);
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
			talk_reach(&t, SESSION_GOING);
			r = what == 0	? talk_say_data(&t, 0, 1)
			    : what == 1 ? talk_say_checkpoint(&t, 1, 0)
					: talk_say_end(&t);
			if (what == 2 && kinds[i] == GO_LOG_ONLY) {
				assert_int_equal(r, 0);
				assert_int_equal(talk_hear(&t).type, FRAME_DONE);
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
		assert_int_equal(talk_say_hello(&t, &hello), rows[i].want);
		assert_int_equal(t.fake.calls[OP_HELLO], rows[i].want == 0);
		if (rows[i].want < 0)
			talk_expect_farewell(&t, FRAME_REFUSE, REASON_PROTOCOL,
					     rows[i].want == -ENOTSUP ? 0 : 1);
		else
			assert_int_equal(talk_hear(&t).type, FRAME_WELCOME);
		talk_deinit(&t);
	}
}

static void test_welcome(void **state UNUSED)
{
	struct welcome w;
	struct frame f;
	struct talk t;

	talk_init(&t, false);
	assert_int_equal(talk_say_hello(&t, &tiny.hello), 0);
	assert_memory_equal(t.fake.hello.dump_id, tiny.hello.dump_id, DIGEST_BYTES);
	f = talk_hear(&t);
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
	assert_int_equal(talk_say_hello(&t, &tiny.hello), 0);
	f = talk_hear(&t);
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
	talk_reach(&t, SESSION_OPEN);
	assert_int_equal(talk_say_attach(&t, &a), 0);
	a.total_bytes++;
	assert_int_equal(talk_say_attach(&t, &a), -EFBIG);
	talk_expect_farewell(&t, FRAME_ABORT, REASON_NO_SPACE, 0);
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
		{OP_HELLO, -EROFS, REASON_NO_SPACE, 0},
		{OP_HELLO, -EPERM, REASON_POLICY, 0},
		{OP_HELLO, -ENOTDIR, REASON_POLICY, 0},
		{OP_HELLO, -ELOOP, REASON_POLICY, 0},
		{OP_HELLO, -EEXIST, REASON_POLICY, 0},
		{OP_HELLO, -ENOENT, REASON_OTHER, 0},
		{OP_ATTACH, -EDQUOT, REASON_NO_SPACE, 0},
		{OP_ATTACH, -EROFS, REASON_NO_SPACE, 0},
		{OP_ATTACH, -ENOENT, REASON_OTHER, 1}, /* it was removed, and is made again */
		{OP_TOTALS, -ENOMEM, REASON_OTHER, 1},
		{OP_TOTALS, -EIO, REASON_IO, 1},
		{OP_DATA, -EFBIG, REASON_NO_SPACE, 0},
		{OP_DATA, -EROFS, REASON_NO_SPACE, 0},
		{OP_DATA, -EBADMSG, REASON_MISMATCH, 1},
		{OP_CHECKPOINT, -EBADMSG, REASON_MISMATCH, 1},
		{OP_CHECKPOINT, -EPROTO, REASON_PROTOCOL, 1},
		{OP_SYNC, -EIO, REASON_IO, 1},
		{OP_SYNC, -EROFS, REASON_NO_SPACE, 0},
		{OP_SYNC, -EPERM, REASON_POLICY, 0},
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
		r = talk_say_hello(&t, &tiny.hello);
		if (r == 0) {
			assert_int_equal(talk_hear(&t).type, FRAME_WELCOME);
			r = talk_say_attach(&t, &a);
		}
		if (r == 0)
			r = talk_say_totals(&t);
		if (r == 0) {
			assert_int_equal(talk_hear(&t).type, FRAME_GO);
			r = talk_say_data(&t, 0, 5);
		}
		if (r == 0)
			r = talk_say_checkpoint(&t, 1, 5);
		if (r == 0)
			r = talk_say_end(&t);
		assert_int_equal(r, rows[i].code == -ESTALE ? -EIO : rows[i].code);
		if (rows[i].op == OP_END) /* what was durable before is acknowledged */
			assert_int_equal(talk_hear(&t).type, FRAME_ACK);
		talk_expect_farewell(&t, rows[i].op == OP_HELLO ? FRAME_REFUSE : FRAME_ABORT,
				     rows[i].reason, rows[i].retry_s);
		assert_int_not_equal(session_state(t.s), SESSION_DONE);
		talk_deinit(&t);
	}
}

static void test_aborted(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	talk_reach(&t, SESSION_GOING);
	assert_int_equal(talk_say_abort(&t, REASON_MISMATCH), -ESTALE);
	assert_non_null(strstr(t.err.msg, "the sender's reason"));
	assert_int_equal(talk_hear(&t).type, 0);
	talk_deinit(&t);
}

/* Bytes after the end change nothing, a farewell least of all. */
static void test_behind_done(void **state UNUSED)
{
	struct talk t;

	talk_init(&t, false);
	talk_reach(&t, SESSION_DONE);
	assert_int_equal(talk_say_abort(&t, REASON_MISMATCH), 0);
	assert_int_equal(talk_say_hello(&t, &tiny.hello), 0);
	assert_int_equal(talk_feed(&t, "noise", 5), 0);
	assert_int_equal(session_tick(t.s, t.now_ms + 10 * TIMEOUT_MS, &t.err), 0);
	assert_true(session_next_tick_ms(t.s) == UINT64_MAX);
	session_abort(t.s, -ECANCELED, 5, "stopped");
	assert_int_equal(talk_hear(&t).type, 0);
	assert_int_equal(session_state(t.s), SESSION_DONE);
	talk_deinit(&t);
}

static void test_probe(void **state UNUSED)
{
	struct hello hello = tiny.hello;
	struct talk t;

	hello.probe = true;
	talk_init(&t, false);
	assert_int_equal(talk_say_hello(&t, &hello), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_WELCOME);
	assert_int_equal(talk_say_totals(&t), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_GO);
	assert_int_equal(talk_say_data(&t, 0, 1000), 0);
	assert_int_equal(t.fake.calls[OP_DATA], 0);
	assert_int_equal(talk_say_end(&t), 0);
	assert_int_equal(talk_hear(&t).type, FRAME_DONE);
	assert_int_equal(t.fake.calls[OP_END] + t.fake.calls[OP_SYNC], 0);
	talk_deinit(&t);

	talk_init(&t, false);
	assert_int_equal(talk_say_hello(&t, &hello), 0);
	assert_int_equal(talk_say_totals(&t), 0);
	assert_int_equal(talk_say_checkpoint(&t, 1, 0), -EPROTO);
	talk_deinit(&t);
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
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
	r = unit_run(&u, "session_rules", argc, argv);
	tinysession_free(&tiny);
	return r;
}
