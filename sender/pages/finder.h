/*
 * The state of a search for parts of the essential set (essential.c): one crashed kernel, and the
 * set that pages are added to.
 */
#ifndef FINDER_H
#define FINDER_H

#include <stdint.h>

#include "sender/kernel/arch/arch.h"
#include "sender/kernel/kdata.h"

struct kmodel;
struct pageset;
struct paging;
struct warnings;

struct finder {
	const struct kmodel *km;
	const struct paging *paging;
	struct pageset *const *parts; /* ESSENTIAL_PARTS of them */
	struct pageset *pages;	      /* the part that is added to */
	struct warnings *warnings;
	enum elf_data data; /* the kernel's */
	uint64_t page_bytes;

	/* The image's code, and where it lies in memory, in one piece; empty: not known. */
	uint64_t text, text_end, text_paddr;
};

/* Kernel variables that VMCOREINFO doesn't name. */
enum {
	SYM_PER_CPU_OFFSET,
	SYM_PER_CPU_START,
	SYM_PCPU_UNIT_SIZE,
	SYM_NR_CPU_IDS,
	SYM_SDATA,
	SYM_LINUX_BANNER,
	SYM_RO_AFTER_INIT,
	SYM_RO_AFTER_INIT_END,
	SYM_INIT_PID_NS,
	SYM_CURRENT_TASKS, /* the architecture's names for it */
	SYM_COUNT = SYM_CURRENT_TASKS + ARCH_CURRENT_TASKS_MAX,
};

/* Add the pages of [paddr, paddr + bytes) that the vmcore has. */
void finder_add_paddr(struct finder *e, uint64_t paddr, uint64_t bytes);

/* Add the pages of [vaddr, vaddr + bytes) as far as they are mapped, and as far as *walks allow:
 * each walk of page tables takes one of them. */
void finder_add_mapped(struct finder *e, uint64_t vaddr, uint64_t bytes, uint64_t *walks);

/* The same without a bound on walks. */
void finder_add_vaddr(struct finder *e, uint64_t vaddr, uint64_t bytes);

#endif
