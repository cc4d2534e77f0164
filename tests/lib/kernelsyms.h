/* The symbol table of a kernel made up for tests. Source: Linux scripts/kallsyms.c. */
#ifndef TESTS_KERNELSYMS_H
#define TESTS_KERNELSYMS_H

#include <stddef.h>
#include <stdint.h>

struct kernel;

struct kernel_symbol {
	const char *name; /* with its type letter in front */
	uint64_t vaddr;	  /* of a per-CPU variable: what is added to a CPU's offset */
};

/* How addresses are told: x86_64's ways until 6.14, from 6.15 on, and in 7.x. */
enum kernel_encoding {
	KERNEL_PERCPU_ABSOLUTE,
	KERNEL_BASE_RELATIVE,
	KERNEL_PLACE_RELATIVE,
};

/* Where its parts lie, to spoil them: paddrs. */
struct kernel_symbols {
	uint64_t names, tokens, index, offsets, count, base;
};

/* Give the kernel a table of these symbols, in this order. */
struct kernel_symbols kernel_add_symbols(struct kernel *k, const struct kernel_symbol *symbols,
					 size_t count, enum kernel_encoding encoding);

#endif
