/*
 * An arm64 kernel made up for tests: VMCOREINFO, page tables of a chosen layout, a memory section
 * and struct pages, in an ELF core. A failure ends the test.
 */
#ifndef TESTS_ARMKERNEL_H
#define TESTS_ARMKERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/kernel/paging.h"

struct vmcore;

enum {
	ARM_MEMORY_BYTES = 8 << 20,

	/* Where things lie, from the beginning of memory on. */
	ARM_STEXT_AT = 0x210000,
	ARM_ROOT_AT = 0x220000,
	ARM_UTS_AT = 0x230000,
	ARM_SECTIONS_AT = 0x240000, /* a root of memory sections */
	ARM_ROOTS_AT = 0x250000,    /* the array of roots */
	ARM_TABLES_AT = 0x300000,

	/* Attributes of a page as Linux sets them: the access flag; of all but LPA2: SH. */
	ARM_AF = 0x400,
	ARM_SH = 0x300,

	ARM_STRUCT_PAGE_BYTES = 64, /* fields as in kernel.h */
};

#define ARM_PXN	       (UINT64_C(1) << 53)
#define ARM_CONTIGUOUS (UINT64_C(1) << 52)
#define ARM_PXN_TABLE  (UINT64_C(1) << 59)
#define ARM_RAM	       UINT64_C(0x40000000)
#define ARM_RAM_HIGH   (UINT64_C(3) << 48) /* bits 49 and 48 */

/* A kernel: log2 of its pages, the bits of addresses that it was built for, those in use, which
 * VMCOREINFO may not tell, and those that its top table is for. */
struct arm_layout {
	const char *name;
	unsigned page_shift, built, in_use;
	bool t1sz; /* told */
	unsigned top;
	uint64_t ram; /* where memory begins */
	bool old_map; /* of before 5.4 */
};

/* All layouts that kernels have. */
extern const struct arm_layout arm_layouts[];
extern const size_t arm_layout_count;

struct arm_kernel {
	struct arm_layout layout;
	uint8_t *memory;
	uint64_t used;	      /* of it, for tables */
	uint64_t image;	      /* added to an address in memory, the one in the image */
	uint64_t direct;      /* the same of the direct map */
	uint64_t phys_offset; /* as VMCOREINFO says it */
	uint64_t vmemmap;     /* the struct page of the first page */
	uint64_t vmemmap_paddr;
	struct vmcore *core;
	struct paging paging;
};

struct arm_kernel *arm_new(const struct arm_layout *layout);
void arm_free(struct arm_kernel *k);

/*
 * Make a core of it, and open it: k->core and k->paging are set. `without` is the key of a line of
 * VMCOREINFO that is left out; `more` comes first: of a repeated key the first counts. Both may be
 * NULL. Returns what paging_init() does.
 */
int arm_open(struct arm_kernel *k, const char *without, const char *more, struct error *err);

/* Memory at a physical address; whether there is such memory. */
uint8_t *arm_at(struct arm_kernel *k, uint64_t paddr);
bool arm_has(const struct arm_kernel *k, uint64_t paddr, uint64_t bytes);

/* The struct page of page `n` of memory. */
uint8_t *arm_page(struct arm_kernel *k, uint64_t n);

/* Where the entry of that level for vaddr lies; tables on the way are made. */
uint8_t *arm_entry(struct arm_kernel *k, uint64_t vaddr, unsigned level);

/* Map vaddr by an entry of that level (1: a page), with the bits `more`. */
void arm_map(struct arm_kernel *k, uint64_t vaddr, uint64_t paddr, unsigned level, uint64_t more);

/* log2 of what an entry maps; the number of levels; the lowest sign-extended address of so many
 * bits. */
unsigned arm_level_shift(const struct arm_kernel *k, unsigned level);
unsigned arm_levels(const struct arm_kernel *k);
uint64_t arm_lowest(unsigned bits);

#endif
