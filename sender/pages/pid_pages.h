/* Part of the essential set: what leads from a process id to its task. */
#ifndef PID_PAGES_H
#define PID_PAGES_H

#include "base/error.h"

struct finder;
struct kallsyms_symbol;

/*
 * drgn finds the task that panicked by its id, which is in the CPU's NT_PRSTATUS: add the nodes of
 * the kernel's tree of ids, and the struct pid, of each CPU's. Nothing where the tree isn't found.
 * Fails -ENOMEM.
 */
NODISCARD int pid_pages_add(struct finder *e, const struct kallsyms_symbol *sym, struct error *err);

#endif
