/*
 * The output of a dump, as (offset, bytes) writes: a flattened stream into a file descriptor or a
 * session, or a dump file of our own. Each kind gets the same writes and counts the same stream
 * bytes, so each makes the same dump. A sink can keep the table of the current segment: the extents
 * of the file that were written, and their digests.
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

/* A sink into `fd` (borrowed), as a flattened stream. The stream's header is written at once. */
NODISCARD int sink_new_flat(int fd, struct sink **sink_ret, struct error *err);

/* A sink into `df` (borrowed). */
NODISCARD int sink_new_file(struct dumpfile *df, struct sink **sink_ret, struct error *err);

/*
 * A sink that gives the bytes of the stream to write(). That takes all of the `count` buffers (and
 * may change `iov`), or fails with *err set. The stream's header comes first, unless the stream
 * begins at a cursor (`resumed`).
 */
typedef int sink_stream_fn(void *ctx, struct iovec *iov, int count, struct error *err);
NODISCARD int sink_new_stream(sink_stream_fn *write, void *ctx, bool resumed,
			      struct sink **sink_ret, struct error *err);

/* A sink without output, for the table that sink_segment() gives. */
NODISCARD int sink_new_null(struct sink **sink_ret, struct error *err);

void sink_free(struct sink *sink);
DEFINE_AUTO(struct sink, sink_free)

/* From now on, keep the segment's table. Fails -ENOMEM, -ENOTSUP. */
NODISCARD int sink_keep_segment(struct sink *sink, struct error *err);

/* The table of the current segment (borrowed; empty unless sink_keep_segment() was called).
 * sink_next_segment() begins the next one. */
const struct segment *sink_segment(const struct sink *sink);
void sink_next_segment(struct sink *sink);

/* Write bytes at `off` of the dump, as one extent. size_bytes > 0. Fails with the system's
 * error. */
NODISCARD int sink_write(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
			 struct error *err);

/* The same for bytes whose extents are told by calls of sink_note(), with their SHA-256. */
NODISCARD int sink_write_told(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
			      struct error *err);
NODISCARD int sink_note(struct sink *sink, uint64_t off, uint32_t size_bytes,
			const uint8_t sha256[static 32], struct error *err);

/* The dump is whole: the end marker, or nothing more for a file. */
NODISCARD int sink_finish(struct sink *sink, struct error *err);

/* Bytes of the flattened stream by now, its header and record headers included, for each kind of
 * sink. */
uint64_t sink_stream_bytes(const struct sink *sink);

#endif
