/*
 * The seam between architectures. Each is one file of this folder that fills a struct arch, and a
 * row in arch.c; nothing outside of this folder asks which machine a vmcore is of. An architecture
 * whose kernels aren't known yet has a row with a name only: its vmcores are served at the levels 0
 * and 1.
 */
#ifndef ARCH_H
#define ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h"

struct vmcore;
struct vmcoreinfo;
struct arch;

enum {
	/* e_machine of those that have a file. */
	ELF_EM_X86_64 = 62,
	ELF_EM_AARCH64 = 183,

	ARCH_LEVELS_MAX = 5,		  /* of page tables */
	ARCH_REGS_BYTES_MAX = 512,	  /* of .regs_bytes */
	ARCH_STACK_BYTES_MAX = 256 << 10, /* of .stack_bytes */
	ARCH_CURRENT_TASKS_MAX = 2,
};

/* Virtual addresses [first, end); empty: not known. */
struct vaddr_range {
	uint64_t first, end;
};

/* The ranges of the kernel's addresses. By them, the address of a load tells what the load is. */
struct arch_layout {
	/* The kernel image alone; empty: it may be anywhere. */
	struct vaddr_range image;
	/* All of memory, at one distance from where it lies; empty: the tables tell (struct
	 * paging). */
	struct vaddr_range direct_map;
};

/* Page tables of one crashed kernel. paging.h has what is done with them, and makes one. */
struct paging {
	const struct vmcore *core;
	const struct arch *arch;

	/* Of the architecture's own: set by its find_tables(). */
	uint64_t root_paddr;   /* of the top table */
	unsigned levels;       /* of tables */
	uint64_t address_mask; /* of an entry: the bits that are an address */
	unsigned page_shift;   /* where the size of a page differs: log2 of it */
	unsigned vaddr_bits;   /* of an address, that the tables translate */
	uint64_t high_bits;    /* of an entry: the highest of the address, */
	unsigned high_shift;   /* and how far down they lie */

	/* The direct map of memory, and where in memory it begins (modulo 2^64). Empty: the loads
	 * alone tell it. */
	struct vaddr_range direct_map;
	uint64_t direct_paddr;

	/* Bits of a pointer that are no address but a tag, and bits of a return address that are a
	 * tag or a signature. In the kernel's addresses all of them are 1. */
	uint64_t tag_bits, return_bits;

	uint32_t stack_bytes; /* of a task's stack without KASAN: set by paging_init() */

	struct stop stop; /* the core's: see paging_stopped() */
};

/* All members are constant. A function that is NULL, like a zero, stands for what isn't known. */
struct arch {
	uint16_t elf_machine; /* e_machine */
	const char *name;     /* what `uname -m` says */

	/* --- addresses --- */

	struct arch_layout layout;
	uint64_t kernel_vaddr; /* the lowest address that is the kernel's and no program's */

	/* The physical address of an address in the kernel image, where VMCOREINFO tells it: true
	 * and *paddr_ret set. */
	bool (*image_paddr)(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret);

	/* See kernel_phys_base(). */
	uint64_t (*phys_base)(const struct vmcore *core);

	/* --- page tables: all of these functions, or none --- */

	/* Set p's own members from VMCOREINFO; p->core and p->arch are set. Fails -ENODATA (a key
	 * is missing) or -EBADMSG (a value is impossible, or the tables don't map the kernel to
	 * where VMCOREINFO says: fit.h). */
	int (*find_tables)(struct paging *p, struct error *err);

	/* See paging_translate(), paging_code(), paging_tables(). Whatever the tables hold, a walk
	 * ends, and reads nothing outside of the vmcore. */
	bool (*translate)(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
			  uint64_t *span_ret);
	bool (*code)(const struct paging *p, uint64_t vaddr, uint64_t *span_ret);
	size_t (*tables)(const struct paging *p, uint64_t *paddr, size_t max, bool *all_ret);

	/* See paging_path(). NULL where readers go to the direct map without page tables. */
	size_t (*path)(const struct paging *p, uint64_t vaddr, uint64_t paddr[ARCH_LEVELS_MAX],
		       uint64_t *span_ret);

	/* --- memory sections --- */

	/* SECTION_SIZE_BITS and MAX_PHYSMEM_BITS, for kernels whose VMCOREINFO has neither. With
	 * page tables only. */
	void (*section_bits)(const struct vmcoreinfo *info, uint64_t *section_size_ret,
			     uint64_t *max_physmem_ret);

	/* --- CPUs and tasks: with page tables only --- */

	/* Of a task's stack, and what it is aligned to: THREAD_SIZE without KASAN, which doubles
	 * it. Where pages are larger, a page. */
	uint32_t stack_bytes;

	/* Where the desc of an NT_PRSTATUS has user_regs_struct, and the stack pointer in that. */
	uint16_t regs_off, regs_bytes, stack_pointer_off;

	/* Per-CPU variables that begin with the address of the running task: the first that the
	 * kernel has counts. */
	const char *current_task[ARCH_CURRENT_TASKS_MAX];

	/* Kernels had a symbol table in which per-CPU variables are absolute (--absolute-percpu).
	 */
	bool kallsyms_percpu_absolute;
};

/* One for each file of this folder. */
extern const struct arch arch_x86_64, arch_aarch64;

/* The architecture of an e_machine, little-endian where there are both: never NULL, and named
 * "unknown" where it isn't known. */
const struct arch *arch_by_machine(uint16_t elf_machine);

/* The core's. */
const struct arch *arch_of(const struct vmcore *core);

/* The physical address of an address in the kernel image (code, data), by VMCOREINFO or else by the
 * load that has the address: true and *paddr_ret set. */
bool arch_image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret);

static inline bool vaddr_range_has(struct vaddr_range range, uint64_t vaddr)
{
	return vaddr >= range.first && vaddr < range.end;
}

/*
 * Whether the program was told to end. If so, no address counts as mapped any more, so that all
 * code that looks for the kernel's data ends soon, wherever it is. Code that acts on what was found
 * asks here first.
 */
static inline bool paging_stopped(const struct paging *p)
{
	return stop_is_due(&p->stop);
}

#endif
