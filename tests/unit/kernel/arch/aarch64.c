/* sender/kernel/arch/aarch64.c: arm64's page tables of every layout, whatever stands in them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/image.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/paging.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/armkernel.h"
#include "tests/lib/kernel.h"

enum {
	TABLES_MAX = 256,
};

static void open_whole(struct arm_kernel *k)
{
	struct error err = {0};

	if (arm_open(k, NULL, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_maps(const struct arm_kernel *k, uint64_t vaddr, uint64_t paddr, uint64_t span)
{
	uint64_t mapped, left;

	assert_true(paging_translate(&k->paging, vaddr, &mapped, &left));
	assert_int_equal(mapped, paddr);
	assert_int_equal(left, span);
}

static void assert_maps_nothing(const struct arm_kernel *k, uint64_t vaddr)
{
	uint64_t paddr, span;

	assert_false(paging_translate(&k->paging, vaddr, &paddr, &span));
}

/* --- struct pages --- */

/* The classes of pages of every size: a block of 2^3 that is free, and an anonymous page. */
static void check_model(const struct arm_layout *l)
{
	enum { ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL), FREE = 40, ANON = 51 };
	struct arm_kernel *k = arm_new(l);
	struct filter_setup setup = {.exclude = page_classes_of_level(31)};
	struct filter_result result;
	struct warnings warnings = {0};
	struct pageset *pages;
	struct kmodel km;
	struct error err;

	le32_put(arm_page(k, FREE) + PAGE_MAPCOUNT, ~0x80U);
	le64_put(arm_page(k, FREE) + PAGE_PRIVATE, 3);
	le64_put(arm_page(k, ANON) + PAGE_MAPPING, 1);
	open_whole(k);
	kmodel_init(&km, k->core, ALL, &warnings);
	setup.km = &km;
	assert_int_equal(kmodel_served_level(&km, 31), 31);
	assert_int_equal(filter_run(&setup, &pages, &result, &warnings, &err), 0);
	assert_int_equal(result.classes[CLASS_FREE], 8);
	assert_int_equal(result.classes[CLASS_USER], 1);
	for (uint64_t n = 32; n < 64; n++)
		assert_int_equal(pageset_has(pages, (l->ram >> l->page_shift) + n),
				 !(n >= FREE && n < FREE + 8) && n != ANON);
	pageset_free(pages);
	kmodel_deinit(&km);
	arm_free(k);
}

/* --- every layout --- */

static void test_layout(void **state)
{
	const struct arm_layout *l = *state;
	struct arm_kernel *k = arm_new(l);
	const uint64_t page = UINT64_C(1) << l->page_shift;
	const uint64_t block = UINT64_C(1) << arm_level_shift(k, 2);
	const uint64_t stext = l->ram + ARM_STEXT_AT;
	const uint64_t vmalloc = l->ram + k->image + UINT64_C(0x100000000);
	uint64_t paddr, *tables = calloc(TABLES_MAX, sizeof(*tables));
	size_t n, own = 0;
	bool all;

	arm_map(k, vmalloc, l->ram + ARM_UTS_AT, 1, ARM_PXN | ARM_CONTIGUOUS);
	arm_map(k, vmalloc + page, l->ram + ARM_ROOT_AT, 1, ARM_PXN | ARM_CONTIGUOUS);
	arm_map(k, vmalloc + 4 * block, l->ram + 3 * block, 2, ARM_PXN);
	open_whole(k);
	assert_int_equal(k->paging.vaddr_bits, l->top);
	assert_int_equal(k->paging.levels, arm_levels(k));

	assert_maps(k, stext + k->image + 0x123, stext + 0x123, page - 0x123);
	assert_maps(k, vmalloc + 8, l->ram + ARM_UTS_AT + 8, page - 8);
	assert_maps(k, vmalloc + page, l->ram + ARM_ROOT_AT, page);
	assert_maps(k, vmalloc + 4 * block + page + 1, l->ram + 3 * block + page + 1,
		    block - page - 1);
	assert_maps_nothing(k, vmalloc + 2 * page);
	assert_maps_nothing(k, vmalloc + 5 * block);
	/* A tag in the top byte, as KASAN and MTE set it; addresses of programs; of no one. */
	assert_maps(k, (vmalloc & ~(UINT64_C(0xff) << 56)) | UINT64_C(0xf3) << 56,
		    l->ram + ARM_UTS_AT, page);
	assert_maps_nothing(k, vmalloc & ((UINT64_C(1) << 55) - 1));
	assert_maps_nothing(k, 0);

	/* The direct map goes by what the kernel was built for. */
	assert_true(paging_direct(&k->paging, stext + k->direct + 5, &paddr));
	assert_int_equal(paddr, stext + 5);
	assert_true(paging_direct(
		&k->paging, ((stext + k->direct) & ~(UINT64_C(0xff) << 56)) | UINT64_C(0xf8) << 56,
		&paddr));
	assert_int_equal(paddr, stext);
	assert_false(paging_direct(&k->paging, l->ram + ARM_MEMORY_BYTES + k->direct, &paddr));
	assert_false(paging_direct(&k->paging, vmalloc, &paddr));

	/* All tables but those that map nothing else than the direct map. */
	n = paging_tables(&k->paging, tables, TABLES_MAX, &all);
	assert_true(all);
	assert_int_equal(tables[0], l->ram + ARM_ROOT_AT);
	for (size_t i = 0; i < n; i++)
		own += tables[i] == (le64_get(arm_entry(k, stext + k->direct, 2)) & ~0xfffULL);
	if (l->ram == ARM_RAM && arm_levels(k) > 2)
		assert_int_equal(own, 0);
	assert_in_range(n, arm_levels(k), k->used / page);
	free(tables);
	arm_free(k);
	if (l->ram == ARM_RAM) /* else the bitmap is one of 2^50 bytes */
		check_model(l);
}

/* --- what entries say --- */

static const struct arm_layout plain = {NULL, 12, 48, 48, true, 48, ARM_RAM, false};
static const struct arm_layout large_pages = {NULL, 16, 48, 48, true, 48, ARM_RAM, false};

#define FREE_VADDR UINT64_C(0xffff800100000000)

static void test_gigabyte(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);

	arm_map(k, FREE_VADDR, 5ULL << 30, 3, ARM_PXN);
	open_whole(k);
	assert_maps(k, FREE_VADDR + 0x12345, (5ULL << 30) + 0x12345, (1 << 30) - 0x12345);
	arm_free(k);
}

/* Bit 16 of a block is nT. */
static void test_no_address(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);

	arm_map(k, FREE_VADDR, 6 << 20, 2, ARM_PXN | 1 << 16);
	open_whole(k);
	assert_maps(k, FREE_VADDR, 6 << 20, 2 << 20);
	arm_free(k);
}

/* An entry, and whether it maps anything: a level, and its lowest bits. */
struct type {
	const char *name;
	const struct arm_layout *layout;
	unsigned level, bits;
	bool maps;
};

static const struct type types[] = {
	{"translate: takes a page", &plain, 1, 3, true},
	{"translate: refuses a block at the last level", &plain, 1, 1, false},
	{"translate: refuses a page that isn't valid", &plain, 1, 2, false},
	{"translate: takes a block", &plain, 2, 1, true},
	{"translate: refuses a block that isn't valid", &plain, 2, 2, false},
	{"translate: refuses a block of 512 GiB", &plain, 4, 1, false},
	{"translate: takes a block of 512 MiB", &large_pages, 2, 1, true},
	{"translate: refuses a block of 4 TiB", &large_pages, 3, 1, false},
};

static void test_type(void **state)
{
	const struct type *row = *state;
	struct arm_kernel *k = arm_new(row->layout);
	const uint64_t vaddr = arm_lowest(46);
	uint64_t paddr, span;

	le64_put(arm_entry(k, vaddr, row->level), ARM_AF | ARM_SH | row->bits);
	open_whole(k);
	assert_int_equal(paging_translate(&k->paging, vaddr, &paddr, &span), row->maps);
	arm_free(k);
}

static void test_code(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	const uint64_t stext = ARM_RAM + ARM_STEXT_AT + k->image;
	uint64_t span;
	uint8_t *above;

	arm_map(k, FREE_VADDR, ARM_RAM, 1, 0);
	above = arm_entry(k, FREE_VADDR, 3);
	le64_put(above, le64_get(above) | ARM_PXN_TABLE);
	open_whole(k);
	assert_true(paging_code(&k->paging, stext + 4, &span));
	assert_int_equal(span, 4096 - 4);
	assert_false(paging_code(&k->paging, ARM_RAM + ARM_UTS_AT + k->image, &span));
	assert_false(paging_code(&k->paging, FREE_VADDR, &span));
	assert_false(paging_code(&k->paging, FREE_VADDR + 4096, &span));
	arm_free(k);
}

/* Tables that lead to themselves, and out of memory. */
static void test_cycle(void **state UNUSED)
{
	const uint64_t root = ARM_RAM + ARM_ROOT_AT;
	struct arm_kernel *k = arm_new(&plain);
	uint64_t paddr, span, tables[TABLES_MAX];
	bool all;

	for (unsigned i = 300; i < 364; i++)
		le64_put(arm_at(k, root + i * 8ULL), root | 3);
	le64_put(arm_at(k, root + 364 * 8), UINT64_C(0xfff000000000) | 3);
	open_whole(k);
	/* Four steps, to the entry 300 of the root in the end. */
	assert_true(paging_translate(&k->paging,
				     arm_lowest(48) | 300ULL << 39 | 300ULL << 30 | 300ULL << 21 |
					     300ULL << 12,
				     &paddr, &span));
	assert_int_equal(paddr, root);
	assert_maps_nothing(k, arm_lowest(48) | 364ULL << 39);
	assert_int_equal(paging_tables(&k->paging, tables, TABLES_MAX, &all), TABLES_MAX);
	assert_false(all);
	arm_free(k);
}

/* The tables to a page of the direct map are those on the way there; a block has one less, and says
 * nothing of what lies after it. */
static void test_path(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	const uint64_t block = ARM_RAM + (4 << 20), page = ARM_RAM + (6 << 20) + 0x3000;
	uint64_t tables[ARCH_LEVELS_MAX], span;
	size_t n;

	arm_map(k, block + k->direct, block, 2, ARM_PXN);
	arm_map(k, page + k->direct, page, 1, ARM_PXN);
	open_whole(k);
	assert_int_equal(paging_path(&k->paging, block + 0x1000, tables, &span), 3);
	assert_int_equal(span, (2 << 20) - 0x1000);
	n = paging_path(&k->paging, page, tables, &span);
	assert_int_equal(n, 4);
	assert_int_equal(span, (2 << 20) - 0x3000);
	assert_int_equal(tables[0], ARM_RAM + ARM_ROOT_AT);
	for (unsigned level = arm_levels(k); level > 1; level--)
		assert_int_equal(tables[n + 1 - level],
				 le64_get(arm_entry(k, page + k->direct, level)) & ~0xfffULL);
	/* As far as there are any. */
	assert_int_equal(paging_path(&k->paging, ARM_RAM + (1ULL << 32), tables, &span), 2);
	assert_int_equal(span, 1 << 30);
	arm_free(k);
	/* Where the direct map isn't known. */
	k = arm_new(&plain);
	assert_int_equal(arm_open(k, "NUMBER(PHYS_OFFSET)", NULL, &(struct error){0}), 0);
	assert_int_equal(paging_path(&k->paging, page, tables, &span), 0);
	arm_free(k);
}

/* --- the image --- */

/* Pages of the image from _stext on, with a gap, as boot-time code leaves one when it is freed: a
 * page of another place that is mapped in it, and one after it, aren't the image's. */
static void test_image(void **state UNUSED)
{
	for (unsigned too_far = 0; too_far < 2; too_far++) {
		struct arm_kernel *k = arm_new(&plain);
		const uint64_t last = ARM_RAM + ARM_ROOTS_AT + (too_far ? 40 << 20 : 20 << 20);
		struct pfn_range image;

		arm_map(k, ARM_RAM + ARM_STEXT_AT - 4096 + k->image, ARM_RAM + ARM_STEXT_AT - 4096,
			1, ARM_PXN);
		arm_map(k, ARM_RAM + ARM_STEXT_AT - 3 * 4096 + k->image,
			ARM_RAM + ARM_STEXT_AT - 3 * 4096, 1, ARM_PXN);
		arm_map(k, ARM_RAM + ARM_ROOTS_AT + 8192 + k->image, ARM_RAM, 1, ARM_PXN);
		arm_map(k, last + k->image, last, 1, ARM_PXN);
		arm_map(k, last + 4096 + k->image, ARM_RAM, 1, ARM_PXN);
		open_whole(k);
		image = image_by_tables(&k->paging);
		assert_int_equal(image.first, (ARM_RAM + ARM_STEXT_AT) / 4096 - 1);
		assert_int_equal(image.end, (too_far ? ARM_RAM + ARM_ROOTS_AT : last) / 4096 + 1);
		image = image_by_load(k->core);
		assert_int_equal(image.first, image.end);
		arm_free(k);
	}
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
	{"find_tables: does without VA_BITS", "NUMBER(VA_BITS)", NULL, 0, NULL},
	{"find_tables: does without anything that tells bits", "NUMBER(VA_BITS)", "NUMBER(TCR_EL1_T1SZ)=0x0\n", 0, NULL},
	{"find_tables: does without PHYS_OFFSET", "NUMBER(PHYS_OFFSET)", NULL, 0, NULL},
	{"find_tables: does with bits that are wrong", NULL, "NUMBER(VA_BITS)=39\nNUMBER(TCR_EL1_T1SZ)=0x19\n", 0, NULL},
	{"find_tables: does with bits that are impossible", NULL, "NUMBER(VA_BITS)=400\nNUMBER(TCR_EL1_T1SZ)=0x3f\n", 0, NULL},
	{"find_tables: refuses a kernel without top table", "SYMBOL(swapper_pg_dir)", NULL, -ENODATA, "where the page tables are"},
	{"find_tables: refuses a kernel that isn't told where it is", "NUMBER(kimage_voffset)", NULL, -EBADMSG, "isn't in the kernel image"},
	{"find_tables: refuses a top table within a page", NULL, "SYMBOL(swapper_pg_dir)=ffff800080220008\n", -EBADMSG, "isn't in the kernel image"},
	{"find_tables: refuses tables that map no symbol right", NULL, "NUMBER(kimage_voffset)=0xffff80003fff0000\n", -EBADMSG, "no layout of arm64's page tables fits: "},
};
/* clang-format on */

static void test_setup(void **state)
{
	const struct setup *row = *state;
	struct arm_kernel *k = arm_new(&plain);
	const uint64_t uts = ARM_RAM + ARM_UTS_AT;
	struct error err = {0};

	assert_int_equal(arm_open(k, row->without, row->more, &err), row->want);
	if (row->said)
		assert_non_null(strstr(err.msg, row->said));
	else
		assert_maps(k, uts + k->image, uts, 4096);
	arm_free(k);
}

/* The first level of a walk is gone: nothing is mapped, and that is said. */
static void test_torn(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	struct error err = {0};

	memset(arm_at(k, ARM_RAM + ARM_ROOT_AT), 0, 4096);
	assert_int_equal(arm_open(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "no layout of arm64's page tables fits: the page tables "
					"don't map _stext"));
	arm_free(k);
}

/* One symbol that is mapped elsewhere is one too many. */
static void test_elsewhere(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	struct error err = {0};

	arm_map(k, ARM_RAM + ARM_UTS_AT + k->image, ARM_RAM, 1, ARM_PXN);
	assert_int_equal(arm_open(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "map init_uts_ns at 0xffff800080230000 to 0x40000000"));
	arm_free(k);
}

static void test_page_size(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	struct error err = {0};

	k->layout.page_shift = 13;
	assert_int_equal(arm_open(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "no pages of 8192 bytes"));
	arm_free(k);
}

/* Return addresses may be signed: all bits above the address are the signature's. */
static void test_signed(void **state UNUSED)
{
	struct arm_kernel *k = arm_new(&plain);
	struct error err = {0};

	assert_int_equal(arm_open(k, NULL, "NUMBER(KERNELPACMASK)=0xffff000000000000\n", &err), 0);
	assert_int_equal(k->paging.return_bits, UINT64_C(0xffff000000000000));
	assert_int_equal(k->paging.tag_bits, UINT64_C(0xff00000000000000));
	assert_int_equal(k->paging.stack_bytes, 16384);
	arm_free(k);
	k = arm_new(&large_pages);
	open_whole(k);
	assert_int_equal(k->paging.return_bits, UINT64_C(0xff00000000000000));
	assert_int_equal(k->paging.stack_bytes, 65536);
	arm_free(k);
}

/* --- sections --- */

struct sections {
	const char *name;
	const char *info;
	uint64_t size, physmem;
};

/* clang-format off */
static const struct sections sections[] = {
	{"section_bits: says 30 and 48 where nothing is known", "A=1\n", 30, 48},
	{"section_bits: knows 5.4 of 48 bits", "PAGESIZE=4096\nSIZE(mem_section)=16\nLENGTH(mem_section)=1024\n", 30, 48},
	{"section_bits: knows 5.4 of 52 bits", "PAGESIZE=65536\nSIZE(mem_section)=16\nLENGTH(mem_section)=1024\n", 30, 52},
	{"section_bits: knows 52 bits by sections of 2^29 bytes", "PAGESIZE=65536\nSIZE(mem_section)=16\nLENGTH(mem_section)=2048\nNUMBER(SECTION_SIZE_BITS)=29\n", 30, 52},
	{"section_bits: stands sections of no size", "PAGESIZE=4096\nSIZE(mem_section)=0\nLENGTH(mem_section)=1024\n", 30, 48},
	{"section_bits: stands sections of more than memory", "PAGESIZE=4096\nSIZE(mem_section)=16\nLENGTH(mem_section)=1024\nNUMBER(SECTION_SIZE_BITS)=99\n", 30, 48},
};
/* clang-format on */

static void test_sections(void **state)
{
	const struct sections *row = *state;
	struct vmcoreinfo *info;
	uint64_t size, physmem;
	struct error err;

	assert_int_equal(vmcoreinfo_new(row->info, strlen(row->info), &info, &err), 0);
	arch_aarch64.section_bits(info, &size, &physmem);
	assert_int_equal(size, row->size);
	assert_int_equal(physmem, row->physmem);
	vmcoreinfo_free(info);
}

int main(int argc, char **argv)
{
	static struct unit u;

	for (size_t i = 0; i < arm_layout_count; i++)
		unit_add(&u, arm_layouts[i].name, test_layout, &arm_layouts[i]);
	unit_add(&u, "translate: follows 48 bits to 1 GiB", test_gigabyte, NULL);
	unit_add(&u, "translate: takes no attribute of a block for an address", test_no_address,
		 NULL);
	UNIT_ADD_ROWS(&u, types, test_type);
	unit_add(&u, "code: goes by entries and by tables above them", test_code, NULL);
	unit_add(&u, "translate, tables: end in tables that are a cycle", test_cycle, NULL);
	unit_add(&u, "paging_path: has the tables on the way to a page", test_path, NULL);
	unit_add(&u, "image_by_tables: finds the image, with what was freed of it", test_image,
		 NULL);
	UNIT_ADD_ROWS(&u, setups, test_setup);
	unit_add(&u, "find_tables: says so where tables are torn", test_torn, NULL);
	unit_add(&u, "find_tables: refuses tables that map one symbol elsewhere", test_elsewhere,
		 NULL);
	unit_add(&u, "find_tables: refuses other pages", test_page_size, NULL);
	unit_add(&u, "find_tables: knows which bits are a tag or a signature", test_signed, NULL);
	UNIT_ADD_ROWS(&u, sections, test_sections);
	return unit_run(&u, "aarch64", argc, argv);
}
