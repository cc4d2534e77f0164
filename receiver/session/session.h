/*
 * The receiver's side of a session, as a step machine: the caller puts in the bytes that came,
 * takes out the bytes to send, and tells the time. A table of operations does what the frames ask
 * for. docs/PROTOCOL.md has the dialogue.
 *
 *   HELLO ─► [QUEUED] ─► OPEN (attachments) ─► GOING (data, checkpoints) ─► DONE
 *
 * A failure of any call ends the session; the output then has the frame that tells the sender about
 * it.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct session;

enum session_state {
	SESSION_HELLO,	/* HELLO hasn't come yet */
	SESSION_QUEUED, /* its turn hasn't come: WAIT was sent */
	SESSION_OPEN,	/* WELCOME was sent */
	SESSION_GOING,	/* GO was sent */
	SESSION_DONE,	/* the dump is complete and durable, and DONE was sent */
};

/*
 * The operations of a session. Where one fails, with *err set, the session ends; the sender is told
 * *err's text, with the reason that fits its code (-EALREADY: a newer link has the dump; -EUSERS:
 * others need its place; -ENOBUFS: there is no space now).
 */
struct session_ops {
	/* A dump is offered. Returns 0 (welcome_ret is filled in but for protocol and times), or 1
	 * if it is here already (*done_ret filled in). `payload` is the HELLO as it came. */
	int (*hello)(void *ctx, const struct hello *hello, const struct frame *payload,
		     struct welcome *welcome_ret, struct done *done_ret, struct error *err);

	int (*attach)(void *ctx, const struct attach *attach, struct error *err);

	/* The attachments and TOTALS have come. Says where the sender shall begin. */
	int (*totals)(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err);

	/* The next bytes of the stream. */
	int (*data)(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err);

	/* All bytes up to the checkpoint were given: check them. `frame` is the CHECKPOINT as it
	 * came. */
	int (*checkpoint)(void *ctx, const struct checkpoint *checkpoint, const struct frame *frame,
			  struct error *err);

	/* Make everything up to the last checkpoint durable. */
	int (*sync)(void *ctx, struct error *err);

	/* The dump is whole: check it, publish it. */
	int (*end)(void *ctx, const struct end *end, const struct frame *frame,
		   struct done *done_ret, struct error *err);
};

/*
 * Whether a session may begin; called at HELLO, and then every 200 ms. Returns 0, or the session's
 * place in the queue (1: the next). Fails if it may not begin: never (-EACCES), or not now because
 * the queue is full (-EAGAIN).
 */
typedef int session_admit_fn(void *ctx, const struct hello *hello, struct error *err);

struct session_setup {
	const struct session_ops *ops; /* borrowed */
	void *ctx;
	session_admit_fn *admit; /* NULL: every session may begin */
	void *admit_ctx;
	/* Where admit() fails -EAGAIN: the seconds after which the sender may come again
	 * (borrowed); NULL, or 0: the usual. */
	const uint32_t *retry_s;
	bool oneway;	     /* the link has no way back: HELLO must say oneway, too */
	uint32_t timeout_ms; /* the link counts as broken when no byte has come for so long, or no
				whole HELLO since the beginning. Heartbeats are sent every quarter
				of it, and before WELCOME every second at least */
};

/* Room for all frames of the receiver between two sends. */
enum { SESSION_OUTPUT_BYTES = 16 << 10 };

NODISCARD int session_new(const struct session_setup *setup, uint64_t now_ms,
			  struct session **s_ret, struct error *err);
void session_free(struct session *s);
DEFINE_AUTO(struct session, session_free)

/* Take bytes that came; bytes after the session's end are ignored. Fails -EBADMSG, -EPROTO,
 * -ENOTSUP where they break the rules, with the error of an ABORT (reason_code()), or with the
 * error of an operation. */
NODISCARD int session_feed(struct session *s, const uint8_t *bytes, size_t size_bytes,
			   uint64_t now_ms, struct error *err);

/* The caller reads from the sender again. Nothing is read during an operation, so the sender's
 * silence counts from now on. */
void session_listens(struct session *s, uint64_t now_ms);

/* Send a heartbeat or an acknowledgement if one is due. Fails -ETIMEDOUT where the sender was
 * silent for too long. */
NODISCARD int session_tick(struct session *s, uint64_t now_ms, struct error *err);
uint64_t session_next_tick_ms(const struct session *s);

/* For work that takes long, perhaps in one of the operations: send a heartbeat if one is due. */
NODISCARD int session_beat(struct session *s, uint64_t now_ms, struct error *err);

/* The bytes that wait to be sent, borrowed until the next call. The caller then says how many of
 * them were sent. */
const uint8_t *session_output(const struct session *s, size_t *size_bytes_ret);
void session_sent(struct session *s, size_t size_bytes, uint64_t now_ms);

/* Tell the sender why this side gives up; retry_after_s > 0: the sender may come again. */
void session_abort(struct session *s, int code, uint32_t retry_after_s, const char *text);

/* The same for an error that ends the session, with the time that fits its code. */
void session_fail(struct session *s, const struct error *err);

enum session_state session_state(const struct session *s);

/* Whether an operation is going on for whose result the sender waits, at HELLO or TOTALS. The
 * sender has sent nothing after that frame, so if it has gone, nothing is lost by ending the
 * operation. */
bool session_is_asked(const struct session *s);

#endif
