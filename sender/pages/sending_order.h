/* The order in which a dump's pages are sent. */
#ifndef SENDING_ORDER_H
#define SENDING_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/vmcore/memmap.h"

struct kmodel;
struct warnings;

enum {
	/*
	 * Descriptors of an essential extent lie alone in the table until what is around them has
	 * come, and vmrecv keeps track of 16,384 pieces at the most (docs/ARCHITECTURE.md).
	 */
	ESSENTIAL_EXTENTS_MAX = 8192,
};

/* Extents in sending order: the essential ones, then all else in pfn order. Disjoint; they cover
 * all pfns. */
struct sending_order {
	struct pfn_range *extents;
	size_t count;
	size_t essential_count;	  /* of them, in front: ESSENTIAL_EXTENTS_MAX at most */
	size_t data_count;	  /* of these, in front: all but the kernel's code */
	uint64_t essential_pages; /* in these; the dump level may leave some of them out */
};

/* Make the order; warnings as essential_find(). The caller's sending_order_deinit() is due whatever
 * comes back. Fails -ENOMEM, or as stop_check(). */
NODISCARD int sending_order_init(struct sending_order *order, const struct kmodel *km,
				 struct warnings *warnings, struct error *err);
void sending_order_deinit(struct sending_order *order);

#endif
