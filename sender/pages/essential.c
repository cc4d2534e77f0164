/* The essential set: which pages a reader needs to open a dump at all, and in which order. It has
 * the image, page tables and memory sections itself. Doesn't know dump levels: what a level leaves
 * out isn't sent, essential or not. */
#include "sender/pages/essential.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/boot_pages.h"
#include "sender/pages/cpu_pages.h"
#include "sender/pages/finder.h"
#include "sender/pages/log_pages.h"
#include "sender/pages/pageset.h"
#include "sender/pages/pid_pages.h"
#include "sender/pages/stack_pages.h"
#include "sender/pages/table_pages.h"
#include "sender/vmcore/vmcore.h"

/* Bounds of each part: corrupt or huge kernels must not make everything essential. */
enum {
	IMAGE_BYTES_MAX = 256 << 20,
	SECTION_ROOTS_MAX = 1 << 17, /* for 2^52 bytes in sections of 128 MiB */
	SECTION_ROOTS_BYTES_MAX = 16 << 20,
};

/* From _stext's page on, as long as it is mapped without a gap of more than 2 MiB; what lies before
 * it too. */
static void add_image(struct finder *e)
{
	const uint64_t step = 2 << 20;
	const struct pfn_range image = e->km->image;
	uint64_t vaddr, paddr, span;

	if (image.first < image.end) {
		finder_add_paddr(
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
		finder_add_vaddr(e, vaddr + done, step);
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
		finder_add_vaddr(e, sym[SYM_LINUX_BANNER].vaddr, 1);
	if (first->found && end->found && first->vaddr < end->vaddr)
		finder_add_vaddr(e, first->vaddr,
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
	finder_add_vaddr(e, roots, count * word);
	for (uint64_t i = 0; i < count && bytes < SECTION_ROOTS_BYTES_MAX; i++) {
		uint64_t root;

		/* Read at once, for each read is a walk of page tables. */
		if (i % ROOTS_AT_ONCE == 0 &&
		    !paging_read(e->paging, roots + i * word, raw,
				 word * (size_t)MIN(count - i, (uint64_t)ROOTS_AT_ONCE)))
			break;
		root = kdata_ulong(e->data, raw + i % ROOTS_AT_ONCE * word);
		if (root) {
			finder_add_vaddr(e, root, e->page_bytes);
			bytes += e->page_bytes;
		}
	}
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
		[SYM_INIT_PID_NS] = {.name = "init_pid_ns"},
	};
	bool named;
	int r;

	named = kallsyms_find(e->paging, sym, name_current_task(e, sym)) &&
		sym[SYM_PER_CPU_OFFSET].found;
	find_text(e, sym);
	e->pages = e->parts[ESSENTIAL_IMAGE_TEXT];
	finder_add_paddr(e, e->text_paddr, e->text_end - e->text);
	e->pages = e->parts[ESSENTIAL_IMAGE_DATA];
	add_image(e);
	pageset_subtract(e->pages, e->parts[ESSENTIAL_IMAGE_TEXT]);
	r = boot_pages_drop_freed(e, err);
	if (r < 0)
		return r;
	e->pages = e->parts[ESSENTIAL_POINTED];
	add_constants(e, sym);
	add_section_roots(e);
	log_pages_add(e);
	cpu_pages_add(e, sym);
	r = stack_pages_add(e, named, err);
	if (r == 0)
		r = pid_pages_add(e, sym, err);
	if (r == 0)
		r = table_pages_add(e, err);
	if (r == 0 && !named && e->km->rules.known)
		r = boot_pages_add(e, err);
	if (r == 0)
		table_pages_add_direct(e);
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
