/* Payloads of frames to structs and back.
 * Doesn't know the order they come in. */
#include "wire/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/printable.h"
#include "base/reader.h"

static const struct {
	uint32_t reason;
	int code;
} reason_codes[] = {
	{REASON_POLICY, -EACCES},     {REASON_NO_SPACE, -ENOSPC},
	{REASON_BUSY, -EAGAIN},	      {REASON_PROTOCOL, -EPROTO},
	{REASON_STOPPED, -ECANCELED}, {REASON_DEADLINE, -ETIME},
	{REASON_MISMATCH, -ESTALE},   {REASON_IO, -EIO},
	{REASON_IDENTITY, -EACCES},
};

int reason_code(uint32_t reason)
{
	for (size_t i = 0; i < ARRAY_LEN(reason_codes); i++)
		if (reason_codes[i].reason == reason)
			return reason_codes[i].code;
	return -EPROTO;
}

enum reason reason_of_code(int code)
{
	for (size_t i = 0; i < ARRAY_LEN(reason_codes); i++)
		if (reason_codes[i].code == code)
			return reason_codes[i].reason;
	return REASON_OTHER;
}

static int malformed(const struct frame *f, struct error *err)
{
	return error_set(err, -EBADMSG, "malformed %s", frame_name(f->type));
}

/* --- texts ---------------------------------------------------------------------------------- */

static void put_text(struct outbuf *o, const char *text)
{
	for (; *text; text++)
		put_u8(o, (uint8_t)printable((unsigned char)*text));
}

/* The rest of a payload. */
static void rest_text(struct rd *r, char *out, size_t room)
{
	const size_t n = rd_left(r);

	printable_text(out, room, rd_bytes(r, n), n);
}

/* --- key=value lines ------------------------------------------------------------------------ */

static void put_line(struct outbuf *o, const char *key, const char *value)
{
	put_text(o, key);
	put_u8(o, '=');
	put_text(o, value);
	put_u8(o, '\n');
}

static void put_number_line(struct outbuf *o, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	put_line(o, key, text);
}

/* One line's value, which ends where the line does. */
struct value {
	const uint8_t *bytes;
	size_t size_bytes;
};

/*
 * The next line: 1, 0 at the end, -EBADMSG if it has no '=' or no end. A key is never longer than
 * its room, so one that is cut is none that we know.
 */
static int next_line(struct rd *r, char key[static 24], struct value *value_ret)
{
	const size_t left = rd_left(r);
	const uint8_t *line = r->pos, *end, *equals;

	if (left == 0)
		return 0;
	end = memchr(line, '\n', left);
	equals = end ? memchr(line, '=', (size_t)(end - line)) : NULL;
	if (!equals)
		return -EBADMSG;
	printable_text(key, 24, line, (size_t)(equals - line));
	*value_ret = (struct value){equals + 1, (size_t)(end - equals) - 1};
	rd_bytes(r, (size_t)(end - line) + 1);
	return 1;
}

/* A decimal number from min to max; false if it is none. */
static bool value_number(const struct value *v, int64_t min, int64_t max, int64_t *number_ret)
{
	char text[24], *end;
	long long n;

	if (v->size_bytes == 0 || v->size_bytes >= sizeof(text))
		return false;
	printable_text(text, sizeof(text), v->bytes, v->size_bytes);
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || *end || *text == ' ' || *text == '+' || n < min || n > max)
		return false;
	*number_ret = n;
	return true;
}

/* The kinds of values of keys. */
struct field {
	const char *key;
	enum {
		FIELD_TEXT,
		FIELD_U32,
		FIELD_I32,
		FIELD_I64,
		FIELD_U64,
		FIELD_BOOL,
		FIELD_DIGEST
	} kind;
	size_t at, room; /* in the struct; room of a text */
	bool required;
};

#define TEXT_FIELD(type, key_, member)                                                             \
	{                                                                                          \
		.key = key_, .kind = FIELD_TEXT, .at = offsetof(struct type, member),              \
		.room = sizeof(((struct type *)0)->member)                                         \
	}
#define FIELD(type, key_, kind_, member, required_)                                                \
	{                                                                                          \
		.key = key_, .kind = kind_, .at = offsetof(struct type, member),                   \
		.required = required_                                                              \
	}

static bool store_number(const struct field *field, const struct value *v, uint8_t *at)
{
	const int64_t max = field->kind == FIELD_BOOL  ? 1
			    : field->kind == FIELD_U32 ? UINT32_MAX
			    : field->kind == FIELD_I32 ? INT32_MAX
						       : INT64_MAX;
	const int64_t min = field->kind == FIELD_I32   ? INT32_MIN
			    : field->kind == FIELD_I64 ? INT64_MIN
						       : 0;
	int64_t n;

	if (!value_number(v, min, max, &n))
		return false;
	switch (field->kind) {
	case FIELD_BOOL:
		*at = (uint8_t)n;
		break;
	case FIELD_U32:
	case FIELD_I32:
		memcpy(at, &(uint32_t){(uint32_t)n}, 4);
		break;
	default:
		memcpy(at, &n, 8);
		break;
	}
	return true;
}

static bool store_value(const struct field *field, const struct value *v, void *into)
{
	uint8_t *at = (uint8_t *)into + field->at;
	char hex[DIGEST_HEX_ROOM];
	struct error unused;

	switch (field->kind) {
	case FIELD_TEXT:
		printable_text((char *)at, field->room, v->bytes, v->size_bytes);
		return true;
	case FIELD_DIGEST:
		if (v->size_bytes != sizeof(hex) - 1)
			return false;
		printable_text(hex, sizeof(hex), v->bytes, v->size_bytes);
		return digest_parse(hex, at, &unused) == 0;
	default:
		return store_number(field, v, at);
	}
}

/* Keys that we don't know are passed over; one that comes twice is an error. */
static int get_fields(const struct frame *f, const struct field *fields, size_t count, void *into,
		      struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	uint32_t seen = 0;
	struct value value;
	char key[24];
	int result;

	while ((result = next_line(&r, key, &value)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (strcmp(fields[i].key, key) != 0)
				continue;
			if (seen >> i & 1 || !store_value(&fields[i], &value, into))
				return error_set(err, -EBADMSG, "%s: bad %s", frame_name(f->type),
						 key);
			seen |= UINT32_C(1) << i;
		}
	}
	if (result < 0)
		return malformed(f, err);
	for (size_t i = 0; i < count; i++)
		if (fields[i].required && !(seen >> i & 1))
			return error_set(err, -EBADMSG, "%s: %s is missing", frame_name(f->type),
					 fields[i].key);
	return 0;
}

/* --- HELLO, WELCOME ------------------------------------------------------------------------- */

void hello_put(struct outbuf *o, const struct hello *h)
{
	char id[DIGEST_HEX_ROOM];

	put_number_line(o, "protocol_min", h->protocol_min);
	put_number_line(o, "protocol_max", h->protocol_max);
	put_line(o, "dump_id", digest_hex(id, h->dump_id));
	if (h->oneway)
		put_line(o, "oneway", "1");
	if (h->live)
		put_line(o, "live", "1");
	if (h->probe)
		put_line(o, "probe", "1");
	put_line(o, "host", h->host);
	put_line(o, "osrelease", h->osrelease);
	put_line(o, "arch", h->arch);
	put_number_line(o, "crash_time", h->crash_time_s);
	put_line(o, "panic", h->panic);
	put_number_line(o, "level", h->level);
	put_number_line(o, "page_size", h->page_bytes);
	put_line(o, "codec", h->codec);
	put_number_line(o, "codec_level", h->codec_level);
	put_line(o, "agent", h->agent);
}

int hello_get(const struct frame *f, struct hello *h_ret, struct error *err)
{
	static const struct field fields[] = {
		FIELD(hello, "protocol_min", FIELD_U32, protocol_min, true),
		FIELD(hello, "protocol_max", FIELD_U32, protocol_max, true),
		FIELD(hello, "dump_id", FIELD_DIGEST, dump_id, true),
		FIELD(hello, "oneway", FIELD_BOOL, oneway, false),
		FIELD(hello, "live", FIELD_BOOL, live, false),
		FIELD(hello, "probe", FIELD_BOOL, probe, false),
		TEXT_FIELD(hello, "host", host),
		TEXT_FIELD(hello, "osrelease", osrelease),
		TEXT_FIELD(hello, "arch", arch),
		FIELD(hello, "crash_time", FIELD_I64, crash_time_s, false),
		TEXT_FIELD(hello, "panic", panic),
		FIELD(hello, "level", FIELD_U32, level, false),
		FIELD(hello, "page_size", FIELD_U32, page_bytes, false),
		TEXT_FIELD(hello, "codec", codec),
		FIELD(hello, "codec_level", FIELD_I32, codec_level, false),
		TEXT_FIELD(hello, "agent", agent),
	};
	struct hello h = {0};
	const int r = get_fields(f, fields, ARRAY_LEN(fields), &h, err);

	if (r < 0)
		return r;
	if (h.protocol_min > h.protocol_max)
		return error_set(err, -EBADMSG, "HELLO: protocols %" PRIu32 " to %" PRIu32,
				 h.protocol_min, h.protocol_max);
	*h_ret = h;
	return 0;
}

void welcome_put(struct outbuf *o, const struct welcome *w)
{
	put_number_line(o, "protocol", w->protocol);
	put_number_line(o, "heartbeat_ms", w->heartbeat_ms);
	put_number_line(o, "timeout_ms", w->timeout_ms);
	put_number_line(o, "free_bytes", (int64_t)MIN(w->free_bytes, (uint64_t)INT64_MAX));
	if (w->full)
		put_number_line(o, "full", 1);
	put_line(o, "host", w->host);
	if (*w->part)
		put_line(o, "part", w->part);
	put_line(o, "agent", w->agent);
}

int welcome_get(const struct frame *f, struct welcome *w_ret, struct error *err)
{
	static const struct field fields[] = {
		FIELD(welcome, "protocol", FIELD_U32, protocol, true),
		FIELD(welcome, "heartbeat_ms", FIELD_U32, heartbeat_ms, true),
		FIELD(welcome, "timeout_ms", FIELD_U32, timeout_ms, true),
		FIELD(welcome, "free_bytes", FIELD_U64, free_bytes, false),
		FIELD(welcome, "full", FIELD_BOOL, full, false),
		TEXT_FIELD(welcome, "part", part),
		TEXT_FIELD(welcome, "host", host),
		TEXT_FIELD(welcome, "agent", agent),
	};
	struct welcome w = {0};
	const int r = get_fields(f, fields, ARRAY_LEN(fields), &w, err);

	if (r < 0)
		return r;
	if (w.heartbeat_ms == 0 || w.timeout_ms <= w.heartbeat_ms || w.timeout_ms > SILENCE_MAX_MS)
		return error_set(err, -EBADMSG,
				 "WELCOME: heartbeat of %" PRIu32 " ms, time-out of %" PRIu32 " ms",
				 w.heartbeat_ms, w.timeout_ms);
	*w_ret = w;
	return 0;
}

/* --- the others ----------------------------------------------------------------------------- */

void wait_put(struct outbuf *o, const struct wait *w)
{
	put_le32(o, w->place);
}

int wait_get(const struct frame *f, struct wait *w_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	const struct wait w = {.place = rd_le32(&r)};

	if (!rd_done(&r))
		return malformed(f, err);
	*w_ret = w;
	return 0;
}

void farewell_put(struct outbuf *o, const struct farewell *f)
{
	put_le32(o, f->reason);
	put_le32(o, f->retry_after_s);
	put_text(o, f->text);
}

int farewell_get(const struct frame *f, struct farewell *f_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	struct farewell w;

	w.reason = rd_le32(&r);
	w.retry_after_s = rd_le32(&r);
	if (!rd_ok(&r))
		return malformed(f, err);
	rest_text(&r, w.text, sizeof(w.text));
	*f_ret = w;
	return 0;
}

void attach_put(struct outbuf *o, const struct attach *a)
{
	const size_t name_bytes = strlen(a->name);

	put_le32(o, (uint32_t)name_bytes);
	put_bytes(o, a->name, name_bytes);
	put_le64(o, a->off);
	put_le64(o, a->total_bytes);
	put_bytes(o, a->bytes, a->size_bytes);
}

static bool is_name(const uint8_t *name, size_t size_bytes)
{
	static const char others[] = "._-";

	if (size_bytes == 0 || size_bytes >= ATTACH_NAME_ROOM || name[0] == '.')
		return false;
	for (size_t i = 0; i < size_bytes; i++) {
		const uint8_t c = name[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      (c && strchr(others, c))))
			return false;
	}
	return true;
}

int attach_get(const struct frame *f, struct attach *a_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	const uint32_t name_bytes = rd_le32(&r);
	const uint8_t *name = rd_bytes(&r, name_bytes);
	struct attach a = {0};
	uint64_t end;

	a.off = rd_le64(&r);
	a.total_bytes = rd_le64(&r);
	if (!rd_ok(&r))
		return malformed(f, err);
	if (!is_name(name, name_bytes))
		return error_set(err, -EBADMSG, "ATTACH: bad name");
	memcpy(a.name, name, name_bytes);
	a.size_bytes = rd_left(&r);
	a.bytes = rd_bytes(&r, a.size_bytes);
	if (ckd_add(&end, a.off, a.size_bytes) || end > a.total_bytes)
		return error_set(err, -EBADMSG, "ATTACH: %s: more bytes than it has", a.name);
	*a_ret = a;
	return 0;
}

void totals_put(struct outbuf *o, const struct totals *t)
{
	put_le64(o, t->pages);
	put_le64(o, t->ram_pages);
	put_le64(o, t->max_bytes);
}

int totals_get(const struct frame *f, struct totals *t_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	struct totals t;

	t.pages = rd_le64(&r);
	t.ram_pages = rd_le64(&r);
	t.max_bytes = rd_le64(&r);
	if (!rd_done(&r))
		return malformed(f, err);
	*t_ret = t;
	return 0;
}

void go_put(struct outbuf *o, const struct go *g)
{
	put_u8(o, (uint8_t)g->kind);
	put_u8(o, g->level);
	if (g->kind != GO_RESUME)
		return;
	cursor_put(o, &g->cursor);
	put_bytes(o, g->chain, sizeof(g->chain));
	put_bytes(o, g->first, sizeof(g->first));
}

/* Bytes of fixed number, zeros where they are missing. */
static void take_digest(struct rd *r, uint8_t out[static DIGEST_BYTES])
{
	const void *p = rd_bytes(r, DIGEST_BYTES);

	if (p)
		memcpy(out, p, DIGEST_BYTES);
}

int go_get(const struct frame *f, struct go *g_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	const uint8_t *head = rd_bytes(&r, 2);
	struct go g = {0};

	if (!head || head[0] > GO_LOG_ONLY)
		return malformed(f, err);
	g.kind = (enum go_kind)head[0];
	g.level = head[1];
	if (g.kind == GO_RESUME) {
		g.cursor = cursor_get(&r);
		take_digest(&r, g.chain);
		take_digest(&r, g.first);
	}
	if (!rd_done(&r) || (g.kind == GO_RESUME && g.cursor.segment == 0))
		return malformed(f, err);
	*g_ret = g;
	return 0;
}

void data_put(struct outbuf *o, const struct data *d)
{
	put_le64(o, d->stream_off);
	put_bytes(o, d->bytes, d->size_bytes);
}

int data_get(const struct frame *f, struct data *d_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	struct data d;
	uint64_t end;

	d.stream_off = rd_le64(&r);
	d.size_bytes = rd_left(&r);
	d.bytes = rd_bytes(&r, d.size_bytes);
	if (!rd_ok(&r) || d.size_bytes == 0 || ckd_add(&end, d.stream_off, d.size_bytes) ||
	    end > INT64_MAX)
		return malformed(f, err);
	*d_ret = d;
	return 0;
}

void checkpoint_put(struct outbuf *o, const struct checkpoint *c)
{
	cursor_put(o, &c->cursor);
	put_bytes(o, c->chain, sizeof(c->chain));
	segment_put(o, &c->segment);
}

int checkpoint_get(const struct frame *f, struct checkpoint *c_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	int result;

	c_ret->cursor = cursor_get(&r);
	take_digest(&r, c_ret->chain);
	result = segment_get(&r, &c_ret->segment, err);
	if (result < 0)
		return error_prefix(err, "CHECKPOINT");
	if (!rd_done(&r) || c_ret->cursor.segment == 0)
		return malformed(f, err);
	return 0;
}

void number_put(struct outbuf *o, uint64_t number)
{
	put_le64(o, number);
}

int number_get(const struct frame *f, uint64_t *number_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	const uint64_t number = rd_le64(&r);

	if (!rd_done(&r))
		return malformed(f, err);
	*number_ret = number;
	return 0;
}

void end_put(struct outbuf *o, const struct end *e)
{
	put_le64(o, e->segments);
	put_le64(o, e->stream_bytes);
	put_le64(o, e->pages);
	put_le64(o, e->unreadable);
	put_bytes(o, e->chain, sizeof(e->chain));
}

int end_get(const struct frame *f, struct end *e_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	struct end e = {0};

	e.segments = rd_le64(&r);
	e.stream_bytes = rd_le64(&r);
	e.pages = rd_le64(&r);
	e.unreadable = rd_le64(&r);
	take_digest(&r, e.chain);
	if (!rd_done(&r))
		return malformed(f, err);
	*e_ret = e;
	return 0;
}

void done_put(struct outbuf *o, const struct done *d)
{
	put_bytes(o, d->chain, sizeof(d->chain));
	put_text(o, d->name);
}

int done_get(const struct frame *f, struct done *d_ret, struct error *err)
{
	struct rd r = rd_init(f->payload, f->payload_bytes);
	struct done d = {0};

	take_digest(&r, d.chain);
	if (!rd_ok(&r))
		return malformed(f, err);
	rest_text(&r, d.name, sizeof(d.name));
	*d_ret = d;
	return 0;
}
