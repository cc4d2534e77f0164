/* Kernel virtual addresses: which architecture, and reads across pages.
 * Doesn't know what a table entry looks like. */
#include "sender/kernel/paging.h"

#include <errno.h>

#include "sender/vmcore/elf_machine.h"
#include "sender/vmcore/vmcore.h"

static const struct {
	uint16_t elf_machine;
	int (*init)(struct paging *p, struct error *err);
} architectures[] = {
	{ELF_EM_X86_64, paging_x86_64_init},
};

int paging_init(struct paging *p, const struct vmcore *core, struct error *err)
{
	*p = (struct paging){.core = core, .stop = core->stop};
	for (size_t i = 0; i < ARRAY_LEN(architectures); i++)
		if (architectures[i].elf_machine == core->elf.machine)
			return architectures[i].init(p, err);
	return error_set(err, -ENOTSUP, "page tables of ELF machine %d (%s) are not known",
			 core->elf.machine, elf_machine_name(core->elf.machine));
}

bool paging_read(const struct paging *p, uint64_t vaddr, void *buf, size_t size_bytes)
{
	uint8_t *out = buf;

	while (size_bytes) {
		uint64_t paddr, span;
		size_t n;

		if (!paging_translate(p, vaddr, &paddr, &span))
			return false;
		n = (size_t)MIN((uint64_t)size_bytes, span);
		if (vmcore_read(p->core, paddr, out, n) < 0)
			return false;
		vaddr += n;
		out += n;
		size_bytes -= n;
	}
	return true;
}
