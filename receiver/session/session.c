/* The receiver's side of a session.
 * Doesn't know the link, nor where the dump goes. */
#include "receiver/session/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "receiver/session/verdict.h"

enum {
	/* The shortest time between two acknowledgements: each costs an fdatasync. */
	ACK_MS = 1000,

	HEARTBEATS = 4, /* in a time-out */
	/* Before WELCOME the sender uses a time-out of its own, which we don't know. */
	EARLY_HEARTBEAT_MS = 1000,

	/* How often a session that waits asks whether its turn has come. */
	QUEUE_MS = 200,
};

struct session {
	struct session_setup setup;
	enum session_state state;
	struct frame_reader in;
	struct frame_writer out;
	uint64_t heard_ms, said_ms;

	struct hello hello;
	uint8_t *hello_bytes; /* HELLO as it came, while the session waits for its turn */
	size_t hello_size_bytes;
	int place; /* in the queue, as the last WAIT said */
	uint64_t asked_ms;

	bool is_asked;	     /* the sender waits for WELCOME or GO, and an operation is going on
				before it */
	bool farewell;	     /* REFUSE or ABORT was sent */
	bool probe;	     /* no dump follows, and nothing is kept */
	enum go_kind go;     /* the GO that was sent */
	bool mismatch;	     /* the frames are right, but their contents aren't */
	uint64_t stream_off; /* of the next DATA */
	uint64_t checkpoint; /* the last one that came */
	uint64_t acked;	     /* the last one that was acknowledged */
	uint64_t acked_ms;
	struct checkpoint buffer; /* the memory of its segment is used again and again */
};

int session_new(const struct session_setup *setup, uint64_t now_ms, struct session **s_ret,
		struct error *err)
{
	AUTO(session_free) struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return error_set(err, -ENOMEM, "out of memory for a session");
	s->setup = *setup;
	s->heard_ms = s->said_ms = now_ms;
	s->acked_ms = now_ms;
	frame_reader_init(&s->in, false);
	r = frame_writer_init(&s->out, SESSION_OUTPUT_BYTES, err);
	if (r < 0)
		return r;
	*s_ret = TAKE_PTR(s);
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	segment_deinit(&s->buffer.segment);
	free(s->hello_bytes);
	frame_reader_deinit(&s->in);
	frame_writer_deinit(&s->out);
	free(s);
}

/* --- out ------------------------------------------------------------------------------------ */

/* Put a frame into the output. It is dropped where the link has no way back. */
static int put(struct session *s, enum frame_type type, const struct outbuf *payload,
	       struct error *err)
{
	if (s->setup.oneway)
		return 0;
	return frame_end(&s->out, type, payload, err);
}

static int say_number(struct session *s, enum frame_type type, uint64_t number, struct error *err)
{
	struct outbuf payload = frame_begin(&s->out);

	number_put(&payload, number);
	return put(s, type, &payload, err);
}

static int say_done(struct session *s, const struct done *done, struct error *err)
{
	struct outbuf payload = frame_begin(&s->out);

	done_put(&payload, done);
	s->state = SESSION_DONE;
	return put(s, FRAME_DONE, &payload, err);
}

static void say_farewell(struct session *s, enum frame_type type, int code, uint32_t retry_after_s,
			 const char *text)
{
	struct farewell bye = {.reason = verdict_reason(code), .retry_after_s = retry_after_s};
	struct outbuf payload = frame_begin(&s->out);
	struct error unused;

	s->farewell = true;
	snprintf(bye.text, sizeof(bye.text), "%s", text);
	farewell_put(&payload, &bye);
	(void)!put(s, type, &payload, &unused);
}

void session_abort(struct session *s, int code, uint32_t retry_after_s, const char *text)
{
	const enum frame_type type = s->state <= SESSION_QUEUED ? FRAME_REFUSE : FRAME_ABORT;

	if (s->state != SESSION_DONE && !s->farewell)
		say_farewell(s, type, code, retry_after_s, text);
}

/* --- in ------------------------------------------------------------------------------------- */

/* The session's turn has come. */
static int welcome(struct session *s, const struct frame *f, struct error *err)
{
	const struct session_setup *setup = &s->setup;
	struct welcome welcome = {
		.protocol = PROTOCOL_VERSION,
		.timeout_ms = setup->timeout_ms,
		.heartbeat_ms = setup->timeout_ms / HEARTBEATS,
	};
	struct done done;
	struct outbuf payload;
	int r;

	s->is_asked = true;
	r = setup->ops->hello(setup->ctx, &s->hello, f, &welcome, &done, err);
	s->is_asked = false;
	if (r < 0)
		return r;
	if (r > 0)
		return say_done(s, &done, err);
	snprintf(welcome.agent, sizeof(welcome.agent), "vmrecv %s", VERSION);
	payload = frame_begin(&s->out);
	welcome_put(&payload, &welcome);
	s->state = SESSION_OPEN;
	return put(s, FRAME_WELCOME, &payload, err);
}

static int say_wait(struct session *s, int place, struct error *err)
{
	const struct wait wait = {.place = (uint32_t)place};
	struct outbuf payload = frame_begin(&s->out);

	s->place = place;
	wait_put(&payload, &wait);
	return put(s, FRAME_WAIT, &payload, err);
}

/* There is no place for the session yet. Its HELLO is kept. */
static int queue_up(struct session *s, const struct frame *f, int place, uint64_t now_ms,
		    struct error *err)
{
	s->hello_bytes = malloc(f->payload_bytes);
	if (!s->hello_bytes)
		return error_set(err, -ENOMEM, "out of memory for a session");
	memcpy(s->hello_bytes, f->payload, f->payload_bytes);
	s->hello_size_bytes = f->payload_bytes;
	s->state = SESSION_QUEUED;
	s->asked_ms = now_ms;
	return say_wait(s, place, err);
}

static int admit(struct session *s, struct error *err)
{
	const struct session_setup *setup = &s->setup;

	return setup->admit ? setup->admit(setup->admit_ctx, &s->hello, err) : 0;
}

static int take_hello(struct session *s, const struct frame *f, uint64_t now_ms, struct error *err)
{
	struct hello *hello = &s->hello;
	int r = hello_get(f, hello, err);

	if (r < 0)
		return r;
	if (hello->protocol_min > PROTOCOL_VERSION || hello->protocol_max < PROTOCOL_VERSION)
		return error_set(err, -ENOTSUP, "protocol %d is spoken here", PROTOCOL_VERSION);
	if (hello->oneway != s->setup.oneway)
		return error_set(err, -EPROTO,
				 hello->oneway ? "a session one way, where both are wanted"
					       : "a session both ways, out of a pipe");
	if (hello->probe && hello->oneway)
		return error_set(err, -EPROTO, "a probe one way, which nobody answers");
	s->probe = hello->probe;
	r = admit(s, err);
	if (r > 0)
		return queue_up(s, f, r, now_ms, err);
	return r < 0 ? r : welcome(s, f, err);
}

/* Ask whether the turn of a waiting session has come. */
static int ask_again(struct session *s, uint64_t now_ms, struct error *err)
{
	const struct frame f = {.type = FRAME_HELLO,
				.payload = s->hello_bytes,
				.payload_bytes = s->hello_size_bytes};
	const int r = admit(s, err);

	s->asked_ms = now_ms;
	if (r == 0)
		return welcome(s, &f, err);
	return r < 0 || r == s->place ? MIN(r, 0) : say_wait(s, r, err);
}

static int take_attach(struct session *s, const struct frame *f, struct error *err)
{
	struct attach attach;
	const int r = attach_get(f, &attach, err);

	if (r < 0)
		return r;
	if (attach.total_bytes > ATTACH_BYTES_MAX)
		return error_set(err, -EFBIG, "%s has %" PRIu64 " bytes, more than %d MiB",
				 attach.name, attach.total_bytes, ATTACH_BYTES_MAX >> 20);
	return s->setup.ops->attach(s->setup.ctx, &attach, err);
}

static int take_totals(struct session *s, const struct frame *f, struct error *err)
{
	struct outbuf payload;
	struct totals totals;
	struct go go = {0};
	int r = totals_get(f, &totals, err);

	if (r < 0)
		return r;
	s->is_asked = true;
	r = s->setup.ops->totals(s->setup.ctx, &totals, &go, err);
	s->is_asked = false;
	if (r < 0)
		return r;
	s->go = go.kind;
	s->stream_off = go.kind == GO_RESUME ? go.cursor.stream_bytes : 0;
	s->checkpoint = s->acked = go.kind == GO_RESUME ? go.cursor.segment : 0;
	s->state = SESSION_GOING;
	payload = frame_begin(&s->out);
	go_put(&payload, &go);
	return put(s, FRAME_GO, &payload, err);
}

/* Check that GO has asked for pages at all. */
static int check_wanted(const struct session *s, const struct frame *f, struct error *err)
{
	if (s->go == GO_BEGIN || s->go == GO_RESUME)
		return 0;
	return error_set(err, -EPROTO, "%s, though no pages are wanted", frame_name(f->type));
}

static int take_data(struct session *s, const struct frame *f, struct error *err)
{
	struct data data;
	int r = check_wanted(s, f, err);

	if (r == 0)
		r = data_get(f, &data, err);
	if (r < 0)
		return r;
	if (data.stream_off != s->stream_off)
		return error_set(err, -EPROTO,
				 "DATA at byte %" PRIu64 " of the stream in place of %" PRIu64,
				 data.stream_off, s->stream_off);
	if (ckd_add(&s->stream_off, s->stream_off, data.size_bytes))
		return error_set(err, -EPROTO, "a stream without end");
	if (s->probe)
		return 0;
	r = s->setup.ops->data(s->setup.ctx, data.bytes, data.size_bytes, err);
	s->mismatch = r == -EBADMSG;
	return r;
}

static int take_checkpoint(struct session *s, const struct frame *f, struct error *err)
{
	struct checkpoint *c = &s->buffer;
	int r = check_wanted(s, f, err);

	if (r == 0)
		r = checkpoint_get(f, c, err);
	if (r < 0)
		return r;
	if (s->probe || c->cursor.segment != s->checkpoint + 1)
		return error_set(err, -EPROTO, "checkpoint %" PRIu64 " comes after %" PRIu64,
				 c->cursor.segment, s->checkpoint);
	if (c->cursor.stream_bytes != s->stream_off)
		return error_set(err, -EPROTO,
				 "checkpoint %" PRIu64 " at byte %" PRIu64
				 " of the stream; %" PRIu64 " have come",
				 c->cursor.segment, c->cursor.stream_bytes, s->stream_off);
	r = s->setup.ops->checkpoint(s->setup.ctx, c, f, err);
	s->mismatch = r == -EBADMSG;
	if (r == 0)
		s->checkpoint = c->cursor.segment;
	return r;
}

static int acknowledge(struct session *s, uint64_t now_ms, struct error *err)
{
	const int r = s->setup.ops->sync(s->setup.ctx, err);

	if (r < 0)
		return r;
	s->acked = s->checkpoint;
	s->acked_ms = now_ms;
	return say_number(s, FRAME_ACK, s->acked, err);
}

static int take_end(struct session *s, const struct frame *f, uint64_t now_ms, struct error *err)
{
	struct done done = {0};
	struct end end;
	int r = end_get(f, &end, err);

	if (r == 0 && s->go == GO_LEVEL)
		r = error_set(err, -EPROTO, "END, though another level is wanted");
	if (r < 0)
		return r;
	memcpy(done.chain, end.chain, DIGEST_BYTES);
	if (s->probe)
		return say_done(s, &done, err);
	if (s->acked < s->checkpoint) {
		r = acknowledge(s, now_ms, err);
		if (r < 0)
			return r;
	}
	r = s->setup.ops->end(s->setup.ctx, &end, f, &done, err);
	s->mismatch = r == -EBADMSG;
	return r < 0 ? r : say_done(s, &done, err);
}

static int take_abort(const struct frame *f, struct error *err)
{
	struct farewell bye;
	const int r = farewell_get(f, &bye, err);

	if (r < 0)
		return r;
	return error_set(err, reason_code(bye.reason), "the sender gives up: %s", bye.text);
}

/* The states in which a frame may come, a bit for each. */
static uint32_t states_of(uint8_t type)
{
	switch ((enum frame_type)type) {
	case FRAME_HELLO:
		return 1U << SESSION_HELLO;
	case FRAME_ATTACH:
	case FRAME_TOTALS:
		return 1U << SESSION_OPEN;
	case FRAME_DATA:
	case FRAME_CHECKPOINT:
	case FRAME_END:
		return 1U << SESSION_GOING;
	case FRAME_HEARTBEAT:
	case FRAME_ABORT:
		return ~0U;
	default:
		return 0;
	}
}

static int take_frame(struct session *s, const struct frame *f, uint64_t now_ms, struct error *err)
{
	uint64_t unused;

	if (!(states_of(f->type) >> s->state & 1))
		return error_set(err, -EPROTO, "%s out of turn", frame_name(f->type));
	switch ((enum frame_type)f->type) {
	case FRAME_HELLO:
		return take_hello(s, f, now_ms, err);
	case FRAME_ATTACH:
		return take_attach(s, f, err);
	case FRAME_TOTALS:
		return take_totals(s, f, err);
	case FRAME_DATA:
		return take_data(s, f, err);
	case FRAME_CHECKPOINT:
		return take_checkpoint(s, f, err);
	case FRAME_END:
		return take_end(s, f, now_ms, err);
	case FRAME_ABORT:
		return take_abort(f, err);
	default:
		return number_get(f, &unused, err); /* HEARTBEAT */
	}
}

/* To the sender, -ESTALE means a part that is of no use, and the part is forgotten then. A file
 * system on a network may fail -ESTALE, too: that is a failure like others. */
static int check_stale(int r, struct error *err)
{
	return r == -ESTALE ? (err->code = -EIO) : r;
}

/* Tell the sender why the session ends. A failure of the link or of this disk may not come again at
 * another try. */
static void say_failure(struct session *s, const struct error *err)
{
	const bool early = s->state <= SESSION_QUEUED;
	uint32_t retry_after_s = verdict_retry_after_s(err->code, early);

	if (early && err->code == -EAGAIN && s->setup.retry_s && *s->setup.retry_s)
		retry_after_s = *s->setup.retry_s;
	say_farewell(s, early ? FRAME_REFUSE : FRAME_ABORT, s->mismatch ? -ESTALE : err->code,
		     retry_after_s, err->msg);
}

void session_fail(struct session *s, const struct error *err)
{
	if (s->state != SESSION_DONE && !s->farewell)
		say_failure(s, err);
}

int session_feed(struct session *s, const uint8_t *bytes, size_t size_bytes, uint64_t now_ms,
		 struct error *err)
{
	struct frame frame;
	bool aborted = false;
	int r = 0;

	/* The pieces of a large frame on a slow link are signs of life. But a peer that sends its
	 * HELLO byte by byte, or other bytes before it, must not stay for ever. */
	if (s->state != SESSION_HELLO && size_bytes)
		s->heard_ms = now_ms;
	while (s->state != SESSION_DONE &&
	       (r = frame_reader_feed(&s->in, &bytes, &size_bytes, &frame, err)) > 0) {
		aborted = frame.type == FRAME_ABORT;
		r = take_frame(s, &frame, now_ms, err);
		if (r < 0)
			break;
		if (s->state != SESSION_HELLO)
			s->heard_ms = now_ms;
	}
	if (!aborted)
		r = check_stale(r, err);
	if (r < 0 && !aborted && !s->farewell)
		say_failure(s, err);
	return r;
}

void session_listens(struct session *s, uint64_t now_ms)
{
	if (s->state != SESSION_HELLO)
		s->heard_ms = now_ms;
}

/* Whether nothing waits to be sent. Bytes that wait are as good as a heartbeat. */
static bool is_quiet(const struct session *s)
{
	size_t pending;

	frame_writer_pending(&s->out, &pending);
	return !pending;
}

static uint32_t heartbeat_ms(const struct session *s)
{
	const uint32_t told_ms = s->setup.timeout_ms / HEARTBEATS;

	return s->state <= SESSION_QUEUED ? MIN(told_ms, (uint32_t)EARLY_HEARTBEAT_MS) : told_ms;
}

int session_beat(struct session *s, uint64_t now_ms, struct error *err)
{
	if (!is_quiet(s) || now_ms - s->said_ms < heartbeat_ms(s))
		return 0;
	s->said_ms = now_ms;
	return say_number(s, FRAME_HEARTBEAT, s->stream_off, err);
}

int session_tick(struct session *s, uint64_t now_ms, struct error *err)
{
	int r = 0;

	if (s->setup.oneway || s->state == SESSION_DONE)
		return 0;
	if (now_ms - s->heard_ms >= s->setup.timeout_ms)
		return error_set(err, -ETIMEDOUT, "nothing came for %" PRIu32 " s",
				 s->setup.timeout_ms / 1000);
	if (s->acked < s->checkpoint && now_ms - s->acked_ms >= ACK_MS)
		r = acknowledge(s, now_ms, err);
	else if (s->state == SESSION_QUEUED && now_ms - s->asked_ms >= QUEUE_MS)
		r = ask_again(s, now_ms, err);
	r = check_stale(r, err);
	if (r < 0) {
		say_failure(s, err);
		return r;
	}
	return s->state == SESSION_HELLO ? 0 : session_beat(s, now_ms, err);
}

uint64_t session_next_tick_ms(const struct session *s)
{
	uint64_t next_ms = s->heard_ms + s->setup.timeout_ms;

	if (s->setup.oneway || s->state == SESSION_DONE)
		return UINT64_MAX;
	if (s->state != SESSION_HELLO && is_quiet(s))
		next_ms = MIN(next_ms, s->said_ms + heartbeat_ms(s));
	if (s->acked < s->checkpoint)
		next_ms = MIN(next_ms, s->acked_ms + ACK_MS);
	if (s->state == SESSION_QUEUED)
		next_ms = MIN(next_ms, s->asked_ms + QUEUE_MS);
	return next_ms;
}

const uint8_t *session_output(const struct session *s, size_t *size_bytes_ret)
{
	return frame_writer_pending(&s->out, size_bytes_ret);
}

void session_sent(struct session *s, size_t size_bytes, uint64_t now_ms)
{
	frame_writer_sent(&s->out, size_bytes);
	if (size_bytes)
		s->said_ms = now_ms;
}

enum session_state session_state(const struct session *s)
{
	return s->state;
}

bool session_is_asked(const struct session *s)
{
	return s->is_asked;
}
