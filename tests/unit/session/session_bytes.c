/* receiver/session/session.h: a session that is cut, short or damaged, at any byte. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "tests/lib/sessiontalk.h"

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
		if (talk_feed(&t, frames->bytes + at, end - at) < 0)
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
	/* Cut once at each byte, and at another one after it. */
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
		assert_int_equal(talk_feed(&t, frames.bytes, n), 0);
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
		r = talk_feed(&t, frames.bytes, frames.size_bytes);
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

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "session: is the same however its bytes are cut", test_cut, NULL);
	unit_add(&u, "session: is never done before the last byte", test_short, NULL);
	unit_add(&u, "session: ends at a byte that was changed, whichever", test_damaged, NULL);
	r = unit_run(&u, "session_bytes", argc, argv);
	tinysession_free(&tiny);
	return r;
}
