/* receiver/session/heartbeat.h: whoever waits is heard of, however long a disk takes. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "receiver/session/heartbeat.h"

/* An operation that takes as long as alive() wasn't called so often; and what alive() says. */
static int calls, wanted_calls;
static int alive_says, op_says;
static bool asks; /* the operation, whether it is still wanted */
static struct heartbeat *patience;

static int alive(void *ctx, struct error *err)
{
	assert_ptr_equal(ctx, &calls);
	__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
	return alive_says ? error_set(err, alive_says, "the peer has gone") : 0;
}

/* For ten seconds at the most, where nobody is heard of. */
static int slow(struct error *err)
{
	const struct timespec step = {.tv_nsec = 1000000};

	for (int i = 0; i < 10000; i++) {
		if (asks && heartbeat_wanted(patience, err) < 0)
			return err->code;
		if (!asks && __atomic_load_n(&calls, __ATOMIC_SEQ_CST) >= wanted_calls)
			return op_says ? error_set(err, op_says, "the disk fails") : 0;
		nanosleep(&step, NULL);
	}
	return error_set(err, -ETIME, "nobody was heard of");
}

static int op_hello(void *ctx UNUSED, const struct hello *hello, const struct frame *payload,
		    struct welcome *welcome_ret, struct done *done_ret, struct error *err)
{
	welcome_ret->free_bytes = hello->level;
	strcpy(done_ret->name, "name");
	assert_int_equal(payload->payload_bytes, 3);
	return slow(err);
}

static int op_attach(void *ctx UNUSED, const struct attach *attach, struct error *err)
{
	assert_int_equal(attach->off, 4);
	return slow(err);
}

static int op_totals(void *ctx UNUSED, const struct totals *totals, struct go *go_ret,
		     struct error *err)
{
	assert_int_equal(totals->pages, 5);
	go_ret->kind = GO_RESUME;
	return slow(err);
}

static int op_data(void *ctx UNUSED, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	assert_int_equal(size_bytes, 8);
	assert_memory_equal(bytes, "8 bytes ", 8);
	return slow(err);
}

static int op_checkpoint(void *ctx UNUSED, const struct checkpoint *checkpoint,
			 const struct frame *frame, struct error *err)
{
	assert_int_equal(checkpoint->cursor.segment, 6);
	assert_int_equal(frame->payload_bytes, 3);
	return slow(err);
}

static int op_sync(void *ctx, struct error *err)
{
	assert_ptr_equal(ctx, &patience);
	return slow(err);
}

static int op_end(void *ctx UNUSED, const struct end *end, const struct frame *frame,
		  struct done *done_ret, struct error *err)
{
	assert_int_equal(end->segments, 7);
	assert_int_equal(frame->payload_bytes, 3);
	strcpy(done_ret->name, "done");
	return slow(err);
}

static const struct session_ops ops = {
	.hello = op_hello,
	.attach = op_attach,
	.totals = op_totals,
	.data = op_data,
	.checkpoint = op_checkpoint,
	.sync = op_sync,
	.end = op_end,
};

static void begin(int calls_wanted)
{
	struct error err;

	calls = alive_says = op_says = 0;
	asks = false;
	wanted_calls = calls_wanted;
	assert_int_equal(
		heartbeat_new(&ops, &patience, &(struct keepalive){alive, &calls}, &patience, &err),
		0);
}

static void test_heard(void **state UNUSED)
{
	const struct frame frame = {.payload_bytes = 3};
	const struct hello hello = {.level = 31};
	const struct attach attach = {.off = 4};
	const struct totals totals = {.pages = 5};
	const struct checkpoint checkpoint = {.cursor = {.segment = 6}};
	const struct end end = {.segments = 7};
	struct welcome welcome = {0};
	struct done done = {0};
	struct go go = {0};
	struct error err;

	begin(2);
	assert_int_equal(heartbeat_ops.hello(patience, &hello, &frame, &welcome, &done, &err), 0);
	assert_int_equal(welcome.free_bytes, 31);
	assert_string_equal(done.name, "name");
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.attach(patience, &attach, &err), 0);
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.totals(patience, &totals, &go, &err), 0);
	assert_int_equal(go.kind, GO_RESUME);
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.data(patience, (const uint8_t *)"8 bytes ", 8, &err), 0);
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.checkpoint(patience, &checkpoint, &frame, &err), 0);
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.sync(patience, &err), 0);
	wanted_calls += 2;
	assert_int_equal(heartbeat_ops.end(patience, &end, &frame, &done, &err), 0);
	assert_string_equal(done.name, "done");
	heartbeat_free(patience);
}

/* What is short is as it would be without. */
static void test_short(void **state UNUSED)
{
	struct error err;

	begin(0);
	assert_int_equal(heartbeat_ops.sync(patience, &err), 0);
	op_says = -EIO;
	assert_int_equal(heartbeat_ops.sync(patience, &err), -EIO);
	assert_string_equal(err.msg, "the disk fails");
	heartbeat_free(patience);
}

/* It ends where it can; an fsync can't, which changes nothing unless it was the last. */
static void test_gone(void **state UNUSED)
{
	const struct frame frame = {.payload_bytes = 3};
	const struct end end = {.segments = 7};
	struct done done;
	struct error err;

	begin(1);
	alive_says = -ECONNRESET;
	asks = true;
	assert_int_equal(heartbeat_ops.sync(patience, &err), -ECONNRESET);
	assert_string_equal(err.msg, "the peer has gone");
	assert_int_equal(calls, 1);
	asks = false;
	wanted_calls = 2;
	assert_int_equal(heartbeat_ops.sync(patience, &err), -ECONNRESET);
	wanted_calls = 3;
	assert_int_equal(heartbeat_ops.end(patience, &end, &frame, &done, &err), 0);

	/* Between operations whoever asks is told at once. */
	assert_int_equal(heartbeat_wanted(patience, &err), -ECONNRESET);
	alive_says = 0;
	assert_int_equal(heartbeat_wanted(patience, &err), 0);
	heartbeat_free(patience);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "patience: is heard of while an operation takes long", test_heard, NULL);
	unit_add(&u, "patience: doesn't change what an operation says", test_short, NULL);
	unit_add(&u, "patience: ends what isn't wanted any more", test_gone, NULL);
	return unit_run(&u, "patience", argc, argv);
}
