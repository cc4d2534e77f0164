/* A fingerprint of the crashed kernel's memory: two dumps of one machine, a moment apart, have
 * others. */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "base/error.h"

struct digester;
struct kmodel;

enum {
	/* Where the kernel's data is known, it is looked at in two aligned blocks of that. */
	FINGERPRINT_BLOCK_BYTES = 4 << 20,

	/* Where it isn't, so many pages of all memory are, or all there are. */
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
