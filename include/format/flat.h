/*
 * makedumpfile's flattened stream: a 4096-byte header, then records of (offset, size) and that many
 * bytes that belong at that offset of the file, then an end marker of sixteen 0xff. The integers
 * are signed, 64-bit, big-endian. Source: makedumpfile.h, write_start_flat_header().
 */
#ifndef FLAT_H
#define FLAT_H

#include <stdint.h>

#include "base/error.h"
#include "base/reader.h"

#define FLAT_SIGNATURE "makedumpfile"

enum {
	FLAT_HEADER_BYTES = 4096,
	FLAT_RECORD_BYTES = 16, /* size of a record's own header, and of the end marker */

	/* Bitmaps and descriptors, which are written piece by piece, go into records of this size.
	 * makedumpfile -R counts a record's bytes in an int, and readers pay per record. */
	FLAT_RUN_BYTES = 256 << 10,
};

struct flat_record {
	uint64_t off;	     /* where the bytes belong in the file */
	uint64_t size_bytes; /* > 0; off + size_bytes < 2^63 */
};

void flat_put_header(uint8_t out[static FLAT_HEADER_BYTES]);
void flat_put_record(uint8_t out[static FLAT_RECORD_BYTES], uint64_t off, uint64_t size_bytes);
void flat_put_end(uint8_t out[static FLAT_RECORD_BYTES]);

/* Check the stream's header, FLAT_HEADER_BYTES at the cursor. Fails -ENODATA, -EBADMSG,
 * -ENOTSUP. */
NODISCARD int flat_get_header(struct rd *r, struct error *err);

/*
 * Decode the record header at the cursor: 1 and *rec_ret set, or 0 at the end marker. Doesn't look
 * at the bytes of the record. Fails -ENODATA (cut short) or -EBADMSG (negative, empty, ends past
 * 2^63 - 1); the message doesn't say where in the stream: only the caller knows that.
 */
NODISCARD int flat_get_record(struct rd *r, struct flat_record *rec_ret, struct error *err);

#endif
