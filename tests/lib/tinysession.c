/* A small dump in segments.
 * Uses of the programs' code what puts bytes (frames, messages, digests), and nothing that decides.
 */
#include "tests/lib/tinysession.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "format/flat.h"

static const char log_text[] = "<4>[    1.000000] Kernel panic - not syncing: tiny\n";

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "tests/lib/tinysession.c: %s\n", what);
	abort();
}

/* What is being made. */
struct maker {
	struct tinysession *t;
	struct digester *digester;
	struct segment segment;
	uint64_t unreadable;
};

static void add_record(struct maker *m, size_t off, size_t size_bytes)
{
	struct tinysession *t = m->t;
	struct extent e = {.off = off, .size_bytes = (uint32_t)size_bytes};
	struct error err;

	stream_record(&t->stream, off, t->dump.bytes + off, size_bytes);
	digester_begin(m->digester);
	digester_add(m->digester, t->dump.bytes + off, size_bytes);
	require(digester_end(m->digester, e.sha256, &err) == 0, "digest");
	require(segment_add(&m->segment, &e, &err) == 0, "segment");
}

/* After the last record of a segment. */
static void end_segment(struct maker *m, size_t data_off, bool last)
{
	struct tinysession *t = m->t;
	struct checkpoint *c = &t->checkpoints[t->segments];
	struct error err;

	require(t->segments < TINY_SEGMENTS_MAX, "too many segments");
	if (t->segments)
		memcpy(c->chain, c[-1].chain, DIGEST_BYTES);
	else
		require(digest_begin(m->digester, t->hello.dump_id, c->chain, &err) == 0, "D(0)");
	require(digest_chain(m->digester, &m->segment, c->chain, &err) == 0, "D");
	c->segment = m->segment;
	m->segment = (struct segment){0};
	c->cursor = (struct cursor){
		.segment = ++t->segments,
		.chunk = last ? CURSOR_AT_END : t->segments - 1,
		.data_off = data_off,
		.stream_bytes = t->stream.size_bytes,
		.unreadable = m->unreadable,
	};
}

/* The first payload that isn't the shared page of zeros' from page i on. */
static size_t payload_from(const struct tinydump *d, size_t i)
{
	for (; i < d->pages; i++) {
		const struct kdump_desc desc =
			kdump_get_desc(d->bytes + d->at.desc_off + i * KDUMP_DESC_BYTES);

		if (desc.off && (desc.off != d->data_off || d->zero_page == SIZE_MAX))
			return (size_t)desc.off;
	}
	return d->size_bytes;
}

static void add_prologue(struct maker *m)
{
	const struct tinydump *d = &m->t->dump;

	add_record(m, 0, KDUMP_HEADER_BYTES);
	add_record(m, TINY_BLOCK, KDUMP_SUB_HEADER_BYTES);
	add_record(m, d->header.notes_off, d->header.notes_bytes);
	add_record(m, d->at.bitmap1_off, d->at.bitmap_bytes);
	add_record(m, d->at.bitmap2_off, d->at.bitmap_bytes);
	if (d->zero_page != SIZE_MAX)
		add_record(m, d->data_off, TINY_BLOCK);
	end_segment(m, payload_from(d, 0), false);
}

/* Pages [first, end): their payloads, then their descriptors. */
static void add_pages(struct maker *m, size_t first, size_t end)
{
	const struct tinydump *d = &m->t->dump;
	const size_t begin_off = payload_from(d, first), end_off = payload_from(d, end);

	if (end_off > begin_off)
		add_record(m, begin_off, end_off - begin_off);
	add_record(m, d->at.desc_off + first * KDUMP_DESC_BYTES, (end - first) * KDUMP_DESC_BYTES);
}

/* The sender learns at the end that a page can't be read: the first header has gone by then. */
static void lose_last_page(struct tinydump *d)
{
	uint8_t *desc = tinydump_desc(d, d->pages - 1);

	d->size_bytes = (size_t)kdump_get_desc(desc).off;
	memset(desc, 0, KDUMP_DESC_BYTES);
}

static void set_incomplete(struct tinydump *d)
{
	d->header.status |= KDUMP_INCOMPLETE;
	le32_put(d->bytes + KDUMP_STATUS_OFFSET, d->header.status);
}

static void set_hello(struct hello *h)
{
	*h = (struct hello){
		.protocol_min = PROTOCOL_VERSION,
		.protocol_max = PROTOCOL_VERSION,
		.host = "tiny",
		.osrelease = "6.1.0-tiny",
		.arch = "x86_64",
		.crash_time_s = 1795383197,
		.panic = "tiny",
		.level = 31,
		.page_bytes = TINY_BLOCK,
		.codec = "zlib",
		.agent = "tests",
	};
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		h->dump_id[i] = (uint8_t)(i * 7 + 1);
}

struct tinysession tinysession_make(const struct tinysession_shape *shape)
{
	const size_t step = shape->pages_per_segment ? shape->pages_per_segment : 2;
	struct tinysession t = {.dump = shape->small ? tinydump_make_small() : tinydump_make()};
	struct maker m = {.t = &t};
	struct error err;

	require(digester_new(&m.digester, &err) == 0, "digester");
	set_hello(&t.hello);
	if (shape->unreadable)
		lose_last_page(&t.dump);
	stream_header(&t.stream);
	add_prologue(&m);
	for (size_t i = 0; i < t.dump.pages; i += step) {
		const size_t end = MIN(i + step, t.dump.pages);
		const bool last = end == t.dump.pages;

		add_pages(&m, i, end);
		if (last && shape->unreadable) {
			m.unreadable = 1;
			set_incomplete(&t.dump);
			add_record(&m, 0, KDUMP_HEADER_BYTES);
		}
		end_segment(&m, payload_from(&t.dump, end), last);
	}
	stream_end(&t.stream);
	t.totals = (struct totals){t.dump.pages, TINY_PFNS, 1 << 20};
	t.end = (struct end){
		.segments = t.segments,
		.stream_bytes = t.stream.size_bytes,
		.pages = t.dump.pages,
		.unreadable = m.unreadable,
	};
	memcpy(t.end.chain, t.checkpoints[t.segments - 1].chain, DIGEST_BYTES);
	digester_free(m.digester);
	return t;
}

void tinysession_free(struct tinysession *t)
{
	for (size_t i = 0; i < t->segments; i++)
		segment_deinit(&t->checkpoints[i].segment);
	stream_free(&t->stream);
	tinydump_free(&t->dump);
}

uint64_t tinysession_begin(const struct tinysession *t, size_t segment)
{
	return segment ? t->checkpoints[segment - 1].cursor.stream_bytes : 0;
}

/* --- frames --------------------------------------------------------------------------------- */

void add_frame(struct stream *out, uint64_t sequence, uint8_t type, const void *payload,
	       size_t payload_bytes)
{
	uint8_t header[24] = "VMSF";

	header[4] = 1;
	header[5] = type;
	le32_put(header + 8, (uint32_t)payload_bytes);
	le64_put(header + 16, sequence);
	le32_put(header + 12, crc32c_by_tables(crc32c_by_tables(0, header, sizeof(header)), payload,
					       payload_bytes));
	stream_add(out, header, sizeof(header));
	stream_add(out, payload, payload_bytes);
}

/* Frames in a row, numbered. */
struct speaker {
	struct stream out;
	uint64_t sequence;
	uint8_t payload[TINY_FRAME_MAX];
};

static struct outbuf begin(struct speaker *s)
{
	return outbuf_init(s->payload, sizeof(s->payload));
}

static void say(struct speaker *s, enum frame_type type, const struct outbuf *o)
{
	require(!o->bad, "a payload is too large");
	add_frame(&s->out, s->sequence++, (uint8_t)type, s->payload, outbuf_used(o));
}

static void say_first(struct speaker *s, const struct tinysession *t, bool oneway)
{
	const struct attach log = {.name = "vmcore-dmesg.txt",
				   .total_bytes = sizeof(log_text) - 1,
				   .bytes = (const uint8_t *)log_text,
				   .size_bytes = sizeof(log_text) - 1};
	struct hello hello = t->hello;
	struct outbuf o = begin(s);

	hello.oneway = oneway;
	hello_put(&o, &hello);
	say(s, FRAME_HELLO, &o);
	o = begin(s);
	attach_put(&o, &log);
	say(s, FRAME_ATTACH, &o);
	o = begin(s);
	totals_put(&o, &t->totals);
	say(s, FRAME_TOTALS, &o);
}

static void say_data(struct speaker *s, const struct tinysession *t, uint64_t begin_off,
		     uint64_t end_off, size_t data_bytes)
{
	for (uint64_t off = begin_off; off < end_off;) {
		const size_t n = (size_t)MIN(end_off - off, (uint64_t)data_bytes);
		const struct data d = {off, t->stream.bytes + off, n};
		struct outbuf o = begin(s);

		data_put(&o, &d);
		say(s, FRAME_DATA, &o);
		off += n;
	}
}

struct stream tinysession_frames(const struct tinysession *t, bool oneway, size_t data_bytes)
{
	struct speaker *s = calloc(1, sizeof(*s));
	struct stream out;
	struct outbuf o;

	require(s, "out of memory");
	say_first(s, t, oneway);
	for (size_t i = 0; i < t->segments; i++) {
		say_data(s, t, tinysession_begin(t, i), tinysession_begin(t, i + 1), data_bytes);
		o = begin(s);
		checkpoint_put(&o, &t->checkpoints[i]);
		say(s, FRAME_CHECKPOINT, &o);
	}
	say_data(s, t, tinysession_begin(t, t->segments), t->stream.size_bytes, data_bytes);
	o = begin(s);
	end_put(&o, &t->end);
	say(s, FRAME_END, &o);
	out = s->out;
	free(s);
	return out;
}

struct frame tinysession_kept(const struct tinysession *t, size_t i,
			      uint8_t payload[static TINY_FRAME_MAX])
{
	struct outbuf o = outbuf_init(payload, TINY_FRAME_MAX);
	struct frame f = {.type = FRAME_CHECKPOINT, .payload = payload};

	if (i == 0) {
		f.type = FRAME_HELLO;
		hello_put(&o, &t->hello);
	} else if (i <= t->segments) {
		checkpoint_put(&o, &t->checkpoints[i - 1]);
	} else {
		f.type = FRAME_END;
		end_put(&o, &t->end);
	}
	require(!o.bad, "a payload is too large");
	f.payload_bytes = outbuf_used(&o);
	return f;
}
