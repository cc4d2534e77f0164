/* The pages that lead from a process id to its task.
 * Doesn't know tasks: those of the CPUs are in the essential set by themselves (cpu_pages.c,
 * stack_pages.c). Source: Linux include/linux/pid.h, pid_namespace.h, idr.h, xarray.h. */
#include "sender/pages/pid_pages.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/kmodel.h"
#include "sender/pages/essential.h"
#include "sender/pages/finder.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum {
	CPUS_MAX = 8192,
	DEPTH_MAX = 11, /* nodes for an index of 64 bits */

	PRSTATUS_PID = 32, /* in the desc of an NT_PRSTATUS. Source: elfcore.h */

	/* struct xa_node: its shift is its first byte. */
	NODE_SLOTS = 40,
	NODE_SLOT_COUNT = 64,
	NODE_BYTES = NODE_SLOTS + NODE_SLOT_COUNT * 8,
	ENTRY_TYPE = 3, /* bits; an entry that is a node has 2 there */
	ENTRY_NODE = 2,

	IDR_HEAD = 8,	 /* of its xarray */
	NS_IDR_MAX = 8,	 /* where struct pid_namespace has its idr: first, or after a kref */
	PID_BYTES = 256, /* of a struct pid, with the numbers at its end */

	INIT = 1, /* a process that there always is */

	PIECE_BYTES = 64 << 10,
	SEARCH_BYTES_MAX = 64 << 20, /* of the image's data */
	LOOKUPS_MAX = 1 << 16,
};

/* The way from a tree's head to an id. */
struct path {
	uint64_t node[DEPTH_MAX];
	size_t nodes;
	uint64_t pid; /* address of its struct pid */
};

static bool is_kernels(const struct finder *e, uint64_t vaddr)
{
	return (vaddr | e->paging->tag_bits) >= e->paging->arch->kernel_vaddr;
}

/* Whether the tree has the id. At most DEPTH_MAX steps, each to a node that is lower. */
static bool look_up(const struct finder *e, uint64_t head, uint32_t id, struct path *path)
{
	unsigned above = 64;

	*path = (struct path){0};
	while ((head & ENTRY_TYPE) == ENTRY_NODE) {
		const uint64_t node = head - ENTRY_NODE;
		uint8_t shift;

		if (path->nodes == DEPTH_MAX || !paging_read(e->paging, node, &shift, 1) ||
		    shift >= above)
			return false;
		if (path->nodes == 0 && (uint64_t)id >> shift >= NODE_SLOT_COUNT)
			return false;
		path->node[path->nodes++] = node;
		above = shift;
		if (!kdata_read_ulong(e->paging,
				      node + NODE_SLOTS +
					      ((uint64_t)id >> shift) % NODE_SLOT_COUNT * 8,
				      &head))
			return false;
	}
	path->pid = head;
	return path->nodes && above == 0 && (head & ENTRY_TYPE) == 0 && is_kernels(e, head);
}

/* Whether a struct pid has that id in the namespace whose tree's head lies at `head_vaddr`: a
 * struct upid has the number and the namespace. */
static bool is_pid(const struct finder *e, uint64_t pid, uint32_t id, uint64_t head_vaddr)
{
	uint8_t raw[PID_BYTES];

	if (!paging_read(e->paging, pid, raw, sizeof(raw)))
		return false;
	for (size_t at = 0; at + 16 <= sizeof(raw); at += 8) {
		const uint64_t head = head_vaddr - kdata_u64(e->data, raw + at + 8) - IDR_HEAD;

		if (kdata_u32(e->data, raw + at) == id && (head == 0 || head == NS_IDR_MAX))
			return true;
	}
	return false;
}

/* Whether the first namespace's tree has its head there. */
static bool is_tree(const struct finder *e, uint64_t head_vaddr, uint64_t head)
{
	struct path path;

	return (head & ENTRY_TYPE) == ENTRY_NODE && is_kernels(e, head) &&
	       look_up(e, head, INIT, &path) && is_pid(e, path.pid, INIT, head_vaddr);
}

static bool find_named(const struct finder *e, uint64_t ns, uint64_t *head_ret)
{
	for (uint64_t at = ns + IDR_HEAD; at <= ns + IDR_HEAD + NS_IDR_MAX; at += NS_IDR_MAX)
		if (kdata_read_ulong(e->paging, at, head_ret) && is_tree(e, at, *head_ret))
			return true;
	return false;
}

/* Without a symbol: among all variables of the image. `piece` has PIECE_BYTES. */
static bool find_unnamed(const struct finder *e, uint8_t *piece, uint64_t *head_ret)
{
	const struct pageset *data = e->parts[ESSENTIAL_IMAGE_DATA];
	const uint64_t mapnr = pageset_mapnr(data), to_vaddr = e->text - e->text_paddr;
	uint64_t bytes = 0;
	unsigned lookups = LOOKUPS_MAX;

	for (uint64_t pfn = pageset_next(data, 0), n;
	     pfn < mapnr && bytes < SEARCH_BYTES_MAX && !paging_stopped(e->paging);
	     pfn = pageset_next(data, pfn + n), bytes += PIECE_BYTES) {
		const uint64_t paddr = pfn * e->page_bytes;

		n = MAX(pageset_run(data, pfn, PIECE_BYTES / e->page_bytes), UINT64_C(1));
		if (vmcore_read(e->km->core, paddr, piece, (size_t)(n * e->page_bytes)) < 0)
			continue;
		for (uint64_t at = 0; at < n * e->page_bytes && lookups; at += 8) {
			const uint64_t head = kdata_u64(e->data, piece + at);

			if ((head & ENTRY_TYPE) != ENTRY_NODE || !is_kernels(e, head))
				continue;
			lookups--;
			if (!is_tree(e, to_vaddr + paddr + at, head))
				continue;
			*head_ret = head;
			return true;
		}
	}
	return false;
}

static void add_id(struct finder *e, uint64_t head, uint32_t id)
{
	struct path path;

	if (id == 0 || !look_up(e, head, id, &path))
		return;
	for (size_t i = 0; i < path.nodes; i++)
		finder_add_vaddr(e, path.node[i], NODE_BYTES);
	finder_add_vaddr(e, path.pid, PID_BYTES);
}

int pid_pages_add(struct finder *e, const struct kallsyms_symbol *sym, struct error *err)
{
	const struct kallsyms_symbol *ns = &sym[SYM_INIT_PID_NS];
	AUTO_FREE uint8_t *piece = malloc(PIECE_BYTES);
	struct elf_note_walk walk;
	struct elf_note note;
	struct error unused;
	unsigned cpus = 0;
	uint64_t head;

	if (!piece)
		return error_set(err, -ENOMEM, "out of memory for the essential pages");
	if (kdata_word(e->data) != 8 || e->page_bytes > PIECE_BYTES ||
	    !(ns->found ? find_named(e, ns->vaddr, &head)
			: e->text_paddr && find_unnamed(e, piece, &head)))
		return 0;
	elf_note_walk_init(&walk, &e->km->core->elf.notes);
	while (cpus < CPUS_MAX && elf_note_walk_next(&walk, &note, &unused) > 0) {
		uint8_t raw[4];

		if (!elf_note_is(&note, "CORE") || note.type != ELF_NT_PRSTATUS ||
		    note.desc_bytes < PRSTATUS_PID + sizeof(raw) ||
		    elf_notes_read(&e->km->core->elf.notes, note.desc_at + PRSTATUS_PID, raw,
				   sizeof(raw), &unused) < 0)
			continue;
		cpus++;
		add_id(e, head, kdata_u32(e->data, raw));
	}
	return 0;
}
