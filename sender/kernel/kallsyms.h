/*
 * The crashed kernel's own symbol table, found through VMCOREINFO (since 6.0, and where
 * backported): names of variables that VMCOREINFO doesn't export. Source: Linux kernel/kallsyms.c,
 * scripts/kallsyms.c.
 */
#ifndef KALLSYMS_H
#define KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct paging;

/* A symbol to look for. For a per-CPU variable, vaddr is the number that is added to a CPU's
 * __per_cpu_offset.
 */
struct kallsyms_symbol {
	const char *name;
	uint64_t vaddr;
	bool found;
};

/*
 * Look for `count` symbols. Returns whether any was found: none where the kernel has no table that
 * can be read and that agrees with VMCOREINFO about _stext. Of a name that occurs more than once
 * the first counts.
 */
bool kallsyms_find(const struct paging *paging, struct kallsyms_symbol *symbols, size_t count);

#endif
