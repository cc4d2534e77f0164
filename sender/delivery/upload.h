/*
 * The sender's side of a session, as a step machine: bytes that came go in, bytes to send come out,
 * the time is told. It does no input or output. docs/PROTOCOL.md has the dialogue.
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
	UPLOAD_HELLO,  /* sent, no answer so far */
	UPLOAD_QUEUED, /* WAIT: the receiver has no room for it yet */
	UPLOAD_OPEN,   /* WELCOME: attachments and totals may be sent */
	UPLOAD_ASKED,  /* TOTALS sent: GO is awaited */
	UPLOAD_GOING,  /* data and checkpoints */
	UPLOAD_ENDING, /* END sent */
	UPLOAD_DONE,   /* the receiver has the whole dump, durably; or, one way, all is sent */
};

/* Why a session failed. */
enum upload_failure {
	UPLOAD_BROKEN,	/* the link, or what came over it: connect again and resume */
	UPLOAD_LATER,	/* refused for now; upload_retry_after_s() */
	UPLOAD_REFUSED, /* for good: the next destination */
	UPLOAD_DIFFERS, /* it has another dump than was sent: once more, but not again and again */
};

struct upload_setup {
	struct hello hello;  /* protocol_min, protocol_max, oneway and agent are filled in */
	bool oneway;	     /* nothing comes back: what isn't refused by the pipe is taken */
	bool skip_noise;     /* a remote shell may print before the receiver speaks */
	uint32_t timeout_ms; /* silence that counts as a broken link until WELCOME says more */

	/* How long the receiver may owe an answer, heartbeats or not, and how much it has to take
	   meanwhile. Some work on large dumps is given more time. 0: without end. */
	uint64_t heartbeat_ms;
	uint64_t least_bytes_per_s;
};

enum {
	UPLOAD_DATA_BYTES = 256 << 10,	  /* of the stream in a DATA frame */
	UPLOAD_ATTACH_BYTES = 64 << 10,	  /* of an attachment in a frame */
	UPLOAD_OUTPUT_BYTES = 2304 << 10, /* two of the largest frames, and some small ones */

	/* Where there is no room, output is added when no more than this waits: so that it is moved
	   once per MiB, the largest frame has room, and enough is left for the link to be known as
	   the limit (codec_pace.c). */
	UPLOAD_LOW_WATER_BYTES = 1216 << 10,
};

/* HELLO is among its output from the beginning. Fails -ENOMEM. */
NODISCARD int upload_new(const struct upload_setup *setup, uint64_t now_ms, struct upload **u_ret,
			 struct error *err);
void upload_free(struct upload *u);
DEFINE_AUTO(struct upload, upload_free)

/* Take bytes that came; behind DONE they are ignored. Fails with what ends the session: a broken
 * rule (-EBADMSG, -EPROTO, -ENOTSUP), REFUSE or ABORT (reason_code()). */
NODISCARD int upload_feed(struct upload *u, const uint8_t *bytes, size_t size_bytes,
			  uint64_t now_ms, struct error *err);

/* What is to be sent (borrowed until the next call), and that so much of it was. */
const uint8_t *upload_output(const struct upload *u, size_t *size_bytes_ret);
void upload_sent(struct upload *u, size_t size_bytes, uint64_t now_ms);

/* The time has come: a heartbeat may be due. Fails -ETIMEDOUT after too much silence, or too much
 * patience. */
NODISCARD int upload_tick(struct upload *u, uint64_t now_ms, struct error *err);

/* When upload_tick() has something to do at the latest. */
uint64_t upload_next_tick_ms(const struct upload *u);

enum upload_state upload_state(const struct upload *u);
enum upload_failure upload_failure(const struct upload *u);
uint32_t upload_retry_after_s(const struct upload *u);

/* The last line of what came in place of a first frame; "" if nothing did. */
const char *upload_noise(const struct upload *u);

/* From the receiver: WELCOME (from OPEN on), GO (from GOING on), the newest acknowledged
 * checkpoint, the name that the dump got (DONE). */
const struct welcome *upload_welcome(const struct upload *u);
const struct go *upload_go(const struct upload *u);
uint64_t upload_acked(const struct upload *u);
/* While it is QUEUED: the place in the queue, 1 for the next. */
uint32_t upload_place(const struct upload *u);
const char *upload_done_name(const struct upload *u);
/* Bytes of the stream given to upload_data(). */
uint64_t upload_stream_off(const struct upload *u);
/* Whether the receiver holds some of the stream that wasn't acknowledged: by its heartbeats, or for
 * it gave up, with a word, over what had come. */
bool upload_was_taken(const struct upload *u);

/*
 * What the sender says. Each returns how much was taken: 0 means that the output has no room for
 * it, or that its turn hasn't come; call again once output was sent. They fail -EPROTO for a call
 * that can't be right in this state.
 */

/* OPEN: a piece of an attachment, of UPLOAD_ATTACH_BYTES at most. Takes all of it, and returns 1.
 */
NODISCARD int upload_attach(struct upload *u, const struct attach *piece, struct error *err);

/* OPEN: everything that goes first was sent. Makes it ASKED. */
NODISCARD int upload_totals(struct upload *u, const struct totals *totals, struct error *err);

/* GOING: the next bytes of the stream. */
NODISCARD int64_t upload_data(struct upload *u, const uint8_t *bytes, size_t size_bytes,
			      struct error *err);

/* GOING. */
NODISCARD int upload_checkpoint(struct upload *u, const struct checkpoint *checkpoint,
				struct error *err);

/* GOING: everything was sent. Makes it ENDING. */
NODISCARD int upload_end(struct upload *u, const struct end *end, struct error *err);

/* Any time: give up, cleanly. Never fails: without room there is nothing to say. */
void upload_abort(struct upload *u, enum reason reason, const char *text);

#endif
