/*
 * The dump decides: whether page tables, as VMCOREINFO or a guess describes them, map the kernel
 * image to where VMCOREINFO says that it lies. The tables of another layout, of another kernel, or
 * torn ones don't.
 */
#ifndef FIT_H
#define FIT_H

#include <stdint.h>

#include "base/error.h"

struct paging;

/* What the tables say of symbols whose place in memory VMCOREINFO tells. Symbols that the tables
 * don't map at all are in neither number. */
struct fit {
	unsigned right, wrong;

	/* Of a symbol that counts as wrong, or else isn't mapped: NULL where there is none. */
	const char *symbol;
	uint64_t vaddr, paddr; /* by VMCOREINFO */
	uint64_t mapped;       /* by the tables; only where wrong > 0 */
};

/* Walk to each known symbol. Some reads of page tables. */
struct fit fit_check(const struct paging *p);

/* The line that says why the tables don't fit: -EBADMSG. */
int fit_error(const struct fit *fit, struct error *err);

#endif
