/* A fingerprint of the crashed kernel's memory: two dumps of one machine, a moment apart, have
 * different ones. */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "base/error.h"

struct digester;
struct kmodel;

enum {
	/* Where the place of the kernel's data is known: the size of the two aligned blocks that
	 * are read of it. */
	FINGERPRINT_BLOCK_BYTES = 4 << 20,

	/* Where it isn't known: the number of pages that are read of all memory, or of all pages if
	 * there are fewer. */
	FINGERPRINT_SAMPLE_PAGES = 1 << 15,
};

/*
 * Add some of memory to a digest (docs/PROTOCOL.md, "Identity", says which pages): the same at each
 * call, in each process, as long as the vmcore stays as it is. Pages that can't be read count as
 * such; pages that the kernel says are broken, offline, or not its own are not read. Fails -ENOMEM,
 * or as stop_check() of core->stop.
 */
NODISCARD int fingerprint_memory(const struct kmodel *km, struct digester *d, struct error *err);

#endif
