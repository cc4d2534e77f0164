/* A made-up arm64 kernel.
 * Doesn't know what is tested with it. */
#include "tests/lib/armkernel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/kernel.h"

/* clang-format off */
const struct arm_layout arm_layouts[] = {
	{"find_tables: knows 4 KiB, 39 bits", 12, 39, 39, true, 39, ARM_RAM, false},
	{"find_tables: knows 4 KiB, 48 bits", 12, 48, 48, true, 48, ARM_RAM, false},
	{"find_tables: knows 4 KiB, 48 bits, without TCR_EL1_T1SZ", 12, 48, 48, false, 48, ARM_RAM, false},
	{"find_tables: knows 4 KiB, 48 bits, before 5.4", 12, 48, 48, false, 48, ARM_RAM, true},
	{"find_tables: knows 4 KiB, 52 bits (LPA2)", 12, 52, 52, true, 52, ARM_RAM, false},
	{"find_tables: knows 4 KiB, 52 bits (LPA2), with memory above 2^48", 12, 52, 52, true, 52, ARM_RAM_HIGH, false},
	{"find_tables: knows 4 KiB, 52 bits, without TCR_EL1_T1SZ", 12, 52, 52, false, 52, ARM_RAM, false},
	{"find_tables: knows 4 KiB, built for 52 bits, with 48 in use", 12, 52, 48, true, 48, ARM_RAM, false},
	{"find_tables: knows that without TCR_EL1_T1SZ too", 12, 52, 48, false, 48, ARM_RAM, false},
	{"find_tables: knows 16 KiB, 36 bits", 14, 36, 36, true, 36, ARM_RAM, false},
	{"find_tables: knows 16 KiB, 47 bits", 14, 47, 47, true, 47, ARM_RAM, false},
	{"find_tables: knows 16 KiB, 48 bits", 14, 48, 48, true, 48, ARM_RAM, false},
	{"find_tables: knows 16 KiB, 52 bits (LPA2)", 14, 52, 52, true, 52, ARM_RAM, false},
	{"find_tables: knows 16 KiB, 52 bits (LPA2), with memory above 2^48", 14, 52, 52, true, 52, ARM_RAM_HIGH, false},
	{"find_tables: knows 16 KiB, built for 52 bits, with 47 in use", 14, 52, 47, true, 47, ARM_RAM, false},
	{"find_tables: knows 64 KiB, 42 bits", 16, 42, 42, true, 42, ARM_RAM, false},
	{"find_tables: knows 64 KiB, 48 bits", 16, 48, 48, true, 48, ARM_RAM, false},
	{"find_tables: knows 64 KiB, 48 bits, before 5.4", 16, 48, 48, false, 48, ARM_RAM, true},
	{"find_tables: knows 64 KiB, 52 bits (LPA)", 16, 52, 52, true, 52, ARM_RAM, false},
	{"find_tables: knows 64 KiB, 52 bits (LPA), with memory above 2^48", 16, 52, 52, true, 52, ARM_RAM_HIGH, false},
	/* TTBR1 points into a table for 52 bits. */
	{"find_tables: knows 64 KiB, built for 52 bits, with 48 in use", 16, 52, 48, true, 52, ARM_RAM, false},
	/* As a vector of libkdumpfile's has it. */
	{"find_tables: knows 64 KiB, built for 52 bits, with a table for 48", 16, 52, 48, true, 48, ARM_RAM, false},
};
/* clang-format on */
const size_t arm_layout_count = ARRAY_LEN(arm_layouts);

uint64_t arm_lowest(unsigned bits)
{
	return ~((UINT64_C(1) << bits) - 1);
}

unsigned arm_level_shift(const struct arm_kernel *k, unsigned level)
{
	return k->layout.page_shift + (k->layout.page_shift - 3) * (level - 1);
}

unsigned arm_levels(const struct arm_kernel *k)
{
	unsigned n = 1;

	while (arm_level_shift(k, n + 1) < k->layout.top)
		n++;
	return n;
}

/* --- memory --- */

bool arm_has(const struct arm_kernel *k, uint64_t paddr, uint64_t bytes)
{
	return paddr >= k->layout.ram && paddr - k->layout.ram <= ARM_MEMORY_BYTES - bytes;
}

uint8_t *arm_at(struct arm_kernel *k, uint64_t paddr)
{
	assert(arm_has(k, paddr, 1));
	return k->memory + (paddr - k->layout.ram);
}

static uint64_t take_pages(struct arm_kernel *k, uint64_t bytes)
{
	const uint64_t page = UINT64_C(1) << k->layout.page_shift, paddr = k->layout.ram + k->used;

	k->used += (bytes + page - 1) / page * page;
	assert(k->used <= ARM_MEMORY_BYTES);
	return paddr;
}

/* --- tables --- */

static bool is_lpa2(const struct arm_kernel *k)
{
	return k->layout.page_shift < 16 && k->layout.top == 52;
}

/* An address as an entry has it, and back. */
static uint64_t encode(const struct arm_kernel *k, uint64_t paddr)
{
	if (k->layout.page_shift == 16)
		return (paddr & UINT64_C(0xffffffff0000)) | (paddr >> 48 & 0xf) << 12;
	if (is_lpa2(k))
		return (paddr & UINT64_C(0x3fffffffff000)) | (paddr >> 50 & 3) << 8;
	return paddr;
}

static uint64_t decode_table(const struct arm_kernel *k, uint64_t entry)
{
	if (k->layout.page_shift == 16)
		return (entry & UINT64_C(0xffffffff0000)) | (entry >> 12 & 0xf) << 48;
	if (is_lpa2(k))
		return (entry & UINT64_C(0x3fffffffff000)) | (entry >> 8 & 3) << 50;
	return entry & UINT64_C(0xfffffffff000);
}

uint8_t *arm_entry(struct arm_kernel *k, uint64_t vaddr, unsigned level)
{
	uint64_t table = k->layout.ram + ARM_ROOT_AT;

	for (unsigned l = arm_levels(k);; l--) {
		const unsigned shift = arm_level_shift(k, l);
		const unsigned bits =
			l == arm_levels(k) ? k->layout.top - shift : k->layout.page_shift - 3;
		uint8_t *entry =
			arm_at(k, table + (vaddr >> shift & ((UINT64_C(1) << bits) - 1)) * 8);

		if (l == level)
			return entry;
		if (!le64_get(entry))
			le64_put(entry, encode(k, take_pages(k, 1)) | 3);
		table = decode_table(k, le64_get(entry));
	}
}

void arm_map(struct arm_kernel *k, uint64_t vaddr, uint64_t paddr, unsigned level, uint64_t more)
{
	const uint64_t attributes = ARM_AF | 0x4 | (is_lpa2(k) ? 0 : ARM_SH);

	le64_put(arm_entry(k, vaddr, level),
		 encode(k, paddr) | attributes | (level > 1 ? 1 : 3) | more);
}

/* --- struct pages --- */

static unsigned section_bits(const struct arm_kernel *k)
{
	return k->layout.page_shift == 16 ? 29 : 27;
}

uint8_t *arm_page(struct arm_kernel *k, uint64_t n)
{
	return arm_at(k, k->vmemmap_paddr + n * ARM_STRUCT_PAGE_BYTES);
}

/* The section that memory begins with, and the root that has it. */
static void make_pages(struct arm_kernel *k)
{
	const struct arm_layout *l = &k->layout;
	const uint64_t page = UINT64_C(1) << l->page_shift, pages = ARM_MEMORY_BYTES / page;
	const uint64_t section = l->ram >> section_bits(k), per_root = page / 16;
	const uint64_t root = l->ram + ARM_ROOTS_AT + section / per_root * 8;
	const uint64_t pfns = section << section_bits(k) >> l->page_shift;

	k->vmemmap = l->ram + k->image + UINT64_C(0x200000000);
	k->vmemmap_paddr = take_pages(k, pages * ARM_STRUCT_PAGE_BYTES);
	for (uint64_t at = 0; at < pages * ARM_STRUCT_PAGE_BYTES; at += page)
		arm_map(k, k->vmemmap + at, k->vmemmap_paddr + at, 1, ARM_PXN);
	for (uint64_t n = 0; n < pages; n++)
		le32_put(arm_page(k, n) + PAGE_MAPCOUNT, UINT32_MAX);
	/* Of memory above 2^48 the array of roots isn't in these. */
	if (!arm_has(k, root, 8))
		return;
	le64_put(arm_at(k, root), l->ram + ARM_SECTIONS_AT + k->image);
	le64_put(arm_at(k, l->ram + ARM_SECTIONS_AT + section % per_root * 16),
		 (k->vmemmap - pfns * ARM_STRUCT_PAGE_BYTES) | 7);
}

/* --- making one --- */

struct arm_kernel *arm_new(const struct arm_layout *l)
{
	struct arm_kernel *k = calloc(1, sizeof(*k));
	const unsigned least = l->built == 52 ? (l->page_shift == 14 ? 47 : 48) : l->built;

	assert(k);
	k->layout = *l;
	k->memory = calloc(1, ARM_MEMORY_BYTES);
	assert(k->memory);
	k->used = ARM_TABLES_AT;
	k->image = arm_lowest(l->old_map ? l->built : least - 1) + UINT64_C(0x80000000) - l->ram;
	k->phys_offset = l->ram - (arm_lowest(l->in_use) - arm_lowest(l->built));
	k->direct = arm_lowest(l->old_map ? l->built - 1 : l->built) - k->phys_offset;
	for (uint64_t p = ARM_STEXT_AT; p <= ARM_ROOTS_AT; p += 0x10000) {
		arm_map(k, l->ram + p + k->image, l->ram + p, 1, p == ARM_STEXT_AT ? 0 : ARM_PXN);
		arm_map(k, l->ram + p + k->direct, l->ram + p, 1, ARM_PXN);
	}
	make_pages(k);
	return k;
}

void arm_free(struct arm_kernel *k)
{
	vmcore_free(k->core);
	free(k->memory);
	free(k);
}

static void make_info(const struct arm_kernel *k, const char *more, char *out, size_t room)
{
	const struct arm_layout *l = &k->layout;
	const uint64_t image = l->ram + k->image, page = UINT64_C(1) << l->page_shift;
	char t1sz[48] = "";

	if (l->t1sz)
		snprintf(t1sz, sizeof(t1sz), "NUMBER(TCR_EL1_T1SZ)=0x%x\n", 64 - l->in_use);
	snprintf(out, room,
		 "OSRELEASE=6.1\nPAGESIZE=%" PRIu64 "\n%s%sNUMBER(VA_BITS)=%u\n"
		 "NUMBER(kimage_voffset)=0x%" PRIx64 "\nNUMBER(PHYS_OFFSET)=0x%" PRIx64 "\n"
		 "SYMBOL(_stext)=%" PRIx64 "\nSYMBOL(swapper_pg_dir)=%" PRIx64 "\n"
		 "SYMBOL(init_uts_ns)=%" PRIx64 "\nSYMBOL(mem_section)=%" PRIx64 "\n"
		 "LENGTH(mem_section)=%" PRIu64 "\nSIZE(mem_section)=16\n"
		 "OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=%u\n"
		 "NUMBER(MAX_PHYSMEM_BITS)=52\n%s",
		 page, more ? more : "", t1sz, l->built, k->image, k->phys_offset,
		 image + ARM_STEXT_AT, image + ARM_ROOT_AT, image + ARM_UTS_AT,
		 image + ARM_ROOTS_AT, (UINT64_C(1) << (52 - section_bits(k))) / (page / 16),
		 section_bits(k), kernel_series_find("6.1")->info);
}

int arm_open(struct arm_kernel *k, const char *without, const char *more, struct error *err)
{
	struct core_plan *plan = calloc(1, sizeof(*plan));
	struct core_load *load;
	char path[32], *line, info[4096];
	struct core core;
	int fd, r;

	assert(plan);
	make_info(k, more, info, sizeof(info));
	line = without ? strstr(info, without) : NULL;
	if (line)
		*line = '#';
	plan->machine = ELF_EM_AARCH64;
	core_add_vmcoreinfo(plan, info);
	load = core_add_load(plan, k->layout.ram, ARM_MEMORY_BYTES, ARM_MEMORY_BYTES);
	load->salt = CORE_ZEROS;
	core = core_make(plan);
	memcpy(core.bytes + plan->loads[0].off, k->memory, ARM_MEMORY_BYTES);
	fd = core_file(core.bytes, core.size_bytes, path);
	r = vmcore_open(path, VMCORE_ACCESS_READ, &k->core, err);
	assert(r == 0);
	close(fd);
	core_free(&core);
	free(plan);
	return paging_init(&k->paging, k->core, err);
}
