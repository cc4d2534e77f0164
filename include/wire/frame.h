/*
 * The frames that a session is made of: a header of 24 bytes and a payload. All integers are
 * little-endian. docs/PROTOCOL.md, "Frame".
 *
 *   0 magic "VMSF"   4 version   5 type   6 flags (0)   8 payload bytes   12 CRC-32C of header
 *   (with this field 0) and payload   16 sequence: frames before this one in this direction
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/outbuf.h"

#define FRAME_MAGIC "VMSF"

enum {
	FRAME_VERSION = 1,
	FRAME_HEADER_BYTES = 24,
	FRAME_PAYLOAD_MAX = 1 << 20,

	/* The bytes that a remote shell may print before the first frame. */
	FRAME_NOISE_MAX = 8 << 10,

	/* A peer that doesn't know a type from here on ignores its frames. */
	FRAME_OPTIONAL = 0x80,
};

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_WELCOME,
	FRAME_WAIT,
	FRAME_REFUSE,
	FRAME_ATTACH,
	FRAME_TOTALS,
	FRAME_GO,
	FRAME_DATA,
	FRAME_CHECKPOINT,
	FRAME_ACK,
	FRAME_HEARTBEAT,
	FRAME_END,
	FRAME_DONE,
	FRAME_ABORT,
	FRAME_TYPE_END, /* one past the last */
};

/* "HELLO" …; "type 77" for a type without a name (static storage, any thread). */
const char *frame_name(uint8_t type);

/* A frame as it came. */
struct frame {
	uint8_t type;
	const uint8_t *payload; /* borrowed from the reader until its next call */
	size_t payload_bytes;
};

/* --- out ------------------------------------------------------------------------------------ */

/* Frames on their way out, in a buffer of fixed size. */
struct frame_writer {
	uint8_t *bytes; /* ours */
	size_t begin, end, room;
	uint64_t sequence; /* of the next frame */
};

/* Fails -ENOMEM. frame_writer_deinit() accepts a struct of zeros. */
NODISCARD int frame_writer_init(struct frame_writer *w, size_t room_bytes, struct error *err);
void frame_writer_deinit(struct frame_writer *w);

/* The largest payload that a frame could have now. */
size_t frame_writer_room(const struct frame_writer *w);

/*
 * Begin a frame: the returned cursor takes its payload, and frame_end() makes it part of the
 * output. No other call in between. frame_end() fails -ENOBUFS if the payload didn't fit: then
 * nothing was added.
 */
struct outbuf frame_begin(struct frame_writer *w);
NODISCARD int frame_end(struct frame_writer *w, enum frame_type type, const struct outbuf *payload,
			struct error *err);

/* The bytes that wait to be sent, borrowed until the next call. The caller then says how many of
 * them were sent. */
const uint8_t *frame_writer_pending(const struct frame_writer *w, size_t *size_bytes_ret);
void frame_writer_sent(struct frame_writer *w, size_t size_bytes);

/* --- in ------------------------------------------------------------------------------------- */

/* Frames out of bytes that come in pieces of any size. The memory that they take is one frame, at
 * most 1 MiB. */
struct frame_reader {
	uint8_t *bytes; /* ours */
	size_t have, room;
	uint64_t sequence;    /* of the next frame */
	bool whole;	      /* bytes[] is a frame that was given out */
	bool skip_noise;      /* before the first frame */
	size_t skipped_bytes; /* of noise */
	char noise[160];      /* its last line, fit for a terminal, with a NUL */
	bool noise_ended;     /* that line has its end */
};

/* `skip_noise`: up to FRAME_NOISE_MAX bytes before the first magic are passed over. */
void frame_reader_init(struct frame_reader *r, bool skip_noise);
void frame_reader_deinit(struct frame_reader *r);

/*
 * Take bytes from *bytes, *size_bytes (both are moved on): 1 and *frame_ret set once a frame is
 * whole and right, or 0 when all was taken. Fails -EBADMSG (magic, flags, length, CRC, sequence, an
 * unknown type below FRAME_OPTIONAL), -ENOTSUP (version), -ENOMEM; after that the link is of no
 * use. Frames of unknown optional types are passed over.
 */
NODISCARD int frame_reader_feed(struct frame_reader *r, const uint8_t **bytes, size_t *size_bytes,
				struct frame *frame_ret, struct error *err);

#endif
