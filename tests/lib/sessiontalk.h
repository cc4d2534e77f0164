/*
 * A session's receiver with no files behind it, and a sender of the test's own that talks to it,
 * one frame at a time.
 */
#ifndef TESTS_SESSIONTALK_H
#define TESTS_SESSIONTALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "receiver/session/session.h"
#include "tests/lib/tinysession.h"
#include "wire/frame.h"
#include "wire/message.h"

enum { TIMEOUT_MS = 20000, BEAT_MS = TIMEOUT_MS / 4, ACK_MS = 1000 };

/* What the receiver was asked for, and what it shall answer. */
enum op { OP_HELLO, OP_ATTACH, OP_TOTALS, OP_DATA, OP_CHECKPOINT, OP_SYNC, OP_END, OP_COUNT };

struct fake {
	unsigned calls[OP_COUNT];
	enum op fails; /* with `code`; 0: it succeeds */
	int code;
	bool there_already;
	struct go go;
	struct stream data; /* what came */
	struct hello hello;
	size_t synced; /* checkpoints before the last sync */
	int place;     /* in the queue; < 0: none is to be had */
	bool asked_for_probe;
};

/* The dump that is talked about: the test makes it. */
extern struct tinysession tiny;

struct talk {
	struct session *s;
	struct fake fake;
	struct frame_writer out; /* of the sender */
	struct frame_reader in;	 /* of the sender */
	uint64_t now_ms;
	struct error err;
};

void talk_init(struct talk *t, bool oneway);
void talk_deinit(struct talk *t);

/* Hand over bytes, whatever they are: what session_feed() returns; its error is t->err. */
int talk_feed(struct talk *t, const void *bytes, size_t size_bytes);

/* The next frame that the receiver has said; type 0 if there is none. */
struct frame talk_hear(struct talk *t);

/* Say a frame; they return as talk_feed(). */
struct outbuf talk_begin(struct talk *t);
int talk_say(struct talk *t, enum frame_type type, const struct outbuf *payload);
int talk_say_hello(struct talk *t, const struct hello *hello);
int talk_say_attach(struct talk *t, const struct attach *attach);
int talk_say_totals(struct talk *t);
int talk_say_data(struct talk *t, uint64_t off, size_t size_bytes);
int talk_say_checkpoint(struct talk *t, uint64_t number, uint64_t stream_bytes);
int talk_say_number(struct talk *t, enum frame_type type, uint64_t number);
int talk_say_end(struct talk *t);
int talk_say_abort(struct talk *t, enum reason reason);

/* As far as a state. */
void talk_reach(struct talk *t, enum session_state state);

/* The last words are these: which, why and whether to come again; the text is that of t->err. */
void talk_expect_farewell(struct talk *t, enum frame_type type, enum reason reason,
			  uint32_t retry_s);

#endif
