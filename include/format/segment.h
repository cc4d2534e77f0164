/*
 * Segments of a dump, and the digest that proves it. A segment is the part of the stream between
 * two places where the page pass can be stopped and begun again; segment 0 is the prologue
 * (headers, notes, bitmaps). Its table lists the extents of the dump *file* that it wrote, with the
 * SHA-256 of each, so that the digest can be computed again from the file alone:
 *
 *   D(0) = SHA-256(dump_id)      D(k+1) = SHA-256(D(k) || table of segment k)
 *
 * docs/PROTOCOL.md, "Segments and digest".
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/outbuf.h"
#include "base/reader.h"

enum {
	CURSOR_BYTES = 40,
	EXTENT_BYTES = 8 + 4 + DIGEST_BYTES,
	/* A table has to fit in a CHECKPOINT frame: (1 MiB - cursor - digest - count) / 44. */
	SEGMENT_EXTENTS_MAX = 23829,
};

#define CURSOR_AT_END UINT64_MAX

/* The end of a segment. The rest of the dump depends on it, on the vmcore and on the options
 * only. */
struct cursor {
	uint64_t segment; /* the next one: the number of those that are done */
	uint64_t chunk;	  /* the next one of the plan; CURSOR_AT_END: only the end marker is left */
	uint64_t data_off;     /* of the next payload in the file */
	uint64_t stream_bytes; /* of the flattened stream up to here, its header included */
	uint64_t unreadable;   /* pages up to here */
};

struct extent {
	uint64_t off;	     /* in the file */
	uint32_t size_bytes; /* > 0 */
	uint8_t sha256[DIGEST_BYTES];
};

struct segment {
	struct extent *extents; /* ours */
	size_t count, room;
};

/* segment_deinit() accepts a struct of zeros; segment_clear() keeps the memory. */
void segment_deinit(struct segment *s);
void segment_clear(struct segment *s);

/* Fails -ENOMEM, or -EFBIG past SEGMENT_EXTENTS_MAX. */
NODISCARD int segment_add(struct segment *s, const struct extent *extent, struct error *err);

void cursor_put(struct outbuf *o, const struct cursor *cursor);
struct cursor cursor_get(struct rd *r);

/* The table: a count (le32), then the extents. segment_get() replaces the extents of *s. It fails
 * -EBADMSG (an empty extent, one that ends past 2^63, more extents than fit) or -ENOMEM, and *s is
 * empty then. */
void segment_put(struct outbuf *o, const struct segment *s);
NODISCARD int segment_get(struct rd *r, struct segment *s, struct error *err);

/* D(0) of a dump. */
NODISCARD int digest_begin(struct digester *d, const uint8_t dump_id[static DIGEST_BYTES],
			   uint8_t chain_ret[static DIGEST_BYTES], struct error *err);

/* `chain` moves on from D(k) to D(k + 1). */
NODISCARD int digest_chain(struct digester *d, const struct segment *s,
			   uint8_t chain[static DIGEST_BYTES], struct error *err);

#endif
