/*
 * The essential set: the pages without which no reader opens a dump. They are sent first, so that a
 * dump that was cut short still shows what the kernel was, the panic, its backtrace and the log.
 */
#ifndef ESSENTIAL_H
#define ESSENTIAL_H

#include "base/error.h"

struct kmodel;
struct pageset;
struct warnings;

/* The parts, in the order in which readers need them. */
enum {
	/*
	 * Small things that are found through pointers: page tables except the direct map's, memory
	 * sections, the log, the CPUs' areas, stacks and tasks, and the image's constants that
	 * readers begin with.
	 */
	ESSENTIAL_POINTED,
	ESSENTIAL_IMAGE_DATA, /* the kernel image without the parts below */
	ESSENTIAL_CALLERS,    /* the places in its code that the CPUs' stacks return to */
	ESSENTIAL_IMAGE_TEXT, /* its code and read-only data, where the kernel has a symbol table */
	ESSENTIAL_PARTS,
};

/*
 * Add the essential pages to the empty sets `parts`, as far as the model knows the kernel; without
 * a model there are none. A page may be in several. Each part is bounded, and so is the time,
 * whatever the kernel's memory holds; where that leaves much unknown a remark says so. Fails
 * -ENOMEM, or as stop_check() of the paging.
 *
 * Where the kernel has no symbol table, CPUs' areas and tasks come from the pages that were
 * allocated at boot (PG_reserved) and from what the CPUs' stacks and registers point at.
 */
NODISCARD int essential_find(const struct kmodel *km,
			     struct pageset *const parts[static ESSENTIAL_PARTS],
			     struct warnings *warnings, struct error *err);

#endif
