/*
 * A flattened stream, fed in pieces of any size, into a dump file. A step machine: it does no
 * input, so tests and fuzzers can cut the stream where they like.
 *
 *   assemble_new ─► assemble_feed … ─► assemble_end ─► assemble_free
 *
 * Records come in any order and may rewrite each other; the last one wins. Whatever the stream
 * says, the file doesn't grow past a limit, no more than about twice that limit is taken in, and
 * memory is bounded (256 KiB for the map of the bytes that came, and as much for collecting small
 * records).
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
	uint64_t max_size_bytes; /* of the file; 0: a size that the dump's own header makes
				    plausible */
	uint64_t free_bytes;	 /* the room on the disk; counts only without max_size_bytes */

	/* Called now and then while assemble_end() checks the dump; an error of it ends the check,
	 * as assemble_stop() does. NULL: nobody waits. Borrowed. */
	const struct keepalive *alive;

	/* No byte may be written twice, except in a second main header: so bytes that were checked
	 * stay as they are. For assemble_segment(). Also, only a kdump-compressed file is
	 * published. */
	bool once;
};

/* The outcome of assemble_end(). */
struct assemble_result {
	bool published;
	uint64_t received_bytes; /* of the stream */
	uint64_t records;	 /* begun */
	uint64_t trailing_bytes; /* fed after the end marker */
	uint64_t file_bytes;
	struct completeness arrived;
	struct error mend; /* code < 0: the dump was cut short, and mending it failed, too */
};

/* Borrows `df`, which must outlive the assembler. The caller frees the assembler. Fails -ENOMEM. */
NODISCARD int assemble_new(struct dumpfile *df, const struct assemble_limits *limits,
			   struct assemble **a_ret, struct error *err);
void assemble_free(struct assemble *a);
DEFINE_AUTO(struct assemble, assemble_free)

/*
 * Go on where an earlier assembler ended, at the beginning of a record. assemble_has() says which
 * bytes of the file are there, assemble_go_on() how many bytes of the stream they were made of. To
 * be called before the first assemble_feed().
 */
NODISCARD int assemble_has(struct assemble *a, uint64_t off, uint64_t size_bytes,
			   struct error *err);
void assemble_go_on(struct assemble *a, uint64_t stream_bytes);

/*
 * A segment ends here: write the bytes that are held back, and check the bytes that were fed since
 * the last segment's end. Fails -EPROTO inside of a record; -EBADMSG if the extents aren't exactly
 * the bytes that were written, each once, or if the file is longer than `data_off` already; -EFBIG
 * if it may not get that long; or as assemble_feed().
 */
NODISCARD int assemble_segment(struct assemble *a, const struct segment *segment, uint64_t data_off,
			       struct error *err);

/*
 * Take the next bytes of the stream: 0, or 1 once the end marker was there, after which bytes are
 * counted and ignored. Fails -EBADMSG (no flattened stream, or a bad record), -ENOTSUP, -EFBIG or
 * -ENOSPC (over the limits), -ENOMEM, or with the file system's error; after that only
 * assemble_end() is of use.
 */
NODISCARD int assemble_feed(struct assemble *a, const void *bytes, size_t size_bytes,
			    struct error *err);

/* The dump isn't whole, whatever has come, because of `why` (the input failed, or a signal
 * came). */
void assemble_stop(struct assemble *a, const struct error *why);

/*
 * No more bytes will come. If the dump is whole, it is published. Else PATH.part is made as good as
 * it can be (descriptors without payload zeroed, length, incomplete bit), and the call fails with
 * the first failure, or -ENODATA if the stream was cut short or the dump has gaps. *result_ret is
 * set in each case.
 */
NODISCARD int assemble_end(struct assemble *a, struct assemble_result *result_ret,
			   struct error *err);

/* For progress: bytes of the stream that were fed by now. */
uint64_t assemble_received(const struct assemble *a);

#endif
