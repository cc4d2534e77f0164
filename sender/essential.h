/*
 * The essential set: the pages without which no reader opens a dump. They are sent first, so that a
 * dump that was cut short still shows what the kernel was, the panic, its backtrace and the log.
 */
#ifndef ESSENTIAL_H
#define ESSENTIAL_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memmap.h"

struct kmodel;

/* The extents of a dump in sending order: the essential ones, then all else in pfn order. Disjoint;
 * they cover all pfns. */
struct sending_order {
	struct pfn_range *extents;
	size_t count;
	size_t essential_count; /* of them, in front */
	uint64_t essential_pages;
};

/*
 * Find the essential set, as far as the model knows the kernel; without a model the order is plain.
 * `order` is the caller's to deinit whatever comes back. Fails -ENOMEM.
 *
 * In the set: the kernel image; the page tables of the kernel but for the direct map's; the CPUs'
 * areas; the memory sections' roots; the log; what is near the CPUs' stack pointers, and their
 * tasks. Where the kernel has no symbol table the last two come from what the stacks point at and
 * from the pages that were allocated at boot. Each part is bounded.
 */
NODISCARD int sending_order_init(struct sending_order *order, const struct kmodel *km,
				 struct error *err);
void sending_order_deinit(struct sending_order *order);

#endif
