/* What is known of the crashed kernel: its name, and where its image lies. */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/kdump.h"

struct vmcore;

/* Where x86_64 maps the kernel image. Source: Linux arch/x86/include/asm/page_64_types.h,
 * __START_KERNEL_map. */
#define X86_64_IMAGE_BASE UINT64_C(0xffffffff80000000)

/* The physical address of an address in the kernel image (code, data): true and *paddr_ret set. */
bool kernel_image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret);

/*
 * The value of the sub header's phys_base: x86_64's phys_base, arm64's PHYS_OFFSET; 0 where it
 * isn't known. Source: crash x86_64.c (x86_64_calc_phys_base), arm64.c (arm64_calc_phys_offset).
 */
uint64_t kernel_phys_base(const struct vmcore *core);

/*
 * The crashed kernel's uname. Where its memory doesn't tell, as much as VMCOREINFO and the ELF
 * header say: false then. Readers need sysname, release, version and machine.
 */
bool kernel_utsname(const struct vmcore *core, struct kdump_utsname *uts_ret);

/* Where VMCOREINFO says that it is: true and *paddr_ret set. */
bool kernel_utsname_paddr(const struct vmcore *core, uint64_t *paddr_ret);

#endif
