/*
 * Finds the VMCOREINFO that belongs to this memory. A vmcore may have several notes of VMCOREINFO,
 * of which some mean nothing: they are empty, of zeros, of another kernel, or of another boot. Or
 * it has no such note, and the kernel's own text lies in its memory.
 */
#ifndef FIND_INFO_H
#define FIND_INFO_H

#include <stdint.h>

#include "base/error.h"

struct warnings;
struct vmcore;

/* The most memory that is searched. A search in vain has read all of it once more. */
#define FIND_INFO_BYTES_MAX (UINT64_C(64) << 30)

/* How well a VMCOREINFO fits the memory: the more, the better. */
enum info_fit {
	INFO_EMPTY,	   /* says nothing of a kernel */
	INFO_CONTRADICTED, /* the memory that it points at has something else */
	INFO_UNPROVED,	   /* the memory that it points at can't be read, or it points at none */
	INFO_NAMED,	   /* its init_uts_ns has its OSRELEASE */
	INFO_MAPPED,	   /* and its page tables map the kernel to where it says */
};

/* How well core->info fits the memory. */
enum info_fit info_check(const struct vmcore *core);

/* Called before memory is searched, which takes long, with the most bytes that are read of it. */
typedef void find_info_tell(uint64_t bytes);

/*
 * Choose among the notes of `core`, before other threads have it. Where no note is right, the text
 * is looked for in memory. Where the text isn't there, a note that memory contradicts is dropped.
 * `warnings` says what was done instead of taking the only note. `tell` may be NULL. Fails -ENOMEM,
 * or as stop_check() of core->stop.
 */
NODISCARD int find_info(struct vmcore *core, find_info_tell *tell, struct warnings *warnings,
			struct error *err);

#endif
