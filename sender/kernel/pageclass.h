/*
 * The class of a page, by its struct page. The rules come from the kernel's own keys in VMCOREINFO,
 * never from its version; docs/FILTERING.md has each with its source and the kernels it holds for.
 */
#ifndef PAGECLASS_H
#define PAGECLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sender/kernel/kdata.h"

struct warnings;
struct vmcoreinfo;

/* Dump level bits: the classes that are left out. Source: makedumpfile(8), -d. */
enum {
	LEVEL_ZERO = 1, /* found when pages are read: such pages stay in the set */
	LEVEL_CACHE = 2,
	LEVEL_CACHE_PRIVATE = 4,
	LEVEL_USER = 8,
	LEVEL_FREE = 16,
	LEVEL_MAX = 31,
};

enum page_class {
	CLASS_KERNEL,	     /* and all pages of unknown use: they always stay */
	CLASS_CACHE,	     /* page cache and swap cache without private data */
	CLASS_CACHE_PRIVATE, /* with private data (buffers) */
	CLASS_USER,	     /* anonymous memory, huge pages of every kind */
	CLASS_FREE,	     /* buddy blocks, unaccepted memory */
	CLASS_OFFLINE,	     /* balloon, hot-unplugged: has no content. Never dumped */
	CLASS_HWPOISON,	     /* broken memory: reading it may be a machine check. Never dumped */
	CLASS_COUNT,
};

/* "kernel", "cache", … */
const char *page_class_name(enum page_class class);

/* The classes that a dump level leaves out, as a mask of 1 << class. Source: makedumpfile(8), -d.
 */
unsigned page_classes_of_level(unsigned level);

/* How to tell classes on one kernel. All offsets are checked to lie within a struct page. */
struct page_rules {
	enum elf_data data; /* of struct pages */
	size_t struct_page_bytes;
	unsigned known; /* classes that can be told, as a mask */

	size_t flags_off, mapping_off, private_off, mapcount_off;
	size_t compound_off; /* of compound_head, compound_info: bit 0 is a tail */
	uint64_t head_mask;

	/* Single bits of flags; 0: not known. */
	uint64_t lru, private, swapcache, swapbacked, slab, hwpoison;
	uint64_t checked_flags; /* all of these, and head_mask */

	/* Values of _mapcount for typed pages, with the bits of it that count; a mask of 0: not
	 * known. */
	struct page_type {
		uint32_t value, mask;
	} type_buddy, type_offline, type_slab, type_hugetlb, type_unaccepted;

	/* What the first tail page says of its compound page. */
	enum { ORDER_UNKNOWN, ORDER_BYTE, ORDER_IN_FLAGS } order_kind;
	size_t order_off;      /* ORDER_BYTE */
	uint64_t hugetlb_flag; /* bit of the tail's flags, or 0 */
	size_t dtor_off;       /* byte that is `hugetlb_dtor` for hugetlb pages */
	uint64_t hugetlb_dtor; /* 0: not known */
	unsigned free_orders;  /* length of zone.free_area: one past the highest order */
};

/*
 * Make the rules. A class that can't be told on this kernel isn't in `known`; for the classes in
 * `wanted`, `warnings` says why. With no usable struct page at all `known` is 0.
 */
void page_rules_init(struct page_rules *rules, const struct vmcoreinfo *info, enum elf_data data,
		     size_t struct_page_bytes, unsigned wanted, struct warnings *warnings);

/* The flags of a struct page: of any kernel, and, without a call, of one that is little-endian with
 * 64 bits. */
uint64_t page_flags_other(const struct page_rules *rules, const uint8_t *page);

static inline uint64_t page_flags(const struct page_rules *rules, const uint8_t *page)
{
	return rules->data == ELF_DATA_LE64 ? le64_get(page + rules->flags_off)
					    : page_flags_other(rules, page);
}

/* What page_classify() says: pages [pfn, pfn + pages) are of that class. */
struct page_verdict {
	enum page_class class;
	uint64_t pages; /* 1, or a power of two to which pfn is aligned */
	bool odd;	/* a free block of an impossible order: kept */
};

/*
 * Classify the page `pfn` by its struct page and the one behind it (`next`, NULL if it can't be
 * had). Any bytes are safe. A tail page is CLASS_KERNEL: its head decides for it.
 */
struct page_verdict page_classify(const struct page_rules *rules, uint64_t pfn, const uint8_t *page,
				  const uint8_t *next);

/*
 * How many of n struct pages (at least 1), which lie one behind the other, are like the first one,
 * counted from the first on: 1 to n. Each of these gets the class of the first when it is
 * classified by itself, has broken memory or not, as the first, and has the same bits `flags`.
 * Returns 1 where that needs a closer check. To be called where page_classify() said that the first
 * is one page.
 */
size_t page_run(const struct page_rules *rules, const uint8_t *page, size_t n, uint64_t flags);

/* Whether this page, head or tail, has broken memory. */
bool page_is_hwpoison(const struct page_rules *rules, const uint8_t *page);

#endif
