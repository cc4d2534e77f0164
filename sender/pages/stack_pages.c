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

	STACKS_KASAN = 2,	  /* times as large: KASAN_STACK_ORDER, KASAN_THREAD_SHIFT */
	STACK_PIECE_BYTES = 4096, /* of it is mapped at least */
	FUNCTION_BYTES = 4096, /* that a return address is behind its function's beginning: most */
	SLAB_BYTES = 32 << 10, /* the block that a task_struct lies in: slabs of order 3 */
};

/* The lowest word of a task's stack. Source: Linux magic.h, set_task_stack_end_magic(). */
#define STACK_END_MAGIC UINT64_C(0x57ac6e9d)

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
		if (!paging_direct(e->paging, kdata_ulong(e->data, words + i), &paddr))
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
		const uint64_t to =
			(kdata_ulong(e->data, words + i) | e->paging->return_bits) - e->text;
		const uint64_t from = to - MIN(to, (uint64_t)FUNCTION_BYTES);

		if (to < e->text_end - e->text)
			finder_add_paddr(&callers, e->text_paddr + from, to - from + 1);
	}
}

/* A stack, or what is taken of it. */
struct stack {
	uint64_t vaddr, bytes; /* at most STACKS_KASAN times what a task's has without KASAN */
};

/* Add a stack, or as much as is mapped of it, which is read into `words`, with zeros elsewhere; and
 * the code that it returns to. */
static void add_stack(struct finder *e, struct stack stack, uint8_t *words)
{
	finder_add_vaddr(e, stack.vaddr, stack.bytes);
	for (uint64_t at = 0; at < stack.bytes; at += STACK_PIECE_BYTES)
		if (!paging_read(e->paging, stack.vaddr + at, words + at, STACK_PIECE_BYTES))
			memset(words + at, 0, STACK_PIECE_BYTES);
	add_callers(e, words, stack.bytes);
}

static bool begins_stack(const struct finder *e, uint64_t vaddr)
{
	uint64_t word;

	return kdata_read_ulong(e->paging, vaddr, &word) && word == STACK_END_MAGIC;
}

/* Whether it is mapped page by page, as a vmalloc'ed stack is: an unmapped page follows that. */
static bool is_vmalloced(const struct finder *e, uint64_t vaddr)
{
	uint64_t paddr, other, span;

	return paging_translate(e->paging, vaddr, &paddr, &span) &&
	       !paging_direct(e->paging, vaddr, &other) &&
	       !(arch_image_paddr(e->km->core, vaddr, &other) && other == paddr);
}

/*
 * The task's stack that has `vaddr`, by the word at its lowest end. KASAN doubles stacks, and what
 * they are aligned to; VMCOREINFO doesn't tell it.
 */
static bool find_task_stack(const struct finder *e, uint64_t vaddr, struct stack *stack_ret)
{
	const uint64_t bytes = e->paging->stack_bytes;
	const uint64_t base = vaddr & ~(bytes - 1), twice = vaddr & ~(2 * bytes - 1);
	struct stack stack = {base, bytes};

	if (base < e->paging->arch->kernel_vaddr)
		return false;
	if (!begins_stack(e, base)) {
		if (base == twice || !begins_stack(e, twice) || !is_vmalloced(e, twice) ||
		    !is_vmalloced(e, base))
			return false;
		stack = (struct stack){twice, 2 * bytes};
	} else if (base == twice && is_vmalloced(e, base) && is_vmalloced(e, base + bytes) &&
		   !begins_stack(e, base + bytes)) {
		stack.bytes = 2 * bytes;
	}
	*stack_ret = stack;
	return true;
}

/* The stacks of tasks that the words on an interrupt's stack, or registers, point into. */
static void add_interrupted(struct finder *e, const uint8_t *words, size_t bytes,
			    struct stack_search *search)
{
	const size_t word = kdata_word(e->data);
	unsigned found = 0;
	uint64_t last = 0;

	for (size_t i = 0; i + word <= bytes && found < STACKS_INTERRUPTED_MAX; i += word) {
		const uint64_t vaddr = (kdata_ulong(e->data, words + i) | e->paging->tag_bits) &
				       ~(uint64_t)(e->paging->stack_bytes - 1);
		struct stack stack;

		if (vaddr == last || vaddr < e->paging->arch->kernel_vaddr ||
		    !search->pointers_left)
			continue;
		last = vaddr;
		search->pointers_left--;
		if (!find_task_stack(e, vaddr, &stack))
			continue;
		add_stack(e, stack, search->interrupted);
		found++;
	}
}

/*
 * The stack that a CPU's registers are on. One of an interrupt (IRQ, NMI, machine check, overflow)
 * doesn't begin as a task's does: it is taken from the pointer on, and leads to the one that was
 * interrupted, of which it holds the pointer.
 */
static void add_cpu_stack(struct finder *e, const uint8_t *regs, struct stack_search *search)
{
	const uint64_t sp = kdata_ulong(e->data, regs + e->paging->arch->stack_pointer_off);
	struct stack stack = {sp & ~(uint64_t)(STACK_PIECE_BYTES - 1), e->paging->stack_bytes};
	const bool interrupt = !find_task_stack(e, sp, &stack);
	uint8_t *words = search->stack;

	add_stack(e, stack, words);
	if (interrupt)
		add_interrupted(e, words, stack.bytes, search);
	add_targets(e, words, stack.bytes, search);
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
	const size_t room = (size_t)STACKS_KASAN * e->paging->stack_bytes;
	AUTO_FREE uint8_t *stacks = malloc(2 * room);
	struct stack_search search = {
		.targets = !named,
		.bytes_left = STACK_TARGETS_BYTES_MAX,
		.loads_left = STACK_TARGETS_LOADS_MAX,
		.pointers_left = STACK_POINTERS_MAX,
		.stack = stacks,
		.interrupted = stacks + room,
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
