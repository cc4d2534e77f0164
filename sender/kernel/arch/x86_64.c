/* x86_64: where its kernels lie, and page tables of 4 and 5 levels.
 * Doesn't know what is mapped. Source of the tables: Intel SDM volume 3, chapter 4; AMD APM volume
 * 2, 7.10 (the encryption bit). */
#include "sender/kernel/arch/arch.h"

#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/arch/fit.h"
#include "sender/vmcore/vmcore.h"

enum {
	PAGE_SHIFT = 12,
	TABLE_BYTES = 4096,
	INDEX_BITS = 9,
	ENTRIES = 1 << INDEX_BITS,
	ENTRY_BYTES = 8,

	ENTRY_PRESENT = 0x1,
	ENTRY_LEAF = 0x80, /* at the levels of 1 GiB and 2 MiB */
	LEAF_LEVEL_MAX = 3,

	STACK_BYTES = 16 << 10, /* 32 KiB with KASAN: half of it is still the top */

	/* Source: Linux include/linux/elfcore.h, arch/x86/include/asm/user_64.h. */
	PRSTATUS_REGS = 112,
	REGS_BYTES = 27 * 8,
	REGS_RSP = 19 * 8,
};

/* Where the kernel image is mapped. Source: Linux arch/x86/include/asm/page_64_types.h,
 * __START_KERNEL_map, KERNEL_IMAGE_SIZE. */
#define IMAGE_BASE UINT64_C(0xffffffff80000000)
#define IMAGE_END  (IMAGE_BASE + (UINT64_C(1) << 30))

#define KERNEL_HALF (UINT64_C(1) << 63) /* of addresses */

#define ADDRESS_BITS	 UINT64_C(0x000ffffffffff000)
#define ENTRY_NO_EXECUTE (UINT64_C(1) << 63) /* of any level */

/* --- the kernel image --- */

static bool image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret)
{
	uint64_t phys_base;

	if (vaddr < IMAGE_BASE || !vmcoreinfo_number(core->info, "phys_base", &phys_base))
		return false;
	*paddr_ret = vaddr - IMAGE_BASE + phys_base; /* which may be negative: it wraps */
	return true;
}

/* Source: crash x86_64.c, x86_64_calc_phys_base(). */
static uint64_t phys_base(const struct vmcore *core)
{
	uint64_t n;

	if (vmcoreinfo_number(core->info, "phys_base", &n))
		return n;
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (l->vaddr >= IMAGE_BASE)
			return l->paddr - (l->vaddr - IMAGE_BASE);
	}
	return 0;
}

/* --- page tables --- */

/* Bytes that one entry of a level maps; level 1 is the last table. */
static uint64_t entry_bytes(unsigned level)
{
	return UINT64_C(1) << (PAGE_SHIFT + INDEX_BITS * (level - 1));
}

static bool is_leaf(unsigned level, uint64_t entry)
{
	return level == 1 || (level <= LEAF_LEVEL_MAX && (entry & ENTRY_LEAF));
}

/* The entry that maps vaddr, and its level, which is 0 if there is none. At most `levels` steps
 * down, whatever the tables hold. */
struct leaf {
	unsigned level;
	uint64_t entry;
	bool no_execute; /* by it, or by one on the way to it */
};

static struct leaf walk(const struct paging *p, uint64_t vaddr)
{
	uint64_t table = p->root_paddr;
	struct leaf leaf = {0};

	for (unsigned level = p->levels; level; level--) {
		const uint64_t index = vaddr / entry_bytes(level) % ENTRIES;
		uint8_t raw[ENTRY_BYTES];

		if (vmcore_read(p->core, table + index * ENTRY_BYTES, raw, sizeof(raw)) < 0)
			break;
		leaf.entry = le64_get(raw);
		leaf.no_execute |= (leaf.entry & ENTRY_NO_EXECUTE) != 0;
		if (!(leaf.entry & ENTRY_PRESENT))
			break;
		if (is_leaf(level, leaf.entry)) {
			leaf.level = level;
			break;
		}
		table = leaf.entry & p->address_mask;
	}
	return leaf;
}

static bool translate(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
		      uint64_t *span_ret)
{
	const struct leaf leaf = walk(p, vaddr);
	uint64_t bytes, within;

	if (!leaf.level)
		return false;
	bytes = entry_bytes(leaf.level);
	within = vaddr & (bytes - 1);
	/* Bit 12 of a large leaf isn't address but PAT: the mask takes it too. */
	*paddr_ret = (leaf.entry & p->address_mask & ~(bytes - 1)) + within;
	*span_ret = bytes - within;
	return true;
}

static bool code(const struct paging *p, uint64_t vaddr, uint64_t *span_ret)
{
	const struct leaf leaf = walk(p, vaddr);

	if (!leaf.level || leaf.no_execute)
		return false;
	*span_ret = entry_bytes(leaf.level) - vaddr % entry_bytes(leaf.level);
	return true;
}

/* --- the tables themselves --- */

/* A list of tables being made. */
struct table_list {
	const struct paging *p;
	uint64_t *paddr;
	size_t count, max;
	bool all;
	uint64_t skip_first, skip_end; /* virtual addresses whose tables are left out */
};

static void add_table(struct table_list *list, uint64_t paddr)
{
	if (list->count == list->max)
		list->all = false;
	else
		list->paddr[list->count++] = paddr;
}

/* Add the table at `paddr`, whose first entry maps `vaddr`, and all below it. Depth: levels; width:
 * list->max. */
static void walk_table(struct table_list *list, uint64_t paddr, unsigned level, uint64_t vaddr)
{
	const uint64_t bytes = entry_bytes(level);
	uint8_t raw[TABLE_BYTES];

	if (paging_stopped(list->p) || vmcore_read(list->p->core, paddr, raw, sizeof(raw)) < 0)
		return;
	add_table(list, paddr);
	if (level == 1)
		return;
	for (unsigned i = 0; i < ENTRIES && list->all; i++) {
		const uint64_t entry = le64_get(raw + i * ENTRY_BYTES);
		const uint64_t at = vaddr + i * bytes;

		if (!(entry & ENTRY_PRESENT) || is_leaf(level, entry))
			continue;
		if (at >= list->skip_first && at + (bytes - 1) < list->skip_end)
			continue;
		walk_table(list, entry & list->p->address_mask, level - 1, at);
	}
}

/* The direct map as the loads show it: where their virtual addresses begin and end. */
static void find_direct_map(const struct paging *p, uint64_t *first_ret, uint64_t *end_ret)
{
	const struct vmcore *core = p->core;

	*first_ret = *end_ret = 0;
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (!vaddr_range_has(arch_x86_64.layout.direct_map, l->vaddr))
			continue;
		if (*end_ret == 0 || l->vaddr < *first_ret)
			*first_ret = l->vaddr;
		*end_ret = MAX(*end_ret, l->vaddr + l->mem_bytes);
	}
}

static size_t tables(const struct paging *p, uint64_t *paddr, size_t max, bool *all_ret)
{
	struct table_list list = {.p = p, .paddr = paddr, .max = max, .all = true};
	const uint64_t top_bytes = entry_bytes(p->levels);
	uint8_t raw[TABLE_BYTES];

	find_direct_map(p, &list.skip_first, &list.skip_end);
	if (vmcore_read(p->core, p->root_paddr, raw, sizeof(raw)) == 0) {
		add_table(&list, p->root_paddr);
		/* The upper half is the kernel's; addresses there are sign-extended. */
		for (unsigned i = ENTRIES / 2; i < ENTRIES && list.all; i++) {
			const uint64_t entry = le64_get(raw + i * ENTRY_BYTES);
			const uint64_t at =
				i * top_bytes | ~(((uint64_t)ENTRIES
						   << (PAGE_SHIFT + INDEX_BITS * (p->levels - 1))) -
						  1);

			if (entry & ENTRY_PRESENT)
				walk_table(&list, entry & p->address_mask, p->levels - 1, at);
		}
	}
	*all_ret = list.all;
	return list.count;
}

static int find_tables(struct paging *p, struct error *err)
{
	const struct vmcoreinfo *info = p->core->info;
	uint64_t root, five_levels = 0, sme_mask = 0;
	struct fit fit;

	/* init_top_pgt was init_level4_pgt before 4.13; swapper_pg_dir is the same table. */
	if (!vmcoreinfo_symbol(info, "init_top_pgt", &root) &&
	    !vmcoreinfo_symbol(info, "swapper_pg_dir", &root))
		return error_set(err, -ENODATA, "VMCOREINFO doesn't say where the page tables are");
	if (!arch_image_paddr(p->core, root, &p->root_paddr) || p->root_paddr % TABLE_BYTES)
		return error_set(err, -EBADMSG,
				 "the top page table at 0x%" PRIx64 " isn't in the kernel image",
				 root);
	vmcoreinfo_number(info, "pgtable_l5_enabled", &five_levels);
	vmcoreinfo_number(info, "sme_mask", &sme_mask);
	p->levels = five_levels ? 5 : 4;
	p->address_mask = ADDRESS_BITS & ~sme_mask;
	/* Tables that map nothing are none to be misled by. A guest of Xen PV has tables of its
	 * host's addresses. */
	fit = fit_check(p);
	return fit.wrong ? fit_error(&fit, err) : 0;
}

/* --- the others --- */

/* Kernels say the first since 5.13, the second since 5.9. Source: Linux
 * arch/x86/include/asm/sparsemem.h. */
static void section_bits(const struct vmcoreinfo *info, uint64_t *section_size_ret,
			 uint64_t *max_physmem_ret)
{
	uint64_t five_levels = 0;

	vmcoreinfo_number(info, "pgtable_l5_enabled", &five_levels);
	*section_size_ret = 27;
	*max_physmem_ret = five_levels ? 52 : 46;
}

const struct arch arch_x86_64 = {
	.elf_machine = ELF_EM_X86_64,
	.name = "x86_64",
	/* Where randomized, the direct map may be anywhere below the image; loads without an
	 * address have 0. */
	.layout = {.image = {IMAGE_BASE, IMAGE_END}, .direct_map = {1, IMAGE_BASE}},
	.kernel_vaddr = KERNEL_HALF,
	.image_paddr = image_paddr,
	.phys_base = phys_base,
	.find_tables = find_tables,
	.translate = translate,
	.code = code,
	.tables = tables,
	.section_bits = section_bits,
	.stack_bytes = STACK_BYTES,
	.regs_off = PRSTATUS_REGS,
	.regs_bytes = REGS_BYTES,
	.stack_pointer_off = REGS_RSP,
	/* 6.2 to 6.14 have it first in pcpu_hot, all others on its own. */
	.current_task = {"current_task", "pcpu_hot"},
	.kallsyms_percpu_absolute = true,
};
