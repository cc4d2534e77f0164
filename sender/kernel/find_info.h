/*
 * Which VMCOREINFO is that of this memory. A vmcore may have several notes of it, and some that
 * mean nothing: empty, of zeros, of another kernel, of another boot. Or it has none, and the
 * kernel's own text lies in its memory.
 */
#ifndef FIND_INFO_H
#define FIND_INFO_H

#include <stdint.h>

#include "base/error.h"

struct warnings;
struct vmcore;

/* So much memory is searched at the most: where it is in vain all of it was read once more. */
#define FIND_INFO_BYTES_MAX (UINT64_C(64) << 30)

/* How well a VMCOREINFO fits the memory: the more, the better. */
enum info_fit {
	INFO_EMPTY,	   /* says nothing of a kernel */
	INFO_CONTRADICTED, /* what it points at is something else */
	INFO_UNPROVED,	   /* what it points at can't be read, or it points at nothing */
	INFO_NAMED,	   /* its init_uts_ns has its OSRELEASE */
	INFO_MAPPED,	   /* and its page tables map the kernel to where it says */
};

/* How well core->info does. */
enum info_fit info_check(const struct vmcore *core);

/* Called before memory is searched: so much of it is read at the most, which takes its time. */
typedef void find_info_tell(uint64_t bytes);

/*
 * Choose among the notes of `core`, before other threads have it; where none of them is right, the
 * text is looked for in memory; where it isn't there, a note that memory contradicts is dropped.
 * What was done instead of taking the only note is said in `warnings`. `tell` may be NULL. Fails
 * -ENOMEM, or as stop_check() of core->stop.
 */
NODISCARD int find_info(struct vmcore *core, find_info_tell *tell, struct warnings *warnings,
			struct error *err);

#endif
