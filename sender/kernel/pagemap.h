/*
 * The crashed kernel's array of struct page (mem_map), found through its memory sections:
 * SPARSEMEM, EXTREME or not, with VMEMMAP or without. Source: Linux include/linux/mmzone.h;
 * makedumpfile get_mm_sparsemem().
 */
#ifndef PAGEMAP_H
#define PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct paging;
struct pfn_range;

struct pagemap {
	const struct paging *paging; /* borrowed */
	uint64_t mapnr;		     /* pfns that it is about */
	uint64_t section_pages;	     /* pfns in a section, a power of two */
	size_t section_count;
	uint64_t *
		section_vaddr; /* of the struct page of the section's first pfn; 0: there is none */
	size_t struct_page_bytes;
};

enum {
	/* struct page is 64 bytes on most kernels, 56 to 96 with options. */
	STRUCT_PAGE_BYTES_MIN = 40,
	STRUCT_PAGE_BYTES_MAX = 256,
};

/*
 * Find the sections. The caller's pagemap_deinit() is due whatever comes back. Fails -ENODATA (a
 * key or the sections are missing), -EBADMSG (a value is impossible: the message says which),
 * -ENOMEM.
 */
NODISCARD int pagemap_init(struct pagemap *map, const struct paging *paging, struct error *err);

/* The same, of the sections that have pages of these ranges (ascending, disjoint) in place of those
 * of the vmcore's memory. */
NODISCARD int pagemap_init_of(struct pagemap *map, const struct paging *paging,
			      const struct pfn_range *ranges, size_t count, struct error *err);
void pagemap_deinit(struct pagemap *map);

/*
 * The address of a page's struct page; 0: there is none. *pages_ret is the number of pfns from
 * `pfn` on for which that holds, up to the section's end; their struct pages lie one behind the
 * other.
 */
uint64_t pagemap_vaddr(const struct pagemap *map, uint64_t pfn, uint64_t *pages_ret);

/* How many struct pages from `vaddr` on lie wholly in the same page of memory; 1 at least. */
uint64_t pagemap_pages_in_page(const struct pagemap *map, uint64_t vaddr);

/*
 * Read struct pages from pfn on, n at most (n > 0), all of one section: returns how many pfns the
 * answer is about (1 to n) and in *known_ret whether their struct pages are in `buf`
 * (struct_page_bytes each), or can't be had. Any thread.
 */
size_t pagemap_read(const struct pagemap *map, uint64_t pfn, size_t n, void *buf, bool *known_ret);

#endif
