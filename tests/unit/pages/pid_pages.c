/* sender/pages/pid_pages.h: the way from a CPU's process id to its task. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/essential.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernelsyms.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	NS_AT = 0x20100, /* in the image */
	NODE_SLOTS = 40,
	NUMBERS = 0x60, /* of a struct pid: where its number and namespace are */
	ID = 100,
};

/* A kernel with a tree of two nodes, for the ids 1 and ID. */
struct fixture {
	struct kernel *k;
	uint64_t top, node, init, task; /* paddr: nodes, and a struct pid each */
};

/* What is odd, and whether the way to the CPU's task is found. */
struct row {
	const char *name;
	bool symbol, kref; /* there is a symbol; the tree is not the first of its namespace */
	uint32_t id;	   /* of the CPU's task */
	unsigned spoiled;
	bool found;
};

enum { NOTHING, NUMBER, NAMESPACE, CYCLE, TYPE, SHIFT };

static const struct row rows[] = {
	{"pid_pages_add: goes by the symbol", true, false, ID, NOTHING, true},
	{"pid_pages_add: goes by the symbol to a tree after a kref", true, true, ID, NOTHING, true},
	{"pid_pages_add: does without a symbol", false, false, ID, NOTHING, true},
	{"pid_pages_add: does without a symbol for a tree after a kref", false, true, ID, NOTHING,
	 true},
	{"pid_pages_add: needs none for idle CPUs", true, false, 0, NOTHING, false},
	{"pid_pages_add: passes over an id that isn't there", true, false, 7, NOTHING, false},
	{"pid_pages_add: passes over an id that is too large", true, false, 1 << 20, NOTHING,
	 false},
	{"pid_pages_add: refuses a tree that has another process 1", true, false, ID, NUMBER,
	 false},
	{"pid_pages_add: refuses a tree of another namespace", false, false, ID, NAMESPACE, false},
	{"pid_pages_add: ends in a tree that is a cycle", true, false, ID, CYCLE, false},
	{"pid_pages_add: refuses an entry that is no address", true, false, ID, TYPE, false},
	{"pid_pages_add: refuses an impossible shift", true, false, ID, SHIFT, false},
};

static uint64_t direct(uint64_t paddr)
{
	return KERNEL_DIRECT_MAP + paddr;
}

static void put(struct fixture *f, uint64_t paddr, uint64_t n)
{
	le64_put(kernel_at(f->k, paddr), n);
}

/* A page that lies apart from all others. */
static uint64_t new_page(struct fixture *f)
{
	return kernel_alloc(f->k, KERNEL_PAGE, 256 << 10);
}

static uint64_t new_pid(struct fixture *f, uint32_t id, uint64_t ns)
{
	const uint64_t pid = new_page(f);

	put(f, pid + NUMBERS, id);
	put(f, pid + NUMBERS + 8, ns);
	return pid;
}

static void make_tree(struct fixture *f, const struct row *row)
{
	const uint64_t ns = KERNEL_IMAGE_VADDR + NS_AT;

	f->top = new_page(f);
	f->node = new_page(f);
	f->init = new_pid(f, row->spoiled == NUMBER ? 2 : 1,
			  row->spoiled == NAMESPACE ? ns + 64 : ns);
	f->task = new_pid(f, ID, ns);
	put(f, KERNEL_IMAGE + NS_AT + (row->kref ? 8 : 0) + 8, direct(f->top) | 2);
	/* Ids below 64 are in the first slot, those from 64 to 127 in the second: of a node each,
	 * of which there is one for both here. */
	put(f, f->top, row->spoiled == SHIFT ? 64 : 6);
	put(f, f->top + NODE_SLOTS, direct(row->spoiled == CYCLE ? f->top : f->node) | 2);
	put(f, f->top + NODE_SLOTS + 8, direct(f->node) | 2);
	put(f, f->node + NODE_SLOTS + 1 * 8, direct(f->init) | (row->spoiled == TYPE));
	put(f, f->node + NODE_SLOTS + ID % 64 * 8, direct(f->task));
}

static void test_row(void **state)
{
	static const struct kernel_symbol symbols[] = {
		{"T_stext", KERNEL_IMAGE_VADDR},
		{"Dinit_pid_ns", KERNEL_IMAGE_VADDR + NS_AT},
	};
	const struct row *row = *state;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	struct pageset *parts[ESSENTIAL_PARTS];
	struct warnings warnings = {0};
	struct vmcore *core;
	struct kmodel km;
	struct error err;

	make_tree(&f, row);
	kernel_add_cpu(f.k, KERNEL_DIRECT_MAP);
	kernel_set_pid(f.k, row->id);
	if (row->symbol)
		kernel_add_symbols(f.k, symbols, ARRAY_LEN(symbols), KERNEL_BASE_RELATIVE);
	core = kernel_open(f.k);
	kmodel_init(&km, core, ALL, &warnings);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_new(core->map.max_mapnr, &parts[i], &err), 0);
	assert_int_equal(essential_find(&km, parts, &warnings, &err), 0);
	assert_int_equal(pageset_has(parts[ESSENTIAL_POINTED], f.top / KERNEL_PAGE), row->found);
	assert_int_equal(pageset_has(parts[ESSENTIAL_POINTED], f.node / KERNEL_PAGE), row->found);
	assert_int_equal(pageset_has(parts[ESSENTIAL_POINTED], f.task / KERNEL_PAGE), row->found);
	assert_false(pageset_has(parts[ESSENTIAL_POINTED], f.init / KERNEL_PAGE));
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(parts[i]);
	kmodel_deinit(&km);
	vmcore_free(core);
	kernel_free(f.k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	return unit_run(&u, "pid_pages", argc, argv);
}
