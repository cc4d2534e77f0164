/*
 * Both sides of a session against each other in memory, over a link that is cut, damaged and made
 * again. What must come of it: the file is the dump to the byte, nothing is published before that,
 * and what was acknowledged isn't sent again.
 *
 * FULL=1 in the environment tries each byte where else some have their turn; SEED=N makes other
 * random scripts.
 */
#include "tests/lib/dialogue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/unit.h"

static struct tinysession tiny, marked;

/* --- tests --- */

static void test_whole(void **state)
{
	const struct tinysession *t = *state;

	for (size_t step = 1; step <= 4096; step *= 8) {
		struct script script = dialogue_undisturbed(t);
		struct ending end;

		dialogue_clear();
		script.step = step;
		end = dialogue_run(&script);
		assert_int_equal(end.sender, 0);
		assert_int_equal(end.receiver, 0);
		assert_true(end.done && end.complete);
		dialogue_published(t);
		/* And once more: it is there. */
		end = dialogue_run(&script);
		assert_true(end.done && end.was_there);
		dialogue_published(t);
	}
}

/* Cut on the way to the receiver, after each byte, whether the receiver lives or dies. */
static void test_cut_out(void **state)
{
	struct script script = dialogue_undisturbed(*state);
	struct ending whole;
	size_t n;

	dialogue_clear();
	whole = dialogue_run(&script);
	for (n = 0; n < whole.sent_out; n += unit_stride(7)) {
		struct ending end;

		dialogue_clear();
		script.out = n;
		script.kill = n & 1;
		end = dialogue_run(&script);
		assert_int_equal(end.receiver, 0);
		assert_false(end.complete);
		dialogue_nothing_early(&end);
		dialogue_finish(*state, &end);
	}
}

/* Cut on the way back: what the receiver says doesn't reach the sender. */
static void test_cut_in(void **state)
{
	struct script script = dialogue_undisturbed(*state);
	struct ending end = {0};

	for (size_t n = 0; !end.done; n++) {
		dialogue_clear();
		script.in = n;
		script.kill = n & 1;
		end = dialogue_run(&script);
		assert_true(n < 4096);
		assert_int_equal(end.receiver, 0);
		dialogue_nothing_early(&end);
		dialogue_finish(*state, &end);
	}
}

/* A byte damaged on the way ends the link, not the dump. */
static void test_flip(void **state)
{
	struct script script = dialogue_undisturbed(*state);
	struct ending whole;

	dialogue_clear();
	whole = dialogue_run(&script);
	for (size_t n = 0; n < whole.sent_out; n += unit_stride(7)) {
		struct ending end;

		dialogue_clear();
		script.flip_out = n;
		end = dialogue_run(&script);
		assert_true(end.receiver == -EBADMSG || end.sender == -ETIMEDOUT ||
			    end.receiver == -ETIMEDOUT);
		assert_false(end.complete);
		dialogue_nothing_early(&end);
		dialogue_finish(*state, &end);
	}
}

/* The segment that has a byte of the stream; the end marker is in the one after the last. */
static size_t segment_of(const struct tinysession *t, size_t n)
{
	size_t i = 0;

	while (i < t->segments && tinysession_begin(t, i + 1) <= n)
		i++;
	return i;
}

/*
 * A byte that was wrong before the frames were made, so that every CRC is right: its segment's
 * checkpoint finds it at the latest; only the padding of the stream's header is nobody's.
 */
static void test_wrong_data(void **state)
{
	const struct tinysession *t = *state;
	struct script script = dialogue_undisturbed(t);
	uint8_t *stream = malloc(t->stream.size_bytes);

	memcpy(stream, t->stream.bytes, t->stream.size_bytes);
	script.stream = stream;
	for (size_t n = 0; n < t->stream.size_bytes; n += unit_stride(7)) {
		const bool padding = n >= 32 && n < 4096;
		struct ending end;

		dialogue_clear();
		stream[n] ^= (uint8_t)(1 << n % 8);
		end = dialogue_run(&script);
		stream[n] ^= (uint8_t)(1 << n % 8);
		if (padding) {
			assert_true(end.complete);
			dialogue_published(t);
			continue;
		}
		assert_true(end.receiver < 0);
		assert_true(end.acked <= segment_of(t, n));
		assert_false(end.complete);
		dialogue_nothing_early(&end);
		dialogue_finish(t, &end);
	}
	free(stream);
}

/* Links that are cut, damaged and killed at random, until one comes through. */
static void test_random(void **state)
{
	const struct tinysession *t = *state;
	uint32_t random = unit_seed();

	for (int i = 0; i < 300; i++) {
		struct ending end = {0};
		uint64_t begin = 0;

		dialogue_clear();
		for (int links = 0; !end.complete && links < 20; links++) {
			struct script script = dialogue_undisturbed(t);
			const uint32_t what = unit_random(&random) % 8;

			script.step = 1 + unit_random(&random) % 4096;
			if (what < 4)
				script.out = unit_random(&random) % (t->stream.size_bytes + 2000);
			if (what == 4)
				script.in = unit_random(&random) % 600;
			if (what == 5)
				script.flip_out =
					unit_random(&random) % (t->stream.size_bytes + 2000);
			script.kill = unit_random(&random) & 1;
			end = dialogue_run(&script);
			dialogue_nothing_early(&end);
			/* What was once durable stays so. */
			if (end.begin || end.acked) {
				assert_true(end.begin >= begin);
				begin = end.begin;
			}
			if (end.acked)
				begin = MAX(begin,
					    t->checkpoints[end.acked - 1].cursor.stream_bytes);
		}
		dialogue_finish(t, &end);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;
	struct tinysession_shape shape = {.small = true, .pages_per_segment = 1};
	int r;

	tiny = tinysession_make(&shape);
	shape.unreadable = true;
	marked = tinysession_make(&shape);
	unit_add(&u, "dialogue: brings the dump over", test_whole, &tiny);
	unit_add(&u, "dialogue: brings a dump over that is incomplete", test_whole, &marked);
	unit_add(&u, "dialogue: goes on after a cut behind any byte", test_cut_out, &tiny);
	unit_add(&u, "dialogue: goes on after a cut on the way back", test_cut_in, &tiny);
	unit_add(&u, "dialogue: goes on with an incomplete dump after a cut on the way back",
		 test_cut_in, &marked);
	unit_add(&u, "dialogue: goes on after a damaged byte, whichever", test_flip, &tiny);
	unit_add(&u, "dialogue: finds a wrong byte of the data by its checkpoint", test_wrong_data,
		 &tiny);
	unit_add(&u, "dialogue: finds a wrong byte of an incomplete dump", test_wrong_data,
		 &marked);
	unit_add(&u, "dialogue: comes through in the end", test_random, &tiny);
	unit_add(&u, "dialogue: comes through with an incomplete dump", test_random, &marked);
	r = unit_run(&u, "dialogue", argc, argv);
	dialogue_clear();
	tinysession_free(&tiny);
	tinysession_free(&marked);
	return r;
}
