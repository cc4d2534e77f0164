/* arm64: where its kernels lie.
 * Doesn't know its page tables yet, nor what is found by them. Source: Linux
 * arch/arm64/kernel/vmcore_info.c. */
#include "sender/kernel/arch/arch.h"

#include "format/vmcoreinfo.h"
#include "sender/vmcore/vmcore.h"

static bool image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret)
{
	uint64_t offset;

	if (!vmcoreinfo_number(core->info, "kimage_voffset", &offset))
		return false;
	*paddr_ret = vaddr - offset;
	return true;
}

/* Source: crash arm64.c, arm64_calc_phys_offset(). */
static uint64_t phys_base(const struct vmcore *core)
{
	uint64_t offset;

	return vmcoreinfo_number(core->info, "PHYS_OFFSET", &offset) ? offset : 0;
}

const struct arch arch_aarch64 = {
	.elf_machine = ELF_EM_AARCH64,
	.name = "aarch64",
	.image_paddr = image_paddr,
	.phys_base = phys_base,
};
