/* Whether a dump's header and its VMCOREINFO are of the same kernel. */
#ifndef AGREE_H
#define AGREE_H

#include "base/error.h"
#include "format/kdump.h"

struct vmcoreinfo;

/*
 * Fails -EBADMSG where VMCOREINFO lacks a key that every kernel has, or contradicts the header:
 * release, page size, machine. The text names the first such key. A value that only one of the two
 * has is no contradiction. `vi` may be NULL: there is none.
 */
NODISCARD int agree_check(const struct kdump_header *h, const struct vmcoreinfo *vi,
			  struct error *err);

#endif
