/* The pages of the CPUs' stacks.
 * Doesn't know which registers there are, nor how large a stack is: sender/kernel/arch/ does. */
#include "sender/pages/stack_pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/essential.h"
#include "sender/pages/finder.h"
#include "sender/vmcore/vmcore.h"

enum {
	CPUS_MAX = 8192, /* corrupt or huge kernels must not make everything essential */
	STACK_TARGETS_BYTES_MAX = 64 << 20,
	STACK_TARGETS_LOADS_MAX = 1 << 30, /* a second; 2,000 words of 1,000 CPUs with 500 loads */
	STACK_POINTERS_MAX = 1 << 20,	   /* to stacks: walks of page tables, of some seconds */
	STACKS_INTERRUPTED_MAX = 4,	   /* by each CPU */

	STACK_PIECE_BYTES = 4096, /* of it is mapped at least */
	FUNCTION_BYTES = 4096, /* that a return address is behind its function's beginning: most */
	SLAB_BYTES = 32 << 10, /* the block that a task_struct lies in: slabs of order 3 */
};

/* The lowest word of a task's stack. Source: Linux magic.h, set_task_stack_end_magic(). */
#define STACK_END_MAGIC UINT64_C(0x57ac6e9d)

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
		finder_add_paddr(e, paddr & ~(uint64_t)(SLAB_BYTES - 1), SLAB_BYTES);
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
			finder_add_paddr(&callers, e->text_paddr + from, to - from + 1);
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
	finder_add_vaddr(e, vaddr, stack_bytes(e));
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
int stack_pages_add(struct finder *e, bool named, struct error *err)
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
