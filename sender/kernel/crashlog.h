/*
 * The kernel log as it goes out beside a dump. It is made from the crashed kernel's memory each
 * time that it is wanted, so it takes no memory, however long it is.
 */
#ifndef CRASHLOG_H
#define CRASHLOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/kernel/dmesg.h"
#include "wire/message.h"

struct vmcore;

struct crashlog {
	const struct vmcore *core; /* borrowed */
	uint64_t bytes;		   /* of the text, as it is given */
	uint64_t left_out_bytes;   /* of the whole, at its oldest end; a line in front says so */
	char panic[MESSAGE_TEXT_ROOM]; /* the line that says why; "": none does */
};

/*
 * Read the log once, to find its length. Where it takes more than `bytes_max`, the oldest messages
 * are left out: the newest say why the machine is dead. Fails as dmesg_of().
 */
NODISCARD int crashlog_init(struct crashlog *log, const struct vmcore *core, uint64_t bytes_max,
			    struct error *err);

/* Give the text, log->bytes of it exactly, in pieces of CRASHLOG_PIECE_BYTES, of which the last may
 * be shorter. Fails with what `emit` says. */
enum { CRASHLOG_PIECE_BYTES = 16 << 10 };
NODISCARD int crashlog_write(const struct crashlog *log, dmesg_emit_fn *emit, void *ctx,
			     struct error *err);

#endif
