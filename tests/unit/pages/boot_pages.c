/* sender/pages/boot_pages.h: what was allocated at boot, and not what was reserved for others. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/compiler.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/essential.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	RESERVED = 12, /* of the made-up kernel: 6.1 */
	FIRST = 4096,
	PAGES = 24576,
};

/* Reserved pages that follow each other, and whether they are essential. */
struct run {
	const char *name;
	uint64_t pages;
	bool essential;
};

static const struct run runs[] = {
	{"boot_pages_add: takes 32 MiB that were allocated at boot", 8192, true},
	{"boot_pages_add: leaves out the memory of a crash kernel", 8256, false},
};

static void test_run(void **state)
{
	const struct run *row = *state;
	struct kernel *k = kernel_new(&(struct kernel_setup){.pages = PAGES});
	struct pageset *parts[ESSENTIAL_PARTS];
	struct warnings warnings = {0};
	struct vmcore *core;
	struct kmodel km;
	struct error err = {0};
	uint8_t page[KERNEL_PAGE_STRUCT];

	memcpy(page, kernel_page(k, FIRST), sizeof(page));
	page[PAGE_FLAGS + RESERVED / 8] |= 1 << RESERVED % 8;
	kernel_fill(k, FIRST, row->pages, page);
	kernel_set_flag(k, FIRST + row->pages + 64, RESERVED);
	core = kernel_open(k);
	kmodel_init(&km, core, ALL, &warnings);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_new(core->map.max_mapnr, &parts[i], &err), 0);
	assert_int_equal(essential_find(&km, parts, &warnings, &err), 0);
	assert_int_equal(pageset_has(parts[ESSENTIAL_POINTED], FIRST), row->essential);
	assert_int_equal(pageset_has(parts[ESSENTIAL_POINTED], FIRST + row->pages - 1),
			 row->essential);
	assert_false(pageset_has(parts[ESSENTIAL_POINTED], FIRST + row->pages));
	assert_true(pageset_has(parts[ESSENTIAL_POINTED], FIRST + row->pages + 64));
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(parts[i]);
	kmodel_deinit(&km);
	vmcore_free(core);
	kernel_free(k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, runs, test_run);
	return unit_run(&u, "boot_pages", argc, argv);
}
