/* arm64: where its kernels lie, and page tables of 4, 16 and 64 KiB pages with 2 to 5 levels.
 * Doesn't know what is mapped. VMCOREINFO doesn't tell the layout of the tables whole: the dump
 * decides (fit.h). Source of the tables: Arm ARM (DDI 0487), D8.3 "Translation table descriptor
 * formats"; of all else: Linux arch/arm64/kernel/vmcore_info.c, include/asm/pgtable-hwdef.h and
 * memory.h. docs/ARM64.md has these facts one by one. */
#include "sender/kernel/arch/arch.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/arch/fit.h"
#include "sender/vmcore/vmcore.h"

enum {
	ENTRY_BYTES = 8,
	PIECE_BYTES = 4096, /* of a table that is read at once: tables are pages */

	/* The lowest two bits of an entry. At the last level the second one stands for a page. */
	ENTRY_TYPE = 0x3,
	ENTRY_BLOCK = 0x1,
	ENTRY_TABLE = 0x3,

	VADDR_BITS_MAX = 52,

	STACK_BYTES = 16 << 10,

	/* Source: Linux include/linux/elfcore.h, arch/arm64/include/uapi/asm/ptrace.h. */
	PRSTATUS_REGS = 112,
	REGS_BYTES = 34 * 8,
	REGS_SP = 31 * 8,
};

#define ENTRY_PXN	(UINT64_C(1) << 53) /* of a page or block: no code of the kernel's */
#define ENTRY_PXN_TABLE (UINT64_C(1) << 59) /* of a table: the same of all below it */

/* Bits 63 to 56 are no address: KASAN and MTE keep tags there. Bit 55 tells kernel from program. */
#define TAG_BITS UINT64_C(0xff00000000000000)

/* The lowest address of 52 bits that is the kernel's. */
#define KERNEL_VADDR (~((UINT64_C(1) << VADDR_BITS_MAX) - 1))

/* The lowest of the addresses that have `bits` bits, and are sign-extended from there. */
static uint64_t lowest_vaddr(unsigned bits)
{
	return ~((UINT64_C(1) << bits) - 1);
}

/* --- the kernel image --- */

static bool image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret)
{
	uint64_t offset;

	if (!vmcoreinfo_number(core->info, "kimage_voffset", &offset))
		return false;
	*paddr_ret = (vaddr | TAG_BITS) - offset;
	return true;
}

/* Source: crash arm64.c, arm64_calc_phys_offset(). */
static uint64_t phys_base(const struct vmcore *core)
{
	uint64_t offset;

	return vmcoreinfo_number(core->info, "PHYS_OFFSET", &offset) ? offset : 0;
}

/* --- walking --- */

/* log2 of what one entry of a level maps; level 1 is the last table. */
static unsigned entry_shift(const struct paging *p, unsigned level)
{
	return p->page_shift + (p->page_shift - 3) * (level - 1);
}

static uint64_t entry_bytes(const struct paging *p, unsigned level)
{
	return UINT64_C(1) << entry_shift(p, level);
}

/* Entries of a table of that level. The top one may have fewer, or at 64 KiB more than the CPU
 * takes. */
static uint64_t entry_count(const struct paging *p, unsigned level)
{
	const unsigned bits = p->page_shift - 3;
	const unsigned top = p->vaddr_bits - entry_shift(p, p->levels);

	return UINT64_C(1) << (level == p->levels ? top : bits);
}

/* Linux makes blocks of the level above pages, and with 4 KiB pages of the one above that too. */
static bool is_block(const struct paging *p, unsigned level, uint64_t entry)
{
	return (entry & ENTRY_TYPE) == ENTRY_BLOCK &&
	       (level == 2 || (level == 3 && p->page_shift == 12));
}

static bool is_table(unsigned level, uint64_t entry)
{
	return level > 1 && (entry & ENTRY_TYPE) == ENTRY_TABLE;
}

/* The address in an entry: its highest bits may lie below all others. */
static uint64_t entry_paddr(const struct paging *p, uint64_t entry)
{
	return (entry & p->address_mask) | (entry & p->high_bits) << p->high_shift;
}

/* The entry that maps vaddr, and its level, which is 0 if there is none. At most `levels` steps
 * down, whatever the tables hold. */
struct leaf {
	unsigned level;
	uint64_t entry;
	bool no_execute; /* by it, or by one on the way to it */
	size_t table_count;
	uint64_t tables[ARCH_LEVELS_MAX]; /* on the way, as far as it goes */
};

static struct leaf walk(const struct paging *p, uint64_t vaddr)
{
	uint64_t table = p->root_paddr;
	struct leaf leaf = {0};

	vaddr |= p->tag_bits;
	if (vaddr < lowest_vaddr(p->vaddr_bits))
		return leaf;
	for (unsigned level = p->levels; level; level--) {
		const uint64_t index =
			(vaddr >> entry_shift(p, level)) & (entry_count(p, level) - 1);
		uint8_t raw[ENTRY_BYTES];

		if (vmcore_read(p->core, table + index * ENTRY_BYTES, raw, sizeof(raw)) < 0)
			break;
		leaf.tables[leaf.table_count++] = table;
		leaf.entry = le64_get(raw);
		if (is_table(level, leaf.entry)) {
			leaf.no_execute |= (leaf.entry & ENTRY_PXN_TABLE) != 0;
			table = entry_paddr(p, leaf.entry);
			continue;
		}
		if (level == 1 ? (leaf.entry & ENTRY_TYPE) == ENTRY_TABLE
			       : is_block(p, level, leaf.entry))
			leaf.level = level;
		break;
	}
	leaf.no_execute |= (leaf.entry & ENTRY_PXN) != 0;
	return leaf;
}

/* A contiguous entry (bit 52) is one like any other: each has its own address. */
static bool translate(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret,
		      uint64_t *span_ret)
{
	const struct leaf leaf = walk(p, vaddr);
	uint64_t bytes, within;

	if (!leaf.level)
		return false;
	bytes = entry_bytes(p, leaf.level);
	within = vaddr & (bytes - 1);
	/* Bit 16 of a block isn't address but nT. */
	*paddr_ret = (entry_paddr(p, leaf.entry) & ~(bytes - 1)) + within;
	*span_ret = bytes - within;
	return true;
}

static bool code(const struct paging *p, uint64_t vaddr, uint64_t *span_ret)
{
	const struct leaf leaf = walk(p, vaddr);

	if (!leaf.level || leaf.no_execute)
		return false;
	*span_ret = entry_bytes(p, leaf.level) - vaddr % entry_bytes(p, leaf.level);
	return true;
}

/* --- the tables themselves --- */

/* A list of tables being made. */
struct table_list {
	const struct paging *p;
	uint64_t *paddr;
	size_t count, max;
	bool all;
};

/* Whether a table maps nothing but some of the direct map. */
static bool is_left_out(const struct paging *p, uint64_t vaddr, uint64_t bytes)
{
	return vaddr_range_has(p->direct_map, vaddr) &&
	       vaddr_range_has(p->direct_map, vaddr + (bytes - 1));
}

/* Add the table at `paddr`, whose first entry maps `vaddr`, and all below it. Depth: levels; width:
 * list->max. */
static void walk_table(struct table_list *list, uint64_t paddr, unsigned level, uint64_t vaddr)
{
	const struct paging *p = list->p;
	const uint64_t bytes = entry_bytes(p, level), count = entry_count(p, level);
	uint8_t raw[PIECE_BYTES];

	if (paging_stopped(p) || vmcore_read(p->core, paddr, raw, ENTRY_BYTES) < 0)
		return;
	if (list->count == list->max) {
		list->all = false;
		return;
	}
	list->paddr[list->count++] = paddr;
	for (uint64_t i = 0; level > 1 && i < count && list->all; i++) {
		const size_t at = (size_t)(i * ENTRY_BYTES % PIECE_BYTES);
		uint64_t entry;

		if (at == 0 &&
		    vmcore_read(p->core, paddr + i * ENTRY_BYTES, raw,
				(size_t)MIN((uint64_t)PIECE_BYTES, (count - i) * ENTRY_BYTES)) < 0)
			return;
		entry = le64_get(raw + at);
		if (is_table(level, entry) && !is_left_out(p, vaddr + i * bytes, bytes))
			walk_table(list, entry_paddr(p, entry), level - 1, vaddr + i * bytes);
	}
}

static size_t tables(const struct paging *p, uint64_t *paddr, size_t max, bool *all_ret)
{
	struct table_list list = {.p = p, .paddr = paddr, .max = max, .all = true};

	walk_table(&list, p->root_paddr, p->levels, lowest_vaddr(p->vaddr_bits));
	*all_ret = list.all;
	return list.count;
}

/* crash knows the direct map by a formula, drgn goes by the tables. */
static size_t path(const struct paging *p, uint64_t vaddr, uint64_t paddr[ARCH_LEVELS_MAX],
		   uint64_t *span_ret)
{
	const struct leaf leaf = walk(p, vaddr);
	/* A table of the last level is the same for all that it maps; above that each entry may
	 * lead to another one. */
	const unsigned level = p->levels + 1 - (unsigned)leaf.table_count;
	const uint64_t bytes = entry_bytes(p, MAX(level, 2U));

	memcpy(paddr, leaf.tables, leaf.table_count * sizeof(*paddr));
	*span_ret = bytes - (vaddr & (bytes - 1));
	return leaf.table_count;
}

/* --- which layout --- */

/*
 * Lay the tables out for addresses of so many bits: false where no kernel has that.
 *
 * The top table is one of the bits that are in use, where levels are folded at run time (4 and 16
 * KiB pages, since 6.9), or one of the bits that the kernel was built for, into which TTBR1 points
 * (64 KiB pages). 52 bits of 4 and 16 KiB pages come with LPA2 only, in which two bits of the
 * address lie where other kernels have the shareability.
 */
static bool lay_out(struct paging *p, uint64_t bits)
{
	const bool has_lpa2 = bits == VADDR_BITS_MAX && p->page_shift < 16;
	const uint64_t low = ~((UINT64_C(1) << p->page_shift) - 1);

	if (bits <= p->page_shift + 3 || bits > VADDR_BITS_MAX)
		return false;
	p->vaddr_bits = (unsigned)bits;
	p->levels = (p->vaddr_bits - 4) / (p->page_shift - 3);
	if (has_lpa2) {
		p->address_mask = low & ((UINT64_C(1) << 50) - 1);
		p->high_bits = 0x300; /* 51:50 */
		p->high_shift = 50 - 8;
	} else {
		p->address_mask = low & ((UINT64_C(1) << 48) - 1);
		/* LPA: 51:48. Kernels without it have zeros there. */
		p->high_bits = p->page_shift == 16 ? 0xf000 : 0;
		p->high_shift = 48 - 12;
	}
	return p->levels >= 2;
}

/* Bits of addresses that are in use (since 5.9), and that the kernel was built for; 0: not told. */
static uint64_t bits_in_use(const struct vmcoreinfo *info)
{
	uint64_t t1sz;

	return vmcoreinfo_number(info, "TCR_EL1_T1SZ", &t1sz) && t1sz < 64 ? 64 - t1sz : 0;
}

static uint64_t bits_built_for(const struct vmcoreinfo *info)
{
	uint64_t bits;

	return vmcoreinfo_number(info, "VA_BITS", &bits) && bits <= VADDR_BITS_MAX ? bits : 0;
}

/* Take the first layout by which the tables map the kernel to where it is. */
static int choose_layout(struct paging *p, struct error *err)
{
	const struct vmcoreinfo *info = p->core->info;
	/* What VMCOREINFO says, and all that kernels can be built for. */
	const uint64_t bits[] = {bits_in_use(info), bits_built_for(info), 52, 48, 47, 42, 39, 36};
	struct fit fit, first = {0};

	for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
		if (!lay_out(p, bits[i]))
			continue;
		fit = fit_check(p);
		if (fit.right && !fit.wrong)
			return 0;
		if (!first.symbol)
			first = fit;
	}
	fit_error(&first, err);
	return error_prefix(err, "no layout of arm64's page tables fits");
}

/* --- the direct map --- */

/* Whether the direct map may begin at `vaddr`: by where it has the kernel image. */
static bool maps_directly(const struct paging *p, uint64_t first, uint64_t end, uint64_t offset)
{
	uint64_t stext, paddr, vaddr, mapped, span;

	if (!vmcoreinfo_symbol(p->core->info, "_stext", &stext) ||
	    !image_paddr(p->core, stext, &paddr))
		return false;
	vaddr = first + (paddr - offset);
	return vaddr >= first && vaddr < end && translate(p, vaddr, &mapped, &span) &&
	       mapped == paddr;
}

/*
 * Since 5.4 it is the lower part of the kernel's addresses, before that it was the upper half. It
 * goes by the bits that the kernel was built for: PHYS_OFFSET is smaller where fewer bits are in
 * use, and wraps.
 */
static void find_direct_map(struct paging *p)
{
	const struct vmcoreinfo *info = p->core->info;
	const uint64_t told = bits_built_for(info);
	const unsigned built = told > p->page_shift ? (unsigned)told : p->vaddr_bits;
	const unsigned least = built == 52 ? (p->page_shift == 14 ? 47 : 48) : built;
	const struct vaddr_range ranges[] = {
		{lowest_vaddr(built), lowest_vaddr(least - 1)},
		{lowest_vaddr(built - 1), UINT64_MAX},
	};
	uint64_t offset;

	if (!vmcoreinfo_number(info, "PHYS_OFFSET", &offset))
		return;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (!maps_directly(p, ranges[i].first, ranges[i].end, offset))
			continue;
		p->direct_map = ranges[i];
		p->direct_paddr = offset;
		return;
	}
}

static int find_tables(struct paging *p, struct error *err)
{
	const struct vmcoreinfo *info = p->core->info;
	const uint64_t page = p->core->page_bytes;
	uint64_t root, pac = 0;
	int r;

	if (!vmcoreinfo_symbol(info, "swapper_pg_dir", &root))
		return error_set(err, -ENODATA, "VMCOREINFO doesn't say where the page tables are");
	p->page_shift = page == 65536 ? 16 : page == 16384 ? 14 : 12;
	if (page != UINT64_C(1) << p->page_shift)
		return error_set(err, -EBADMSG, "arm64 has no pages of %" PRIu64 " bytes", page);
	if (!arch_image_paddr(p->core, root, &p->root_paddr) || p->root_paddr % page)
		return error_set(err, -EBADMSG,
				 "the top page table at 0x%" PRIx64 " isn't in the kernel image",
				 root);
	p->tag_bits = TAG_BITS;
	/* All bits above the address, where the CPU signs return addresses; else 0. */
	vmcoreinfo_number(info, "KERNELPACMASK", &pac);
	p->return_bits = TAG_BITS | pac;
	r = choose_layout(p, err);
	if (r == 0)
		find_direct_map(p);
	return r;
}

/* --- the others --- */

/*
 * Kernels say the first since 5.13, as do the stable ones; before that it was 30. They say the
 * second since 5.9: 48, or 52 with 64 KiB pages, by the length of the array of roots. Source: Linux
 * arch/arm64/include/asm/sparsemem.h; mm/sparse.c.
 */
static void section_bits(const struct vmcoreinfo *info, uint64_t *section_size_ret,
			 uint64_t *max_physmem_ret)
{
	uint64_t size = 30, page = 4096, entry, roots, per_root;

	vmcoreinfo_number(info, "SECTION_SIZE_BITS", &size);
	vmcoreinfo_decimal(info, "PAGESIZE", &page);
	*section_size_ret = 30;
	*max_physmem_ret = 48;
	if (!vmcoreinfo_size(info, "mem_section", &entry) ||
	    !vmcoreinfo_length(info, "mem_section", &roots) || entry == 0 || size >= 48)
		return;
	per_root = MAX(page / entry, UINT64_C(1));
	if (roots == div_round_up(UINT64_C(1) << (52 - size), per_root))
		*max_physmem_ret = 52;
}

const struct arch arch_aarch64 = {
	.elf_machine = ELF_EM_AARCH64,
	.name = "aarch64",
	/* The image may be anywhere (KASLR), and loads have what a loader took for the direct map.
	 */
	.kernel_vaddr = KERNEL_VADDR,
	.image_paddr = image_paddr,
	.phys_base = phys_base,
	.find_tables = find_tables,
	.translate = translate,
	.code = code,
	.tables = tables,
	.path = path,
	.section_bits = section_bits,
	.stack_bytes = STACK_BYTES,
	.regs_off = PRSTATUS_REGS,
	.regs_bytes = REGS_BYTES,
	.stack_pointer_off = REGS_SP,
	/* Of each CPU the task that it has switched to. */
	.current_task = {"__entry_task"},
};
