/* The crashed kernel's log, from its memory: the lockless ring (since 5.10) and the record buffer
 * before it. */
#ifndef DMESG_H
#define DMESG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct paging;

/* One message: when, by whom, what. Text is any bytes, not terminated. */
struct dmesg_record {
	uint64_t time_ns;
	uint32_t caller; /* bit 31: a CPU, else a thread; see has_caller */
	const char *text;
	size_t text_bytes;
};

/* Takes a part of the log as text; fails with *err set, which ends the reading. */
typedef int dmesg_emit_fn(void *ctx, const char *text, size_t bytes, struct error *err);

/*
 * Give the whole log, oldest message first, as dmesg(1) prints it: "[    1.234567] text", with "[
 * T1]" behind the time where the kernel keeps callers; further lines of a message are indented;
 * bytes that aren't printable ASCII, tab or newline come as \xNN. A message that was torn or
 * overwritten is left out, and the others are given. Returns the number of messages, or fails
 * -ENODATA (VMCOREINFO has no log), -EBADMSG (its description is impossible), or with what `emit`
 * says.
 */
NODISCARD int64_t dmesg_read(const struct paging *paging, dmesg_emit_fn *emit, void *ctx,
			     struct error *err);

struct vmcore;

/* The same of a core. Returns 0, or fails -ENODATA, too, where no message at all can be read; and
 * as paging_init(). */
NODISCARD int dmesg_of(const struct vmcore *core, dmesg_emit_fn *emit, void *ctx,
		       struct error *err);

/* What the two formats' readers call for each record. */
struct dmesg_sink {
	dmesg_emit_fn *emit;
	void *ctx;
	bool has_caller; /* print callers */
	int64_t records;
};

NODISCARD int dmesg_put(struct dmesg_sink *sink, const struct dmesg_record *record,
			struct error *err);

/* The formats; -ENODATA if VMCOREINFO doesn't have that one. */
NODISCARD int dmesg_read_ring(const struct paging *paging, struct dmesg_sink *sink,
			      struct error *err);
NODISCARD int dmesg_read_records(const struct paging *paging, struct dmesg_sink *sink,
				 struct error *err);

#endif
