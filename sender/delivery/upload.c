/* The sender's side of a session.
 * Doesn't know the link, nor what the stream is. */
#include "sender/delivery/upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sender/delivery/overdue.h"

struct upload {
	enum upload_state state;
	bool oneway;
	struct frame_writer out;
	struct frame_reader in;

	uint32_t heartbeat_ms, timeout_ms;
	uint64_t heard_ms, said_ms; /* when something last came and went */
	struct overdue overdue;

	struct hello hello;
	struct welcome welcome;
	struct go go;
	uint32_t place;	     /* in the queue */
	uint64_t acked;	     /* checkpoints */
	uint64_t checkpoint; /* sent */
	uint64_t begin_off, stream_off;
	uint64_t taken_off;	     /* of the stream, by the receiver's heartbeats */
	bool gave_up;		     /* the receiver, over the stream */
	uint8_t chain[DIGEST_BYTES]; /* of END: DONE has to have it, too */
	char done_name[MESSAGE_TEXT_ROOM];

	enum upload_failure failure;
	uint32_t retry_after_s;
};

enum {
	/* Until WELCOME says how often. */
	HEARTBEAT_MS = 5000,
	/* No frame of fixed size has more payload. */
	SMALL_BYTES = 256,

	/* What an earlier session sent is read again at the end, of a slow disk; of all the rest
	   only what describes it. */
	READ_AGAIN_BYTES_PER_MS = (16 << 20) / 1000,
	READ_PART = 16,
};

/* The receiver owes an answer to what was said last. */
static void owe(struct upload *u, const char *what, uint64_t more_ms)
{
	size_t pending;

	frame_writer_pending(&u->out, &pending);
	overdue_owe(&u->overdue, what, pending, more_ms);
}

int upload_new(const struct upload_setup *setup, uint64_t now_ms, struct upload **u_ret,
	       struct error *err)
{
	AUTO(upload_free) struct upload *u = calloc(1, sizeof(*u));
	struct outbuf payload;
	int r;

	if (!u)
		return error_set(err, -ENOMEM, "out of memory for a session");
	frame_reader_init(&u->in, setup->skip_noise);
	u->oneway = setup->oneway;
	u->heartbeat_ms = HEARTBEAT_MS;
	u->timeout_ms = setup->timeout_ms;
	u->heard_ms = u->said_ms = now_ms;
	u->hello = setup->hello;
	u->hello.protocol_min = u->hello.protocol_max = PROTOCOL_VERSION;
	u->hello.oneway = setup->oneway;
	snprintf(u->hello.agent, sizeof(u->hello.agent), "vmsend %s", VERSION);
	r = frame_writer_init(&u->out, UPLOAD_OUTPUT_BYTES, err);
	if (r < 0)
		return r;
	payload = frame_begin(&u->out);
	hello_put(&payload, &u->hello);
	r = frame_end(&u->out, FRAME_HELLO, &payload, err);
	if (r < 0)
		return r;
	overdue_init(&u->overdue, u->oneway ? 0 : setup->answer_ms, setup->least_bytes_per_s);
	owe(u, "WELCOME", 0);
	if (u->oneway)
		u->state = UPLOAD_OPEN;
	*u_ret = TAKE_PTR(u);
	return 0;
}

void upload_free(struct upload *u)
{
	if (!u)
		return;
	frame_writer_deinit(&u->out);
	frame_reader_deinit(&u->in);
	free(u);
}

/* --- in ------------------------------------------------------------------------------------- */

static int take_welcome(struct upload *u, const struct frame *f, struct error *err)
{
	const int r = welcome_get(f, &u->welcome, err);

	if (r < 0)
		return r;
	if (u->welcome.protocol != PROTOCOL_VERSION) {
		u->failure = UPLOAD_REFUSED;
		return error_set(err, -ENOTSUP, "the receiver chose protocol %" PRIu32,
				 u->welcome.protocol);
	}
	u->heartbeat_ms = u->welcome.heartbeat_ms;
	u->timeout_ms = u->welcome.timeout_ms;
	u->state = UPLOAD_OPEN;
	overdue_paid(&u->overdue);
	return 0;
}

static int take_wait(struct upload *u, const struct frame *f, struct error *err)
{
	struct wait wait;
	const int r = wait_get(f, &wait, err);

	if (r < 0)
		return r;
	u->place = wait.place;
	u->state = UPLOAD_QUEUED;
	overdue_paid(&u->overdue); /* how long to wait in a queue is not for the link to say */
	return 0;
}

/* REFUSE, and ABORT of the receiver. */
static int take_farewell(struct upload *u, const struct frame *f, struct error *err)
{
	struct farewell bye;
	int r = farewell_get(f, &bye, err);

	if (r < 0)
		return r;
	u->gave_up = u->state == UPLOAD_GOING || u->state == UPLOAD_ENDING;
	u->retry_after_s = bye.retry_after_s;
	u->failure = bye.retry_after_s ? UPLOAD_LATER : UPLOAD_REFUSED;
	r = reason_code(bye.reason);
	/* That the receiver is stopped, or out of time, ends this link; we are neither. */
	if (r == -ECANCELED || r == -ETIME)
		r = -ECONNRESET;
	return error_set(err, r, "the receiver %s: %s",
			 f->type == FRAME_REFUSE ? "refuses" : "gives up", bye.text);
}

static int take_go(struct upload *u, const struct frame *f, struct error *err)
{
	const int r = go_get(f, &u->go, err);

	if (r < 0)
		return r;
	u->begin_off = u->stream_off = u->go.kind == GO_RESUME ? u->go.cursor.stream_bytes : 0;
	u->acked = u->checkpoint = u->go.kind == GO_RESUME ? u->go.cursor.segment : 0;
	u->state = UPLOAD_GOING;
	overdue_paid(&u->overdue);
	return 0;
}

/* The next answer to what was sent of the dump: only one that goes further than the last is one. */
static void owe_next(struct upload *u)
{
	const uint64_t read_again = u->begin_off + u->stream_off / READ_PART;

	if (u->acked < u->checkpoint)
		owe(u, "acknowledgement", 0);
	else if (u->state == UPLOAD_ENDING)
		owe(u, "DONE", read_again / READ_AGAIN_BYTES_PER_MS);
	else
		overdue_paid(&u->overdue);
}

static int take_ack(struct upload *u, const struct frame *f, struct error *err)
{
	uint64_t number;
	const int r = number_get(f, &number, err);

	if (r < 0)
		return r;
	if (number < u->acked || number > u->checkpoint)
		return error_set(err, -EPROTO,
				 "checkpoint %" PRIu64 " is acknowledged, of %" PRIu64
				 " to %" PRIu64,
				 number, u->acked, u->checkpoint);
	if (number > u->acked) {
		u->acked = number;
		owe_next(u);
	}
	return 0;
}

/* The receiver may have had the dump all along: then it says so at once. */
static int take_done(struct upload *u, const struct frame *f, struct error *err)
{
	struct done done;
	const int r = done_get(f, &done, err);

	if (r < 0)
		return r;
	if (u->state == UPLOAD_ENDING && memcmp(done.chain, u->chain, DIGEST_BYTES) != 0) {
		u->failure = UPLOAD_DIFFERS;
		return error_set(err, -EPROTO, "DONE, but with another digest");
	}
	memcpy(u->done_name, done.name, sizeof(u->done_name));
	u->state = UPLOAD_DONE;
	return 0;
}

/* Which states a frame may come in, a bit each. */
static uint32_t states_of(uint8_t type)
{
	const uint32_t early = 1U << UPLOAD_HELLO | 1U << UPLOAD_QUEUED;
	const uint32_t late = 1U << UPLOAD_GOING | 1U << UPLOAD_ENDING;

	switch ((enum frame_type)type) {
	case FRAME_WELCOME:
	case FRAME_WAIT:
	case FRAME_REFUSE:
		return early;
	case FRAME_GO:
		return 1U << UPLOAD_ASKED;
	case FRAME_ACK:
		return late;
	case FRAME_DONE:
		return early | 1U << UPLOAD_OPEN | 1U << UPLOAD_ASKED | 1U << UPLOAD_ENDING;
	case FRAME_ABORT:
	case FRAME_HEARTBEAT:
		return ~0U;
	default:
		return 0;
	}
}

static int take_heartbeat(struct upload *u, const struct frame *f, struct error *err)
{
	uint64_t taken_off;
	const int r = number_get(f, &taken_off, err);

	if (r == 0)
		u->taken_off = MAX(u->taken_off, taken_off);
	return r;
}

static int take_frame(struct upload *u, const struct frame *f, struct error *err)
{
	if (!(states_of(f->type) >> u->state & 1))
		return error_set(err, -EPROTO, "%s out of turn", frame_name(f->type));
	switch ((enum frame_type)f->type) {
	case FRAME_WELCOME:
		return take_welcome(u, f, err);
	case FRAME_WAIT:
		return take_wait(u, f, err);
	case FRAME_REFUSE:
	case FRAME_ABORT:
		return take_farewell(u, f, err);
	case FRAME_GO:
		return take_go(u, f, err);
	case FRAME_ACK:
		return take_ack(u, f, err);
	case FRAME_DONE:
		return take_done(u, f, err);
	default:
		return take_heartbeat(u, f, err);
	}
}

int upload_feed(struct upload *u, const uint8_t *bytes, size_t size_bytes, uint64_t now_ms,
		struct error *err)
{
	struct frame frame;
	int r = 0;

	/* Noise of a shell is no sign of life of the receiver; once it has spoken, every byte is.
	 */
	if (u->state != UPLOAD_HELLO && size_bytes)
		u->heard_ms = now_ms;
	while (u->state != UPLOAD_DONE &&
	       (r = frame_reader_feed(&u->in, &bytes, &size_bytes, &frame, err)) > 0) {
		u->heard_ms = now_ms;
		r = take_frame(u, &frame, err);
		if (r < 0)
			break;
	}
	return r;
}

/* --- out ------------------------------------------------------------------------------------ */

const uint8_t *upload_output(const struct upload *u, size_t *size_bytes_ret)
{
	return frame_writer_pending(&u->out, size_bytes_ret);
}

void upload_sent(struct upload *u, size_t size_bytes, uint64_t now_ms)
{
	size_t left;

	frame_writer_sent(&u->out, size_bytes);
	if (size_bytes)
		u->said_ms = now_ms;
	/* One way, nobody says DONE: what the pipe took is all that can be known. */
	frame_writer_pending(&u->out, &left);
	overdue_sent(&u->overdue, size_bytes, left, now_ms);
	if (u->oneway && u->state == UPLOAD_ENDING && left == 0)
		u->state = UPLOAD_DONE;
}

static int put_heartbeat(struct upload *u, struct error *err)
{
	struct outbuf payload = frame_begin(&u->out);

	number_put(&payload, u->stream_off);
	return frame_end(&u->out, FRAME_HEARTBEAT, &payload, err);
}

/* What waits to be sent says as much as a heartbeat. */
static bool may_beat(const struct upload *u)
{
	size_t pending;

	frame_writer_pending(&u->out, &pending);
	return u->state != UPLOAD_HELLO && u->state != UPLOAD_DONE && !pending;
}

int upload_tick(struct upload *u, uint64_t now_ms, struct error *err)
{
	size_t pending;
	int r;

	if (u->oneway)
		return 0;
	if (now_ms - u->heard_ms >= u->timeout_ms && u->state != UPLOAD_DONE)
		return error_set(err, -ETIMEDOUT, "nothing came for %" PRIu32 " s",
				 u->timeout_ms / 1000);
	frame_writer_pending(&u->out, &pending);
	r = u->state == UPLOAD_DONE ? 0 : overdue_check(&u->overdue, pending, now_ms, err);
	if (r < 0)
		return r;
	if (!may_beat(u) || now_ms - u->said_ms < u->heartbeat_ms)
		return 0;
	u->said_ms = now_ms;
	return put_heartbeat(u, err);
}

uint64_t upload_next_tick_ms(const struct upload *u)
{
	const uint64_t heard = u->heard_ms + u->timeout_ms, beat = u->said_ms + u->heartbeat_ms;
	const uint64_t silence = MIN(heard, overdue_next_ms(&u->overdue));

	if (u->oneway || u->state == UPLOAD_DONE)
		return UINT64_MAX;
	return may_beat(u) ? MIN(silence, beat) : silence;
}

int upload_attach(struct upload *u, const struct attach *piece, struct error *err)
{
	struct outbuf payload;
	int r;

	if (u->state != UPLOAD_OPEN)
		return error_set(err, -EPROTO, "no attachment can be sent now");
	if (piece->size_bytes > UPLOAD_ATTACH_BYTES)
		return error_set(err, -EPROTO, "a piece of %zu bytes is too large for a frame",
				 piece->size_bytes);
	if (frame_writer_room(&u->out) < UPLOAD_ATTACH_BYTES + 4 + ATTACH_NAME_ROOM + 16)
		return 0;
	payload = frame_begin(&u->out);
	attach_put(&payload, piece);
	r = frame_end(&u->out, FRAME_ATTACH, &payload, err);
	return r < 0 ? r : 1;
}

int upload_totals(struct upload *u, const struct totals *totals, struct error *err)
{
	struct outbuf payload;
	int r;

	if (u->state != UPLOAD_OPEN)
		return error_set(err, -EPROTO, "no totals can be sent now");
	if (frame_writer_room(&u->out) < SMALL_BYTES)
		return 0;
	payload = frame_begin(&u->out);
	totals_put(&payload, totals);
	r = frame_end(&u->out, FRAME_TOTALS, &payload, err);
	if (r < 0)
		return r;
	/* One way, nobody says GO. */
	u->state = u->oneway ? UPLOAD_GOING : UPLOAD_ASKED;
	owe(u, "GO", 0);
	return 1;
}

int64_t upload_data(struct upload *u, const uint8_t *bytes, size_t size_bytes, struct error *err)
{
	struct data d = {.stream_off = u->stream_off, .bytes = bytes};
	size_t room = frame_writer_room(&u->out);
	struct outbuf payload;
	int r;

	if (u->state != UPLOAD_GOING)
		return error_set(err, -EPROTO, "no data can be sent now");
	/* Frames are made full, so that there are few of them. */
	if (room < DATA_HEAD_BYTES + MIN(size_bytes, (size_t)UPLOAD_DATA_BYTES))
		return 0;
	d.size_bytes = MIN(size_bytes, (size_t)UPLOAD_DATA_BYTES);
	payload = frame_begin(&u->out);
	data_put(&payload, &d);
	r = frame_end(&u->out, FRAME_DATA, &payload, err);
	if (r < 0)
		return r;
	u->stream_off += d.size_bytes;
	return (int64_t)d.size_bytes;
}

int upload_checkpoint(struct upload *u, const struct checkpoint *checkpoint, struct error *err)
{
	const size_t bytes =
		CURSOR_BYTES + DIGEST_BYTES + 4 + checkpoint->segment.count * EXTENT_BYTES;
	struct outbuf payload;
	int r;

	if (u->state != UPLOAD_GOING)
		return error_set(err, -EPROTO, "no checkpoint can be sent now");
	if (frame_writer_room(&u->out) < bytes)
		return 0;
	payload = frame_begin(&u->out);
	checkpoint_put(&payload, checkpoint);
	r = frame_end(&u->out, FRAME_CHECKPOINT, &payload, err);
	if (r < 0)
		return r;
	/* Of several that wait for it, the first one's time counts. */
	if (u->acked == u->checkpoint)
		owe(u, "acknowledgement", 0);
	u->checkpoint = checkpoint->cursor.segment;
	return 1;
}

int upload_end(struct upload *u, const struct end *end, struct error *err)
{
	struct outbuf payload;
	int r;

	if (u->state != UPLOAD_GOING)
		return error_set(err, -EPROTO, "the end can't be sent now");
	if (frame_writer_room(&u->out) < SMALL_BYTES)
		return 0;
	payload = frame_begin(&u->out);
	end_put(&payload, end);
	r = frame_end(&u->out, FRAME_END, &payload, err);
	if (r < 0)
		return r;
	memcpy(u->chain, end->chain, DIGEST_BYTES);
	u->state = UPLOAD_ENDING;
	/* Or else the last acknowledgement is owed before it. */
	if (u->acked == u->checkpoint)
		owe_next(u);
	return 1;
}

void upload_abort(struct upload *u, enum reason reason, const char *text)
{
	struct farewell bye = {.reason = reason};
	struct outbuf payload = frame_begin(&u->out);
	struct error unused;

	snprintf(bye.text, sizeof(bye.text), "%s", text);
	farewell_put(&payload, &bye);
	(void)!frame_end(&u->out, FRAME_ABORT, &payload, &unused);
}

/* --- what is known -------------------------------------------------------------------------- */

enum upload_state upload_state(const struct upload *u)
{
	return u->state;
}

enum upload_failure upload_failure(const struct upload *u)
{
	return u->failure;
}

const char *upload_noise(const struct upload *u)
{
	return u->in.sequence ? "" : u->in.noise;
}

uint32_t upload_retry_after_s(const struct upload *u)
{
	return u->retry_after_s;
}

const struct welcome *upload_welcome(const struct upload *u)
{
	return &u->welcome;
}

const struct go *upload_go(const struct upload *u)
{
	return &u->go;
}

uint64_t upload_acked(const struct upload *u)
{
	return u->acked;
}

bool upload_was_taken(const struct upload *u)
{
	return u->stream_off > u->begin_off && (u->gave_up || u->taken_off > u->begin_off);
}

uint32_t upload_place(const struct upload *u)
{
	return u->place;
}

const char *upload_done_name(const struct upload *u)
{
	return u->done_name;
}

uint64_t upload_stream_off(const struct upload *u)
{
	return u->stream_off;
}
