/* Writes the seeds of fuzz_session, fuzz_upload and fuzz_journal into folders of these names below
 * argv[1]; tests/fuzz/make-seeds runs it. Doesn't belong to any fuzz target. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tests/lib/tinysession.h"

static const char *dir;

/* A seed that is being made. */
struct seed {
	struct stream s;
	uint8_t payload[TINY_FRAME_MAX];
};

static struct seed *begin(uint8_t how)
{
	struct seed *seed = calloc(1, sizeof(*seed));

	if (!seed)
		abort();
	if (how)
		stream_add(&seed->s, &how, 1);
	return seed;
}

static void add(struct seed *seed, uint8_t type, const void *payload, size_t payload_bytes)
{
	uint8_t head[3] = {type};

	le16_put(head + 1, (uint16_t)payload_bytes);
	stream_add(&seed->s, head, sizeof(head));
	stream_add(&seed->s, payload, payload_bytes);
}

static struct outbuf payload(struct seed *seed)
{
	return outbuf_init(seed->payload, sizeof(seed->payload));
}

static void put(struct seed *seed, enum frame_type type, const struct outbuf *o)
{
	add(seed, (uint8_t)type, seed->payload, outbuf_used(o));
}

static void save(struct seed *seed, const char *name)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(seed->s.bytes, seed->s.size_bytes, 1, f) != 1 || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	stream_free(&seed->s);
	free(seed);
}

/* --- a sender's -----------------------------------------------------------------------------
 */

/* The frames of a session, up to `frames` of them. */
static void save_session(const struct tinysession *t, const char *name, size_t frames)
{
	struct stream s = tinysession_frames(t, false, 5000);
	struct seed *seed = begin(30);
	size_t at = 0;

	while (at < s.size_bytes && frames--) {
		const size_t n = le32_get(s.bytes + at + 8);

		add(seed, s.bytes[at + 5], s.bytes + at + 24, n);
		at += 24 + n;
	}
	save(seed, name);
	stream_free(&s);
}

static void save_probe(const struct tinysession *t)
{
	struct seed *seed = begin(255);
	struct hello hello = t->hello;
	struct outbuf o = payload(seed);

	hello.probe = true;
	hello_put(&o, &hello);
	put(seed, FRAME_HELLO, &o);
	o = payload(seed);
	totals_put(&o, &t->totals);
	put(seed, FRAME_TOTALS, &o);
	o = payload(seed);
	data_put(&o, &(struct data){0, (const uint8_t *)"noise", 5});
	put(seed, FRAME_DATA, &o);
	o = payload(seed);
	end_put(&o, &(struct end){.stream_bytes = 5});
	put(seed, FRAME_END, &o);
	save(seed, "fuzz_session/probe");
}

/* --- a receiver's ---------------------------------------------------------------------------
 */

static void put_welcome(struct seed *seed)
{
	const struct welcome w = {1, 5000, 20000, 1 << 20, "tiny", "tests"};
	struct outbuf o = payload(seed);

	welcome_put(&o, &w);
	put(seed, FRAME_WELCOME, &o);
}

static void put_go(struct seed *seed, const struct go *go)
{
	struct outbuf o = payload(seed);

	go_put(&o, go);
	put(seed, FRAME_GO, &o);
}

static void put_number(struct seed *seed, enum frame_type type, uint64_t number)
{
	struct outbuf o = payload(seed);

	number_put(&o, number);
	put(seed, type, &o);
}

static void put_done(struct seed *seed)
{
	const struct done done = {.name = "vmcore"};
	struct outbuf o = payload(seed);

	done_put(&o, &done);
	put(seed, FRAME_DONE, &o);
}

static void save_receivers(void)
{
	static const char noise[] = "Welcome to hub!\nLast login: today\n";
	const struct go resume = {.kind = GO_RESUME, .cursor = {3, 4, 5, 6, 7}};
	const struct farewell bye = {4, 30, "busy"};
	struct seed *seed = begin(10);
	struct outbuf o;

	put_welcome(seed);
	put_go(seed, &(struct go){.kind = GO_BEGIN});
	for (uint64_t i = 1; i <= 4; i++)
		put_number(seed, FRAME_ACK, i);
	put_number(seed, FRAME_HEARTBEAT, 100);
	put_done(seed);
	save(seed, "fuzz_upload/whole");

	seed = begin(1 | 0x80);
	add(seed, 0, noise, sizeof(noise) - 1);
	put_welcome(seed);
	put_go(seed, &resume);
	put_number(seed, FRAME_ACK, 4);
	save(seed, "fuzz_upload/noise-resume");

	seed = begin(100);
	o = payload(seed);
	wait_put(&o, &(struct wait){2});
	put(seed, FRAME_WAIT, &o);
	add(seed, 0x90, "later", 5);
	put_done(seed);
	save(seed, "fuzz_upload/wait-done");

	seed = begin(100);
	o = payload(seed);
	farewell_put(&o, &bye);
	put(seed, FRAME_REFUSE, &o);
	save(seed, "fuzz_upload/refuse");
}

/* --- journals -------------------------------------------------------------------------------
 */

static void save_journal(const struct tinysession *t, const char *name, size_t frames, size_t cut)
{
	struct seed *seed = begin(0);
	const uint8_t part = 0xff;

	for (size_t i = 0; i < frames; i++) {
		const struct frame f = tinysession_kept(t, i, seed->payload);

		add(seed, f.type, f.payload, f.payload_bytes);
	}
	stream_add(&seed->s, &part, 1);
	stream_add(&seed->s, t->dump.bytes, t->dump.size_bytes - cut);
	save(seed, name);
}

int main(int argc, char **argv)
{
	struct tinysession_shape shape = {.small = true, .pages_per_segment = 1};
	struct tinysession plain = tinysession_make(&shape), marked;

	shape.unreadable = true;
	marked = tinysession_make(&shape);
	dir = argc > 1 ? argv[1] : ".";
	save_session(&plain, "fuzz_session/whole", SIZE_MAX);
	save_session(&marked, "fuzz_session/incomplete", SIZE_MAX);
	save_session(&plain, "fuzz_session/cut", 9);
	save_probe(&plain);
	save_receivers();
	save_journal(&plain, "fuzz_journal/whole", plain.segments + 2, 0);
	save_journal(&plain, "fuzz_journal/behind-its-part", 3, 0);
	save_journal(&marked, "fuzz_journal/incomplete-cut", marked.segments + 1, 500);
	tinysession_free(&plain);
	tinysession_free(&marked);
	return 0;
}
