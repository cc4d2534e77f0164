/*
 * The payloads of a session's frames. docs/PROTOCOL.md has the dialogue.
 *
 * The put functions write a payload; their caller checks the outbuf once, at its end. The get
 * functions read a payload that nobody vouches for, and fail -EBADMSG where it is malformed or has
 * trailing bytes. Texts in their results end in a NUL, have no control characters, and are cut to
 * their room.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/segment.h"
#include "wire/frame.h"

enum {
	PROTOCOL_VERSION = 1,
	MESSAGE_TEXT_ROOM = 200,
	ATTACH_NAME_ROOM = 64,
	ATTACH_BYTES_MAX = 64 << 20, /* of one attachment; more is refused */
	ATTACH_COUNT_MAX = 8,
	SILENCE_MAX_MS = 3600000, /* the most that WELCOME may ask for */
};

/* The reason why a peer refuses or gives up. The wire has its number, so a reason may be added, but
 * none is ever changed. */
enum reason {
	REASON_OTHER = 0,
	REASON_POLICY = 1,   /* the operator's rules */
	REASON_NO_SPACE = 2, /* of disk, or of quota */
	REASON_BUSY = 3,     /* too many sessions; a retry may help */
	REASON_PROTOCOL = 4, /* version, or a frame out of turn */
	REASON_STOPPED = 5,  /* by its operator, or a signal */
	REASON_DEADLINE = 6, /* the sender's time is over */
	REASON_MISMATCH = 7, /* the dump that was begun is another one, or its digest differs */
	REASON_IO = 8,	     /* reading or writing failed */
	REASON_IDENTITY = 9, /* the peer hasn't proved who it is */
};

/* The error code for a reason that the peer gave: -EACCES (policy, identity), -ENOSPC, -EAGAIN
 * (busy), -ECANCELED (stopped), -ETIME (deadline), -EPROTO, -ESTALE (mismatch), -EIO. */
int reason_code(uint32_t reason);

/* The reverse, for the side that gives up: REASON_OTHER where no reason says as much as the code.
 */
enum reason reason_of_code(int code);

/* S -> R: lines of key=value. */
struct hello {
	uint32_t protocol_min, protocol_max;
	uint8_t dump_id[DIGEST_BYTES];
	bool oneway;   /* nothing can come back */
	bool live;     /* the kernel runs on while it is dumped */
	bool probe;    /* no dump follows: the sender asks whether one would be taken */
	char host[65]; /* the crashed kernel's node name: a claim, not a proof */
	char osrelease[65];
	char arch[16];
	int64_t crash_time_s; /* since 1970; 0: not known */
	char panic[MESSAGE_TEXT_ROOM];
	uint32_t level, page_bytes;
	char codec[16];
	int32_t codec_level; /* 0: the codec's own */
	char agent[48];	     /* "vmsend 0.1.0" */
};
void hello_put(struct outbuf *o, const struct hello *h);
NODISCARD int hello_get(const struct frame *f, struct hello *h_ret, struct error *err);

/* R -> S: lines of key=value. */
struct welcome {
	uint32_t protocol;
	uint32_t heartbeat_ms; /* each side sends something at least this often */
	uint32_t timeout_ms;   /* silence after which the link counts as broken */
	uint64_t free_bytes;   /* on the receiver's disk, for --probe; 0: not known, or full */
	bool full;	       /* nothing is free there */
	char part[MESSAGE_TEXT_ROOM]; /* path of the dump while it comes; "": not known */
	char host[65];		      /* the name under which the receiver knows the sender */
	char agent[48];
};
void welcome_put(struct outbuf *o, const struct welcome *w);
NODISCARD int welcome_get(const struct frame *f, struct welcome *w_ret, struct error *err);

/* R -> S: le32 place in the queue. */
struct wait {
	uint32_t place;
};
void wait_put(struct outbuf *o, const struct wait *w);
NODISCARD int wait_get(const struct frame *f, struct wait *w_ret, struct error *err);

/* REFUSE (R -> S): le32 code, le32 seconds, text. ABORT (both): the same, with 0 seconds. */
struct farewell {
	uint32_t reason;	/* enum reason, or one that we don't know */
	uint32_t retry_after_s; /* 0: final */
	char text[MESSAGE_TEXT_ROOM];
};
void farewell_put(struct outbuf *o, const struct farewell *f);
NODISCARD int farewell_get(const struct frame *f, struct farewell *f_ret, struct error *err);

/* S -> R: le32 length of the name, name, le64 offset, le64 size of the whole, bytes. The pieces of
 * an attachment come in order and without gaps. An attachment that begins again at offset 0
 * replaces the earlier one of its name. */
struct attach {
	char name[ATTACH_NAME_ROOM]; /* [A-Za-z0-9._-], not beginning with a dot */
	uint64_t off, total_bytes;
	const uint8_t *bytes; /* borrowed */
	size_t size_bytes;
};
void attach_put(struct outbuf *o, const struct attach *a);
NODISCARD int attach_get(const struct frame *f, struct attach *a_ret, struct error *err);

/* S -> R: le64 each. */
struct totals {
	uint64_t pages;	    /* in the dump */
	uint64_t ram_pages; /* of the crashed kernel */
	uint64_t max_bytes; /* the most that the file can become long */
};
void totals_put(struct outbuf *o, const struct totals *t);
NODISCARD int totals_get(const struct frame *f, struct totals *t_ret, struct error *err);

/* R -> S: a byte of kind, a byte of level, then for GO_RESUME a cursor, D of it, and D(1). */
enum go_kind {
	GO_BEGIN,    /* send from the prologue on */
	GO_RESUME,   /* send from the cursor on */
	GO_LEVEL,    /* not at this level: send HELLO again, and leave out the pages of `level` as
			well */
	GO_LOG_ONLY, /* only the attachments are wanted: send END */
};
struct go {
	enum go_kind kind;
	uint8_t level;
	struct cursor cursor;
	uint8_t chain[DIGEST_BYTES], first[DIGEST_BYTES]; /* D(cursor.segment), D(1) */
};
void go_put(struct outbuf *o, const struct go *g);
NODISCARD int go_get(const struct frame *f, struct go *g_ret, struct error *err);

/* S -> R: le64 offset in the flattened stream, bytes. */
struct data {
	uint64_t stream_off;
	const uint8_t *bytes; /* borrowed */
	size_t size_bytes;    /* > 0 */
};
enum { DATA_HEAD_BYTES = 8 };
void data_put(struct outbuf *o, const struct data *d);
NODISCARD int data_get(const struct frame *f, struct data *d_ret, struct error *err);

/* S -> R: a cursor (its `segment` is the checkpoint's number), D of it, the segment's table.
 * checkpoint_get() takes a struct of zeros, or one that is used again. */
struct checkpoint {
	struct cursor cursor;
	uint8_t chain[DIGEST_BYTES];
	struct segment segment; /* owned: segment_deinit() */
};
void checkpoint_put(struct outbuf *o, const struct checkpoint *c);
NODISCARD int checkpoint_get(const struct frame *f, struct checkpoint *c_ret, struct error *err);

/* R -> S: le64 number of a checkpoint. HEARTBEAT (both): le64 stream bytes that were sent or taken
 * by now. */
void number_put(struct outbuf *o, uint64_t number);
NODISCARD int number_get(const struct frame *f, uint64_t *number_ret, struct error *err);

/* S -> R, after the last CHECKPOINT: le64 segments, stream bytes, pages, unreadable pages; the
 * chain. */
struct end {
	uint64_t segments, stream_bytes, pages, unreadable;
	uint8_t chain[DIGEST_BYTES];
};
void end_put(struct outbuf *o, const struct end *e);
NODISCARD int end_get(const struct frame *f, struct end *e_ret, struct error *err);

/* R -> S: the chain, then the final name (text). */
struct done {
	uint8_t chain[DIGEST_BYTES];
	char name[MESSAGE_TEXT_ROOM];
};
void done_put(struct outbuf *o, const struct done *d);
NODISCARD int done_get(const struct frame *f, struct done *d_ret, struct error *err);

#endif
