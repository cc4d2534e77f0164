/* sender/kernel/kdata.h: integers of either byte order, and a whole kernel that is big-endian. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "sender/kernel/dmesg.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/essential.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernellog.h"
#include "tests/lib/kernelsyms.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	FREE_PAGES = 4711,
	LOG_BYTES_MAX = 1000,
	STACK_BYTES = 16 << 10,
};

#define STACK_VADDR UINT64_C(0xffffc90000000000)

/* --- one integer --- */

/* What eight bytes are, with all top bits set. */
struct layout {
	const char *name;
	enum elf_data data;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64, ulong;
	int64_t slong;
	size_t word;
};

static const uint8_t bytes[8] = {0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88};

/* clang-format off */
static const struct layout layouts[] = {
	{"kdata: reads little-endian words of 64 bits", ELF_DATA_LE64, 0xe2f1, 0xc4d3e2f1,
	 UINT64_C(0x8897a6b5c4d3e2f1), UINT64_C(0x8897a6b5c4d3e2f1), (int64_t)UINT64_C(0x8897a6b5c4d3e2f1), 8},
	{"kdata: reads big-endian words of 64 bits", ELF_DATA_BE64, 0xf1e2, 0xf1e2d3c4,
	 UINT64_C(0xf1e2d3c4b5a69788), UINT64_C(0xf1e2d3c4b5a69788), (int64_t)UINT64_C(0xf1e2d3c4b5a69788), 8},
	{"kdata: reads little-endian words of 32 bits", ELF_DATA_LE32, 0xe2f1, 0xc4d3e2f1,
	 UINT64_C(0x8897a6b5c4d3e2f1), UINT64_C(0xc4d3e2f1), (int32_t)0xc4d3e2f1, 4},
	{"kdata: reads big-endian words of 32 bits", ELF_DATA_BE32, 0xf1e2, 0xf1e2d3c4,
	 UINT64_C(0xf1e2d3c4b5a69788), UINT64_C(0xf1e2d3c4), (int32_t)0xf1e2d3c4, 4},
};
/* clang-format on */

/* Out of bytes at hand, and at an address: over two pages of memory. */
static void test_layout(void **state)
{
	const struct layout *row = *state;
	struct kernel *k = kernel_new(&(struct kernel_setup){0});
	const uint64_t at = kernel_alloc(k, 2 * KERNEL_PAGE, KERNEL_PAGE) + KERNEL_PAGE - 3;
	const uint64_t vaddr = KERNEL_DIRECT_MAP + at, nowhere = UINT64_C(0xffffeb0000000000);
	struct vmcore *core;
	struct paging paging;
	struct error err;
	uint32_t u32 = 7;
	uint64_t ulong = 7;
	int64_t slong = 7;

	assert_int_equal(kdata_u16(row->data, bytes), row->u16);
	assert_int_equal(kdata_u32(row->data, bytes), row->u32);
	assert_int_equal(kdata_u64(row->data, bytes), row->u64);
	assert_int_equal(kdata_ulong(row->data, bytes), row->ulong);
	assert_true(kdata_long(row->data, bytes) == row->slong);
	assert_int_equal(kdata_word(row->data), row->word);

	memcpy(kernel_at(k, at), bytes, sizeof(bytes));
	core = kernel_open(k);
	core->elf.data = row->data;
	assert_int_equal(paging_init(&paging, core, &err), 0);
	assert_false(kdata_read_u32(&paging, nowhere, &u32));
	assert_false(kdata_read_ulong(&paging, nowhere, &ulong));
	assert_false(kdata_read_long(&paging, nowhere, &slong));
	assert_true(u32 == 7 && ulong == 7 && slong == 7);
	assert_true(kdata_read_u32(&paging, vaddr, &u32));
	assert_true(kdata_read_ulong(&paging, vaddr, &ulong));
	assert_true(kdata_read_long(&paging, vaddr, &slong));
	assert_int_equal(u32, row->u32);
	assert_int_equal(ulong, row->ulong);
	assert_true(slong == row->slong);
	vmcore_free(core);
	kernel_free(k);
}

/* --- a kernel of each order --- */

struct made {
	struct kernel *k;
	struct vmcore *core;
	struct kmodel km;
	struct warnings warnings;
	struct pageset *parts[ESSENTIAL_PARTS];
};

static const struct kernel_symbol symbols[] = {
	{"A__per_cpu_start", 0},
	{"Acurrent_task", 0x1000},
	{"T_stext", KERNEL_IMAGE_VADDR},
	{"D_sdata", KERNEL_IMAGE_VADDR + 0x20000},
	{"D__per_cpu_offset", KERNEL_IMAGE_VADDR + 0x30000},
	{"Dpcpu_unit_size", KERNEL_IMAGE_VADDR + 0x31000},
	{"Dnr_cpu_ids", KERNEL_IMAGE_VADDR + 0x31008},
};

/* Pages of each kind, above those that the kernel has of its own. */
static void set_pages(struct kernel *k, const struct kernel_series *series)
{
	const uint64_t first = KERNEL_BYTES / KERNEL_PAGE;

	kernel_set_free(k, first, 3);
	kernel_set_anon(k, first + 9);
	kernel_set_cache(k, first + 17, false);
	kernel_set_cache(k, first + 18, true);
	kernel_set_slab(k, first + 24, 3);
	kernel_set_compound(k, first + 32, 2);
	kernel_set_mapcount(k, first + 40, series->offline);
	kernel_set_flag(k, first + 41, series->hwpoison);
	kernel_set_mapcount(k, first + 42, series->table);
	kernel_set_hugetlb(k, first + 512, 9);
}

/* A CPU that runs a task, and has both as the symbols say. */
static void add_cpu(struct kernel *k)
{
	const uint64_t area = kernel_alloc(k, 32 << 10, 256 << 10);
	const uint64_t task = kernel_alloc(k, 16 << 10, 256 << 10);
	const uint64_t stack = kernel_alloc(k, STACK_BYTES, 256 << 10);

	kernel_put64(k, kernel_at(k, KERNEL_IMAGE + 0x30000), KERNEL_DIRECT_MAP + area);
	kernel_put32(k, kernel_at(k, KERNEL_IMAGE + 0x31000), 32 << 10);
	kernel_put32(k, kernel_at(k, KERNEL_IMAGE + 0x31008), 1);
	kernel_put64(k, kernel_at(k, area + 0x1000), KERNEL_DIRECT_MAP + task);
	for (uint64_t at = 0; at < STACK_BYTES; at += KERNEL_PAGE)
		kernel_map(k, STACK_VADDR + at, stack + at, 1);
	kernel_put64(k, kernel_at(k, stack), 0x57ac6e9d);
	kernel_put64(k, kernel_at(k, stack + 0x3e00), KERNEL_IMAGE_VADDR + 0x4010);
	kernel_add_cpu(k, STACK_VADDR + 0x3d08);
}

static void add_log(struct kernel *k)
{
	const struct kernellog log = kernellog_add(k, 4, 9);

	kernellog_set_ids(&log, 1, 2);
	kernellog_put(&log, &(struct kernellog_message){.id = 1,
							.state = KERNELLOG_FINALIZED,
							.next = 16,
							.text = "hello",
							.time_ns = 1234567890,
							.caller = 0x80000003});
	kernellog_put(&log, &(struct kernellog_message){.id = 2,
							.state = KERNELLOG_FINALIZED,
							.begin = 16,
							.next = 32,
							.text = "world"});
}

static struct made *make(const struct kernel_series *series, bool big_endian, bool named)
{
	struct made *m = calloc(1, sizeof(*m));
	struct error err = {0};

	assert_non_null(m);
	m->k = kernel_new(&(struct kernel_setup){.series = series, .big_endian = big_endian});
	set_pages(m->k, series);
	add_cpu(m->k);
	add_log(m->k);
	kernel_add_node(m->k, FREE_PAGES);
	if (named)
		kernel_add_symbols(m->k, symbols, ARRAY_LEN(symbols), KERNEL_PERCPU_ABSOLUTE);
	m->core = kernel_open(m->k);
	kmodel_init(&m->km, m->core, ALL, &m->warnings);
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		assert_int_equal(pageset_new(m->core->map.max_mapnr, &m->parts[i], &err), 0);
	if (essential_find(&m->km, m->parts, &m->warnings, &err) < 0)
		fail_msg("%s", err.msg);
	return m;
}

static void free_made(struct made *m)
{
	for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
		pageset_free(m->parts[i]);
	kmodel_deinit(&m->km);
	vmcore_free(m->core);
	kernel_free(m->k);
	free(m);
}

static void check_pages(const struct made *big, const struct made *little)
{
	const uint64_t end = little->core->map.max_mapnr;
	unsigned classes = 0;
	struct pagewalk *a, *b;
	struct error err;

	assert_int_equal(pagewalk_new(&big->km, &a, &err), 0);
	assert_int_equal(pagewalk_new(&little->km, &b, &err), 0);
	for (uint64_t pfn = 0; pfn < end;) {
		const struct page_run x = pagewalk_next(a, pfn, end, little->km.reserved);
		const struct page_run y = pagewalk_next(b, pfn, end, little->km.reserved);

		assert_int_equal(x.class, y.class);
		assert_int_equal(x.pages, y.pages);
		assert_int_equal(x.flags, y.flags);
		assert_true(x.known && y.known && x.block == y.block && x.odd == y.odd);
		classes |= 1U << x.class;
		pfn += x.pages;
	}
	/* What has broken memory is a flag of pages of any class. */
	assert_int_equal(classes | 1 << CLASS_HWPOISON, (1 << CLASS_COUNT) - 1);
	pagewalk_free(a);
	pagewalk_free(b);
}

/* A kernel is read alike in both orders: its page tables are x86_64's in either. */
static void test_model(void **state UNUSED)
{
	for (size_t i = 0; i < kernel_series_count; i++) {
		struct made *big = make(&kernel_series[i], true, true);
		struct made *little = make(&kernel_series[i], false, true);
		uint64_t pages, end;

		assert_int_equal(big->warnings.count, 0);
		assert_int_equal(kmodel_served_level(&big->km, LEVEL_MAX), LEVEL_MAX);
		assert_int_not_equal(big->km.reserved, 0);
		assert_int_equal(big->km.reserved, little->km.reserved);
		check_pages(big, little);
		assert_true(kmodel_free_pages(&big->km, &pages, &end));
		assert_int_equal(pages, FREE_PAGES);
		assert_int_equal(end, little->core->map.max_mapnr);
		free_made(big);
		free_made(little);
	}
}

static void test_essential(void **state UNUSED)
{
	for (unsigned named = 0; named < 2; named++) {
		struct made *big = make(kernel_series_find("6.1"), true, named);
		struct made *little = make(kernel_series_find("6.1"), false, named);
		uint64_t pages = 0;

		for (size_t i = 0; i < ESSENTIAL_PARTS; i++)
			for (uint64_t pfn = 0; pfn < little->core->map.max_mapnr; pfn++) {
				const bool has = pageset_has(little->parts[i], pfn);

				assert_int_equal(pageset_has(big->parts[i], pfn), has);
				pages += has;
			}
		assert_true(pages > (KERNEL_IMAGE_BYTES + STACK_BYTES) / KERNEL_PAGE);
		free_made(big);
		free_made(little);
	}
}

static void test_symbols(void **state UNUSED)
{
	struct made *m = make(kernel_series_find("6.1"), true, true);
	struct kallsyms_symbol found[] = {{.name = "current_task"}, {.name = "nr_cpu_ids"}};

	assert_true(kallsyms_find(&m->km.paging, found, ARRAY_LEN(found)));
	assert_true(found[0].found && found[1].found);
	assert_int_equal(found[0].vaddr, 0x1000);
	assert_int_equal(found[1].vaddr, KERNEL_IMAGE_VADDR + 0x31008);
	free_made(m);
}

struct text {
	char bytes[LOG_BYTES_MAX + 1];
	size_t used;
};

static int take(void *ctx, const char *text, size_t n, struct error *err UNUSED)
{
	struct text *t = ctx;

	assert_true(n <= LOG_BYTES_MAX - t->used);
	memcpy(t->bytes + t->used, text, n);
	t->used += n;
	return 0;
}

static void test_log(void **state UNUSED)
{
	struct made *m = make(kernel_series_find("6.1"), true, false);
	struct text text = {0};
	struct error err;

	assert_int_equal(dmesg_read(&m->km.paging, take, &text, &err), 2);
	assert_string_equal(text.bytes, "[    1.234567][    C3] hello\n"
					"[    0.000000][    T0] world\n");
	free_made(m);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, layouts, test_layout);
	unit_add(&u, "kmodel_init: knows a big-endian kernel of each series", test_model, NULL);
	unit_add(&u, "essential_find: finds the same in a big-endian kernel", test_essential, NULL);
	unit_add(&u, "kallsyms_find: reads a big-endian kernel's symbols", test_symbols, NULL);
	unit_add(&u, "dmesg_read: reads a big-endian kernel's log", test_log, NULL);
	return unit_run(&u, "kdata", argc, argv);
}
