/* Which architecture a core is of.
 * Doesn't know what sets one apart from another. */
#include "sender/kernel/arch/arch.h"

#include "base/compiler.h"
#include "sender/vmcore/vmcore.h"

/* Those without a file. Source: the e_machine values of the gABI; UTS_MACHINE in Linux
 * arch/ARCH/Makefile. */
static const struct arch named[] = {
	{.elf_machine = 243, .name = "riscv64"}, {.elf_machine = 21, .name = "ppc64le"},
	{.elf_machine = 22, .name = "s390x"},	 {.elf_machine = 258, .name = "loongarch64"},
	{.elf_machine = 8, .name = "mips64"},
};
static const struct arch unknown = {.name = "unknown"};
static const struct arch *const filled[] = {&arch_x86_64, &arch_aarch64};

const struct arch *arch_by_machine(uint16_t elf_machine)
{
	for (size_t i = 0; i < ARRAY_LEN(filled); i++)
		if (filled[i]->elf_machine == elf_machine)
			return filled[i];
	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (named[i].elf_machine == elf_machine)
			return &named[i];
	return &unknown;
}

const struct arch *arch_of(const struct vmcore *core)
{
	return arch_by_machine(core->elf.machine);
}

/* The load that has the address: /proc/vmcore has one for the kernel image, QEMU's cores have none.
 */
static const struct elf_load *load_of(const struct vmcore *core, uint64_t vaddr)
{
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (l->vaddr && vaddr >= l->vaddr && vaddr - l->vaddr < l->mem_bytes)
			return l;
	}
	return NULL;
}

bool arch_image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret)
{
	const struct arch *arch = arch_of(core);
	const struct elf_load *l;

	if (arch->image_paddr && arch->image_paddr(core, vaddr, paddr_ret))
		return true;
	l = load_of(core, vaddr);
	if (!l)
		return false;
	*paddr_ret = l->paddr + (vaddr - l->vaddr);
	return true;
}
