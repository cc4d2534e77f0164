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
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

enum {
	MEMORY_BYTES = 8 << 20,
	TABLES_MAX = 256,

	/* Where things lie, from the beginning of memory on. */
	STEXT_AT = 0x210000,
	ROOT_AT = 0x220000,
	UTS_AT = 0x230000,
	TABLES_AT = 0x300000,

	/* Attributes of a page as Linux sets them: AttrIndx, AP, nG; of all but LPA2: SH. */
	AF = 0x400,
	SH = 0x300,
};

#define PXN	   (UINT64_C(1) << 53)
#define CONTIGUOUS (UINT64_C(1) << 52)
#define PXN_TABLE  (UINT64_C(1) << 59)
#define RAM	   UINT64_C(0x40000000)
#define RAM_HIGH   (UINT64_C(3) << 48) /* bits 49 and 48 */

/* A kernel: log2 of its pages, the bits of addresses that it was built for, those in use, which
 * VMCOREINFO may not tell, and those that its top table is for. */
struct layout {
	const char *name;
	unsigned page_shift, built, in_use;
	bool t1sz; /* told */
	unsigned top;
	uint64_t ram;
	bool old_map; /* of before 5.4 */
};

/* clang-format off */
static const struct layout layouts[] = {
	{"find_tables: knows 4 KiB, 39 bits", 12, 39, 39, true, 39, RAM, false},
	{"find_tables: knows 4 KiB, 48 bits", 12, 48, 48, true, 48, RAM, false},
	{"find_tables: knows 4 KiB, 48 bits, without TCR_EL1_T1SZ", 12, 48, 48, false, 48, RAM, false},
	{"find_tables: knows 4 KiB, 48 bits, before 5.4", 12, 48, 48, false, 48, RAM, true},
	{"find_tables: knows 4 KiB, 52 bits (LPA2)", 12, 52, 52, true, 52, RAM, false},
	{"find_tables: knows 4 KiB, 52 bits (LPA2), with memory above 2^48", 12, 52, 52, true, 52, RAM_HIGH, false},
	{"find_tables: knows 4 KiB, 52 bits, without TCR_EL1_T1SZ", 12, 52, 52, false, 52, RAM, false},
	{"find_tables: knows 4 KiB, built for 52 bits, with 48 in use", 12, 52, 48, true, 48, RAM, false},
	{"find_tables: knows that without TCR_EL1_T1SZ too", 12, 52, 48, false, 48, RAM, false},
	{"find_tables: knows 16 KiB, 36 bits", 14, 36, 36, true, 36, RAM, false},
	{"find_tables: knows 16 KiB, 47 bits", 14, 47, 47, true, 47, RAM, false},
	{"find_tables: knows 16 KiB, 48 bits", 14, 48, 48, true, 48, RAM, false},
	{"find_tables: knows 16 KiB, 52 bits (LPA2)", 14, 52, 52, true, 52, RAM, false},
	{"find_tables: knows 16 KiB, 52 bits (LPA2), with memory above 2^48", 14, 52, 52, true, 52, RAM_HIGH, false},
	{"find_tables: knows 16 KiB, built for 52 bits, with 47 in use", 14, 52, 47, true, 47, RAM, false},
	{"find_tables: knows 64 KiB, 42 bits", 16, 42, 42, true, 42, RAM, false},
	{"find_tables: knows 64 KiB, 48 bits", 16, 48, 48, true, 48, RAM, false},
	{"find_tables: knows 64 KiB, 48 bits, before 5.4", 16, 48, 48, false, 48, RAM, true},
	{"find_tables: knows 64 KiB, 52 bits (LPA)", 16, 52, 52, true, 52, RAM, false},
	{"find_tables: knows 64 KiB, 52 bits (LPA), with memory above 2^48", 16, 52, 52, true, 52, RAM_HIGH, false},
	/* TTBR1 points into a table for 52 bits. */
	{"find_tables: knows 64 KiB, built for 52 bits, with 48 in use", 16, 52, 48, true, 52, RAM, false},
	/* As a vector of libkdumpfile's has it. */
	{"find_tables: knows 64 KiB, built for 52 bits, with a table for 48", 16, 52, 48, true, 48, RAM, false},
};
/* clang-format on */

struct kernel {
	struct layout layout;
	uint8_t *memory;
	uint64_t used;	      /* of it, for tables */
	uint64_t image;	      /* added to an address in memory, the one in the image */
	uint64_t direct;      /* the same of the direct map */
	uint64_t phys_offset; /* as VMCOREINFO says it */
	char info[2048];
	struct vmcore *core;
	struct paging paging;
};

static uint64_t lowest(unsigned bits)
{
	return ~((UINT64_C(1) << bits) - 1);
}

static unsigned level_shift(const struct kernel *k, unsigned level)
{
	return k->layout.page_shift + (k->layout.page_shift - 3) * (level - 1);
}

static unsigned levels(const struct kernel *k)
{
	unsigned n = 1;

	while (level_shift(k, n + 1) < k->layout.top)
		n++;
	return n;
}

static bool is_lpa2(const struct kernel *k)
{
	return k->layout.page_shift < 16 && k->layout.top == 52;
}

static uint64_t encode(const struct kernel *k, uint64_t paddr)
{
	if (k->layout.page_shift == 16)
		return (paddr & UINT64_C(0xffffffff0000)) | (paddr >> 48 & 0xf) << 12;
	if (is_lpa2(k))
		return (paddr & UINT64_C(0x3fffffffff000)) | (paddr >> 50 & 3) << 8;
	return paddr;
}

static uint8_t *at(struct kernel *k, uint64_t paddr)
{
	assert_true(paddr >= k->layout.ram && paddr - k->layout.ram < MEMORY_BYTES);
	return k->memory + (paddr - k->layout.ram);
}

static uint64_t new_table(struct kernel *k)
{
	const uint64_t paddr = k->layout.ram + k->used;

	k->used += UINT64_C(1) << k->layout.page_shift;
	assert_true(k->used <= MEMORY_BYTES);
	return paddr;
}

/* Where the entry of that level for vaddr lies; tables on the way are made. */
static uint8_t *entry_of(struct kernel *k, uint64_t vaddr, unsigned level)
{
	uint64_t table = k->layout.ram + ROOT_AT;

	for (unsigned l = levels(k);; l--) {
		const unsigned bits = l == levels(k) ? k->layout.top - level_shift(k, l)
						     : k->layout.page_shift - 3;
		uint8_t *entry = at(
			k, table + (vaddr >> level_shift(k, l) & ((UINT64_C(1) << bits) - 1)) * 8);

		if (l == level)
			return entry;
		if (!le64_get(entry))
			le64_put(entry, encode(k, new_table(k)) | 3);
		/* Tables are in this memory: encode() has to be undone. */
		table = le64_get(entry) & ~(uint64_t)0xfff;
		if (k->layout.page_shift == 16)
			table = (table & UINT64_C(0xffffffff0000)) | (le64_get(entry) >> 12 & 0xf)
									     << 48;
	}
}

static uint64_t attributes(const struct kernel *k)
{
	return AF | 0x4 | (is_lpa2(k) ? 0 : SH);
}

static void map(struct kernel *k, uint64_t vaddr, uint64_t paddr, unsigned level, uint64_t more)
{
	le64_put(entry_of(k, vaddr, level),
		 encode(k, paddr) | attributes(k) | (level > 1 ? 1 : 3) | more);
}

static struct kernel *new_kernel(const struct layout *layout)
{
	struct kernel *k = calloc(1, sizeof(*k));
	const unsigned least =
		layout->built == 52 ? (layout->page_shift == 14 ? 47 : 48) : layout->built;

	assert_non_null(k);
	k->layout = *layout;
	k->memory = calloc(1, MEMORY_BYTES);
	assert_non_null(k->memory);
	k->used = TABLES_AT;
	k->image = lowest(layout->old_map ? layout->built : least - 1) + UINT64_C(0x80000000) -
		   layout->ram;
	k->phys_offset = layout->ram - (lowest(layout->in_use) - lowest(layout->built));
	k->direct = lowest(layout->old_map ? layout->built - 1 : layout->built) - k->phys_offset;
	for (uint64_t p = STEXT_AT; p <= UTS_AT; p += 0x10000) {
		map(k, layout->ram + p + k->image, layout->ram + p, 1, p == STEXT_AT ? 0 : PXN);
		map(k, layout->ram + p + k->direct, layout->ram + p, 1, PXN);
	}
	return k;
}

static void free_kernel(struct kernel *k)
{
	vmcore_free(k->core);
	free(k->memory);
	free(k);
}

/* `without` is a line that is left out; `more` comes first: of a repeated key the first counts. */
static int open_kernel(struct kernel *k, const char *without, const char *more, struct error *err)
{
	const struct layout *l = &k->layout;
	struct core_plan *plan = calloc(1, sizeof(*plan));
	struct core_load *load;
	struct core core;
	char path[32], *line;
	int fd;

	assert_non_null(plan);
	snprintf(k->info, sizeof(k->info),
		 "OSRELEASE=6.12\nPAGESIZE=%u\n%sNUMBER(VA_BITS)=%u\n"
		 "NUMBER(kimage_voffset)=0x%" PRIx64 "\nNUMBER(PHYS_OFFSET)=0x%" PRIx64 "\n"
		 "SYMBOL(_stext)=%" PRIx64 "\nSYMBOL(swapper_pg_dir)=%" PRIx64 "\n"
		 "SYMBOL(init_uts_ns)=%" PRIx64 "\n",
		 1U << l->page_shift, more ? more : "", l->built, k->image, k->phys_offset,
		 l->ram + STEXT_AT + k->image, l->ram + ROOT_AT + k->image,
		 l->ram + UTS_AT + k->image);
	if (l->t1sz)
		snprintf(k->info + strlen(k->info), 64, "NUMBER(TCR_EL1_T1SZ)=0x%x\n",
			 64 - l->in_use);
	line = without ? strstr(k->info, without) : NULL;
	if (line)
		*line = '#';
	plan->machine = ELF_EM_AARCH64;
	core_add_vmcoreinfo(plan, k->info);
	load = core_add_load(plan, l->ram, MEMORY_BYTES, MEMORY_BYTES);
	load->salt = CORE_ZEROS;
	core = core_make(plan);
	memcpy(core.bytes + plan->loads[0].off, k->memory, MEMORY_BYTES);
	fd = core_file(core.bytes, core.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &k->core, err), 0);
	close(fd);
	core_free(&core);
	free(plan);
	return paging_init(&k->paging, k->core, err);
}

static void open_whole(struct kernel *k)
{
	struct error err = {0};

	if (open_kernel(k, NULL, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_maps(const struct kernel *k, uint64_t vaddr, uint64_t paddr, uint64_t span)
{
	uint64_t mapped, left;

	assert_true(paging_translate(&k->paging, vaddr, &mapped, &left));
	assert_int_equal(mapped, paddr);
	assert_int_equal(left, span);
}

static void assert_maps_nothing(const struct kernel *k, uint64_t vaddr)
{
	uint64_t paddr, span;

	assert_false(paging_translate(&k->paging, vaddr, &paddr, &span));
}

/* --- every layout --- */

static void test_layout(void **state)
{
	const struct layout *l = *state;
	struct kernel *k = new_kernel(l);
	const uint64_t page = UINT64_C(1) << l->page_shift;
	const uint64_t block = UINT64_C(1) << level_shift(k, 2);
	const uint64_t stext = l->ram + STEXT_AT;
	const uint64_t vmalloc = l->ram + k->image + UINT64_C(0x100000000);
	uint64_t paddr, *tables = calloc(TABLES_MAX, sizeof(*tables));
	size_t n, own = 0;
	bool all;

	map(k, vmalloc, l->ram + UTS_AT, 1, PXN | CONTIGUOUS);
	map(k, vmalloc + page, l->ram + ROOT_AT, 1, PXN | CONTIGUOUS);
	map(k, vmalloc + 4 * block, l->ram + 3 * block, 2, PXN);
	open_whole(k);
	assert_int_equal(k->paging.vaddr_bits, l->top);
	assert_int_equal(k->paging.levels, levels(k));

	assert_maps(k, stext + k->image + 0x123, stext + 0x123, page - 0x123);
	assert_maps(k, vmalloc + 8, l->ram + UTS_AT + 8, page - 8);
	assert_maps(k, vmalloc + page, l->ram + ROOT_AT, page);
	assert_maps(k, vmalloc + 4 * block + page + 1, l->ram + 3 * block + page + 1,
		    block - page - 1);
	assert_maps_nothing(k, vmalloc + 2 * page);
	assert_maps_nothing(k, vmalloc + 5 * block);
	/* A tag in the top byte, as KASAN and MTE set it; addresses of programs; of no one. */
	assert_maps(k, (vmalloc & ~(UINT64_C(0xff) << 56)) | UINT64_C(0xf3) << 56, l->ram + UTS_AT,
		    page);
	assert_maps_nothing(k, vmalloc & ((UINT64_C(1) << 55) - 1));
	assert_maps_nothing(k, 0);

	/* The direct map goes by what the kernel was built for. */
	assert_true(paging_direct(&k->paging, stext + k->direct + 5, &paddr));
	assert_int_equal(paddr, stext + 5);
	assert_true(paging_direct(
		&k->paging, ((stext + k->direct) & ~(UINT64_C(0xff) << 56)) | UINT64_C(0xf8) << 56,
		&paddr));
	assert_int_equal(paddr, stext);
	assert_false(paging_direct(&k->paging, l->ram + MEMORY_BYTES + k->direct, &paddr));
	assert_false(paging_direct(&k->paging, vmalloc, &paddr));

	/* All tables but those that map nothing else than the direct map. */
	n = paging_tables(&k->paging, tables, TABLES_MAX, &all);
	assert_true(all);
	assert_int_equal(tables[0], l->ram + ROOT_AT);
	for (size_t i = 0; i < n; i++)
		own += tables[i] == (le64_get(entry_of(k, stext + k->direct, 2)) & ~0xfffULL);
	if (l->ram == RAM && levels(k) > 2)
		assert_int_equal(own, 0);
	assert_in_range(n, levels(k), k->used / page);
	free(tables);
	free_kernel(k);
}

/* --- what entries say --- */

static const struct layout plain = {NULL, 12, 48, 48, true, 48, RAM, false};
static const struct layout large_pages = {NULL, 16, 48, 48, true, 48, RAM, false};

#define FREE_VADDR UINT64_C(0xffff800100000000)

static void test_gigabyte(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);

	map(k, FREE_VADDR, 5ULL << 30, 3, PXN);
	open_whole(k);
	assert_maps(k, FREE_VADDR + 0x12345, (5ULL << 30) + 0x12345, (1 << 30) - 0x12345);
	free_kernel(k);
}

/* Bit 16 of a block is nT. */
static void test_no_address(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);

	map(k, FREE_VADDR, 6 << 20, 2, PXN | 1 << 16);
	open_whole(k);
	assert_maps(k, FREE_VADDR, 6 << 20, 2 << 20);
	free_kernel(k);
}

/* An entry, and whether it maps anything: a level, and its lowest bits. */
struct type {
	const char *name;
	const struct layout *layout;
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
	struct kernel *k = new_kernel(row->layout);
	const uint64_t vaddr = lowest(46);
	uint64_t paddr, span;

	le64_put(entry_of(k, vaddr, row->level), AF | SH | row->bits);
	open_whole(k);
	assert_int_equal(paging_translate(&k->paging, vaddr, &paddr, &span), row->maps);
	free_kernel(k);
}

static void test_code(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	const uint64_t stext = RAM + STEXT_AT + k->image;
	uint64_t span;
	uint8_t *above;

	map(k, FREE_VADDR, RAM, 1, 0);
	above = entry_of(k, FREE_VADDR, 3);
	le64_put(above, le64_get(above) | PXN_TABLE);
	open_whole(k);
	assert_true(paging_code(&k->paging, stext + 4, &span));
	assert_int_equal(span, 4096 - 4);
	assert_false(paging_code(&k->paging, RAM + UTS_AT + k->image, &span));
	assert_false(paging_code(&k->paging, FREE_VADDR, &span));
	assert_false(paging_code(&k->paging, FREE_VADDR + 4096, &span));
	free_kernel(k);
}

/* Tables that lead to themselves, and out of memory. */
static void test_cycle(void **state UNUSED)
{
	const uint64_t root = RAM + ROOT_AT;
	struct kernel *k = new_kernel(&plain);
	uint64_t paddr, span, tables[TABLES_MAX];
	bool all;

	for (unsigned i = 300; i < 364; i++)
		le64_put(at(k, root + i * 8ULL), root | 3);
	le64_put(at(k, root + 364 * 8), UINT64_C(0xfff000000000) | 3);
	open_whole(k);
	/* Four steps, to the entry 300 of the root in the end. */
	assert_true(paging_translate(
		&k->paging, lowest(48) | 300ULL << 39 | 300ULL << 30 | 300ULL << 21 | 300ULL << 12,
		&paddr, &span));
	assert_int_equal(paddr, root);
	assert_maps_nothing(k, lowest(48) | 364ULL << 39);
	assert_int_equal(paging_tables(&k->paging, tables, TABLES_MAX, &all), TABLES_MAX);
	assert_false(all);
	free_kernel(k);
}

/* The tables to a page of the direct map are those on the way there; a block has one less, and says
 * nothing of what lies after it. */
static void test_path(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	const uint64_t block = RAM + (4 << 20), page = RAM + (6 << 20) + 0x3000;
	uint64_t tables[ARCH_LEVELS_MAX], span;
	size_t n;

	map(k, block + k->direct, block, 2, PXN);
	map(k, page + k->direct, page, 1, PXN);
	open_whole(k);
	assert_int_equal(paging_path(&k->paging, block + 0x1000, tables, &span), 3);
	assert_int_equal(span, (2 << 20) - 0x1000);
	n = paging_path(&k->paging, page, tables, &span);
	assert_int_equal(n, 4);
	assert_int_equal(span, (2 << 20) - 0x3000);
	assert_int_equal(tables[0], RAM + ROOT_AT);
	for (unsigned level = levels(k); level > 1; level--)
		assert_int_equal(tables[n + 1 - level],
				 le64_get(entry_of(k, page + k->direct, level)) & ~0xfffULL);
	/* As far as there are any. */
	assert_int_equal(paging_path(&k->paging, RAM + (1ULL << 32), tables, &span), 2);
	assert_int_equal(span, 1 << 30);
	free_kernel(k);
	/* Where the direct map isn't known. */
	k = new_kernel(&plain);
	assert_int_equal(open_kernel(k, "NUMBER(PHYS_OFFSET)", NULL, &(struct error){0}), 0);
	assert_int_equal(paging_path(&k->paging, page, tables, &span), 0);
	free_kernel(k);
}

/* --- the image --- */

/* Pages of the image from _stext on, with a gap, as boot-time code leaves one when it is freed: a
 * page of another place that is mapped in it, and one after it, aren't the image's. */
static void test_image(void **state UNUSED)
{
	for (unsigned too_far = 0; too_far < 2; too_far++) {
		struct kernel *k = new_kernel(&plain);
		const uint64_t last = RAM + UTS_AT + (too_far ? 40 << 20 : 20 << 20);
		struct pfn_range image;

		map(k, RAM + STEXT_AT - 4096 + k->image, RAM + STEXT_AT - 4096, 1, PXN);
		map(k, RAM + STEXT_AT - 3 * 4096 + k->image, RAM + STEXT_AT - 3 * 4096, 1, PXN);
		map(k, RAM + UTS_AT + 8192 + k->image, RAM, 1, PXN);
		map(k, last + k->image, last, 1, PXN);
		map(k, last + 4096 + k->image, RAM, 1, PXN);
		open_whole(k);
		image = image_by_tables(&k->paging);
		assert_int_equal(image.first, (RAM + STEXT_AT) / 4096 - 1);
		assert_int_equal(image.end, (too_far ? RAM + UTS_AT : last) / 4096 + 1);
		image = image_by_load(k->core);
		assert_int_equal(image.first, image.end);
		free_kernel(k);
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
	struct kernel *k = new_kernel(&plain);
	const uint64_t uts = RAM + UTS_AT;
	struct error err = {0};

	assert_int_equal(open_kernel(k, row->without, row->more, &err), row->want);
	if (row->said)
		assert_non_null(strstr(err.msg, row->said));
	else
		assert_maps(k, uts + k->image, uts, 4096);
	free_kernel(k);
}

/* The first level of a walk is gone: nothing is mapped, and that is said. */
static void test_torn(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	struct error err = {0};

	memset(at(k, RAM + ROOT_AT), 0, 4096);
	assert_int_equal(open_kernel(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "no layout of arm64's page tables fits: the page tables "
					"don't map _stext"));
	free_kernel(k);
}

/* One symbol that is mapped elsewhere is one too many. */
static void test_elsewhere(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	struct error err = {0};

	map(k, RAM + UTS_AT + k->image, RAM, 1, PXN);
	assert_int_equal(open_kernel(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "map init_uts_ns at 0xffff800080230000 to 0x40000000"));
	free_kernel(k);
}

static void test_page_size(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	struct error err = {0};

	k->layout.page_shift = 13;
	assert_int_equal(open_kernel(k, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, "no pages of 8192 bytes"));
	free_kernel(k);
}

/* Return addresses may be signed: all bits above the address are the signature's. */
static void test_signed(void **state UNUSED)
{
	struct kernel *k = new_kernel(&plain);
	struct error err = {0};

	assert_int_equal(open_kernel(k, NULL, "NUMBER(KERNELPACMASK)=0xffff000000000000\n", &err),
			 0);
	assert_int_equal(k->paging.return_bits, UINT64_C(0xffff000000000000));
	assert_int_equal(k->paging.tag_bits, UINT64_C(0xff00000000000000));
	assert_int_equal(k->paging.stack_bytes, 16384);
	free_kernel(k);
	k = new_kernel(&large_pages);
	open_whole(k);
	assert_int_equal(k->paging.return_bits, UINT64_C(0xff00000000000000));
	assert_int_equal(k->paging.stack_bytes, 65536);
	free_kernel(k);
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

	UNIT_ADD_ROWS(&u, layouts, test_layout);
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
