/*
 * Where the dump goes, as (offset, bytes) writes: a flattened stream into a file descriptor or a
 * session, or a dump file of our own. All get the same writes and count the same stream bytes, so
 * all make the same dump. A sink can keep the table of the current segment: which extents of the
 * file were written, and their digests.
 */
#ifndef SINK_H
#define SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct dumpfile;
struct iovec;
struct segment;
struct sink;

/* Into `fd` (borrowed) as a flattened stream. Its header is written at once. */
NODISCARD int sink_new_flat(int fd, struct sink **sink_ret, struct error *err);

/* Into `df` (borrowed). */
NODISCARD int sink_new_file(struct dumpfile *df, struct sink **sink_ret, struct error *err);

/*
 * The bytes of the stream to write(), which takes all of the `count` buffers (and may change
 * `iov`), or fails with *err set. Its header comes first, unless the stream begins at a cursor
 * (`resumed`).
 */
typedef int sink_stream_fn(void *ctx, struct iovec *iov, int count, struct error *err);
NODISCARD int sink_new_stream(sink_stream_fn *write, void *ctx, bool resumed,
			      struct sink **sink_ret, struct error *err);

/* Nowhere: for what the writing leaves in sink_segment(). */
NODISCARD int sink_new_null(struct sink **sink_ret, struct error *err);

void sink_free(struct sink *sink);
DEFINE_AUTO(struct sink, sink_free)

/* From now on, keep the segment's table. Fails -ENOMEM, -ENOTSUP. */
NODISCARD int sink_keep_segment(struct sink *sink, struct error *err);

/* The table of the current segment (borrowed; empty unless it is kept), and the beginning of the
 * next one. */
const struct segment *sink_segment(const struct sink *sink);
void sink_next_segment(struct sink *sink);

/* Write bytes that belong at `off` of the dump, as one extent. size_bytes > 0. Fails with the
 * system's error. */
NODISCARD int sink_write(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
			 struct error *err);

/* The same for bytes of which the extents were told: sink_tell() each, with their SHA-256. */
NODISCARD int sink_write_told(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
			      struct error *err);
NODISCARD int sink_tell(struct sink *sink, uint64_t off, uint32_t size_bytes,
			const uint8_t sha256[static 32], struct error *err);

/* The dump is whole: the end marker, or nothing more for a file. */
NODISCARD int sink_finish(struct sink *sink, struct error *err);

/* Bytes of the flattened stream so far, its header and record headers included, whatever the sink
 * is. */
uint64_t sink_stream_bytes(const struct sink *sink);

#endif
