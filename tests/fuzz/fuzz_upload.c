/*
 * Any receiver: what it says ends a session or lets it go on by the rules, and what comes out are
 * frames in order.
 *
 * The input is as fuzz_session.c's; its first byte also says (bit 7) whether noise may come first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "sender/delivery/upload.h"
#include "tests/lib/tinysession.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TIMEOUT_MS = 20000 };

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct talk {
	struct upload *u;
	struct frame_reader in; /* of what the sender says */
	uint64_t now_ms, stream_off, checkpoint;
	bool going;
};

/* What the sender says is right, whatever it was told. */
static void hear(struct talk *t)
{
	size_t n;
	const uint8_t *bytes = upload_output(t->u, &n), *p = bytes;
	struct error err;
	struct frame f;
	struct data d;
	int r;

	while ((r = frame_reader_feed(&t->in, &p, &n, &f, &err)) > 0) {
		if (f.type != FRAME_DATA)
			continue;
		REQUIRE(data_get(&f, &d, &err) == 0);
		REQUIRE(d.stream_off == t->stream_off);
		t->stream_off += d.size_bytes;
	}
	REQUIRE(r == 0);
	upload_sent(t->u, (size_t)(p - bytes), t->now_ms);
}

/* Whatever may be said in this state. */
static void say(struct talk *t)
{
	static const uint8_t bytes[100];
	const enum upload_state state = upload_state(t->u);
	struct checkpoint c = {0};
	struct error err;

	if (state == UPLOAD_OPEN) {
		const struct attach piece = {.name = "log",
					     .total_bytes = sizeof(bytes),
					     .bytes = bytes,
					     .size_bytes = sizeof(bytes)};

		REQUIRE(upload_attach(t->u, &piece, &err) >= 0);
		REQUIRE(upload_totals(t->u, &(struct totals){0}, &err) >= 0);
	}
	if (state != UPLOAD_GOING)
		return;
	if (!t->going) {
		const struct go *go = upload_go(t->u);

		t->stream_off = upload_stream_off(t->u);
		t->checkpoint = go->kind == GO_RESUME ? go->cursor.segment : 0;
		t->going = true;
	}
	/* Only what a stream can be. */
	if (t->stream_off > INT64_MAX - sizeof(bytes) || t->checkpoint == UINT64_MAX)
		return;
	REQUIRE(upload_data(t->u, bytes, sizeof(bytes), &err) >= 0);
	c.cursor.segment = ++t->checkpoint;
	REQUIRE(upload_checkpoint(t->u, &c, &err) >= 0);
	if (t->checkpoint % 4 == 0)
		REQUIRE(upload_end(t->u, &(struct end){0}, &err) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	const uint8_t *how = rd_bytes(&r, 1), *head;
	struct upload_setup setup = {.timeout_ms = TIMEOUT_MS};
	struct talk t = {.now_ms = 1000};
	struct error err = {0};
	uint64_t sequence = 0;
	int result = 0;

	if (!how)
		return 0;
	setup.skip_noise = *how >> 7;
	frame_reader_init(&t.in, false);
	REQUIRE(upload_new(&setup, t.now_ms, &t.u, &err) == 0);
	hear(&t);
	while (result == 0 && (head = rd_bytes(&r, 3))) {
		const size_t n = MIN((size_t)le16_get(head + 1), rd_left(&r));
		const uint8_t *payload = rd_bytes(&r, n);
		struct stream s = {0};

		if (head[0])
			add_frame(&s, sequence++, head[0], payload, n);
		else
			stream_add(&s, payload, n);
		t.now_ms += 100;
		for (size_t at = 0; at < s.size_bytes && result == 0; at += (*how & 127) + 1)
			result = upload_feed(t.u, s.bytes + at,
					     MIN(s.size_bytes - at, (size_t)(*how & 127) + 1),
					     t.now_ms, &err);
		stream_free(&s);
		if (result == 0)
			result = upload_tick(t.u, t.now_ms, &err);
		if (result == 0)
			say(&t);
		hear(&t);
	}
	REQUIRE(result >= 0 || err.code == result);
	upload_abort(t.u, REASON_OTHER, "over");
	hear(&t);
	upload_free(t.u);
	frame_reader_deinit(&t.in);
	return 0;
}
