/* Segment 0 of a dump: main header, sub header, notes, both bitmaps. */
#ifndef PROLOGUE_H
#define PROLOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/kdump.h"

struct pageset;
struct sink;
struct vmcore;

/*
 * The header of a dump of `core` at `level`, with the codec's kdump flag in `status`. A core that
 * was cut short has the incomplete bit from the start. *uname_known_ret: whether the kernel's own
 * uname was found. Fails -EFBIG (more bitmap blocks than the header can count).
 */
NODISCARD int prologue_header(const struct vmcore *core, unsigned level, uint32_t status,
			      struct kdump_header *header_ret, bool *uname_known_ret,
			      struct error *err);

/* Write the prologue; `pages` is the 2nd bitmap. Every byte of the notes and of both bitmaps is
 * covered by a record. */
NODISCARD int prologue_write(struct sink *sink, const struct kdump_header *header,
			     const struct vmcore *core, const struct pageset *pages,
			     struct error *err);

#endif
