/* Frames to bytes and back.
 * Doesn't know what a payload says, nor whose turn it is. */
#include "wire/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/printable.h"

enum {
	AT_VERSION = 4,
	AT_TYPE = 5,
	AT_FLAGS = 6,
	AT_LENGTH = 8,
	AT_CRC = 12,
	AT_SEQUENCE = 16,

	MAGIC_BYTES = 4,
	READ_ROOM_MIN = 4 << 10, /* enough for all frames but data and checkpoints */
};

const char *frame_name(uint8_t type)
{
	static const char *const names[FRAME_TYPE_END] = {
		[FRAME_HELLO] = "HELLO",
		[FRAME_WELCOME] = "WELCOME",
		[FRAME_WAIT] = "WAIT",
		[FRAME_REFUSE] = "REFUSE",
		[FRAME_ATTACH] = "ATTACH",
		[FRAME_TOTALS] = "TOTALS",
		[FRAME_GO] = "GO",
		[FRAME_DATA] = "DATA",
		[FRAME_CHECKPOINT] = "CHECKPOINT",
		[FRAME_ACK] = "ACK",
		[FRAME_HEARTBEAT] = "HEARTBEAT",
		[FRAME_END] = "END",
		[FRAME_DONE] = "DONE",
		[FRAME_ABORT] = "ABORT",
	};

	return type < FRAME_TYPE_END && names[type] ? names[type] : "an unknown frame";
}

static uint32_t frame_crc(const uint8_t header[static FRAME_HEADER_BYTES], const uint8_t *payload,
			  size_t payload_bytes)
{
	static const uint8_t no_crc[4];
	uint32_t crc = crc32c(0, header, AT_CRC);

	crc = crc32c(crc, no_crc, sizeof(no_crc));
	crc = crc32c(crc, header + AT_SEQUENCE, FRAME_HEADER_BYTES - AT_SEQUENCE);
	return crc32c(crc, payload, payload_bytes);
}

/* --- out ------------------------------------------------------------------------------------ */

int frame_writer_init(struct frame_writer *w, size_t room_bytes, struct error *err)
{
	*w = (struct frame_writer){.bytes = malloc(room_bytes), .room = room_bytes};
	return w->bytes ? 0 : error_set(err, -ENOMEM, "out of memory for frames");
}

void frame_writer_deinit(struct frame_writer *w)
{
	free(w->bytes);
	*w = (struct frame_writer){0};
}

size_t frame_writer_room(const struct frame_writer *w)
{
	const size_t left = w->room - (w->end - w->begin);

	if (left <= FRAME_HEADER_BYTES)
		return 0;
	return left - FRAME_HEADER_BYTES < FRAME_PAYLOAD_MAX ? left - FRAME_HEADER_BYTES
							     : FRAME_PAYLOAD_MAX;
}

struct outbuf frame_begin(struct frame_writer *w)
{
	const size_t room = frame_writer_room(w);

	/* Pending bytes are moved to the front only when the space behind them is too small for the
	 * largest frame that the buffer could take. */
	if (w->begin && w->room - w->end < FRAME_HEADER_BYTES + room) {
		memmove(w->bytes, w->bytes + w->begin, w->end - w->begin);
		w->end -= w->begin;
		w->begin = 0;
	}
	if (room == 0)
		return (struct outbuf){.bad = true};
	return outbuf_init(w->bytes + w->end + FRAME_HEADER_BYTES, room);
}

int frame_end(struct frame_writer *w, enum frame_type type, const struct outbuf *payload,
	      struct error *err)
{
	uint8_t *header = w->bytes + w->end;
	size_t payload_bytes;

	if (payload->bad)
		return error_set(err, -ENOBUFS, "no room for %s", frame_name((uint8_t)type));
	payload_bytes = outbuf_used(payload);
	memset(header, 0, FRAME_HEADER_BYTES);
	memcpy(header, FRAME_MAGIC, MAGIC_BYTES);
	header[AT_VERSION] = FRAME_VERSION;
	header[AT_TYPE] = (uint8_t)type;
	le32_put(header + AT_LENGTH, (uint32_t)payload_bytes);
	le64_put(header + AT_SEQUENCE, w->sequence++);
	le32_put(header + AT_CRC, frame_crc(header, header + FRAME_HEADER_BYTES, payload_bytes));
	w->end += FRAME_HEADER_BYTES + payload_bytes;
	return 0;
}

const uint8_t *frame_writer_pending(const struct frame_writer *w, size_t *size_bytes_ret)
{
	*size_bytes_ret = w->end - w->begin;
	return w->bytes + w->begin;
}

void frame_writer_sent(struct frame_writer *w, size_t size_bytes)
{
	w->begin += size_bytes;
	if (w->begin == w->end)
		w->begin = w->end = 0;
}

/* --- in ------------------------------------------------------------------------------------- */

void frame_reader_init(struct frame_reader *r, bool skip_noise)
{
	*r = (struct frame_reader){.skip_noise = skip_noise};
}

void frame_reader_deinit(struct frame_reader *r)
{
	free(r->bytes);
	*r = (struct frame_reader){0};
}

static int make_room(struct frame_reader *r, size_t bytes, struct error *err)
{
	uint8_t *grown;

	if (bytes <= r->room)
		return 0;
	grown = realloc(r->bytes, bytes);
	if (!grown)
		return error_set(err, -ENOMEM, "out of memory for a frame");
	r->bytes = grown;
	r->room = bytes;
	return 0;
}

/* Keep the last line of what is no frame, for the message that says so. */
static void keep_noise(struct frame_reader *r, uint8_t c)
{
	const bool ends_line = c == '\n' || c == '\r';
	size_t n = r->noise_ended ? 0 : strlen(r->noise);

	r->skipped_bytes++;
	if (!ends_line) {
		if (n + 1 < sizeof(r->noise))
			r->noise[n++] = printable(c);
		r->noise[n] = '\0';
	}
	r->noise_ended = ends_line;
}

static int no_magic(const struct frame_reader *r, struct error *err)
{
	if (r->skipped_bytes)
		return error_set(err, -EBADMSG,
				 "the far end doesn't speak the protocol; it says: %s", r->noise);
	return error_set(err, -EBADMSG, "no frame: magic is missing");
}

/* The first bytes, which have to be the magic, sooner or later. */
static int check_magic(struct frame_reader *r, struct error *err)
{
	while (r->have && memcmp(r->bytes, FRAME_MAGIC, MIN(r->have, (size_t)MAGIC_BYTES)) != 0) {
		if (!r->skip_noise || r->sequence)
			return no_magic(r, err);
		keep_noise(r, r->bytes[0]);
		if (r->skipped_bytes > FRAME_NOISE_MAX)
			return no_magic(r, err);
		memmove(r->bytes, r->bytes + 1, --r->have);
	}
	return 0;
}

/* Check a whole header, whose CRC can't be checked yet. Returns the frame's size. */
static int check_header(const struct frame_reader *r, struct error *err)
{
	const uint32_t length = le32_get(r->bytes + AT_LENGTH);

	/* A terminal echoes what comes to it, and a control character as ^ and a letter. */
	if (r->sequence == 0 && r->bytes[AT_VERSION] == '^')
		return error_set(err, -EBADMSG,
				 "a terminal at the far end sends back what it is sent: the "
				 "command has to run without one (for ssh: -T, and no -t)");
	if (length > FRAME_PAYLOAD_MAX)
		return error_set(err, -EBADMSG, "frame %" PRIu64 ": %" PRIu32 " bytes of payload",
				 r->sequence, length);
	return FRAME_HEADER_BYTES + (int)length;
}

static int check_frame(const struct frame_reader *r, size_t frame_bytes, struct error *err)
{
	const uint8_t *b = r->bytes;
	const uint64_t sequence = le64_get(b + AT_SEQUENCE);

	if (le32_get(b + AT_CRC) !=
	    frame_crc(b, b + FRAME_HEADER_BYTES, frame_bytes - FRAME_HEADER_BYTES))
		return error_set(err, -EBADMSG, "frame %" PRIu64 ": CRC is wrong", r->sequence);
	/* The header stays as it is in all versions, so that one that is only damaged is told from
	   one that can't be spoken with. */
	if (b[AT_VERSION] != FRAME_VERSION)
		return error_set(err, -ENOTSUP, "frame %" PRIu64 ": version %u; this is %d",
				 r->sequence, b[AT_VERSION], FRAME_VERSION);
	if (sequence != r->sequence)
		return error_set(err, -EBADMSG, "frame %" PRIu64 " came in place of %" PRIu64,
				 sequence, r->sequence);
	if (le16_get(b + AT_FLAGS))
		return error_set(err, -EBADMSG, "frame %" PRIu64 ": unknown flags %#x", sequence,
				 le16_get(b + AT_FLAGS));
	if (b[AT_TYPE] == 0 || (b[AT_TYPE] >= FRAME_TYPE_END && b[AT_TYPE] < FRAME_OPTIONAL))
		return error_set(err, -EBADMSG, "frame %" PRIu64 ": unknown type %u", sequence,
				 b[AT_TYPE]);
	return 0;
}

/* Move bytes over until `want` are there: whether they are. */
static bool collect(struct frame_reader *r, size_t want, const uint8_t **bytes, size_t *size_bytes)
{
	const size_t n = MIN(want - r->have, *size_bytes);

	memcpy(r->bytes + r->have, *bytes, n);
	r->have += n;
	*bytes += n;
	*size_bytes -= n;
	return r->have == want;
}

/* As frame_reader_feed(), but gives out unknown optional frames, too. */
static int next_frame(struct frame_reader *r, const uint8_t **bytes, size_t *size_bytes,
		      struct error *err)
{
	size_t frame_bytes;
	int result = make_room(r, READ_ROOM_MIN, err);

	if (result < 0)
		return result;
	while (r->have < FRAME_HEADER_BYTES) {
		/* Noise is judged byte by byte, so that no byte of a frame is taken for it. */
		const size_t want = r->have < MAGIC_BYTES ? r->have + 1 : FRAME_HEADER_BYTES;

		if (!collect(r, want, bytes, size_bytes))
			return 0;
		result = check_magic(r, err);
		if (result < 0)
			return result;
	}
	result = check_header(r, err);
	if (result < 0)
		return result;
	frame_bytes = (size_t)result;
	result = make_room(r, frame_bytes, err);
	if (result < 0 || !collect(r, frame_bytes, bytes, size_bytes))
		return result;
	result = check_frame(r, frame_bytes, err);
	return result < 0 ? result : 1;
}

int frame_reader_feed(struct frame_reader *r, const uint8_t **bytes, size_t *size_bytes,
		      struct frame *frame_ret, struct error *err)
{
	for (;;) {
		int result;

		if (r->whole) {
			r->whole = false;
			r->have = 0;
		}
		result = next_frame(r, bytes, size_bytes, err);
		if (result <= 0)
			return result;
		r->whole = true;
		r->sequence++;
		if (r->bytes[AT_TYPE] < FRAME_OPTIONAL)
			break;
	}
	*frame_ret = (struct frame){
		.type = r->bytes[AT_TYPE],
		.payload = r->bytes + FRAME_HEADER_BYTES,
		.payload_bytes = r->have - FRAME_HEADER_BYTES,
	};
	return 1;
}
