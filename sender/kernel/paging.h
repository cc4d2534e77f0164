/*
 * Translates kernel virtual addresses by the crashed kernel's page tables, which differ by
 * architecture (arch/arch.h). Everything read from the tables is hostile: no table can make a walk
 * loop or read outside of the vmcore.
 */
#ifndef PAGING_H
#define PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sender/kernel/arch/arch.h"

/*
 * Set up from VMCOREINFO. Borrows `core`. Fails -ENOTSUP (architecture), -ENODATA (a key is
 * missing) or -EBADMSG (a value is impossible).
 */
NODISCARD int paging_init(struct paging *p, const struct vmcore *core, struct error *err);

/*
 * The physical address of `vaddr`: true, *paddr_ret, and in *span_ret the bytes from there on that
 * are mapped in one piece (at least 1, to the end of the entry that maps it). False: not mapped, or
 * the tables are not there. Any thread.
 */
static inline bool paging_translate(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
				    uint64_t *span_ret)
{
	return !paging_stopped(p) && p->arch->translate(p, vaddr, paddr_ret, span_ret);
}

/* Whether the memory that is mapped at `vaddr` may be executed; *span_ret is as above. False where
 * nothing is mapped. */
static inline bool paging_code(const struct paging *p, uint64_t vaddr, uint64_t *span_ret)
{
	return !paging_stopped(p) && p->arch->code(p, vaddr, span_ret);
}

/*
 * Read `size_bytes` at a virtual address, across pages: false where any of it is not mapped or
 * can't be read. What was read before that is in `buf`.
 */
bool paging_read(const struct paging *p, uint64_t vaddr, void *buf, size_t size_bytes);

/* The same in the direct map of memory, without a walk; whether it is mapped there isn't checked.
 */
bool paging_direct(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret);

/*
 * The physical addresses of the tables that map the kernel, the direct map of memory left out (its
 * tables grow with memory, and readers don't need them). At most `max`; *all_ret: whether these are
 * all. Returns their number.
 */
static inline size_t paging_tables(const struct paging *p, uint64_t *paddr, size_t max,
				   bool *all_ret)
{
	return p->arch->tables(p, paddr, max, all_ret);
}

/*
 * The physical addresses of the tables that a reader goes by to where the direct map has `paddr`:
 * how many. *span_ret: for how many bytes from paddr on they are the same. 0 where readers need
 * none.
 */
size_t paging_path(const struct paging *p, uint64_t paddr, uint64_t tables[ARCH_LEVELS_MAX],
		   uint64_t *span_ret);

#endif
