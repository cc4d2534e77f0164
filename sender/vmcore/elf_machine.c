/* e_machine to a name.
 * Doesn't know which machines have page tables that can be read. */
#include "sender/vmcore/elf_machine.h"

#include <stddef.h>

#include "base/compiler.h"
#include "sender/vmcore/elf.h"

/* Source: the e_machine values of the gABI; UTS_MACHINE in Linux arch/ARCH/Makefile. */
static const struct {
	uint16_t machine;
	const char *name;
} machines[] = {
	{ELF_EM_X86_64, "x86_64"},
	{ELF_EM_AARCH64, "aarch64"},
	{243, "riscv64"},
	{21, "ppc64le"},
	{22, "s390x"},
	{258, "loongarch64"},
	{8, "mips64"},
};

const char *elf_machine_name(uint16_t machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].machine == machine)
			return machines[i].name;
	return "unknown";
}
