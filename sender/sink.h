/*
 * Where the dump goes, as (offset, bytes) writes: a flattened stream into a file descriptor, or a
 * dump file of our own. Both get the same writes and count the same stream bytes, so both make the
 * same dump.
 */
#ifndef SINK_H
#define SINK_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct dumpfile;
struct sink;

/* Into `fd` (borrowed) as a flattened stream. Its header is written at once. */
NODISCARD int sink_new_flat(int fd, struct sink **sink_ret, struct error *err);

/* Into `df` (borrowed). */
NODISCARD int sink_new_file(struct dumpfile *df, struct sink **sink_ret, struct error *err);
void sink_free(struct sink *sink);
DEFINE_AUTO(struct sink, sink_free)

/* Write bytes that belong at `off` of the dump. size_bytes > 0. Fails with the system's error. */
NODISCARD int sink_write(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
			 struct error *err);

/* The dump is whole: the end marker, or nothing more for a file. */
NODISCARD int sink_finish(struct sink *sink, struct error *err);

/* Bytes of the flattened stream so far, its header and record headers included, whatever the sink
 * is. */
uint64_t sink_stream_bytes(const struct sink *sink);

#endif
