/*
 * The receiver's side of a session, as a step machine: bytes that came go in, bytes to send come
 * out, the time is told. What the frames ask for is done by a table of operations. docs/PROTOCOL.md
 * has the dialogue.
 *
 *   HELLO ─► [QUEUED] ─► OPEN (attachments) ─► GOING (data, checkpoints) ─► DONE
 *
 * A failure of any call ends the session; what is to be said to the sender about it is then among
 * the output.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/message.h"

struct session;

enum session_state {
	SESSION_HELLO,	/* awaited */
	SESSION_QUEUED, /* its turn hasn't come: WAIT was said */
	SESSION_OPEN,	/* welcomed */
	SESSION_GOING,	/* GO was said */
	SESSION_DONE,	/* the dump is complete and durable, and the sender is told */
};

/*
 * What is done for a session. Each fails with *err set, which ends it; the sender is told *err's
 * text, with the reason that fits its code (-EALREADY: a newer link has the dump;
 * -EUSERS: others need its place).
 */
struct session_ops {
	/* A dump is offered. Returns 0 (welcome_ret is filled in but for protocol and times), or 1
	 * if it is here already (*done_ret filled in). `payload` is the HELLO as it came. */
	int (*hello)(void *ctx, const struct hello *hello, const struct frame *payload,
		     struct welcome *welcome_ret, struct done *done_ret, struct error *err);

	int (*attach)(void *ctx, const struct attach *attach, struct error *err);

	/* All that goes first has come: where the sender shall begin. */
	int (*totals)(void *ctx, const struct totals *totals, struct go *go_ret, struct error *err);

	/* The next bytes of the stream. */
	int (*data)(void *ctx, const uint8_t *bytes, size_t size_bytes, struct error *err);

	/* All bytes up to the checkpoint were given: judge them. `frame` is it as it came. */
	int (*checkpoint)(void *ctx, const struct checkpoint *checkpoint, const struct frame *frame,
			  struct error *err);

	/* Make everything up to the last checkpoint durable. */
	int (*sync)(void *ctx, struct error *err);

	/* The dump is whole: judge it, publish it. */
	int (*end)(void *ctx, const struct end *end, const struct frame *frame,
		   struct done *done_ret, struct error *err);
};

/*
 * Whether a session may begin, asked at HELLO and then every moment: 0, or its place in the queue
 * (1: the next). Fails if it may not: for good (-EACCES), or because the queue is full (-EAGAIN).
 */
typedef int session_admit_fn(void *ctx, const struct hello *hello, struct error *err);

struct session_setup {
	const struct session_ops *ops; /* borrowed */
	void *ctx;
	session_admit_fn *admit; /* NULL: all may */
	void *admit_ctx;
	bool oneway;	     /* nothing can be said: HELLO has to say oneway, too */
	uint32_t timeout_ms; /* no byte for so long breaks the link; until HELLO is whole, so long
				altogether. Heartbeats are a quarter of it, and until
				WELCOME a second apart at the most */
};

/* Room for all that the receiver says between two sends. */
enum { SESSION_OUTPUT_BYTES = 16 << 10 };

NODISCARD int session_new(const struct session_setup *setup, uint64_t now_ms,
			  struct session **s_ret, struct error *err);
void session_free(struct session *s);
DEFINE_AUTO(struct session, session_free)

/* Take bytes that came; what comes behind the end is ignored. Fails -EBADMSG, -EPROTO, -ENOTSUP for
 * what breaks the rules, with the error of an ABORT (reason_code()), or with what an operation
 * says. */
NODISCARD int session_feed(struct session *s, const uint8_t *bytes, size_t size_bytes,
			   uint64_t now_ms, struct error *err);

/* From now on the sender is listened to again: what it says while an operation goes on isn't read,
 * so its silence counts from here. */
void session_listens(struct session *s, uint64_t now_ms);

/* The time has come for a heartbeat, an acknowledgement, or the end of patience (-ETIMEDOUT). */
NODISCARD int session_tick(struct session *s, uint64_t now_ms, struct error *err);
uint64_t session_next_tick_ms(const struct session *s);

/* Something takes long, perhaps in one of the operations: a heartbeat if one is due. */
NODISCARD int session_beat(struct session *s, uint64_t now_ms, struct error *err);

/* What is to be sent, borrowed until the next call; and that so much of it was. */
const uint8_t *session_output(const struct session *s, size_t *size_bytes_ret);
void session_sent(struct session *s, size_t size_bytes, uint64_t now_ms);

/* Say why this side gives up; retry_after_s > 0: the sender may come again. */
void session_abort(struct session *s, int code, uint32_t retry_after_s, const char *text);

/* The same of an error that ends the session, with the time that fits its code. */
void session_fail(struct session *s, const struct error *err);

enum session_state session_state(const struct session *s);

/* Whether an operation is on for whose result the sender waits, at HELLO or TOTALS. It has said no
 * more then, so if it has gone, nothing is lost with the operation. */
bool session_is_asked(const struct session *s);

#endif
