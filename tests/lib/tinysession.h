/*
 * A small dump as a session carries it: the stream cut into segments, each with its table, its
 * cursor and its digest. Made without the sender's code, so that the two can be held against each
 * other.
 */
#ifndef TINYSESSION_H
#define TINYSESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/tinydump.h"
#include "wire/message.h"

enum {
	TINY_SEGMENTS_MAX = 48,
	TINY_FRAME_MAX = 1 << 16,
};

/* What it shall be. */
struct tinysession_shape {
	bool small;		  /* tinydump_make_small() */
	bool unreadable;	  /* the last page was: a second main header comes in the end */
	size_t pages_per_segment; /* 0: 2 */
};

struct tinysession {
	struct tinydump dump; /* what the file has to be in the end */
	struct hello hello;
	struct stream stream;				  /* to its end marker */
	struct checkpoint checkpoints[TINY_SEGMENTS_MAX]; /* after segment i */
	size_t segments;
	struct totals totals;
	struct end end;
};

/* Make it; ends the program if memory is out. The same bytes each time. */
struct tinysession tinysession_make(const struct tinysession_shape *shape);
void tinysession_free(struct tinysession *t);

/* Where segment i begins in the stream; of the one after the last, where the end marker does. */
uint64_t tinysession_begin(const struct tinysession *t, size_t segment);

/*
 * All that the sender says without hearing anything, as bytes: HELLO, an attachment, TOTALS, DATA
 * of at most `data_bytes` and CHECKPOINTs, END. stream_free() frees it.
 */
struct stream tinysession_frames(const struct tinysession *t, bool oneway, size_t data_bytes);

/* What a journal keeps, in order: frame 0 is HELLO, those up to `segments` are the CHECKPOINTs, and
 * then comes END. */
struct frame tinysession_kept(const struct tinysession *t, size_t i,
			      uint8_t payload[static TINY_FRAME_MAX]);

/* One frame more in `out`, whose payload these bytes are. */
void add_frame(struct stream *out, uint64_t sequence, uint8_t type, const void *payload,
	       size_t payload_bytes);

#endif
