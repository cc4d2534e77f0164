/* Kernel virtual addresses: whose page tables, and reads across pages.
 * Doesn't know what a table entry looks like. */
#include "sender/kernel/paging.h"

#include <errno.h>

#include "sender/vmcore/vmcore.h"

int paging_init(struct paging *p, const struct vmcore *core, struct error *err)
{
	const struct arch *arch = arch_of(core);

	*p = (struct paging){.core = core, .arch = arch, .stop = core->stop};
	if (!arch->find_tables)
		return error_set(err, -ENOTSUP, "page tables of ELF machine %d (%s) are not known",
				 core->elf.machine, arch->name);
	return arch->find_tables(p, err);
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
