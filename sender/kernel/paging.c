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
	p->stack_bytes = (uint32_t)MAX((uint64_t)arch->stack_bytes, core->page_bytes);
	return arch->find_tables(p, err);
}

/* By the loads: their addresses are the direct map's, but for the kernel image's. */
static bool direct_by_loads(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret)
{
	const struct vaddr_range range = p->arch->layout.direct_map;
	const struct vmcore *core = p->core;

	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (vaddr_range_has(range, l->vaddr) && vaddr - l->vaddr < l->mem_bytes) {
			*paddr_ret = l->paddr + (vaddr - l->vaddr);
			return true;
		}
	}
	return false;
}

bool paging_direct(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret)
{
	const struct memmap_piece *piece;
	uint64_t paddr;

	if (p->direct_map.first == p->direct_map.end)
		return direct_by_loads(p, vaddr, paddr_ret);
	vaddr |= p->tag_bits;
	if (!vaddr_range_has(p->direct_map, vaddr))
		return false;
	paddr = vaddr - p->direct_map.first + p->direct_paddr;
	piece = memmap_find(&p->core->map, paddr);
	if (!piece || paddr < piece->paddr || paddr >= piece->end)
		return false;
	*paddr_ret = paddr;
	return true;
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

size_t paging_path(const struct paging *p, uint64_t paddr, uint64_t tables[ARCH_LEVELS_MAX],
		   uint64_t *span_ret)
{
	const uint64_t vaddr = p->direct_map.first + (paddr - p->direct_paddr);

	if (!p->arch->path || !vaddr_range_has(p->direct_map, vaddr) || paging_stopped(p))
		return 0;
	return p->arch->path(p, vaddr, tables, span_ret);
}
