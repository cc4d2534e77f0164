/* A kernel made up for tests.
 * Doesn't know what vmsend makes of it; all facts are from the kernel's headers. */
#include "tests/lib/kernel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

enum {
	SECTION_SIZE_BITS = 27,
	MAX_PHYSMEM_BITS = 46,
	SECTION_STRUCT = 16,
	PER_ROOT = KERNEL_PAGE / SECTION_STRUCT,
	ROOTS = 1 << (MAX_PHYSMEM_BITS - SECTION_SIZE_BITS - 8), /* 256 sections in each */
	SECTIONS_MAX = 128,
	SECTION_IN_USE = 0xf, /* present, has mem_map, online, early */
	PAGES_PER_PAGE = KERNEL_PAGE / KERNEL_PAGE_STRUCT,

	INFO_BYTES = 6000,
	CPUS_MAX = 8,
	PRSTATUS_BYTES = 336,
	PRSTATUS_PID = 32,
	PRSTATUS_RSP = 112 + 19 * 8,

	/* A node: a few zones, each with its free counter. */
	ZONES = 3,
	ZONE_BYTES = 256,
	ZONE_VM_STAT = 64,
	NODE_NR_ZONES = ZONES * ZONE_BYTES,
	NODE_START_PFN = NODE_NR_ZONES + 8,
	NODE_SPANNED_PAGES = NODE_NR_ZONES + 16,
	NODE_BYTES = NODE_NR_ZONES + 24,
	NODES = 8,

	ENTRY_PRESENT = 1,
	ENTRY_LEAF = 0x80,
};

/* clang-format off */
#define INFO_FIELDS                                                                                \
	"SIZE(page)=64\nOFFSET(page.flags)=0\nOFFSET(page._refcount)=52\nOFFSET(page.mapping)=24\n" \
	"OFFSET(page.lru)=8\nOFFSET(page._mapcount)=48\nOFFSET(page.private)=40\n"                  \
	"LENGTH(zone.free_area)=11\n"
/* Flag bits until 6.5 and since 6.6. Source: Linux include/linux/page-flags.h, enum pageflags. */
#define INFO_OLD_FLAGS                                                                             \
	"NUMBER(PG_lru)=4\nNUMBER(PG_private)=13\nNUMBER(PG_swapcache)=10\n"                        \
	"NUMBER(PG_swapbacked)=19\nNUMBER(PG_slab)=9\nNUMBER(PG_head_mask)=65536\n"                 \
	"NUMBER(PG_hwpoison)=22\n"
#define INFO_FLAGS                                                                                 \
	"NUMBER(PG_lru)=5\nNUMBER(PG_private)=14\nNUMBER(PG_swapcache)=10\n"                        \
	"NUMBER(PG_swapbacked)=17\nNUMBER(PG_head_mask)=64\nNUMBER(PG_hwpoison)=20\n"
#define OLD_FLAGS .lru = 4, .private = 13, .swapcache = 10, .swapbacked = 19, .reserved = 12, .head = 16, .hwpoison = 22
#define FLAGS	  .lru = 5, .private = 14, .swapcache = 10, .swapbacked = 17, .reserved = 13, .head = 6, .hwpoison = 20
/* The types' values, by their scheme. */
#define INFO_LOW_TYPES	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257\n"
#define LOW_TYPES	.buddy = ~0x80U, .offline = ~0x100U, .table = ~0x200U
#define INFO_BYTE_TYPES                                                                            \
	"NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-268435456\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-251658240\n" \
	"NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-201326592\nNUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-184549376\n"
#define BYTE_TYPES .buddy = 0xf0000000, .offline = 0xf1000000, .table = 0xf2000000, .hugetlb = 0xf4000000, .slab = 0xf5000000
#define INFO_UNACCEPTED "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)=-150994944\n"
#define HEAD "OFFSET(page.compound_head)=8\n"
#define DTOR "OFFSET(page.compound_dtor)=16\nOFFSET(page.compound_order)=17\nNUMBER(HUGETLB_PAGE_DTOR)=2\n"

const struct kernel_series kernel_series[] = {
	{"5.4", INFO_FIELDS INFO_OLD_FLAGS INFO_LOW_TYPES HEAD DTOR,
	 OLD_FLAGS, LOW_TYPES, .slab_flag = 9, .dtor_off = 16, .order_off = 17},
	/* 5.10, 5.15 and 6.1 say the same. */
	{"6.1", INFO_FIELDS INFO_OLD_FLAGS INFO_LOW_TYPES HEAD DTOR,
	 OLD_FLAGS, LOW_TYPES, .slab_flag = 9, .dtor_off = 16, .order_off = 17},
	{"6.3", INFO_FIELDS INFO_OLD_FLAGS INFO_LOW_TYPES HEAD
	 "OFFSET(folio._folio_dtor)=80\nOFFSET(folio._folio_order)=81\nNUMBER(HUGETLB_PAGE_DTOR)=2\n",
	 OLD_FLAGS, LOW_TYPES, .slab_flag = 9, .dtor_off = 16, .order_off = 17},
	{"6.6", INFO_FIELDS INFO_FLAGS INFO_LOW_TYPES HEAD "NUMBER(PG_slab)=11\nNUMBER(PG_hugetlb)=8\n",
	 FLAGS, LOW_TYPES, .slab_flag = 11, .hugetlb_flag = 8, .order_in_flags = true},
	{"6.9", INFO_FIELDS INFO_FLAGS INFO_LOW_TYPES HEAD
	 "NUMBER(PG_slab)=11\nNUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-2049\n",
	 FLAGS, LOW_TYPES, .slab_flag = 11, .hugetlb = ~0x800U, .order_in_flags = true},
	{"6.10", INFO_FIELDS INFO_FLAGS INFO_LOW_TYPES HEAD
	 "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-2049\nNUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-4097\n",
	 FLAGS, LOW_TYPES, .hugetlb = ~0x800U, .slab = ~0x1000U, .order_in_flags = true},
	{"6.11", INFO_FIELDS INFO_FLAGS HEAD
	 "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-1073741825\nNUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-536870913\n"
	 "NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)=-67108865\nNUMBER(PAGE_SLAB_MAPCOUNT_VALUE)=-33554433\n",
	 FLAGS, .buddy = ~0x40000000U, .offline = ~0x20000000U, .table = ~0x10000000U, .hugetlb = ~0x04000000U,
	 .slab = ~0x02000000U, .order_in_flags = true},
	{"6.12", INFO_FIELDS INFO_FLAGS INFO_BYTE_TYPES HEAD, FLAGS, BYTE_TYPES, .order_in_flags = true},
	{"6.16", INFO_FIELDS INFO_FLAGS INFO_BYTE_TYPES INFO_UNACCEPTED HEAD,
	 FLAGS, BYTE_TYPES, .unaccepted = 0xf7000000, .order_in_flags = true},
	{"7.1", INFO_FIELDS INFO_FLAGS INFO_BYTE_TYPES INFO_UNACCEPTED "OFFSET(page.compound_info)=8\n",
	 FLAGS, BYTE_TYPES, .unaccepted = 0xf7000000, .order_in_flags = true},
};
/* clang-format on */
const size_t kernel_series_count = ARRAY_LEN(kernel_series);

const struct kernel_series *kernel_series_find(const char *name)
{
	for (size_t i = 0; i < kernel_series_count; i++)
		if (strcmp(kernel_series[i].name, name) == 0)
			return &kernel_series[i];
	return NULL;
}

struct kernel {
	struct kernel_setup setup;
	uint8_t *memory;
	uint64_t used; /* of it */
	uint64_t top_table;
	uint64_t sections;	/* paddr of the array of struct mem_section */
	uint64_t usual_pages;	/* paddr of a page of struct pages that the kernel has allocated */
	uint64_t *struct_pages; /* paddrs of the struct pages, 64 pfns each */
	uint64_t nodes;		/* paddr of node_data; 0: none yet */
	unsigned node_count;
	uint64_t rsp[CPUS_MAX];
	uint32_t pid[CPUS_MAX];
	unsigned cpus;
	char info[INFO_BYTES];
	size_t info_bytes;
};

/* --- memory --- */

uint8_t *kernel_at(struct kernel *k, uint64_t paddr)
{
	assert(paddr < KERNEL_BYTES);
	return k->memory + paddr;
}

void kernel_put16(const struct kernel *k, uint8_t *at, uint16_t n)
{
	if (k->setup.big_endian)
		be16_put(at, n);
	else
		le16_put(at, n);
}

void kernel_put32(const struct kernel *k, uint8_t *at, uint32_t n)
{
	if (k->setup.big_endian)
		be32_put(at, n);
	else
		le32_put(at, n);
}

void kernel_put64(const struct kernel *k, uint8_t *at, uint64_t n)
{
	if (k->setup.big_endian)
		be64_put(at, n);
	else
		le64_put(at, n);
}

uint64_t kernel_alloc(struct kernel *k, size_t bytes, size_t align)
{
	const uint64_t paddr = (k->used + align - 1) / align * align;

	k->used = paddr + bytes;
	assert(k->used <= KERNEL_BYTES);
	return paddr;
}

static uint64_t entry_bytes(unsigned level)
{
	return UINT64_C(1) << (12 + 9 * (level - 1));
}

uint64_t kernel_map(struct kernel *k, uint64_t vaddr, uint64_t paddr, unsigned level)
{
	uint64_t table = k->top_table, at;

	for (unsigned l = k->setup.levels; l > level; l--) {
		uint64_t below;

		at = table + vaddr / entry_bytes(l) % 512 * 8;
		below = le64_get(kernel_at(k, at));
		if (!below) {
			below = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE) | 0x63 |
				k->setup.sme_mask;
			le64_put(kernel_at(k, at), below);
		}
		table = below & ~k->setup.sme_mask & ~(uint64_t)0xfff;
	}
	at = table + vaddr / entry_bytes(level) % 512 * 8;
	/* Accessed, dirty, global, not executable: not part of the address. */
	le64_put(kernel_at(k, at), paddr | ENTRY_PRESENT | 0x162 | UINT64_C(1) << 63 |
					   k->setup.sme_mask | (level > 1 ? ENTRY_LEAF : 0));
	return at;
}

uint64_t kernel_top_table(const struct kernel *k)
{
	return k->top_table;
}

void kernel_add_info(struct kernel *k, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(k->info + k->info_bytes, sizeof(k->info) - k->info_bytes, fmt, ap);
	va_end(ap);
	assert(n > 0 && (size_t)n < sizeof(k->info) - k->info_bytes);
	k->info_bytes += (size_t)n;
}

void kernel_add_cpu(struct kernel *k, uint64_t rsp)
{
	assert(k->cpus < CPUS_MAX);
	k->rsp[k->cpus++] = rsp;
}

void kernel_set_pid(struct kernel *k, uint32_t pid)
{
	assert(k->cpus);
	k->pid[k->cpus - 1] = pid;
}

/* --- making one --- */

static uint64_t image_vaddr(uint64_t paddr)
{
	return KERNEL_IMAGE_VADDR + (paddr - KERNEL_IMAGE);
}

static uint64_t section_count(const struct kernel *k)
{
	return (k->setup.pages + KERNEL_SECTION_PAGES - 1) / KERNEL_SECTION_PAGES;
}

/* Where a section's struct pages are mapped. */
static uint64_t section_vaddr(const struct kernel *k, uint64_t section)
{
	if (k->setup.scattered)
		section = section_count(k) - 1 - section;
	return KERNEL_VMEMMAP + section * KERNEL_SECTION_PAGES * KERNEL_PAGE_STRUCT;
}

static void make_sections(struct kernel *k)
{
	const uint64_t count = section_count(k);
	const unsigned flags =
		k->setup.section_flags ? k->setup.section_flags : (unsigned)SECTION_IN_USE;
	uint64_t roots;

	assert(count <= SECTIONS_MAX);
	k->sections = kernel_alloc(k, SECTIONS_MAX * SECTION_STRUCT, KERNEL_PAGE);
	for (uint64_t i = 0; i < count; i++)
		kernel_set_section(
			k, i,
			(section_vaddr(k, i) - i * KERNEL_SECTION_PAGES * KERNEL_PAGE_STRUCT) |
				flags);
	roots = k->sections;
	if (!k->setup.flat_sections) {
		roots = kernel_alloc(k, ROOTS * 8, KERNEL_PAGE);
		kernel_put64(k, kernel_at(k, roots), KERNEL_DIRECT_MAP + k->sections);
	}
	kernel_add_info(
		k,
		"SYMBOL(mem_section)=%" PRIx64 "\nLENGTH(mem_section)=%d\nSIZE(mem_section)=%d\n"
		"OFFSET(mem_section.section_mem_map)=0\nNUMBER(SECTION_SIZE_BITS)=%d\n"
		"NUMBER(MAX_PHYSMEM_BITS)=%d\n",
		KERNEL_DIRECT_MAP + roots,
		k->setup.flat_sections ? 1 << (MAX_PHYSMEM_BITS - SECTION_SIZE_BITS) : ROOTS,
		SECTION_STRUCT, SECTION_SIZE_BITS, MAX_PHYSMEM_BITS);
}

void kernel_set_section(struct kernel *k, uint64_t section, uint64_t word)
{
	kernel_put64(k, kernel_at(k, k->sections + section * SECTION_STRUCT), word);
}

/* The struct pages of 64 pfns begin a page of their own. */
static uint64_t struct_page_vaddr(const struct kernel *k, uint64_t pfn)
{
	return section_vaddr(k, pfn / KERNEL_SECTION_PAGES) +
	       pfn % KERNEL_SECTION_PAGES * KERNEL_PAGE_STRUCT;
}

static void make_struct_pages(struct kernel *k)
{
	k->usual_pages = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE);
	for (unsigned i = 0; i < PAGES_PER_PAGE; i++)
		kernel_put32(k,
			     kernel_at(k, k->usual_pages + i * KERNEL_PAGE_STRUCT + PAGE_MAPCOUNT),
			     UINT32_MAX);
	k->struct_pages = calloc(k->setup.pages / PAGES_PER_PAGE + 1, sizeof(*k->struct_pages));
	assert(k->struct_pages);
	for (uint64_t pfn = 0; pfn < k->setup.pages; pfn += PAGES_PER_PAGE) {
		k->struct_pages[pfn / PAGES_PER_PAGE] = k->usual_pages;
		kernel_map(k, struct_page_vaddr(k, pfn), k->usual_pages, 1);
	}
	for (uint64_t p = KERNEL_IMAGE; p < KERNEL_IMAGE + KERNEL_IMAGE_BYTES; p += KERNEL_PAGE)
		kernel_set_flag(k, p / KERNEL_PAGE, k->setup.series->reserved);
}

struct kernel *kernel_new(const struct kernel_setup *setup)
{
	struct kernel *k = calloc(1, sizeof(*k));

	assert(k);
	k->setup = *setup;
	if (!k->setup.series)
		k->setup.series = kernel_series_find("6.1");
	if (!k->setup.levels)
		k->setup.levels = 4;
	if (!k->setup.pages)
		k->setup.pages = 8192;
	assert(k->setup.pages >= KERNEL_BYTES / KERNEL_PAGE);
	k->memory = calloc(1, KERNEL_BYTES);
	assert(k->memory);
	k->used = KERNEL_IMAGE;
	k->top_table = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE);
	k->used = KERNEL_IMAGE + KERNEL_IMAGE_BYTES;
	kernel_add_info(k, "OSRELEASE=%s.0-test\nPAGESIZE=4096\nCRASHTIME=1700000000\n",
			k->setup.series->name);
	kernel_add_info(k, "SYMBOL(_stext)=%" PRIx64 "\nSYMBOL(init_top_pgt)=%" PRIx64 "\n",
			KERNEL_IMAGE_VADDR, image_vaddr(k->top_table));
	/* Where the image's addresses begin lies what VMCOREINFO calls phys_base. */
	kernel_add_info(
		k, "NUMBER(phys_base)=%" PRId64 "\nNUMBER(pgtable_l5_enabled)=%d\n",
		(int64_t)(KERNEL_IMAGE - (KERNEL_IMAGE_VADDR - UINT64_C(0xffffffff80000000))),
		k->setup.levels == 5);
	kernel_add_info(k, "NUMBER(sme_mask)=%" PRIu64 "\n%s", k->setup.sme_mask,
			k->setup.series->info);
	for (uint64_t p = 0; p < KERNEL_BYTES; p += entry_bytes(2)) {
		kernel_map(k, KERNEL_DIRECT_MAP + p, p, 2);
		kernel_map(k, KERNEL_SYMBOL_TABLES + p, p, 2);
	}
	for (uint64_t p = 0; p < KERNEL_IMAGE_BYTES; p += KERNEL_PAGE)
		kernel_map(k, KERNEL_IMAGE_VADDR + p, KERNEL_IMAGE + p, 1);
	make_sections(k);
	make_struct_pages(k);
	return k;
}

void kernel_free(struct kernel *k)
{
	if (!k)
		return;
	free(k->struct_pages);
	free(k->memory);
	free(k);
}

/* --- the core --- */

/* VMCOREINFO: the lines put in front, then all others but the one that is left out. */
static void add_info_note(struct core_plan *plan, const struct kernel *k)
{
	const char *without = k->setup.without, *line = k->info;
	char text[INFO_BYTES * 2];
	size_t used = 0;

	if (k->setup.more)
		used += (size_t)snprintf(text, sizeof(text), "%s\n", k->setup.more);
	while (*line) {
		const size_t n = strcspn(line, "\n") + 1;

		if (!without || strncmp(line, without, strlen(without)) != 0 ||
		    line[strlen(without)] != '=') {
			memcpy(text + used, line, n);
			used += n;
		}
		line += n;
	}
	text[used] = '\0';
	core_add_vmcoreinfo(plan, text);
}

static void add_cpu_notes(struct core_plan *plan, const struct kernel *k)
{
	for (unsigned i = 0; i < k->cpus; i++) {
		uint8_t prstatus[PRSTATUS_BYTES] = {0};

		kernel_put32(k, prstatus + PRSTATUS_PID, k->pid[i]);
		kernel_put64(k, prstatus + PRSTATUS_RSP, k->rsp[i]);
		core_add_note(plan, "CORE", 1, prstatus, sizeof(prstatus));
	}
}

/* Memory that has content as far as its load says, but the file is cut before it. */
static void cut_content(const struct core *core, size_t load, uint64_t bytes)
{
	uint8_t *phdr = core->bytes + CORE_EHDR_BYTES + (1 + load) * CORE_PHDR_BYTES;

	le64_put(phdr + 8, core->size_bytes);
	le64_put(phdr + 32, bytes);
}

static void add_load_above(struct core_plan *plan, uint64_t paddr, uint64_t bytes)
{
	struct core_load *l = core_add_load(plan, paddr, 0, bytes);

	l->vaddr = KERNEL_DIRECT_MAP + paddr;
	l->salt = CORE_ZEROS;
}

int kernel_file(const struct kernel *k, char path[static 32])
{
	struct core_plan *plan = calloc(1, sizeof(*plan));
	const uint64_t end = k->setup.pages * KERNEL_PAGE;
	const uint64_t hidden = k->setup.hidden_end ? k->setup.hidden * KERNEL_PAGE : end;
	const uint64_t above = hidden - KERNEL_BYTES;
	const uint64_t behind = k->setup.hidden_end ? end - k->setup.hidden_end * KERNEL_PAGE : 0;
	struct core_load *l;
	struct core core;
	size_t used;
	int fd;

	assert(plan);
	if (!k->setup.no_info)
		add_info_note(plan, k);
	add_cpu_notes(plan, k);
	if (above)
		add_load_above(plan, KERNEL_BYTES, above);
	l = core_add_load(plan, 0, KERNEL_BYTES, KERNEL_BYTES);
	l->vaddr = KERNEL_DIRECT_MAP;
	l->salt = CORE_ZEROS;
	if (!k->setup.no_image_load) {
		l = core_add_load(plan, KERNEL_IMAGE, 0, KERNEL_IMAGE_BYTES);
		l->vaddr = KERNEL_IMAGE_VADDR;
		l->salt = CORE_ZEROS;
	}
	if (behind)
		add_load_above(plan, end - behind, behind);
	core = core_make(plan);
	memcpy(core.bytes + plan->loads[above ? 1 : 0].off, k->memory, k->used);
	if (above && !k->setup.no_data_above)
		cut_content(&core, 0, above);
	if (behind && !k->setup.no_data_above)
		cut_content(&core, plan->load_count - 1, behind);
	/* What the kernel hasn't taken is a hole: tests and fuzzers make many of these. */
	used = plan->loads[above ? 1 : 0].off + k->used;
	fd = core_file(core.bytes, used, path);
	if (ftruncate(fd, (off_t)core.size_bytes) < 0)
		abort();
	core_free(&core);
	free(plan);
	return fd;
}

struct vmcore *kernel_open(const struct kernel *k)
{
	struct vmcore *core;
	struct error err;
	char path[32];
	const int fd = kernel_file(k, path);

	if (vmcore_open(path, VMCORE_ACCESS_READ, &core, &err) < 0) {
		fprintf(stderr, "the made-up kernel: %s\n", err.msg);
		abort();
	}
	close(fd);
	core->elf.data = k->setup.big_endian ? ELF_DATA_BE64 : ELF_DATA_LE64;
	return core;
}

/* --- struct pages --- */

uint8_t *kernel_page(struct kernel *k, uint64_t pfn)
{
	uint64_t *at = &k->struct_pages[pfn / PAGES_PER_PAGE];

	assert(pfn < k->setup.pages);
	/* Those that are no one's own yet get a page of their own. */
	if (*at == k->usual_pages) {
		*at = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE);
		memcpy(kernel_at(k, *at), kernel_at(k, k->usual_pages), KERNEL_PAGE);
		kernel_map(k, struct_page_vaddr(k, pfn / PAGES_PER_PAGE * PAGES_PER_PAGE), *at, 1);
	}
	return kernel_at(k, *at + pfn % PAGES_PER_PAGE * KERNEL_PAGE_STRUCT);
}

void kernel_fill(struct kernel *k, uint64_t pfn, uint64_t n, const uint8_t *page)
{
	const uint64_t shared = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE);

	assert(pfn % PAGES_PER_PAGE == 0 && n % PAGES_PER_PAGE == 0);
	for (unsigned i = 0; i < PAGES_PER_PAGE; i++)
		memcpy(kernel_at(k, shared + i * KERNEL_PAGE_STRUCT), page, KERNEL_PAGE_STRUCT);
	for (; n; n -= PAGES_PER_PAGE, pfn += PAGES_PER_PAGE) {
		k->struct_pages[pfn / PAGES_PER_PAGE] = shared;
		kernel_map(k, struct_page_vaddr(k, pfn), shared, 1);
	}
}

void kernel_set_flag(struct kernel *k, uint64_t pfn, unsigned bit)
{
	uint8_t *page = kernel_page(k, pfn);

	const uint64_t flags =
		k->setup.big_endian ? be64_get(page + PAGE_FLAGS) : le64_get(page + PAGE_FLAGS);

	kernel_put64(k, page + PAGE_FLAGS, flags | UINT64_C(1) << bit);
}

void kernel_set_mapcount(struct kernel *k, uint64_t pfn, uint32_t mapcount)
{
	kernel_put32(k, kernel_page(k, pfn) + PAGE_MAPCOUNT, mapcount);
}

void kernel_set_free(struct kernel *k, uint64_t pfn, unsigned order)
{
	kernel_set_mapcount(k, pfn, k->setup.series->buddy);
	kernel_put64(k, kernel_page(k, pfn) + PAGE_PRIVATE, order);
}

void kernel_set_anon(struct kernel *k, uint64_t pfn)
{
	kernel_set_flag(k, pfn, k->setup.series->lru);
	kernel_set_flag(k, pfn, k->setup.series->swapbacked);
	kernel_set_mapcount(k, pfn, 0);
	kernel_put64(k, kernel_page(k, pfn) + PAGE_MAPPING, UINT64_C(0xffff888000345671));
}

void kernel_set_cache(struct kernel *k, uint64_t pfn, bool private)
{
	kernel_set_flag(k, pfn, k->setup.series->lru);
	if (private)
		kernel_set_flag(k, pfn, k->setup.series->private);
	kernel_put64(k, kernel_page(k, pfn) + PAGE_MAPPING, UINT64_C(0xffff888000345670));
}

void kernel_make_tail(const struct kernel *k, uint64_t head, uint8_t *page)
{
	memset(page, 0, KERNEL_PAGE_STRUCT);
	/* In a tail these words hold counters of the folio: as they stand here, the page would look
	 * like an anonymous one on an LRU list. */
	kernel_put64(k, page + PAGE_FLAGS, UINT64_C(1) << k->setup.series->lru);
	kernel_put64(k, page + PAGE_COMPOUND, (KERNEL_VMEMMAP + head * KERNEL_PAGE_STRUCT) | 1);
	kernel_put64(k, page + PAGE_MAPPING, 1);
	kernel_put64(k, page + PAGE_PRIVATE, 3);
	kernel_put32(k, page + PAGE_MAPCOUNT, UINT32_MAX);
}

void kernel_set_compound(struct kernel *k, uint64_t pfn, unsigned order)
{
	const struct kernel_series *s = k->setup.series;
	const uint64_t n = UINT64_C(1) << order;
	uint8_t tail[KERNEL_PAGE_STRUCT], *first;

	kernel_make_tail(k, pfn, tail);
	for (uint64_t i = PAGES_PER_PAGE; i < n; i *= 2)
		kernel_fill(k, pfn + i, i, tail);
	for (uint64_t i = 1; i < MIN(n, (uint64_t)PAGES_PER_PAGE); i++)
		memcpy(kernel_page(k, pfn + i), tail, sizeof(tail));
	kernel_set_flag(k, pfn, s->head);
	first = kernel_page(k, pfn + 1);
	if (s->order_in_flags)
		kernel_put64(k, first + PAGE_FLAGS, order);
	else
		first[s->order_off] = (uint8_t)order;
}

void kernel_set_hugetlb(struct kernel *k, uint64_t pfn, unsigned order)
{
	const struct kernel_series *s = k->setup.series;

	kernel_set_compound(k, pfn, order);
	if (s->hugetlb)
		kernel_set_mapcount(k, pfn, s->hugetlb);
	else if (s->hugetlb_flag)
		kernel_set_flag(k, pfn + 1, s->hugetlb_flag);
	else
		kernel_page(k, pfn + 1)[s->dtor_off] = 2;
}

void kernel_set_slab(struct kernel *k, uint64_t pfn, unsigned order)
{
	if (order)
		kernel_set_compound(k, pfn, order);
	if (k->setup.series->slab)
		kernel_set_mapcount(k, pfn, k->setup.series->slab);
	else
		kernel_set_flag(k, pfn, k->setup.series->slab_flag);
	/* Since 6.2 struct slab has something else where struct page has the mapping. */
	kernel_put64(k, kernel_page(k, pfn) + PAGE_MAPPING, UINT64_C(0x8000000180000001));
}

/* --- nodes --- */

uint64_t kernel_nodes(const struct kernel *k)
{
	return k->nodes;
}

void kernel_add_node(struct kernel *k, int64_t free_pages)
{
	const uint64_t node = kernel_alloc(k, NODE_BYTES, 64);

	if (!k->nodes) {
		k->nodes = kernel_alloc(k, NODES * 8, 64);
		kernel_add_info(k,
				"SYMBOL(node_data)=%" PRIx64 "\nLENGTH(node_data)=%d\n"
				"OFFSET(pglist_data.node_zones)=0\n"
				"OFFSET(pglist_data.nr_zones)=%d\nSIZE(zone)=%d\n"
				"OFFSET(pglist_data.node_start_pfn)=%d\n"
				"OFFSET(pglist_data.node_spanned_pages)=%d\n"
				"OFFSET(zone.vm_stat)=%d\nNUMBER(NR_FREE_PAGES)=1\n",
				KERNEL_DIRECT_MAP + k->nodes, NODES, NODE_NR_ZONES, ZONE_BYTES,
				NODE_START_PFN, NODE_SPANNED_PAGES, ZONE_VM_STAT);
	}
	assert(k->node_count < NODES / 2);
	/* Every other node of the array isn't there. */
	kernel_put64(k, kernel_at(k, k->nodes + (uint64_t)k->node_count++ * 2 * 8),
		     KERNEL_DIRECT_MAP + node);
	kernel_put32(k, kernel_at(k, node + NODE_NR_ZONES), ZONES);
	kernel_put64(k, kernel_at(k, node + NODE_SPANNED_PAGES), k->setup.pages);
	/* The first zone's counter lags behind; all of it is the second's. */
	kernel_put64(k, kernel_at(k, node + ZONE_VM_STAT + 8), UINT64_MAX);
	kernel_put64(k, kernel_at(k, node + ZONE_BYTES + ZONE_VM_STAT + 8), (uint64_t)free_pages);
}
