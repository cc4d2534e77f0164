/* The essential set: which pages a reader needs to open a dump at all.
 * Doesn't know dump levels: what a level leaves out isn't sent, essential or not. */
#include "sender/pages/essential.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Bounds of each part: corrupt or huge kernels must not make everything essential. */
	IMAGE_BYTES_MAX = 256 << 20,
	TABLES_MAX = 16384,
	CPUS_MAX = 8192,
	CPU_AREA_BYTES_MAX = 2 << 20,
	CPU_AREA_BYTES_DEFAULT = 256 << 10,
	CPU_AREAS_BYTES_MAX = 128 << 20,
	LOG_BYTES_MAX = 64 << 20,
	SECTION_ROOTS_MAX = 1 << 17, /* for 2^52 bytes in sections of 128 MiB */
	SECTION_ROOTS_BYTES_MAX = 16 << 20,
	BOOT_PAGES_BYTES_MAX = 64 << 20,
	STACK_TARGETS_BYTES_MAX = 64 << 20,
	STACK_TARGETS_LOADS_MAX = 1 << 30, /* a second; 2,000 words of 1,000 CPUs with 500 loads */
	STACK_POINTERS_MAX = 1 << 20,	   /* to stacks: walks of page tables, of some seconds */
	STACKS_INTERRUPTED_MAX = 4,	   /* by each CPU */

	/*
	 * Walks of page tables for struct pages, of some seconds. One is enough for those of 128
	 * MiB where a kernel has them all: for 256 TiB then, four times what 4 levels of tables
	 * reach.
	 */
	PAGEMAP_WALKS_MAX = 1 << 21,

	STACK_PIECE_BYTES = 4096, /* of it is mapped at least */
	TASK_BYTES = 16 << 10,	  /* struct task_struct is 9 to 13 KiB */
	FUNCTION_BYTES = 4096, /* that a return address is behind its function's beginning: most */
	SLAB_BYTES = 32 << 10, /* the block that a task_struct lies in: slabs of order 3 */
};

/* The lowest word of a task's stack. Source: Linux magic.h, set_task_stack_end_magic(). */
#define STACK_END_MAGIC UINT64_C(0x57ac6e9d)

struct finder {
	const struct kmodel *km;
	const struct paging *paging;
	struct pageset *const *parts; /* ESSENTIAL_PARTS of them */
	struct pageset *pages;	      /* the part that is added to */
	struct warnings *warnings;
	enum elf_data data; /* the kernel's */
	uint64_t page_bytes;

	/* The image's code, and where it lies in memory, in one piece; empty: not known. */
	uint64_t text, text_end, text_paddr;
};

/* Kernel variables that VMCOREINFO doesn't name. */
enum {
	SYM_PER_CPU_OFFSET,
	SYM_PER_CPU_START,
	SYM_PCPU_UNIT_SIZE,
	SYM_NR_CPU_IDS,
	SYM_SDATA,
	SYM_LINUX_BANNER,
	SYM_RO_AFTER_INIT,
	SYM_RO_AFTER_INIT_END,
	SYM_CURRENT_TASKS, /* the architecture's names for it */
	SYM_COUNT = SYM_CURRENT_TASKS + ARCH_CURRENT_TASKS_MAX,
};

static void add_paddr(struct finder *e, uint64_t paddr, uint64_t bytes)
{
	const uint64_t first = paddr / e->page_bytes;
	const uint64_t end = div_round_up(paddr + bytes, e->page_bytes);
	const uint64_t mapnr = pageset_mapnr(e->pages);

	if (first < mapnr)
		pageset_add(e->pages, first, MIN(end, mapnr));
}

/* The pages behind [vaddr, vaddr + bytes) as far as they are mapped, and *walks, which go down,
 * allow. */
static void add_mapped(struct finder *e, uint64_t vaddr, uint64_t bytes, uint64_t *walks)
{
	while (bytes && *walks) {
		uint64_t paddr, span;

		--*walks;
		if (paging_translate(e->paging, vaddr, &paddr, &span)) {
			span = MIN(span, bytes);
			add_paddr(e, paddr, span);
		} else {
			span = MIN(e->page_bytes - vaddr % e->page_bytes, bytes);
		}
		vaddr += span;
		bytes -= span;
	}
}

static void add_vaddr(struct finder *e, uint64_t vaddr, uint64_t bytes)
{
	uint64_t walks = UINT64_MAX;

	add_mapped(e, vaddr, bytes, &walks);
}

/* From _stext's page on, as long as it is mapped without a gap of more than 2 MiB; what lies before
 * it too. */
static void add_image(struct finder *e)
{
	const uint64_t step = 2 << 20;
	const struct pfn_range image = e->km->image;
	uint64_t vaddr, paddr, span;

	if (image.first < image.end) {
		add_paddr(
			e, image.first * e->page_bytes,
			MIN((image.end - image.first) * e->page_bytes, (uint64_t)IMAGE_BYTES_MAX));
		return;
	}
	if (!vmcoreinfo_symbol(e->km->core->info, "_stext", &vaddr))
		return;
	vaddr &= ~(step - 1);
	for (uint64_t done = 0; done < IMAGE_BYTES_MAX; done += step) {
		if (!paging_translate(e->paging, vaddr + done, &paddr, &span))
			break;
		add_vaddr(e, vaddr + done, step);
	}
}

/*
 * Code and read-only data hardly change, and debuggers have them from vmlinux: of the image they
 * come last. All but the page by which a debugger tells whether the vmlinux is the right one, and
 * the variables that were constant from boot on (where the direct map is, for one).
 */
static void add_constants(struct finder *e, const struct kallsyms_symbol *sym)
{
	const struct kallsyms_symbol *first = &sym[SYM_RO_AFTER_INIT],
				     *end = &sym[SYM_RO_AFTER_INIT_END];

	if (sym[SYM_LINUX_BANNER].found)
		add_vaddr(e, sym[SYM_LINUX_BANNER].vaddr, 1);
	if (first->found && end->found && first->vaddr < end->vaddr)
		add_vaddr(e, first->vaddr,
			  MIN(end->vaddr - first->vaddr, (uint64_t)IMAGE_BYTES_MAX));
}

/* Without symbols it is at least the code, as far as it can be told from data. */
static void find_text(struct finder *e, const struct kallsyms_symbol *sym)
{
	const struct kallsyms_symbol *sdata = &sym[SYM_SDATA];
	uint64_t stext, done = 0, span;

	if (!vmcoreinfo_symbol(e->km->core->info, "_stext", &stext) ||
	    !paging_translate(e->paging, stext, &e->text_paddr, &span))
		return;
	if (!sdata->found)
		for (; done < IMAGE_BYTES_MAX && paging_code(e->paging, stext + done, &span);
		     done += span)
			;
	else if (sdata->vaddr > stext && sdata->vaddr - stext <= IMAGE_BYTES_MAX)
		done = sdata->vaddr - stext;
	e->text = stext;
	e->text_end = stext + done;
}

static int add_tables(struct finder *e, struct error *err)
{
	AUTO_FREE uint64_t *tables = calloc(TABLES_MAX, sizeof(*tables));
	bool all;
	size_t n;

	if (!tables)
		return error_set(err, -ENOMEM, "out of memory for the essential pages");
	n = paging_tables(e->paging, tables, TABLES_MAX, &all);
	for (size_t i = 0; i < n; i++)
		add_paddr(e, tables[i], e->page_bytes);
	return 0;
}

/* The array of section roots, and the roots themselves. */
static void add_section_roots(struct finder *e)
{
	enum { ROOTS_AT_ONCE = 512 };
	const struct vmcoreinfo *info = e->km->core->info;
	const size_t word = kdata_word(e->data);
	uint64_t roots, count = 0, bytes = 0;
	uint8_t raw[ROOTS_AT_ONCE * 8];

	if (!vmcoreinfo_symbol(info, "mem_section", &roots) ||
	    !vmcoreinfo_length(info, "mem_section", &count))
		return;
	count = MIN(count, (uint64_t)SECTION_ROOTS_MAX);
	add_vaddr(e, roots, count * word);
	for (uint64_t i = 0; i < count && bytes < SECTION_ROOTS_BYTES_MAX; i++) {
		uint64_t root;

		/* Read at once, for each read is a walk of page tables. */
		if (i % ROOTS_AT_ONCE == 0 &&
		    !paging_read(e->paging, roots + i * word, raw,
				 word * (size_t)MIN(count - i, (uint64_t)ROOTS_AT_ONCE)))
			break;
		root = kdata_ulong(e->data, raw + i % ROOTS_AT_ONCE * word);
		if (root) {
			add_vaddr(e, root, e->page_bytes);
			bytes += e->page_bytes;
		}
	}
}

/* An array of the log: a pointer at `vaddr` to `bytes` bytes. */
static void add_log_part(struct finder *e, uint64_t vaddr, uint64_t bytes)
{
	uint64_t to;

	if (kdata_read_ulong(e->paging, vaddr, &to))
		add_vaddr(e, to, MIN(bytes, (uint64_t)LOG_BYTES_MAX));
}

/* The lockless ring (since 5.10): its arrays hang on SYMBOL(prb). */
static void add_log_ring(struct finder *e, uint64_t prb)
{
	const struct vmcoreinfo *info = e->km->core->info;
	uint64_t desc_ring, text_ring, count_bits, descs, infos, size_bits, data, desc, infob, ring;
	uint32_t bits;

	if (!kdata_read_ulong(e->paging, prb, &ring) ||
	    !vmcoreinfo_offset(info, "printk_ringbuffer.desc_ring", &desc_ring) ||
	    !vmcoreinfo_offset(info, "printk_ringbuffer.text_data_ring", &text_ring) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.count_bits", &count_bits) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.descs", &descs) ||
	    !vmcoreinfo_offset(info, "prb_desc_ring.infos", &infos) ||
	    !vmcoreinfo_offset(info, "prb_data_ring.size_bits", &size_bits) ||
	    !vmcoreinfo_offset(info, "prb_data_ring.data", &data) ||
	    !vmcoreinfo_size(info, "prb_desc", &desc) ||
	    !vmcoreinfo_size(info, "printk_info", &infob))
		return;
	add_vaddr(e, ring, e->page_bytes);
	if (kdata_read_u32(e->paging, ring + desc_ring + count_bits, &bits)) {
		const uint64_t count = UINT64_C(1) << MIN(bits, 24U);

		add_log_part(e, ring + desc_ring + descs, count * MIN(desc, e->page_bytes));
		add_log_part(e, ring + desc_ring + infos, count * MIN(infob, e->page_bytes));
	}
	if (kdata_read_u32(e->paging, ring + text_ring + size_bits, &bits))
		add_log_part(e, ring + text_ring + data, UINT64_C(1) << MIN(bits, 30U));
}

static void add_log(struct finder *e)
{
	const struct vmcoreinfo *info = e->km->core->info;
	uint64_t prb, buf, len;
	uint32_t bytes;

	if (vmcoreinfo_symbol(info, "prb", &prb))
		add_log_ring(e, prb);
	else if (vmcoreinfo_symbol(info, "log_buf", &buf) &&
		 vmcoreinfo_symbol(info, "log_buf_len", &len) &&
		 kdata_read_u32(e->paging, len, &bytes))
		add_log_part(e, buf, bytes);
}

/* --- CPUs --- */

/* The task that runs on the CPU whose area lies at `offset`. */
static void add_current_task(struct finder *e, const struct kallsyms_symbol *sym, uint64_t offset)
{
	for (size_t i = SYM_CURRENT_TASKS; i < SYM_COUNT; i++) {
		uint64_t task;

		if (!sym[i].found)
			continue;
		if (kdata_read_ulong(e->paging, sym[i].vaddr + offset, &task))
			add_vaddr(e, task, TASK_BYTES);
		return;
	}
}

static void add_cpu_areas(struct finder *e, const struct kallsyms_symbol *sym)
{
	uint64_t area = CPU_AREA_BYTES_DEFAULT, cpus = MAX(e->km->core->cpus, 1U), n = 0;
	uint32_t said;

	if (!sym[SYM_PER_CPU_OFFSET].found || !sym[SYM_PER_CPU_START].found)
		return;
	if (sym[SYM_PCPU_UNIT_SIZE].found &&
	    kdata_read_u32(e->paging, sym[SYM_PCPU_UNIT_SIZE].vaddr, &said))
		area = MIN(said, (uint32_t)CPU_AREA_BYTES_MAX);
	if (sym[SYM_NR_CPU_IDS].found &&
	    kdata_read_u32(e->paging, sym[SYM_NR_CPU_IDS].vaddr, &said))
		cpus = MIN(said, (uint32_t)CPUS_MAX);
	for (uint64_t i = 0; i < cpus && n < CPU_AREAS_BYTES_MAX; i++, n += area) {
		uint64_t offset;

		if (!kdata_read_ulong(e->paging,
				      sym[SYM_PER_CPU_OFFSET].vaddr + i * kdata_word(e->data),
				      &offset))
			break;
		add_vaddr(e, sym[SYM_PER_CPU_START].vaddr + offset, area);
		add_current_task(e, sym, offset);
	}
}

/* Whether an address is in the direct map, as the loads show it. */
static bool in_direct_map(const struct paging *p, uint64_t vaddr, uint64_t *paddr_ret)
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

/* What is looked for on stacks, and how much of it at the most. */
struct stack_search {
	bool targets;		      /* what words in the direct map point at */
	uint64_t bytes_left;	      /* of targets */
	uint64_t loads_left;	      /* to compare words with */
	uint64_t pointers_left;	      /* to stacks of tasks, to follow */
	uint8_t *stack, *interrupted; /* what is looked at: one of each */
};

/* What the words at `words` point at, as blocks that a task_struct would lie in. */
static void add_targets(struct finder *e, const uint8_t *words, size_t bytes,
			struct stack_search *search)
{
	const uint64_t loads = e->km->core->elf.load_count;
	const size_t word = kdata_word(e->data);

	for (size_t i = 0; search->targets && i + word <= bytes &&
			   search->bytes_left >= SLAB_BYTES && search->loads_left >= loads;
	     i += word) {
		uint64_t paddr;

		search->loads_left -= loads;
		if (!in_direct_map(e->paging, kdata_ulong(e->data, words + i), &paddr))
			continue;
		add_paddr(e, paddr & ~(uint64_t)(SLAB_BYTES - 1), SLAB_BYTES);
		search->bytes_left -= SLAB_BYTES;
	}
}

/*
 * The code that the words at `words` may return to. Debuggers have it from vmlinux, too, but crash
 * reads it in the dump, from the function's beginning on, to see how large a frame is.
 */
static void add_callers(const struct finder *e, const uint8_t *words, size_t bytes)
{
	const size_t word = kdata_word(e->data);
	struct finder callers = *e;

	callers.pages = e->parts[ESSENTIAL_CALLERS];
	for (size_t i = 0; i + word <= bytes; i += word) {
		const uint64_t to = kdata_ulong(e->data, words + i) - e->text;
		const uint64_t from = to - MIN(to, (uint64_t)FUNCTION_BYTES);

		if (to < e->text_end - e->text)
			add_paddr(&callers, e->text_paddr + from, to - from + 1);
	}
}

static uint64_t stack_bytes(const struct finder *e)
{
	return e->paging->arch->stack_bytes;
}

/* Add a stack, or as much as is mapped of it, which is read into `stack`, with zeros elsewhere; and
 * the code that it returns to. */
static void add_stack(struct finder *e, uint64_t vaddr, uint8_t *stack)
{
	add_vaddr(e, vaddr, stack_bytes(e));
	for (uint64_t at = 0; at < stack_bytes(e); at += STACK_PIECE_BYTES)
		if (!paging_read(e->paging, vaddr + at, stack + at, STACK_PIECE_BYTES))
			memset(stack + at, 0, STACK_PIECE_BYTES);
	add_callers(e, stack, stack_bytes(e));
}

/* Where a task's stack that has `vaddr` would begin. */
static uint64_t stack_of(const struct finder *e, uint64_t vaddr)
{
	return vaddr & ~(stack_bytes(e) - 1);
}

static bool is_task_stack(const struct finder *e, uint64_t vaddr)
{
	uint64_t word;

	return kdata_read_ulong(e->paging, vaddr, &word) && word == STACK_END_MAGIC;
}

/* The stacks of tasks that the words on an interrupt's stack, or registers, point into. */
static void add_interrupted(struct finder *e, const uint8_t *words, size_t bytes,
			    struct stack_search *search)
{
	const size_t word = kdata_word(e->data);
	unsigned found = 0;
	uint64_t last = 0;

	for (size_t i = 0; i + word <= bytes && found < STACKS_INTERRUPTED_MAX; i += word) {
		const uint64_t vaddr = stack_of(e, kdata_ulong(e->data, words + i));

		if (vaddr == last || vaddr < e->paging->arch->kernel_vaddr ||
		    !search->pointers_left)
			continue;
		last = vaddr;
		search->pointers_left--;
		if (!is_task_stack(e, vaddr))
			continue;
		add_stack(e, vaddr, search->interrupted);
		found++;
	}
}

/*
 * The stack that a CPU's registers are on. One of an interrupt (IRQ, NMI, machine check) doesn't
 * begin as a task's does: it is taken from the pointer on, and leads to the one that was
 * interrupted, of which it holds the pointer.
 */
static void add_cpu_stack(struct finder *e, const uint8_t *regs, struct stack_search *search)
{
	const uint64_t sp = kdata_ulong(e->data, regs + e->paging->arch->stack_pointer_off);
	const bool interrupt = !is_task_stack(e, stack_of(e, sp));
	uint8_t *stack = search->stack;

	add_stack(e, interrupt ? sp & ~(uint64_t)(STACK_PIECE_BYTES - 1) : stack_of(e, sp), stack);
	if (interrupt)
		add_interrupted(e, stack, stack_bytes(e), search);
	add_targets(e, stack, stack_bytes(e), search);
}

/* Read the user_regs_struct of a note into `regs`: false where the note isn't a CPU's, or can't be
 * read. */
static bool read_regs(const struct finder *e, const struct elf_note *note, uint8_t *regs)
{
	const struct arch *arch = e->paging->arch;
	struct error unused;

	return elf_note_is(note, "CORE") && note->type == ELF_NT_PRSTATUS &&
	       note->desc_bytes >= (uint32_t)arch->regs_off + arch->regs_bytes &&
	       elf_notes_read(&e->km->core->elf.notes, note->desc_at + arch->regs_off, regs,
			      arch->regs_bytes, &unused) == 0;
}

/* The stack of each CPU, and the code it returns to; where the tasks aren't known by name, what
 * stack and registers point at too. */
static int add_stacks(struct finder *e, bool named, struct error *err)
{
	AUTO_FREE uint8_t *stacks = malloc(2 * stack_bytes(e));
	struct stack_search search = {
		.targets = !named,
		.bytes_left = STACK_TARGETS_BYTES_MAX,
		.loads_left = STACK_TARGETS_LOADS_MAX,
		.pointers_left = STACK_POINTERS_MAX,
		.stack = stacks,
		.interrupted = stacks + stack_bytes(e),
	};
	const size_t regs_bytes = e->paging->arch->regs_bytes;
	uint8_t regs[ARCH_REGS_BYTES_MAX];
	unsigned cpus = 0;
	struct elf_note_walk walk;
	struct elf_note note;
	struct error unused;

	if (!stacks)
		return error_set(err, -ENOMEM, "out of memory for the essential pages");
	elf_note_walk_init(&walk, &e->km->core->elf.notes);
	while (cpus < CPUS_MAX && elf_note_walk_next(&walk, &note, &unused) > 0) {
		if (!read_regs(e, &note, regs))
			continue;
		cpus++;
		add_callers(e, regs, regs_bytes);
		add_targets(e, regs, regs_bytes, &search);
		add_cpu_stack(e, regs, &search);
	}
	return 0;
}

/* --- pages told by PG_reserved --- */

static bool is_image(const struct kmodel *km, uint64_t pfn)
{
	return pfn >= km->image.first && pfn < km->image.end;
}

/* Struct pages that are read at once, and which of them have PG_reserved. */
enum { STRUCT_PAGES_AT_ONCE = 4096 };

struct reserved {
	const struct kmodel *km;
	uint8_t *raw; /* STRUCT_PAGES_AT_ONCE of the largest */
	uint64_t pfn;
	size_t count;
	bool known;
};

static int reserved_init(struct reserved *r, const struct kmodel *km, struct error *err)
{
	*r = (struct reserved){
		.km = km,
		.raw = malloc((size_t)STRUCT_PAGES_AT_ONCE * STRUCT_PAGE_BYTES_MAX),
	};
	return r->raw ? 0 : error_set(err, -ENOMEM, "out of memory for the essential pages");
}

/* The struct pages from pfn (< end) on, or that they can't be had; end at the most. */
static void reserved_read(struct reserved *r, uint64_t pfn, uint64_t end)
{
	const uint64_t n = MIN(end - pfn, (uint64_t)STRUCT_PAGES_AT_ONCE);

	r->pfn = pfn;
	r->count = pagemap_read(&r->km->pagemap, pfn, (size_t)n, r->raw, &r->known);
}

/* Whether page i of those that were read has it; false where that isn't known. */
static bool reserved_has(const struct reserved *r, size_t i)
{
	const struct page_rules *rules = &r->km->rules;

	return r->known &&
	       (page_flags(rules, r->raw + i * rules->struct_page_bytes) & r->km->reserved);
}

/*
 * What was freed of the image (init memory, gaps) is memory like any other: of no use to readers,
 * and at levels that keep user memory up to a quarter of the image.
 */
static int drop_freed_image(const struct finder *e, struct error *err)
{
	const struct kmodel *km = e->km;
	const uint64_t end = MIN(km->image.end, km->pagemap.mapnr);
	struct reserved reserved;
	AUTO_FREE uint8_t *raw = NULL;
	int r;

	if (!km->reserved)
		return 0;
	r = reserved_init(&reserved, km, err);
	raw = reserved.raw;
	for (uint64_t pfn = km->image.first; r == 0 && pfn < end; pfn += reserved.count) {
		reserved_read(&reserved, pfn, end);
		for (size_t i = 0; reserved.known && i < reserved.count; i++) {
			if (reserved_has(&reserved, i))
				continue;
			pageset_remove(e->parts[ESSENTIAL_IMAGE_DATA], pfn + i, pfn + i + 1);
			pageset_remove(e->parts[ESSENTIAL_IMAGE_TEXT], pfn + i, pfn + i + 1);
		}
	}
	return r;
}

/* The pages that hold the struct pages themselves: reserved too, but many, and no reader needs them
 * to open a dump. */
static int find_pagemap_pages(const struct finder *e, uint64_t *walks, struct pageset **pages_ret,
			      struct error *err)
{
	const struct pagemap *map = &e->km->pagemap;
	struct finder own = *e;
	int r = pageset_new(pageset_mapnr(e->pages), &own.pages, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < map->section_count && *walks; i++)
		if (map->section_vaddr[i])
			add_mapped(&own, map->section_vaddr[i],
				   map->section_pages * map->struct_page_bytes, walks);
	*pages_ret = own.pages;
	return 0;
}

/* Pages of [first, end) with PG_reserved that aren't the image's, nor in `others`; as many as the
 * budget has left, and as far as *walks allow where struct pages aren't to be had. */
static void add_reserved(struct finder *e, struct pagewalk *walk, struct pfn_range range,
			 const struct pageset *others, uint64_t *budget, uint64_t *walks)
{
	const struct kmodel *km = e->km;
	const uint64_t end = MIN(range.end, km->pagemap.mapnr);
	struct page_run run;

	for (uint64_t first = range.first; first < end && *budget && *walks; first += run.pages) {
		run = pagewalk_next(walk, first, end, km->reserved);
		*walks -= !run.known;
		if (run.block || !run.known || !(run.flags & km->reserved))
			continue;
		for (uint64_t pfn = first; pfn < first + run.pages && *budget; pfn++) {
			if (pageset_has(others, pfn) || pageset_has(e->pages, pfn) ||
			    is_image(km, pfn))
				continue;
			pageset_add(e->pages, pfn, pfn + 1);
			--*budget;
		}
	}
}

/*
 * What was allocated before the buddy allocator was up, with the CPUs' areas, has PG_reserved. For
 * kernels without a symbol table (5.10), which cost a further pass over the struct pages. The crash
 * kernel's own memory is reserved too, and larger than any budget, but not in the vmcore.
 */
static int add_boot_pages(struct finder *e, struct error *err)
{
	const struct memmap *map = &e->km->core->map;
	AUTO(pageset_free) struct pageset *pagemap_pages = NULL;
	AUTO(pagewalk_free) struct pagewalk *walk = NULL;
	uint64_t budget = BOOT_PAGES_BYTES_MAX / e->page_bytes, walks = PAGEMAP_WALKS_MAX;
	int r;

	if (!e->km->reserved)
		return 0;
	r = pagewalk_new(e->km, &walk, err);
	if (r == 0)
		r = find_pagemap_pages(e, &walks, &pagemap_pages, err);
	for (size_t i = 0; r == 0 && i < map->data_count; i++)
		add_reserved(e, walk, map->data[i], pagemap_pages, &budget, &walks);
	if (r == 0 && walks == 0 && !paging_stopped(e->paging))
		remark(e->warnings,
		       "the search for what readers need first was given up: the struct pages of "
		       "%" PRIu64 " GiB of memory lie scattered, or aren't there",
		       e->km->pagemap.mapnr * e->page_bytes >> 30);
	return r;
}

/* Name the architecture's symbols, which come last: how many symbols there are. */
static size_t name_current_task(const struct finder *e, struct kallsyms_symbol *sym)
{
	size_t n = 0;

	while (n < ARCH_CURRENT_TASKS_MAX && e->paging->arch->current_task[n]) {
		sym[SYM_CURRENT_TASKS + n].name = e->paging->arch->current_task[n];
		n++;
	}
	return SYM_CURRENT_TASKS + n;
}

static int find_pages(struct finder *e, struct error *err)
{
	struct kallsyms_symbol sym[SYM_COUNT] = {
		[SYM_PER_CPU_OFFSET] = {.name = "__per_cpu_offset"},
		[SYM_PER_CPU_START] = {.name = "__per_cpu_start"},
		[SYM_PCPU_UNIT_SIZE] = {.name = "pcpu_unit_size"},
		[SYM_NR_CPU_IDS] = {.name = "nr_cpu_ids"},
		[SYM_SDATA] = {.name = "_sdata"},
		[SYM_LINUX_BANNER] = {.name = "linux_banner"},
		[SYM_RO_AFTER_INIT] = {.name = "__start_ro_after_init"},
		[SYM_RO_AFTER_INIT_END] = {.name = "__end_ro_after_init"},
	};
	bool named;
	int r;

	named = kallsyms_find(e->paging, sym, name_current_task(e, sym)) &&
		sym[SYM_PER_CPU_OFFSET].found;
	find_text(e, sym);
	e->pages = e->parts[ESSENTIAL_IMAGE_TEXT];
	add_paddr(e, e->text_paddr, e->text_end - e->text);
	e->pages = e->parts[ESSENTIAL_IMAGE_DATA];
	add_image(e);
	pageset_subtract(e->pages, e->parts[ESSENTIAL_IMAGE_TEXT]);
	r = drop_freed_image(e, err);
	if (r < 0)
		return r;
	e->pages = e->parts[ESSENTIAL_POINTED];
	add_constants(e, sym);
	add_section_roots(e);
	add_log(e);
	add_cpu_areas(e, sym);
	r = add_stacks(e, named, err);
	if (r == 0)
		r = add_tables(e, err);
	if (r == 0 && !named && e->km->rules.known)
		r = add_boot_pages(e, err);
	return r;
}

int essential_find(const struct kmodel *km, struct pageset *const parts[static ESSENTIAL_PARTS],
		   struct warnings *warnings, struct error *err)
{
	struct finder e = {.km = km,
			   .paging = &km->paging,
			   .parts = parts,
			   .warnings = warnings,
			   .data = km->core->elf.data,
			   .page_bytes = km->core->page_bytes};
	const int r = km->has_paging ? find_pages(&e, err) : 0;

	return r == 0 ? stop_check(&km->paging.stop, err) : r;
}
