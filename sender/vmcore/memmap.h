/*
 * The crashed machine's memory map, made from the loads of an ELF core: which pages exist, and
 * where in the file each physical address lies. Loads may overlap (the kernel image is there
 * twice), be out of order, begin and end within a page, and reach past the end of a file that was
 * cut short.
 */
#ifndef MEMMAP_H
#define MEMMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct elf_load;

/* Physical memory [paddr, end) lies at `off` of the file. It belongs to one load: the first that
 * has it. */
struct memmap_piece {
	uint64_t paddr, end;
	uint64_t off; /* MEMMAP_LOST: the file ends before it */
};

#define MEMMAP_LOST UINT64_MAX

/* pfns [first, end). */
struct pfn_range {
	uint64_t first, end;
};

struct memmap {
	struct memmap_piece *pieces; /* by paddr, disjoint */
	size_t piece_count;
	struct pfn_range
		*ram; /* every page that a load touches: ascending, disjoint, not adjacent */
	size_t ram_count;
	struct pfn_range *data; /* the pages of these that have any data (lost or not), likewise */
	size_t data_count;
	uint64_t max_mapnr;  /* one past the highest pfn of `ram` */
	uint64_t lost_bytes; /* of memory whose data lies past the end of the file */
};

/*
 * Make the map. `file_bytes` is the file's length, page_bytes a power of two. The caller calls
 * memmap_deinit() in any case. Fails -EFBIG (an address beyond what any machine has) or -ENOMEM.
 * Takes O(n log n).
 */
NODISCARD int memmap_init(struct memmap *map, const struct elf_load *loads, size_t load_count,
			  uint64_t file_bytes, uint64_t page_bytes, struct error *err);
void memmap_deinit(struct memmap *map);

/* The first piece that ends above `paddr`, or NULL: it holds paddr, or begins behind it. O(log n).
 */
const struct memmap_piece *memmap_find(const struct memmap *map, uint64_t paddr);

#endif
