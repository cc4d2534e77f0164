/* include/wire/message.h: what frames say, there and back, cut short, too long, and odd. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "wire/message.h"

enum { ROOM = 4096 };

/* A payload on its way from put to get, in memory of exactly its size, for sanitizers. */
struct payload {
	uint8_t *bytes;
	size_t size_bytes;
	enum frame_type type;
};

static struct payload payload_of(enum frame_type type, const struct outbuf *o)
{
	struct payload p = {.size_bytes = outbuf_used(o), .type = type};

	assert_false(o->bad);
	p.bytes = malloc(p.size_bytes + 1);
	memcpy(p.bytes, o->begin, p.size_bytes);
	return p;
}

static struct frame frame_of(const struct payload *p, size_t size_bytes)
{
	return (struct frame){(uint8_t)p->type, p->bytes, size_bytes};
}

/* Get it of a frame, whichever it is. */
static int get(const struct frame *f, struct error *err)
{
	static union {
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
	struct checkpoint c = {0};
	int r;

	switch ((enum frame_type)f->type) {
	case FRAME_HELLO:
		return hello_get(f, &u.hello, err);
	case FRAME_WELCOME:
		return welcome_get(f, &u.welcome, err);
	case FRAME_WAIT:
		return wait_get(f, &u.wait, err);
	case FRAME_REFUSE:
	case FRAME_ABORT:
		return farewell_get(f, &u.farewell, err);
	case FRAME_ATTACH:
		return attach_get(f, &u.attach, err);
	case FRAME_TOTALS:
		return totals_get(f, &u.totals, err);
	case FRAME_GO:
		return go_get(f, &u.go, err);
	case FRAME_DATA:
		return data_get(f, &u.data, err);
	case FRAME_CHECKPOINT:
		r = checkpoint_get(f, &c, err);
		segment_deinit(&c.segment);
		return r;
	case FRAME_END:
		return end_get(f, &u.end, err);
	case FRAME_DONE:
		return done_get(f, &u.done, err);
	default:
		return number_get(f, &u.number, err);
	}
}

/*
 * Cut short, and with a byte behind. What ends with text or with bytes may end anywhere from
 * `least` on.
 */
static void check_length(const struct payload *p, size_t least)
{
	struct error err = {0};
	struct frame f;

	for (size_t n = 0; n < p->size_bytes; n++) {
		uint8_t *exact = malloc(n ? n : 1);

		memcpy(exact, p->bytes, n);
		f = (struct frame){(uint8_t)p->type, exact, n};
		assert_int_equal(get(&f, &err), n < least ? -EBADMSG : 0);
		free(exact);
	}
	f = frame_of(p, p->size_bytes);
	assert_int_equal(get(&f, &err), 0);
	f.payload_bytes++;
	p->bytes[p->size_bytes] = 0;
	assert_int_equal(get(&f, &err), least < p->size_bytes ? 0 : -EBADMSG);
}

static void payload_free(struct payload *p)
{
	free(p->bytes);
}

/* --- there and back --- */

static void test_hello(void **state UNUSED)
{
	const struct hello h = {
		.protocol_min = 1,
		.protocol_max = 3,
		.dump_id = {0xab, 1, 2, [31] = 0xcd},
		.oneway = true,
		.live = true,
		.host = "web1.example.org",
		.osrelease = "6.1.0-28-amd64",
		.arch = "x86_64",
		.crash_time_s = -5,
		.panic = "Kernel panic - not syncing: sysrq triggered crash",
		.level = 31,
		.page_bytes = 4096,
		.codec = "zstd",
		.codec_level = -7,
		.agent = "vmsend 0.1.0",
	};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct hello got;
	struct error err;

	hello_put(&o, &h);
	p = payload_of(FRAME_HELLO, &o);
	f = frame_of(&p, p.size_bytes);
	memset(&got, 0xff, sizeof(got));
	assert_int_equal(hello_get(&f, &got, &err), 0);
	assert_int_equal(got.protocol_min, 1);
	assert_int_equal(got.protocol_max, 3);
	assert_memory_equal(got.dump_id, h.dump_id, DIGEST_BYTES);
	assert_true(got.oneway);
	assert_true(got.live);
	assert_false(got.probe);
	assert_string_equal(got.host, h.host);
	assert_string_equal(got.osrelease, h.osrelease);
	assert_string_equal(got.arch, h.arch);
	assert_true(got.crash_time_s == -5);
	assert_string_equal(got.panic, h.panic);
	assert_int_equal(got.level, 31);
	assert_int_equal(got.page_bytes, 4096);
	assert_string_equal(got.codec, "zstd");
	assert_int_equal(got.codec_level, -7);
	assert_string_equal(got.agent, h.agent);
	payload_free(&p);
}

static void test_welcome(void **state UNUSED)
{
	const struct welcome w = {
		.protocol = 1,
		.heartbeat_ms = 5000,
		.timeout_ms = 20000,
		.free_bytes = UINT64_C(1) << 40,
		.part = "/var/crash/web1/vmcore.part",
		.host = "web1",
		.agent = "vmrecv 0.1.0",
	};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct welcome got;
	struct error err;

	welcome_put(&o, &w);
	p = payload_of(FRAME_WELCOME, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(welcome_get(&f, &got, &err), 0);
	assert_int_equal(got.protocol, 1);
	assert_int_equal(got.heartbeat_ms, 5000);
	assert_int_equal(got.timeout_ms, 20000);
	assert_true(got.free_bytes == UINT64_C(1) << 40);
	assert_false(got.full);
	assert_string_equal(got.part, w.part);
	assert_string_equal(got.host, "web1");
	assert_string_equal(got.agent, "vmrecv 0.1.0");
	payload_free(&p);
}

/* A free_bytes of 0 says nothing by itself. */
static void test_welcome_full(void **state UNUSED)
{
	for (int full = 0; full < 2; full++) {
		const struct welcome w = {
			.protocol = 1, .heartbeat_ms = 5000, .timeout_ms = 20000, .full = full};
		uint8_t bytes[ROOM];
		struct outbuf o = outbuf_init(bytes, sizeof(bytes));
		struct payload p;
		struct frame f;
		struct welcome got;
		struct error err;

		welcome_put(&o, &w);
		p = payload_of(FRAME_WELCOME, &o);
		f = frame_of(&p, p.size_bytes);
		assert_int_equal(welcome_get(&f, &got, &err), 0);
		assert_int_equal(got.free_bytes, 0);
		assert_int_equal(got.full, full);
		payload_free(&p);
	}
}

static void test_farewell(void **state UNUSED)
{
	const struct farewell bye = {REASON_NO_SPACE, 30, "the disk is full"};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct farewell got;
	struct error err;

	farewell_put(&o, &bye);
	p = payload_of(FRAME_REFUSE, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(farewell_get(&f, &got, &err), 0);
	assert_int_equal(got.reason, REASON_NO_SPACE);
	assert_int_equal(got.retry_after_s, 30);
	assert_string_equal(got.text, bye.text);
	check_length(&p, 8);
	payload_free(&p);
}

static void test_numbers(void **state UNUSED)
{
	const struct totals totals = {1, 2, UINT64_MAX};
	const struct end end = {1, 2, 3, 4, {5, [31] = 6}};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct error err;
	struct totals got_totals;
	struct end got_end;
	struct wait wait;
	uint64_t number;

	totals_put(&o, &totals);
	p = payload_of(FRAME_TOTALS, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(totals_get(&f, &got_totals, &err), 0);
	assert_memory_equal(&got_totals, &totals, sizeof(totals));
	check_length(&p, 24);
	payload_free(&p);

	o = outbuf_init(bytes, sizeof(bytes));
	end_put(&o, &end);
	p = payload_of(FRAME_END, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(end_get(&f, &got_end, &err), 0);
	assert_memory_equal(&got_end, &end, sizeof(end));
	check_length(&p, 64);
	payload_free(&p);

	o = outbuf_init(bytes, sizeof(bytes));
	wait_put(&o, &(struct wait){7});
	p = payload_of(FRAME_WAIT, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(wait_get(&f, &wait, &err), 0);
	assert_int_equal(wait.place, 7);
	check_length(&p, 4);
	payload_free(&p);

	o = outbuf_init(bytes, sizeof(bytes));
	number_put(&o, UINT64_MAX - 1);
	p = payload_of(FRAME_ACK, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(number_get(&f, &number, &err), 0);
	assert_true(number == UINT64_MAX - 1);
	check_length(&p, 8);
	payload_free(&p);
}

static void test_done(void **state UNUSED)
{
	const struct done done = {{1, [31] = 2}, "/var/crash/web1/2026-11-22T10-11-12Z/vmcore"};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct done got;
	struct error err;

	done_put(&o, &done);
	p = payload_of(FRAME_DONE, &o);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(done_get(&f, &got, &err), 0);
	assert_memory_equal(got.chain, done.chain, DIGEST_BYTES);
	assert_string_equal(got.name, done.name);
	check_length(&p, DIGEST_BYTES);
	payload_free(&p);
}

static void test_go(void **state UNUSED)
{
	static const struct go rows[] = {
		{.kind = GO_BEGIN},
		{.kind = GO_RESUME, .cursor = {1, 2, 3, 4, 5}, .chain = {6}, .first = {7}},
		{.kind = GO_RESUME, .cursor = {9, CURSOR_AT_END, 3, 4, 5}, .chain = {6}},
		{.kind = GO_LEVEL, .level = 31},
		{.kind = GO_LOG_ONLY},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[ROOM];
		struct outbuf o = outbuf_init(bytes, sizeof(bytes));
		struct payload p;
		struct frame f;
		struct go got;
		struct error err;

		go_put(&o, &rows[i]);
		p = payload_of(FRAME_GO, &o);
		f = frame_of(&p, p.size_bytes);
		assert_int_equal(go_get(&f, &got, &err), 0);
		assert_int_equal(got.kind, rows[i].kind);
		assert_int_equal(got.level, rows[i].level);
		assert_memory_equal(&got.cursor, &rows[i].cursor, sizeof(got.cursor));
		assert_memory_equal(got.chain, rows[i].chain, DIGEST_BYTES);
		assert_memory_equal(got.first, rows[i].first, DIGEST_BYTES);
		check_length(&p, p.size_bytes);
		payload_free(&p);
	}
}

/* Payloads written by hand. */
static const struct odd_row {
	const char *name;
	enum frame_type type;
	const char *bytes;
	size_t size_bytes;
	int want;
} odd_rows[] = {
#define ODD(name, type, bytes, want)                                                               \
	{                                                                                          \
		"message: " name, type, bytes, sizeof(bytes) - 1, want                             \
	}
	ODD("refuses an unknown kind of GO", FRAME_GO, "\4\0", -EBADMSG),
	ODD("refuses GO to segment 0", FRAME_GO,
	    "\1\0"
	    "00000000\0\0\0\0\0\0\0\0",
	    -EBADMSG),
	ODD("takes HELLO in any order", FRAME_HELLO,
	    "dump_id=0000000000000000000000000000000000000000000000000000000000000001\n"
	    "protocol_max=1\nprotocol_min=1\n",
	    0),
	ODD("passes over keys that it doesn't know", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\nx=\ntimeout_ms=2\nx=\na_key_that_is_rather_long_and_goes_"
	    "on=1"
	    "\n=\n",
	    0),
	ODD("refuses a missing key", FRAME_WELCOME, "protocol=1\nheartbeat_ms=1\n", -EBADMSG),
	ODD("refuses a key that comes twice", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=2\nprotocol=1\n", -EBADMSG),
	ODD("refuses a line without end", FRAME_WELCOME, "protocol=1\nheartbeat_ms=1\ntimeout_ms=2",
	    -EBADMSG),
	ODD("refuses a line without =", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=2\nx\n", -EBADMSG),
	ODD("refuses an empty line", FRAME_WELCOME, "protocol=1\nheartbeat_ms=1\ntimeout_ms=2\n\n",
	    -EBADMSG),
	ODD("refuses a heartbeat of 0", FRAME_WELCOME, "protocol=1\nheartbeat_ms=0\ntimeout_ms=2\n",
	    -EBADMSG),
	ODD("refuses a time-out within a heartbeat", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=2\ntimeout_ms=2\n", -EBADMSG),
	ODD("takes a time-out of an hour", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=3600000\n", 0),
	ODD("refuses one of more", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=3600001\n", -EBADMSG),
	ODD("refuses an empty number", FRAME_WELCOME, "protocol=\nheartbeat_ms=1\ntimeout_ms=2\n",
	    -EBADMSG),
	ODD("refuses a number with a blank", FRAME_WELCOME,
	    "protocol= 1\nheartbeat_ms=1\ntimeout_ms=2\n", -EBADMSG),
	ODD("refuses a number with a sign", FRAME_WELCOME,
	    "protocol=+1\nheartbeat_ms=1\ntimeout_ms=2\n", -EBADMSG),
	ODD("refuses a negative number", FRAME_WELCOME,
	    "protocol=-1\nheartbeat_ms=1\ntimeout_ms=2\n", -EBADMSG),
	ODD("refuses a hexadecimal number", FRAME_WELCOME,
	    "protocol=0x1\nheartbeat_ms=1\ntimeout_ms=2\n", -EBADMSG),
	ODD("refuses a number with something behind it", FRAME_WELCOME,
	    "protocol=1\0\nheartbeat_ms=1\ntimeout_ms=2\n", -EBADMSG),
	ODD("refuses a number of 2^32", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=4294967296\n", -EBADMSG),
	ODD("takes a number of 2^32 - 1", FRAME_WELCOME,
	    "protocol=4294967295\nheartbeat_ms=1\ntimeout_ms=2\n", 0),
	ODD("refuses a number of 2^63", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=2\nfree_bytes=9223372036854775808\n", -EBADMSG),
	ODD("refuses an endless number", FRAME_WELCOME,
	    "protocol=1\nheartbeat_ms=1\ntimeout_ms=0000000000000000000000000000002\n", -EBADMSG),
	ODD("refuses a dump_id in capitals", FRAME_HELLO,
	    "protocol_max=1\nprotocol_min=1\n"
	    "dump_id=000000000000000000000000000000000000000000000000000000000000000A\n",
	    -EBADMSG),
	ODD("refuses a dump_id that is short", FRAME_HELLO,
	    "protocol_max=1\nprotocol_min=1\n"
	    "dump_id=000000000000000000000000000000000000000000000000000000000000001\n",
	    -EBADMSG),
	ODD("refuses a boolean of 2", FRAME_HELLO,
	    "dump_id=0000000000000000000000000000000000000000000000000000000000000001\n"
	    "protocol_max=1\nprotocol_min=1\noneway=2\n",
	    -EBADMSG),
	ODD("refuses an empty HELLO", FRAME_HELLO, "", -EBADMSG),
	ODD("refuses DATA without bytes", FRAME_DATA, "\0\0\0\0\0\0\0\0", -EBADMSG),
	ODD("takes DATA of a byte", FRAME_DATA, "\0\0\0\0\0\0\0\0x", 0),
	ODD("refuses DATA past 2^63", FRAME_DATA, "\xff\xff\xff\xff\xff\xff\xff\x7fx", -EBADMSG),
	ODD("takes DATA to 2^63", FRAME_DATA, "\xfe\xff\xff\xff\xff\xff\xff\x7fx", 0),
	ODD("refuses DATA past 2^64", FRAME_DATA, "\xff\xff\xff\xff\xff\xff\xff\xffx", -EBADMSG),
};

static void test_odd(void **state)
{
	const struct odd_row *row = *state;
	uint8_t *exact = malloc(row->size_bytes + 1);
	struct frame f = {(uint8_t)row->type, exact, row->size_bytes};
	struct error err = {0};

	memcpy(exact, row->bytes, row->size_bytes);
	assert_int_equal(get(&f, &err), row->want);
	if (row->want < 0)
		assert_non_null(strstr(err.msg, frame_name((uint8_t)row->type)));
	free(exact);
}

/* --- texts --- */

/* What a peer says is cut to its room, and nothing in it moves a terminal. */
static void test_texts(void **state UNUSED)
{
	uint8_t bytes[ROOM];
	struct frame f = {FRAME_REFUSE, bytes, 8 + 400};
	struct farewell got;
	struct error err;

	memset(bytes, 0, 8);
	for (size_t i = 0; i < 400; i++)
		bytes[8 + i] = (uint8_t)i;
	assert_int_equal(farewell_get(&f, &got, &err), 0);
	assert_int_equal(strlen(got.text), sizeof(got.text) - 1);
	for (size_t i = 0; i < sizeof(got.text) - 1; i++)
		assert_int_equal(got.text[i], i >= 0x20 && i < 0x7f ? (char)i : '?');
}

/* A value can't end its line and begin another one. */
static void test_injection(void **state UNUSED)
{
	struct hello h = {.protocol_min = 1, .protocol_max = 1, .host = "a\nprobe=1\nx="};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct frame f = {FRAME_HELLO, bytes, 0};
	struct hello got;
	struct error err;

	hello_put(&o, &h);
	f.payload_bytes = outbuf_used(&o);
	assert_int_equal(hello_get(&f, &got, &err), 0);
	assert_false(got.probe);
	assert_string_equal(got.host, "a?probe=1?x=");
}

/* --- attachments --- */

static void test_attach(void **state UNUSED)
{
	static const struct {
		const char *name;
		uint64_t off, total;
		bool good;
	} rows[] = {
		{"vmcore-dmesg.txt", 0, 5, true},
		{"a", 0, 1 << 20, true},
		{"A_b-C.9", 7, 12, true},
		{"", 0, 5, false},
		{".hidden", 0, 5, false},
		{"..", 0, 5, false},
		{"a/b", 0, 5, false},
		{"../x", 0, 5, false},
		{"a b", 0, 5, false},
		{"a\n", 0, 5, false},
		{"a\xc3\xa4", 0, 5, false},
		{"-rf", 0, 5, true},
		{"a", 0, 4, false}, /* more than it has */
		{"a", 1, 5, false},
		{"a", UINT64_MAX, UINT64_MAX, false},
		{"a", UINT64_MAX - 5, UINT64_MAX, true},
		{"a23456789012345678901234567890123456789012345678901234567890123", 0, 5, true},
		{"a234567890123456789012345678901234567890123456789012345678901234", 0, 5, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t bytes[ROOM];
		struct outbuf o = outbuf_init(bytes, sizeof(bytes));
		const size_t len = strlen(rows[i].name);
		struct payload p;
		struct frame f;
		struct attach got;
		struct error err;

		put_le32(&o, (uint32_t)len);
		put_bytes(&o, rows[i].name, len);
		put_le64(&o, rows[i].off);
		put_le64(&o, rows[i].total);
		put_bytes(&o, "bytes", 5);
		p = payload_of(FRAME_ATTACH, &o);
		f = frame_of(&p, p.size_bytes);
		assert_int_equal(attach_get(&f, &got, &err), rows[i].good ? 0 : -EBADMSG);
		if (rows[i].good) {
			assert_string_equal(got.name, rows[i].name);
			assert_true(got.off == rows[i].off && got.total_bytes == rows[i].total);
			assert_int_equal(got.size_bytes, 5);
			assert_memory_equal(got.bytes, "bytes", 5);
		}
		payload_free(&p);
	}
}

/* A NUL in a name, and lengths that no payload has. */
static void test_attach_name(void **state UNUSED)
{
	static const uint32_t lengths[] = {1, 2, 3, 4, 19, 20, 21, 1000, INT32_MAX, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		uint8_t bytes[24] = {0};
		struct frame f = {FRAME_ATTACH, bytes, sizeof(bytes)};
		struct attach got;
		struct error err;

		le32_put(bytes, lengths[i]);
		bytes[4] = 'a';
		bytes[13] = 3; /* the size of the whole, behind a name of one byte */
		assert_int_equal(attach_get(&f, &got, &err), lengths[i] == 1 ? 0 : -EBADMSG);
	}
}

/* --- checkpoints --- */

static void test_checkpoint(void **state UNUSED)
{
	struct checkpoint c = {.cursor = {1, 2, 3, 4, 5}, .chain = {6}}, got = {0};
	uint8_t bytes[ROOM];
	struct outbuf o = outbuf_init(bytes, sizeof(bytes));
	struct payload p;
	struct frame f;
	struct error err;

	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
			segment_add(&c.segment, &(struct extent){i * 100, 1 + i, {7}}, &err), 0);
	checkpoint_put(&o, &c);
	p = payload_of(FRAME_CHECKPOINT, &o);
	assert_int_equal(p.size_bytes, CURSOR_BYTES + DIGEST_BYTES + 4 + 3 * EXTENT_BYTES);
	f = frame_of(&p, p.size_bytes);
	assert_int_equal(checkpoint_get(&f, &got, &err), 0);
	assert_memory_equal(&got.cursor, &c.cursor, sizeof(c.cursor));
	assert_memory_equal(got.chain, c.chain, DIGEST_BYTES);
	assert_int_equal(got.segment.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(got.segment.extents[i].off == c.segment.extents[i].off);
		assert_int_equal(got.segment.extents[i].size_bytes,
				 c.segment.extents[i].size_bytes);
		assert_memory_equal(got.segment.extents[i].sha256, c.segment.extents[i].sha256,
				    DIGEST_BYTES);
	}
	check_length(&p, p.size_bytes);
	/* Checkpoint 0 is none. */
	p.bytes[0] = 0;
	assert_int_equal(checkpoint_get(&f, &got, &err), -EBADMSG);
	payload_free(&p);
	segment_deinit(&c.segment);
	segment_deinit(&got.segment);
}

static void test_reasons(void **state UNUSED)
{
	static const struct {
		enum reason reason;
		int want;
	} rows[] = {
		{REASON_OTHER, -EPROTO},    {REASON_POLICY, -EACCES},	{REASON_NO_SPACE, -ENOSPC},
		{REASON_BUSY, -EAGAIN},	    {REASON_PROTOCOL, -EPROTO}, {REASON_DEADLINE, -ETIME},
		{REASON_MISMATCH, -ESTALE}, {REASON_IO, -EIO},		{REASON_IDENTITY, -EACCES},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(reason_code(rows[i].reason), rows[i].want);
	/* And back, but for reasons that share a code with another. */
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].reason != REASON_OTHER && rows[i].reason != REASON_IDENTITY)
			assert_int_equal(reason_of_code(rows[i].want), rows[i].reason);
	assert_int_equal(reason_of_code(-ECANCELED), REASON_STOPPED);
	assert_int_equal(reason_of_code(-ENOMEM), REASON_OTHER);
	assert_int_equal(reason_of_code(0), REASON_OTHER);
	/* One of a later version. */
	assert_int_equal(reason_code(4711), -EPROTO);
	assert_int_equal(reason_code(UINT32_MAX), -EPROTO);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "message: carries HELLO", test_hello, NULL);
	unit_add(&u, "message: carries WELCOME", test_welcome, NULL);
	unit_add(&u, "message: WELCOME of a full disk is told from one that doesn't say",
		 test_welcome_full, NULL);
	unit_add(&u, "message: carries REFUSE and ABORT", test_farewell, NULL);
	unit_add(&u, "message: carries TOTALS, END, WAIT and numbers", test_numbers, NULL);
	unit_add(&u, "message: carries DONE", test_done, NULL);
	unit_add(&u, "message: carries each kind of GO", test_go, NULL);
	unit_add(&u, "message: carries CHECKPOINT", test_checkpoint, NULL);
	UNIT_ADD_ROWS(&u, odd_rows, test_odd);
	unit_add(&u, "message: makes texts fit for a terminal, and cuts them", test_texts, NULL);
	unit_add(&u, "message: lets no value end its line", test_injection, NULL);
	unit_add(&u, "message: judges the names and places of attachments", test_attach, NULL);
	unit_add(&u, "message: takes no name with a NUL, or longer than all of it",
		 test_attach_name, NULL);
	unit_add(&u, "message: knows what a reason means", test_reasons, NULL);
	return unit_run(&u, "message", argc, argv);
}
