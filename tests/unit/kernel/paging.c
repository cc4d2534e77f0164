/* sender/kernel/paging.h: x86_64's page tables, whatever stands in them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/kernel.h"

/* Addresses that the made-up kernel doesn't use. */
#define FREE_4K UINT64_C(0xffffc90000123000)
#define FREE_2M UINT64_C(0xffffc90040200000)
#define FREE_1G UINT64_C(0xffffc98000000000)

enum { TABLES_MAX = 4096 };

/* A kernel with its tables, opened. */
struct fixture {
	struct kernel *k;
	struct vmcore *core;
	struct paging paging;
};

static void open_fixture(struct fixture *f)
{
	struct error err = {0};

	f->core = kernel_open(f->k);
	if (paging_init(&f->paging, f->core, &err) < 0)
		fail_msg("%s", err.msg);
}

static void close_fixture(struct fixture *f)
{
	vmcore_free(f->core);
	kernel_free(f->k);
}

/* --- translating --- */

struct walk {
	const char *name;
	unsigned levels;
	uint64_t sme_mask;
	uint64_t vaddr, paddr; /* mapped by a leaf of that level */
	unsigned level;
	uint64_t within; /* what is asked for lies so far behind vaddr */
};

static const struct walk walks[] = {
	{"translate: follows 4 levels to a page", 4, 0, FREE_4K, 0x5000, 1, 0},
	{"translate: keeps the offset in a page", 4, 0, FREE_4K, 0x5000, 1, 0xfff},
	{"translate: follows 4 levels to 2 MiB", 4, 0, FREE_2M, 0x400000, 2, 0x1fffff},
	{"translate: follows 4 levels to 1 GiB", 4, 0, FREE_1G, 0x40000000, 3, 0x3fffffff},
	{"translate: follows 5 levels to a page", 5, 0, FREE_4K, 0x5000, 1, 1},
	{"translate: follows 5 levels to 2 MiB", 5, 0, FREE_2M, 0x400000, 2, 0x123456},
	{"translate: follows 5 levels to 1 GiB", 5, 0, FREE_1G, 0x40000000, 3, 0x2345678},
	{"translate: indexes the fifth level", 5, 0, UINT64_C(0xff11000000005000), 0x5000, 1, 8},
	{"translate: clears the encryption bit of each entry", 4, UINT64_C(1) << 47, FREE_4K,
	 0x5000, 1, 8},
	{"translate: clears the encryption bit of large leaves", 5, UINT64_C(1) << 51, FREE_2M,
	 0x400000, 2, 8},
	{"translate: knows memory up to 2^52", 4, 0, FREE_4K, UINT64_C(0xffffffffff000), 1, 0xff8},
};

static void test_walk(void **state)
{
	const struct walk *row = *state;
	const uint64_t bytes = UINT64_C(1) << (12 + 9 * (row->level - 1));
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.levels = row->levels,
								   .sme_mask = row->sme_mask})};
	uint64_t paddr, span;

	kernel_map(f.k, row->vaddr, row->paddr, row->level);
	open_fixture(&f);
	assert_true(paging_translate(&f.paging, row->vaddr + row->within, &paddr, &span));
	assert_int_equal(paddr, row->paddr + row->within);
	assert_int_equal(span, bytes - row->within);
	/* The one behind isn't mapped. */
	assert_false(paging_translate(&f.paging, row->vaddr + bytes, &paddr, &span));
	close_fixture(&f);
}

/* Bit 12 of a large leaf chooses a memory type, it is no address. */
static void test_pat_bit(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	const uint64_t at = kernel_map(f.k, FREE_2M, 0x400000, 2);
	uint64_t paddr, span;

	le64_put(kernel_at(f.k, at), le64_get(kernel_at(f.k, at)) | 0x1000);
	open_fixture(&f);
	assert_true(paging_translate(&f.paging, FREE_2M + 5, &paddr, &span));
	assert_int_equal(paddr, 0x400005);
	close_fixture(&f);
}

/* Bit 7 of an entry of the top table, or of the last one, doesn't make it a large leaf. */
static void test_bit_7_elsewhere(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.levels = 5})};
	const uint64_t last = kernel_map(f.k, FREE_4K, 0x5000, 1);
	uint64_t paddr, span;

	for (unsigned i = 0; i < 512; i++) {
		uint8_t *top = kernel_at(f.k, kernel_top_table(f.k) + i * 8);

		if (le64_get(top))
			le64_put(top, le64_get(top) | 0x80);
	}
	le64_put(kernel_at(f.k, last), le64_get(kernel_at(f.k, last)) | 0x80);
	open_fixture(&f);
	assert_true(paging_translate(&f.paging, FREE_4K + 5, &paddr, &span));
	assert_int_equal(paddr, 0x5005);
	close_fixture(&f);
}

static void test_not_present(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	const uint64_t at = kernel_map(f.k, FREE_4K, 0x5000, 1);
	uint64_t paddr, span;

	/* All of an entry but the bit that counts. */
	le64_put(kernel_at(f.k, at), le64_get(kernel_at(f.k, at)) & ~UINT64_C(1));
	open_fixture(&f);
	assert_false(paging_translate(&f.paging, FREE_4K, &paddr, &span));
	assert_false(paging_translate(&f.paging, 0, &paddr, &span));
	assert_false(paging_translate(&f.paging, UINT64_MAX, &paddr, &span));
	close_fixture(&f);
}

/* Tables that point to themselves, and out of memory: a walk ends after as many steps as levels. */
static void test_cycle(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.levels = 5})};
	const uint64_t top = kernel_top_table(f.k);
	uint64_t paddr, span;

	for (unsigned i = 256; i < 384; i++)
		le64_put(kernel_at(f.k, top + i * 8), top | 0x63);
	le64_put(kernel_at(f.k, top + 384 * 8), UINT64_C(0xfff000000000) | 0x63);
	open_fixture(&f);
	assert_true(paging_translate(&f.paging, UINT64_C(0xff00804020100800), &paddr, &span));
	assert_int_equal(paddr, top + 0x800);
	assert_false(paging_translate(&f.paging, UINT64_C(0xff80000000000000), &paddr, &span));
	close_fixture(&f);
}

/* Code is what no entry on the way forbids to execute. */
static void test_code(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	const uint64_t no_execute = UINT64_C(1) << 63;
	uint64_t span, at = kernel_map(f.k, FREE_4K, 0x5000, 1);

	kernel_map(f.k, FREE_4K + KERNEL_PAGE, 0x6000, 1);
	le64_put(kernel_at(f.k, at), le64_get(kernel_at(f.k, at)) & ~no_execute);
	at = kernel_map(f.k, FREE_2M, 0x400000, 2);
	le64_put(kernel_at(f.k, at), le64_get(kernel_at(f.k, at)) & ~no_execute);
	open_fixture(&f);
	assert_true(paging_code(&f.paging, FREE_4K + 16, &span));
	assert_int_equal(span, KERNEL_PAGE - 16);
	assert_false(paging_code(&f.paging, FREE_4K + KERNEL_PAGE, &span));
	assert_false(paging_code(&f.paging, FREE_4K + 2 * KERNEL_PAGE, &span));
	assert_true(paging_code(&f.paging, FREE_2M, &span));
	assert_int_equal(span, 2 << 20);
	vmcore_free(f.core);
	/* The same below a table that forbids it. */
	at = kernel_top_table(f.k) + FREE_4K / (UINT64_C(1) << 39) % 512 * 8;
	le64_put(kernel_at(f.k, at), le64_get(kernel_at(f.k, at)) | no_execute);
	open_fixture(&f);
	assert_false(paging_code(&f.paging, FREE_4K, &span));
	close_fixture(&f);
}

/* --- reading --- */

static void test_read(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	uint8_t buf[3 * KERNEL_PAGE];
	const uint64_t a = kernel_alloc(f.k, KERNEL_PAGE, KERNEL_PAGE);
	const uint64_t b = kernel_alloc(f.k, 2 * KERNEL_PAGE, KERNEL_PAGE) + KERNEL_PAGE;

	memset(kernel_at(f.k, a), 'a', KERNEL_PAGE);
	memset(kernel_at(f.k, b), 'b', KERNEL_PAGE);
	/* Neighbours there, strangers here. */
	kernel_map(f.k, FREE_4K, b, 1);
	kernel_map(f.k, FREE_4K + KERNEL_PAGE, a, 1);
	kernel_map(f.k, FREE_4K + 3 * KERNEL_PAGE, KERNEL_BYTES + KERNEL_PAGE, 1); /* has no data */
	open_fixture(&f);
	assert_true(paging_read(&f.paging, FREE_4K + 4000, buf, 4192));
	for (size_t i = 0; i < 4192; i++)
		assert_int_equal(buf[i], i < 96 ? 'b' : 'a');
	assert_true(paging_read(&f.paging, FREE_4K + 1, buf, 0));
	assert_false(paging_read(&f.paging, FREE_4K + KERNEL_PAGE, buf, KERNEL_PAGE + 1));
	assert_false(paging_read(&f.paging, FREE_4K + 3 * KERNEL_PAGE, buf, 8));
	assert_false(paging_read(&f.paging, UINT64_MAX - 3, buf, 8));
	close_fixture(&f);
}

/* --- the tables themselves --- */

static size_t list_tables(const struct fixture *f, uint64_t *paddr, size_t max, bool *all)
{
	return paging_tables(&f->paging, paddr, max, all);
}

static bool has(const uint64_t *paddr, size_t n, uint64_t want)
{
	while (n)
		if (paddr[--n] == want)
			return true;
	return false;
}

/* Every table on the way to an address but the direct map's is listed, and nothing else. */
static void test_tables(void **state UNUSED)
{
	for (unsigned levels = 4; levels <= 5; levels++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){.levels = levels})};
		uint64_t *paddr = calloc(TABLES_MAX, sizeof(*paddr));
		const uint64_t far = KERNEL_DIRECT_MAP + (UINT64_C(1) << 39) - KERNEL_PAGE;
		uint64_t last, user, beyond;
		size_t n;
		bool all;

		assert_non_null(paddr);
		last = kernel_map(f.k, FREE_4K, 0x5000, 1) & ~(uint64_t)0xfff;
		kernel_map(f.k, FREE_2M, 0x400000, 2);
		user = kernel_map(f.k, 0x400000, 0x5000, 1) & ~(uint64_t)0xfff;
		beyond = kernel_map(f.k, far, 0x5000, 1) & ~(uint64_t)0xfff;
		open_fixture(&f);
		n = list_tables(&f, paddr, TABLES_MAX, &all);
		assert_true(all);
		assert_true(has(paddr, n, kernel_top_table(f.k)));
		assert_true(has(paddr, n, last));
		assert_true(has(paddr, n, beyond)); /* behind the direct map's end */
		assert_false(has(paddr, n, user));
		assert_false(has(paddr, n, 0x5000));
		assert_false(has(paddr, n, 0x400000));
		for (size_t i = 0; i < n; i++)
			assert_false(has(paddr + i + 1, n - i - 1, paddr[i]));
		free(paddr);
		close_fixture(&f);
	}
}

/* What maps the direct map in full grows with memory, and is left out. */
static void test_direct_map(void **state UNUSED)
{
	const uint64_t pages =
		3 << 18; /* 3 GiB: the first and the last GiB are shared with others */
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = pages})};
	const uint64_t at = kernel_map(f.k, KERNEL_DIRECT_MAP + (1 << 30), 1 << 30, 2);
	uint64_t paddr[256];
	bool all;
	size_t n;

	open_fixture(&f);
	n = list_tables(&f, paddr, ARRAY_LEN(paddr), &all);
	assert_true(all);
	assert_false(has(paddr, n, at & ~(uint64_t)0xfff));
	close_fixture(&f);
}

/* Tables that are their own tables: as many as were asked for, and no more work than that. */
static void test_tables_cycle(void **state UNUSED)
{
	static const size_t maxima[] = {0, 1, 2, 100, TABLES_MAX};
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.levels = 5})};
	const uint64_t top = kernel_top_table(f.k);
	uint64_t *paddr = calloc(TABLES_MAX, sizeof(*paddr));

	assert_non_null(paddr);
	for (unsigned i = 0; i < 512; i++)
		le64_put(kernel_at(f.k, top + i * 8), top | 0x63);
	f.core = kernel_open(f.k);
	f.paging = (struct paging){.core = f.core};
	{
		struct error err;

		assert_int_equal(paging_init(&f.paging, f.core, &err), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		bool all = true;

		assert_int_equal(list_tables(&f, paddr, maxima[i], &all), maxima[i]);
		assert_false(all);
	}
	free(paddr);
	close_fixture(&f);
}

/* --- setting up --- */

struct setup {
	const char *name;
	const char *without, *more;
	int want;
	const char *said;
};

/* clang-format off */
static const struct setup setups[] = {
	{"paging_init: takes init_top_pgt", NULL, NULL, 0, NULL},
	{"paging_init: takes swapper_pg_dir", "SYMBOL(init_top_pgt)", "SYMBOL(swapper_pg_dir)=ffffffff81000000", 0, NULL},
	{"paging_init: takes 4 levels where nothing is said", "NUMBER(pgtable_l5_enabled)", NULL, 0, NULL},
	{"paging_init: takes no encryption where nothing is said", "NUMBER(sme_mask)", NULL, 0, NULL},
	{"paging_init: does without phys_base where the image has a load", "NUMBER(phys_base)", NULL, 0, NULL},
	{"paging_init: refuses a kernel without top table", "SYMBOL(init_top_pgt)", NULL, -ENODATA, "where the page tables are"},
	{"paging_init: refuses a top table outside of the image", NULL, "SYMBOL(init_top_pgt)=ffff000000000000", -EBADMSG, "isn't in the kernel image"},
	{"paging_init: refuses a top table within a page", NULL, "SYMBOL(init_top_pgt)=ffffffff81000008", -EBADMSG, "isn't in the kernel image"},
};
/* clang-format on */

static void test_setup(void **state)
{
	const struct setup *row = *state;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.without = row->without,
								   .more = row->more})};
	struct error err = {0};

	f.core = kernel_open(f.k);
	assert_int_equal(paging_init(&f.paging, f.core, &err), row->want);
	if (row->said)
		assert_non_null(strstr(err.msg, row->said));
	else
		assert_true(paging_read(&f.paging, KERNEL_DIRECT_MAP, &err, 8));
	close_fixture(&f);
}

/* Tables of another kernel, or layout: they map the image elsewhere than VMCOREINFO says. */
static void test_elsewhere(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	struct error err = {0};

	kernel_map(f.k, KERNEL_IMAGE_VADDR, KERNEL_IMAGE + KERNEL_PAGE, 1);
	f.core = kernel_open(f.k);
	assert_int_equal(paging_init(&f.paging, f.core, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "map _stext at 0xffffffff81000000 to 0x101000 in memory, "
					"but by VMCOREINFO it is at 0x100000"));
	close_fixture(&f);
}

/* A dump that was cut may lack tables: the others are of use. */
static void test_unmapped(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	const uint64_t at = kernel_map(f.k, KERNEL_IMAGE_VADDR, KERNEL_IMAGE, 1);
	uint64_t paddr, span;

	le64_put(kernel_at(f.k, at), 0);
	open_fixture(&f);
	assert_false(paging_translate(&f.paging, KERNEL_IMAGE_VADDR, &paddr, &span));
	assert_true(paging_translate(&f.paging, KERNEL_DIRECT_MAP, &paddr, &span));
	close_fixture(&f);
}

static void test_architecture(void **state UNUSED)
{
	struct core_plan plan = {.machine = 21};
	struct vmcore *core;
	struct paging paging;
	struct core file;
	struct error err;
	char path[32];

	core_add_load(&plan, 0, KERNEL_PAGE, KERNEL_PAGE);
	core_add_vmcoreinfo(&plan, "SYMBOL(init_top_pgt)=ffffffff81000000\n");
	file = core_make(&plan);
	assert_true(core_file(file.bytes, file.size_bytes, path) >= 0);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	assert_int_equal(paging_init(&paging, core, &err), -ENOTSUP);
	assert_non_null(strstr(err.msg, "machine 21 (ppc64le)"));
	vmcore_free(core);
	core_free(&file);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, walks, test_walk);
	unit_add(&u, "translate: takes bit 12 of a large leaf for no address", test_pat_bit, NULL);
	unit_add(&u, "translate: takes bit 7 for a leaf where it is one only", test_bit_7_elsewhere,
		 NULL);
	unit_add(&u, "translate: refuses what isn't present", test_not_present, NULL);
	unit_add(&u, "translate: ends in tables that are a cycle", test_cycle, NULL);
	unit_add(&u, "paging_code: takes what may be executed", test_code, NULL);
	unit_add(&u, "paging_read: reads across pages, not across gaps", test_read, NULL);
	unit_add(&u, "paging_tables: lists the kernel's tables once", test_tables, NULL);
	unit_add(&u, "paging_tables: leaves out the direct map's", test_direct_map, NULL);
	unit_add(&u, "paging_tables: is bounded in tables that are a cycle", test_tables_cycle,
		 NULL);
	UNIT_ADD_ROWS(&u, setups, test_setup);
	unit_add(&u, "paging_init: refuses tables that map the kernel elsewhere", test_elsewhere,
		 NULL);
	unit_add(&u, "paging_init: takes tables that don't map the kernel at all", test_unmapped,
		 NULL);
	unit_add(&u, "paging_init: refuses other machines", test_architecture, NULL);
	return unit_run(&u, "paging", argc, argv);
}
