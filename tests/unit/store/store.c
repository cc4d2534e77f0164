/* receiver/store/store.h: what of a session no honest sender does. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "receiver/store/census.h"
#include "receiver/store/store.h"
#include "tests/lib/dialogue.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"

static struct tinysession tiny;

/* A dump that is offered. */
static struct store *offer_as(const struct store_setup *setup)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const struct frame f = tinysession_kept(&tiny, 0, payload);
	struct welcome welcome;
	struct store *s;
	struct done done;
	struct error err;

	assert_int_equal(store_new(setup, &s, &err), 0);
	assert_int_equal(store_ops.hello(s, &tiny.hello, &f, &welcome, &done, &err), 0);
	return s;
}

static struct store *offer_to(const struct store_setup *setup)
{
	dialogue_clear();
	return offer_as(setup);
}

/* One that goes on where an earlier one was. */
static struct store *offer_again(void)
{
	const struct store_setup setup = {
		.dir = scratch_path("dir"), .host = "tiny", .proof = "test", .peer = "test"};

	return offer_as(&setup);
}

static struct store *offer(void)
{
	dialogue_clear();
	return offer_again();
}

/* And as far as a checkpoint. */
static void go_on(struct store *s, size_t segments)
{
	static uint8_t payload[TINY_FRAME_MAX];
	struct error err;
	struct go go;

	assert_int_equal(store_ops.totals(s, &tiny.totals, &go, &err), 0);
	for (size_t i = 0; i < segments; i++) {
		const uint64_t from = i ? tinysession_begin(&tiny, i) : 0;
		const uint64_t to = tinysession_begin(&tiny, i + 1);
		const struct frame f = tinysession_kept(&tiny, i + 1, payload);

		assert_int_equal(store_ops.data(s, tiny.stream.bytes + from, to - from, &err), 0);
		assert_int_equal(store_ops.checkpoint(s, &tiny.checkpoints[i], &f, &err), 0);
	}
}

static struct store *begin(size_t segments)
{
	struct store *s = offer();

	go_on(s, segments);
	return s;
}

/* The dump gets no longer by them, and no limit would ever count them. */
static void test_empty_segments(void **state UNUSED)
{
	struct checkpoint c = {.cursor = tiny.checkpoints[0].cursor};
	struct store_result res;
	struct store *s = begin(1);
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

/* What is said of it: where it is, and its meta.json. */
static void tells_incomplete(struct store *s, const struct error *why, const char *name)
{
	struct store_result res;
	const char *slash;
	size_t size_bytes;
	char *text;

	store_close(s, why, &res);
	assert_false(res.complete);
	slash = strrchr(res.path, '/');
	assert_string_equal(slash ? slash + 1 : res.path, name);
	text = (char *)file_read(dialogue_path("meta.json"), &size_bytes);
	assert_non_null(memmem(text, size_bytes, "\"incomplete\"", strlen("\"incomplete\"")));
	free(text);
	store_free(s);
	dialogue_clear();
}

static int attach(struct store *s, const char *name, uint64_t total_bytes, struct error *err)
{
	struct attach a = {
		.total_bytes = total_bytes, .bytes = (const uint8_t *)"x", .size_bytes = 1};

	snprintf(a.name, sizeof(a.name), "%s", name);
	return store_ops.attach(s, &a, err);
}

/* The sender has gone before it was told to go. */
static void test_left_early(void **state UNUSED)
{
	struct store *s = offer();
	struct error why;

	assert_int_equal(attach(s, "dmesg.txt", 1, &why), 0);
	error_set(&why, -ECONNRESET, "the test's reason");
	tells_incomplete(s, &why, "vmcore.part");
}

/* Nor does an empty directory stay of who has sent nothing. */
static void test_nothing(void **state UNUSED)
{
	struct store *s = offer();
	struct store_result res;
	struct error why;

	assert_true(file_exists(scratch_path("dir/tiny")));
	error_set(&why, -ECONNRESET, "the test's reason");
	store_close(s, &why, &res);
	store_free(s);
	assert_string_equal(res.path, "");
	assert_false(file_exists(scratch_path("dir/tiny")));
	assert_true(file_exists(scratch_path("dir")));
	dialogue_clear();
}

/* However many sessions it takes. */
static void test_attachments(void **state UNUSED)
{
	struct store_result res;
	struct error err, why;
	struct store *s;
	char name[16];

	error_set(&why, -ECONNRESET, "the test's reason");
	for (int i = 0; i < ATTACH_COUNT_MAX + 1; i++) {
		s = i ? offer_again() : offer();
		snprintf(name, sizeof(name), "%d.txt", i);
		assert_int_equal(attach(s, name, 1, &err), i < ATTACH_COUNT_MAX ? 0 : -EFBIG);
		assert_int_equal(attach(s, "0.txt", 1, &err), 0); /* it is replaced */
		store_close(s, &why, &res);
		store_free(s);
	}
	dialogue_clear();
}

/* Attachments that no dump comes to have an end on the disk. */
static void test_attached_bytes(void **state UNUSED)
{
	struct store *s = offer();
	struct store_result res;
	struct error err;

	assert_int_equal(attach(s, "small", 1, &err), 0);
	file_write(dialogue_path("vmcore-huge"), "x", 1);
	assert_int_equal(truncate(dialogue_path("vmcore-huge"), (off_t)ATTACHED_BYTES_MAX - 2), 0);
	assert_int_equal(attach(s, "last", 1, &err), 0);
	assert_int_equal(attach(s, "more", 1, &err), -EDQUOT);
	assert_non_null(strstr(err.msg, "attachments of dumps without a page"));
	store_close(s, &err, &res);
	store_free(s);
	dialogue_clear();
}

/* The end, of which all segments have come. */
static int end(struct store *s, struct error *err)
{
	static uint8_t payload[TINY_FRAME_MAX];
	const uint64_t from = tinysession_begin(&tiny, tiny.segments);
	const struct frame f = tinysession_kept(&tiny, tiny.segments + 1, payload);
	struct done done;

	assert_int_equal(
		store_ops.data(s, tiny.stream.bytes + from, tiny.stream.size_bytes - from, err), 0);
	assert_int_equal(store_ops.sync(s, err), 0);
	return store_ops.end(s, &tiny.end, &f, &done, err);
}

/* All has come, but it can't get its name. */
static void test_failed_late(void **state UNUSED)
{
	struct store *s = begin(tiny.segments);
	struct error err;

	file_write(dialogue_path("vmcore"), "in the way", 10);
	assert_int_equal(end(s, &err), -EEXIST);
	tells_incomplete(s, &err, "vmcore.part");
}

static void assert_text(const char *name, const char *text)
{
	size_t size_bytes;
	uint8_t *bytes = file_read(scratch_path(name), &size_bytes);

	assert_int_equal(size_bytes, strlen(text));
	assert_memory_equal(bytes, text, size_bytes);
	free(bytes);
}

/* FILE gets what came for it when it gets its name; what was there before stays so long, and is
 * nobody's to take without --force. */
static void test_beside_file(void **state UNUSED)
{
	struct store_setup setup = {.file = scratch_path("FILE"), .force = true};
	const struct attach log = {.name = "vmcore-dmesg.txt",
				   .total_bytes = 3,
				   .bytes = (const uint8_t *)"new",
				   .size_bytes = 3};
	const struct attach note = {.name = "note",
				    .total_bytes = 4,
				    .bytes = (const uint8_t *)"note",
				    .size_bytes = 4};

	struct store_result res;
	struct store *s = offer_to(&setup);
	struct error err;

	file_write(scratch_path("FILE-dmesg.txt"), "old", 3);
	assert_int_equal(store_ops.attach(s, &log, &err), 0);
	assert_int_equal(store_ops.attach(s, &note, &err), 0);
	go_on(s, tiny.segments);
	assert_text("FILE-dmesg.txt", "old");
	assert_false(file_exists(scratch_path("FILE-note")));
	assert_int_equal(end(s, &err), 0);
	assert_text("FILE-dmesg.txt", "new");
	assert_text("FILE-note", "note");
	store_close(s, NULL, &res);
	store_free(s);

	/* Another dump, and a note that is somebody's by the time that this one ends. */
	setup.force = false;
	setup.file = scratch_path("other");
	dialogue_clear();
	s = offer_to(&setup);
	assert_int_equal(store_ops.attach(s, &note, &err), 0);
	go_on(s, tiny.segments);
	file_write(scratch_path("other-note"), "mine", 4);
	assert_int_equal(end(s, &err), -EIO);
	assert_text("other-note", "mine");
	store_close(s, &err, &res);
	assert_true(res.complete);
	store_free(s);
	dialogue_clear();
}

static void complete(struct store *s)
{
	struct store_result res;
	struct error err;
	size_t size_bytes;
	uint8_t *bytes;

	assert_int_equal(end(s, &err), 0);
	store_close(s, NULL, &res);
	store_free(s);
	bytes = file_read(res.path, &size_bytes);
	assert_int_equal(size_bytes, tiny.dump.size_bytes);
	assert_memory_equal(bytes, tiny.dump.bytes, size_bytes);
	free(bytes);
}

/* Nothing of a store is the process': two of them take turns. */
static void test_two(void **state UNUSED)
{
	struct store_setup setup = {
		.dir = scratch_path("dir"), .host = "other", .proof = "test", .peer = "test"};
	struct store *one = offer(), *other = offer_as(&setup);
	struct error err;

	assert_int_equal(attach(one, "dmesg.txt", 1, &err), 0);
	assert_int_equal(attach(other, "dmesg.txt", 1, &err), 0);
	go_on(one, tiny.segments);
	go_on(other, tiny.segments);
	complete(one);
	assert_true(file_exists(dialogue_path("vmcore-dmesg.txt")));
	complete(other);
	dialogue_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;
	int r;

	tiny = tinysession_make(&(struct tinysession_shape){.small = true});
	unit_add(&u, "store: takes no segments without end", test_empty_segments, NULL);
	unit_add(&u, "store: meta.json doesn't say \"receiving\" of what ended early",
		 test_left_early, NULL);
	unit_add(&u, "store: keeps nothing of who has sent nothing", test_nothing, NULL);
	unit_add(&u, "store: counts a dump's attachments over all sessions", test_attachments,
		 NULL);
	unit_add(&u, "store: bounds what attachments take without a dump", test_attached_bytes,
		 NULL);
	unit_add(&u, "store: tells where a dump is that couldn't be published", test_failed_late,
		 NULL);
	unit_add(&u, "store: gives FILE what came for it in the end", test_beside_file, NULL);
	unit_add(&u, "store: takes two dumps at a time, each to its own place", test_two, NULL);
	r = unit_run(&u, "store", argc, argv);
	tinysession_free(&tiny);
	return r;
}
