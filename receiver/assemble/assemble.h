/*
 * A flattened stream, fed in pieces of any size, into a dump file. A step machine: it does no
 * input, so tests and fuzzers can cut the stream where they like.
 *
 *   assemble_new ─► assemble_feed … ─► assemble_end ─► assemble_free
 *
 * Records come in any order and may rewrite each other; the last one wins. Whatever the stream
 * says, the file doesn't grow past a limit, no more than about twice that limit is taken in, and
 * memory is bounded (256 KiB for the map of what came, and as much for collecting small records).
 */
#ifndef ASSEMBLE_H
#define ASSEMBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/assemble/completeness.h"

struct assemble;
struct dumpfile;
struct keepalive;
struct segment;

struct assemble_limits {
	uint64_t max_size_bytes; /* of the file; 0: what the dump's own header makes plausible */
	uint64_t free_bytes;	 /* there is no room for more than this; counts only without
				    max_size_bytes */

	/* Called while all that has come is judged in the end; what it says against that ends it,
	   as assemble_stop() does. NULL: nobody waits. Borrowed. */
	const struct keepalive *alive;

	/* No byte is written twice, but for a second main header: so what was judged stays as it
	   is, whatever comes later. For assemble_segment(). And nothing is published but a
	   kdump-compressed file. */
	bool once;
};

/* How it went, and how far. */
struct assemble_result {
	bool published;
	uint64_t received_bytes; /* of the stream */
	uint64_t records;	 /* begun */
	uint64_t trailing_bytes; /* fed behind the end marker */
	uint64_t file_bytes;
	struct completeness arrived;
	struct error mend; /* code < 0: what was cut short could not even be mended */
};

/* Borrows `df`, which must outlive it. The caller frees it. Fails -ENOMEM. */
NODISCARD int assemble_new(struct dumpfile *df, const struct assemble_limits *limits,
			   struct assemble **a_ret, struct error *err);
void assemble_free(struct assemble *a);
DEFINE_AUTO(struct assemble, assemble_free)

/*
 * Go on where another one was, at a record's beginning: these bytes of the file are there, and so
 * many of the stream went into them. Before the first assemble_feed().
 */
NODISCARD int assemble_has(struct assemble *a, uint64_t off, uint64_t size_bytes,
			   struct error *err);
void assemble_go_on(struct assemble *a, uint64_t stream_bytes);

/*
 * A segment ends here: writes what is held back, and judges what was fed since the last one ended.
 * Fails -EPROTO inside of a record, -EBADMSG if these extents aren't what was written (all of it,
 * and each byte of it once) or if the file is longer than `data_off` already, -EFBIG if it may not
 * get that long; or as assemble_feed().
 */
NODISCARD int assemble_segment(struct assemble *a, const struct segment *segment, uint64_t data_off,
			       struct error *err);

/*
 * Take the next bytes of the stream: 0, or 1 once the end marker was there, after which bytes are
 * counted and ignored. Fails -EBADMSG (no flattened stream, or a bad record), -ENOTSUP, -EFBIG or
 * -ENOSPC (over the limits), -ENOMEM, or with what the file system says; after that only
 * assemble_end() is of use.
 */
NODISCARD int assemble_feed(struct assemble *a, const void *bytes, size_t size_bytes,
			    struct error *err);

/* Whatever has come, the dump isn't whole, because of `why` (the input failed, somebody wants it
 * stopped). */
void assemble_stop(struct assemble *a, const struct error *why);

/*
 * No more bytes will come. If the dump is whole, it is published. Else PATH.part is made as good as
 * it can be (descriptors without payload zeroed, length, incomplete bit), and the first failure
 * comes out again, or -ENODATA if the stream was cut short or the dump has gaps. *result_ret is set
 * in each case.
 */
NODISCARD int assemble_end(struct assemble *a, struct assemble_result *result_ret,
			   struct error *err);

/* For progress: bytes of the stream so far. */
uint64_t assemble_received(const struct assemble *a);

#endif
