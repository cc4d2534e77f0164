/* The kernel image among the loads of a vmcore, or in its page tables.
 * Doesn't know what the image consists of. */
#include "sender/kernel/image.h"

#include "base/checked.h"
#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

enum {
	IMAGE_BYTES_MAX = 256 << 20,
	GAP_BYTES_MAX = 32 << 20,
};

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

/* How many bytes from vaddr on are mapped as the image's are; 0: none. */
static uint64_t image_span(const struct paging *p, uint64_t vaddr)
{
	uint64_t mapped, paddr, span;

	if (!paging_translate(p, vaddr, &mapped, &span) ||
	    !arch_image_paddr(p->core, vaddr, &paddr) || mapped != paddr)
		return 0;
	return span;
}

/* The end of the image, from an address in it on. */
static uint64_t find_end(const struct paging *p, uint64_t vaddr)
{
	const uint64_t page = p->core->page_bytes;
	uint64_t end = vaddr;

	for (uint64_t at = vaddr; at - vaddr < IMAGE_BYTES_MAX && at - end < GAP_BYTES_MAX;) {
		const uint64_t span = image_span(p, at);

		at += span ? span : page;
		if (span)
			end = at;
	}
	return MIN(end, vaddr + IMAGE_BYTES_MAX);
}

static uint64_t find_first(const struct paging *p, uint64_t vaddr)
{
	const uint64_t page = p->core->page_bytes;
	uint64_t first = vaddr;

	while (vaddr - first < GAP_BYTES_MAX && image_span(p, first - page))
		first -= page;
	return first;
}

struct pfn_range image_by_tables(const struct paging *p)
{
	const struct vaddr_range image = p->arch->layout.image;
	const uint64_t page = p->core->page_bytes;
	uint64_t stext, first, end, paddr;

	if (image.first < image.end || !vmcoreinfo_symbol(p->core->info, "_stext", &stext))
		return (struct pfn_range){0};
	stext -= stext % page;
	first = find_first(p, stext);
	end = find_end(p, stext);
	if (first == end || !arch_image_paddr(p->core, first, &paddr))
		return (struct pfn_range){0};
	return (struct pfn_range){paddr / page, (paddr + (end - first)) / page};
}
