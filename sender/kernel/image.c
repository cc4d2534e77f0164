/* The kernel image among the loads of a vmcore.
 * Doesn't know what the image consists of. */
#include "sender/kernel/image.h"

#include "base/checked.h"
#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/arch/arch.h"
#include "sender/vmcore/vmcore.h"

static struct pfn_range pages_of(const struct vmcore *core, const struct elf_load *l,
				 uint64_t bytes)
{
	return (struct pfn_range){l->paddr / core->page_bytes,
				  (l->paddr + bytes) / core->page_bytes};
}

/* Loaders that don't find _text write a load of nonsense: what it says of _stext has to be right.
 */
static bool has_stext(const struct vmcore *core, const struct elf_load *l)
{
	uint64_t stext, paddr;

	return core->info && vmcoreinfo_symbol(core->info, "_stext", &stext) && stext >= l->vaddr &&
	       stext - l->vaddr < l->mem_bytes && arch_image_paddr(core, stext, &paddr) &&
	       paddr == l->paddr + (stext - l->vaddr);
}

/* QEMU's cores have none: their loads have no addresses. */
struct pfn_range image_by_load(const struct vmcore *core)
{
	const struct vaddr_range image = arch_of(core)->layout.image;
	const bool known = image.first < image.end;

	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (known && vaddr_range_has(image, l->vaddr))
			return pages_of(core, l, MIN(l->mem_bytes, image.end - l->vaddr));
		if (!known && l->vaddr && has_stext(core, l))
			return pages_of(core, l, l->mem_bytes);
	}
	return (struct pfn_range){0};
}
