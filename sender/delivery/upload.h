/*
 * The sender's side of a session, as a step machine: the caller puts in the bytes that came, takes
 * out the bytes to send, and tells the time. It does no input or output. docs/PROTOCOL.md has the
 * dialogue.
 *
 *   HELLO ─► OPEN (attachments) ─► ASKED (totals) ─► GOING (data, checkpoints) ─► ENDING ─► DONE
 *
 * A failure of any call ends the link; upload_failure() says what that means for the dump.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct upload;

enum upload_state {
	UPLOAD_HELLO,  /* HELLO is sent, no answer has come yet */
	UPLOAD_QUEUED, /* WAIT: the receiver has no place for the session yet */
	UPLOAD_OPEN,   /* WELCOME: attachments and totals may be sent */
	UPLOAD_ASKED,  /* TOTALS sent: GO is awaited */
	UPLOAD_GOING,  /* data and checkpoints */
	UPLOAD_ENDING, /* END sent */
	UPLOAD_DONE,   /* the receiver has the whole dump, durably; or, one way, all is sent */
};

/* Why a session failed. */
enum upload_failure {
	UPLOAD_BROKEN,	/* the link broke, or bytes on it were wrong: connect again and resume */
	UPLOAD_LATER,	/* refused for now; upload_retry_after_s() */
	UPLOAD_REFUSED, /* never: go on to the next destination */
	UPLOAD_DIFFERS, /* the receiver's part is another dump: send once more, but not again and
			   again */
};

struct upload_setup {
	struct hello hello;  /* protocol_min, protocol_max, oneway and agent are filled in */
	bool oneway;	     /* nothing comes back: bytes that the pipe takes count as received */
	bool skip_noise;     /* a remote shell may print before the receiver speaks */
	uint32_t timeout_ms; /* silence that counts as a broken link until WELCOME says more */

	/* How long the receiver may owe an answer, even if its heartbeats come, and how many bytes
	 * it has to take meanwhile. Some work on large dumps gets more time. 0: no limit. */
	uint64_t answer_ms;
	uint64_t least_bytes_per_s;
};

enum {
	UPLOAD_DATA_BYTES = 256 << 10,	  /* of the stream in a DATA frame */
	UPLOAD_ATTACH_BYTES = 64 << 10,	  /* of an attachment in a frame */
	UPLOAD_OUTPUT_BYTES = 2304 << 10, /* two of the largest frames, and some small ones */

	/* After the output was full, bytes are added again when no more than this waits: so that
	 * bytes are moved once per MiB, the largest frame has room, and enough bytes wait to show
	 * that the link is the limit (codec_pace.c). */
	UPLOAD_LOW_WATER_BYTES = 1216 << 10,
};

/* Its output begins with HELLO. Fails -ENOMEM. */
NODISCARD int upload_new(const struct upload_setup *setup, uint64_t now_ms, struct upload **u_ret,
			 struct error *err);
void upload_free(struct upload *u);
DEFINE_AUTO(struct upload, upload_free)

/* Take bytes that came; after DONE they are ignored. Fails with the error that ends the session: a
 * broken rule (-EBADMSG, -EPROTO, -ENOTSUP), REFUSE or ABORT (reason_code()). */
NODISCARD int upload_feed(struct upload *u, const uint8_t *bytes, size_t size_bytes,
			  uint64_t now_ms, struct error *err);

/* The bytes that wait to be sent (borrowed until the next call). The caller then says how many of
 * them were sent. */
const uint8_t *upload_output(const struct upload *u, size_t *size_bytes_ret);
void upload_sent(struct upload *u, size_t size_bytes, uint64_t now_ms);

/* Send a heartbeat if one is due. Fails -ETIMEDOUT after too long a silence, or where an answer is
 * overdue. */
NODISCARD int upload_tick(struct upload *u, uint64_t now_ms, struct error *err);

/* The time at which upload_tick() has to be called again at the latest. */
uint64_t upload_next_tick_ms(const struct upload *u);

enum upload_state upload_state(const struct upload *u);
enum upload_failure upload_failure(const struct upload *u);
uint32_t upload_retry_after_s(const struct upload *u);

/* The last line that came before a first frame; "" if none did. */
const char *upload_noise(const struct upload *u);

/* Facts from the receiver: WELCOME (from OPEN on), GO (from GOING on), the newest acknowledged
 * checkpoint, the final name of the dump (DONE). */
const struct welcome *upload_welcome(const struct upload *u);
const struct go *upload_go(const struct upload *u);
uint64_t upload_acked(const struct upload *u);
/* While the session is QUEUED: its place in the queue, 1 for the next. */
uint32_t upload_place(const struct upload *u);
const char *upload_done_name(const struct upload *u);
/* Bytes of the stream given to upload_data(). */
uint64_t upload_stream_off(const struct upload *u);
/* Whether the receiver has bytes of the stream that it didn't acknowledge, as its heartbeats say,
 * or its ABORT after bytes had come. */
bool upload_was_taken(const struct upload *u);

/*
 * Calls that put the sender's frames into the output. Each returns how much was taken: 0 means that
 * the output has no room, or that the frame's turn hasn't come; the caller tries again once output
 * was sent. They fail -EPROTO for a frame that can't be right in this state.
 */

/* OPEN: a piece of an attachment, of UPLOAD_ATTACH_BYTES at most. Takes all of it, and returns 1.
 */
NODISCARD int upload_attach(struct upload *u, const struct attach *piece, struct error *err);

/* OPEN: all attachments were sent. The session becomes ASKED. */
NODISCARD int upload_totals(struct upload *u, const struct totals *totals, struct error *err);

/* GOING: the next bytes of the stream. */
NODISCARD int64_t upload_data(struct upload *u, const uint8_t *bytes, size_t size_bytes,
			      struct error *err);

/* GOING. */
NODISCARD int upload_checkpoint(struct upload *u, const struct checkpoint *checkpoint,
				struct error *err);

/* GOING: the whole stream was sent. The session becomes ENDING. */
NODISCARD int upload_end(struct upload *u, const struct end *end, struct error *err);

/* At any time: put ABORT into the output. Never fails: without room there is no ABORT. */
void upload_abort(struct upload *u, enum reason reason, const char *text);

#endif
