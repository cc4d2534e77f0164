/* The pages of each CPU's own variables.
 * Doesn't know stacks (stack_pages.c). */
#include "sender/pages/cpu_pages.h"

#include "base/compiler.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/finder.h"
#include "sender/vmcore/vmcore.h"

enum {
	CPUS_MAX = 8192, /* corrupt or huge kernels must not make everything essential */
	CPU_AREA_BYTES_MAX = 2 << 20,
	CPU_AREA_BYTES_DEFAULT = 256 << 10,
	CPU_AREAS_BYTES_MAX = 128 << 20,
	TASK_BYTES = 16 << 10, /* struct task_struct is 9 to 13 KiB */
};

/* The task that runs on the CPU whose area lies at `offset`. */
static void add_current_task(struct finder *e, const struct kallsyms_symbol *sym, uint64_t offset)
{
	for (size_t i = SYM_CURRENT_TASKS; i < SYM_COUNT; i++) {
		uint64_t task;

		if (!sym[i].found)
			continue;
		if (kdata_read_ulong(e->paging, sym[i].vaddr + offset, &task))
			finder_add_vaddr(e, task, TASK_BYTES);
		return;
	}
}

void cpu_pages_add(struct finder *e, const struct kallsyms_symbol *sym)
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
		finder_add_vaddr(e, sym[SYM_PER_CPU_START].vaddr + offset, area);
		add_current_task(e, sym, offset);
	}
}
