/* What is known of the crashed kernel: its name, and where memory begins for it. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/kdump.h"

struct vmcore;

/* The value of the sub header's phys_base, as readers expect it of the architecture; 0 where it
 * isn't known. */
uint64_t kernel_phys_base(const struct vmcore *core);

/*
 * The crashed kernel's uname. Where its memory doesn't tell, *uts_ret has as much as VMCOREINFO and
 * the ELF header say, and false is returned. Readers need sysname, release, version and machine.
 */
bool kernel_utsname(const struct vmcore *core, struct kdump_utsname *uts_ret);

/* The place of the uname in memory, as VMCOREINFO gives it: true and *paddr_ret set. */
bool kernel_utsname_paddr(const struct vmcore *core, uint64_t *paddr_ret);

#endif
