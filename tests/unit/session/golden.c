/* The wire format as tests/golden/session.hex has it, which other code than ours has made: ours
 * takes each of these frames, and makes the same bytes of what they say. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "wire/message.h"

enum { FRAMES_MAX = 32, FRAME_ROOM = 1024 };

static uint8_t golden[FRAMES_MAX][FRAME_ROOM];
static size_t golden_bytes[FRAMES_MAX], count, sender_count;

static int read_golden(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[2 * FRAME_ROOM + 2];

	if (!f)
		return -1;
	while (count < FRAMES_MAX && fgets(line, sizeof(line), f)) {
		const size_t n = strcspn(line, "\n") / 2;

		for (size_t i = 0; i < n; i++) {
			unsigned byte;

			if (sscanf(line + 2 * i, "%2x", &byte) != 1)
				return -1;
			golden[count][i] = (uint8_t)byte;
		}
		/* The receiver's begin with number 0 again. */
		if (count && golden[count][16] == 0)
			sender_count = count;
		golden_bytes[count++] = n;
	}
	fclose(f);
	return 0;
}

/* What a frame says, said again. */
static void repeat(const struct frame *f, struct outbuf *o)
{
	struct checkpoint c = {0};
	struct error err;
	union {
		struct hello hello;
		struct welcome welcome;
		struct wait wait;
		struct farewell farewell;
		struct attach attach;
		struct totals totals;
		struct go go;
		struct data data;
		uint64_t number;
		struct end end;
		struct done done;
	} u;

	switch ((enum frame_type)f->type) {
#define REPEAT(type, name)                                                                         \
	case type:                                                                                 \
		assert_int_equal(name##_get(f, &u.name, &err), 0);                                 \
		name##_put(o, &u.name);                                                            \
		break
		REPEAT(FRAME_HELLO, hello);
		REPEAT(FRAME_WELCOME, welcome);
		REPEAT(FRAME_WAIT, wait);
		REPEAT(FRAME_REFUSE, farewell);
		REPEAT(FRAME_ABORT, farewell);
		REPEAT(FRAME_ATTACH, attach);
		REPEAT(FRAME_TOTALS, totals);
		REPEAT(FRAME_GO, go);
		REPEAT(FRAME_DATA, data);
		REPEAT(FRAME_END, end);
		REPEAT(FRAME_DONE, done);
	case FRAME_CHECKPOINT:
		assert_int_equal(checkpoint_get(f, &c, &err), 0);
		checkpoint_put(o, &c);
		segment_deinit(&c.segment);
		break;
	default:
		assert_int_equal(number_get(f, &u.number, &err), 0);
		number_put(o, u.number);
		break;
	}
}

/* The frames of one side, in their order. */
static void same_side(size_t begin, size_t end)
{
	struct frame_reader r;
	struct frame_writer w;
	struct error err;

	frame_reader_init(&r, false);
	assert_int_equal(frame_writer_init(&w, 1 << 16, &err), 0);
	for (size_t i = begin; i < end; i++) {
		const uint8_t *p = golden[i], *said;
		size_t left = golden_bytes[i], n;
		struct frame f;
		struct outbuf o;

		if (frame_reader_feed(&r, &p, &left, &f, &err) != 1)
			fail_msg("frame %zu: %s", i, err.msg);
		assert_int_equal(left, 0);
		o = frame_begin(&w);
		repeat(&f, &o);
		assert_int_equal(frame_end(&w, (enum frame_type)f.type, &o, &err), 0);
		said = frame_writer_pending(&w, &n);
		assert_int_equal(n, golden_bytes[i]);
		assert_memory_equal(said, golden[i], n);
		frame_writer_sent(&w, n);
	}
	frame_writer_deinit(&w);
	frame_reader_deinit(&r);
}

static void test_golden(void **state UNUSED)
{
	uint32_t types = 0;

	same_side(0, sender_count);
	same_side(sender_count, count);
	for (size_t i = 0; i < count; i++)
		types |= UINT32_C(1) << golden[i][5];
	/* None is left out. */
	assert_int_equal(types, (UINT32_C(1) << FRAME_TYPE_END) - 2);
}

/* The digest of the golden table is that which CHECKPOINT has. */
static void test_digest(void **state UNUSED)
{
	for (size_t i = 0; i < count; i++) {
		struct frame f = {golden[i][5], golden[i] + FRAME_HEADER_BYTES,
				  golden_bytes[i] - FRAME_HEADER_BYTES};
		uint8_t id[DIGEST_BYTES], chain[DIGEST_BYTES];
		struct checkpoint c = {0};
		struct digester *d;
		struct error err;

		if (f.type != FRAME_CHECKPOINT)
			continue;
		for (size_t k = 0; k < DIGEST_BYTES; k++)
			id[k] = (uint8_t)k;
		assert_int_equal(checkpoint_get(&f, &c, &err), 0);
		assert_int_equal(digester_new(&d, &err), 0);
		assert_int_equal(digest_begin(d, id, chain, &err), 0);
		assert_int_equal(digest_chain(d, &c.segment, chain, &err), 0);
		assert_memory_equal(chain, c.chain, DIGEST_BYTES);
		digester_free(d);
		segment_deinit(&c.segment);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	if (read_golden("tests/golden/session.hex") < 0) {
		puts("Bail out! tests/golden/session.hex can't be read: run from the top folder");
		return 1;
	}
	unit_add(&u, "golden: frames of each type are taken, and made, to the byte", test_golden,
		 NULL);
	unit_add(&u, "golden: a digest follows from its table", test_digest, NULL);
	return unit_run(&u, "golden", argc, argv);
}
