/* receiver/store.h: what of a session no honest sender does. */
#include "../lib/unit.h"

#include <errno.h>
#include <string.h>

#include "../../receiver/store.h"
#include "../lib/dialogue.h"
#include "../lib/scratch.h"
#include "../lib/tinysession.h"

static struct tinysession tiny;

/* A dump as far as its first checkpoint. */
static struct store *begin(void)
{
	const struct store_setup setup = {
		.dir = scratch_path("dir"), .host = "tiny", .proof = "test", .peer = "test"};
	const uint64_t end = tinysession_begin(&tiny, 1);
	static uint8_t payload[TINY_FRAME_MAX];
	struct frame f = tinysession_kept(&tiny, 0, payload);
	struct welcome welcome;
	struct store *s;
	struct done done;
	struct error err;
	struct go go;

	dialogue_clear();
	assert_int_equal(store_new(&setup, &s, &err), 0);
	assert_int_equal(store_ops.hello(s, &tiny.hello, &f, &welcome, &done, &err), 0);
	assert_int_equal(store_ops.totals(s, &tiny.totals, &go, &err), 0);
	assert_int_equal(store_ops.data(s, tiny.stream.bytes, end, &err), 0);
	f = tinysession_kept(&tiny, 1, payload);
	assert_int_equal(store_ops.checkpoint(s, &tiny.checkpoints[0], &f, &err), 0);
	return s;
}

/* The dump gets no longer by them, and no limit would ever count them. */
static void test_empty_segments(void **state UNUSED)
{
	struct checkpoint c = {.cursor = tiny.checkpoints[0].cursor};
	struct store_result res;
	struct store *s = begin();
	struct digester *d;
	struct error err;
	int r = 0;

	memcpy(c.chain, tiny.checkpoints[0].chain, DIGEST_BYTES);
	assert_int_equal(digester_new(&d, &err), 0);
	for (int i = 0; i < 30000 && r == 0; i++) {
		uint8_t payload[256];
		struct outbuf o = outbuf_init(payload, sizeof(payload));
		struct frame f = {.type = FRAME_CHECKPOINT, .payload = payload};

		c.cursor.segment++;
		assert_int_equal(digest_chain(d, &c.segment, c.chain, &err), 0);
		checkpoint_put(&o, &c);
		f.payload_bytes = outbuf_used(&o);
		r = store_ops.checkpoint(s, &c, &f, &err);
	}
	assert_int_equal(r, -EFBIG);
	digester_free(d);
	store_close(s, &err, &res);
	store_free(s);
	dialogue_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "store: takes no segments without end", test_empty_segments, NULL);
	r = unit_run(&u, "store", argc, argv);
	tinysession_free(&tiny);
	return r;
}
