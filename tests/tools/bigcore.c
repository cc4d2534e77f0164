/*
 * bigcore [-k KERNEL] [-n DISTINCT] KIND SIZE FILE - make an ELF core of a machine with much
 * memory.
 *
 * SIZE of memory (K, M, G, T; 512M to 64T) with a hole from 3 to 4 GiB, as a sparse file whose
 * every byte follows from the arguments. KIND says what most of the memory is:
 *
 *   idle   free: blocks of the highest order
 *   cache  page cache in single pages, each of which has to be looked at
 *   thp    transparent huge pages of 2 MiB
 *   huge   hugetlb pages of 1 GiB
 *
 * the rest is page cache, anonymous, free and kernel pages (slabs, page tables), mixed; 1/64 is
 * reserved, as struct pages take it. KERNEL is a series of tests/lib/kernel.h (default 6.1).
 *
 * Struct pages of 12 TiB are 192 GiB. Here DISTINCT memory sections (default 512) have struct pages
 * of their own, 2 MiB each, and the page tables map the same 2 MiB for all sections that are alike:
 * a reader finds a struct page for each page at its right address, by page tables of the usual
 * shape, and has as many to read as ever. Nothing in them depends on the pfn but alignment, which
 * holds in any section. 512 of them are 1 GiB, far more than caches hold: a core of 64 GiB has one
 * for each section, and larger ones don't read faster than that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/compiler.h"
#include "base/parse.h"
#include "tests/lib/kernel.h"

enum {
	PAGE = 4096,
	BLOCK_PAGES = 1 << 10, /* of the buddy allocator, at most */
	THP_ORDER = 9,
	HUGE_SECTIONS = 8, /* of a page of 1 GiB */
	SECTION_PAGES = KERNEL_SECTION_PAGES,
	SECTION_BITS = 27,
	PHYSMEM_BITS = 46,
	SECTION_STRUCTS = SECTION_PAGES * KERNEL_PAGE_STRUCT, /* bytes: a large mapping */
	RESERVED_IMAGES = 16,
	IMAGES_MAX = 1024,

	/* Where things lie in physical memory. */
	IMAGE = 16 << 20,
	IMAGE_BYTES = 16 << 20,
	TABLES = IMAGE + IMAGE_BYTES,
	POOL = 128 << 20,

	/* Layout of a node of 6.1, as VMCOREINFO tells it. */
	NODE_BYTES = 174208,
	NODE_NR_ZONES = 171552,
	ZONE_BYTES = 1536,
	ZONE_VM_STAT = 1344,
	ZONE_NORMAL = 2,
	NODES_MAX = 1024,

	SECTION_IN_USE = 0xf,
	FILE_HEADER_BYTES = 16 * PAGE,
	INFO_BYTES = 6000,
};

#define GIB	    (UINT64_C(1) << 30)
#define HOLE	    (3 * GIB)
#define HOLE_END    (4 * GIB)
#define VADDR_IMAGE UINT64_C(0xffffffff80000000)
#define FLAGS_TOP   UINT64_C(0x17ffffc0000000) /* node, zone, last CPU: as on a real machine */

enum kind { IDLE, CACHE, THP, HUGE_PAGES, KINDS };
static const char *const kind_names[] = {"idle", "cache", "thp", "huge"};

/* Of 100 blocks of BLOCK_PAGES so many are; those that are left are the kernel's. */
static const struct {
	unsigned free, thp, cache, anon;
} shares[KINDS] = {
	[IDLE] = {97, 0, 1, 1},
	[CACHE] = {2, 0, 86, 6},
	[THP] = {8, 84, 3, 2},
	[HUGE_PAGES] = {80, 0, 10, 4},
};

/* 2 MiB of struct pages. */
struct image {
	uint64_t paddr, free_pages;
};

struct machine {
	const struct kernel_series *series;
	enum kind kind;
	uint64_t end; /* of memory */
	uint64_t sections;
	uint8_t *memory; /* the file's, up to pool_end */
	uint64_t used, pool_end, top_table;
	struct image images[IMAGES_MAX];
	unsigned reserved_images, distinct; /* reserved ones first, then those of the kind */
	uint64_t free_pages;
	uint64_t random;
	char info[INFO_BYTES];
	size_t info_bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "bigcore: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t random_below(struct machine *m, uint64_t n)
{
	m->random = m->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (m->random >> 33) % n;
}

static uint64_t allocate(struct machine *m, uint64_t bytes)
{
	const uint64_t paddr = m->used;

	m->used += div_round_up(bytes, PAGE) * PAGE;
	if (m->used > POOL) {
		fprintf(stderr, "bigcore: no room for tables of so much memory\n");
		exit(1);
	}
	return paddr;
}

static void add_info(struct machine *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add_info(struct machine *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	m->info_bytes +=
		(size_t)vsnprintf(m->info + m->info_bytes, INFO_BYTES - m->info_bytes, fmt, ap);
	va_end(ap);
}

/* --- struct pages --- */

static uint8_t *page_at(uint8_t *section, uint64_t i)
{
	return section + i * KERNEL_PAGE_STRUCT;
}

static void add_flags(uint8_t *page, uint64_t flags)
{
	le64_put(page + PAGE_FLAGS, le64_get(page + PAGE_FLAGS) | flags);
}

static uint64_t bit(unsigned n)
{
	return UINT64_C(1) << n;
}

/* One that belongs to nobody. */
static void page_init(uint8_t *page)
{
	memset(page, 0, KERNEL_PAGE_STRUCT);
	le64_put(page + PAGE_FLAGS, FLAGS_TOP);
	le32_put(page + PAGE_MAPCOUNT, UINT32_MAX);
}

static void set_free(const struct machine *m, uint8_t *section, uint64_t at, unsigned order,
		     struct image *image)
{
	le32_put(page_at(section, at) + PAGE_MAPCOUNT, m->series->buddy);
	le64_put(page_at(section, at) + PAGE_PRIVATE, order);
	image->free_pages += UINT64_C(1) << order;
}

static void set_compound(const struct machine *m, uint8_t *section, uint64_t at, unsigned order)
{
	const uint64_t end = MIN(at + (UINT64_C(1) << order), (uint64_t)SECTION_PAGES);
	uint8_t *first = page_at(section, at + 1);

	add_flags(page_at(section, at), bit(m->series->head));
	for (uint64_t i = at + 1; i < end; i++) {
		le64_put(page_at(section, i) + PAGE_COMPOUND,
			 (KERNEL_VMEMMAP + at * KERNEL_PAGE_STRUCT) | 1);
		le64_put(page_at(section, i) + PAGE_MAPPING, UINT64_C(0xdead000000000400));
	}
	if (m->series->order_in_flags)
		add_flags(first, order);
	else
		first[m->series->order_off] = (uint8_t)order;
}

/* A page on an LRU list, with some of the flags below PG_lru set (uptodate, dirty). */
static void set_lru(struct machine *m, uint8_t *page, uint64_t flags, uint64_t mapping)
{
	add_flags(page, flags | bit(m->series->lru) | bit(2) | random_below(m, 2) << 3);
	le64_put(page + PAGE_COMPOUND, KERNEL_VMEMMAP + 8 + random_below(m, 1 << 20) * 64);
	le64_put(page + PAGE_MAPPING, mapping);
}

static void set_anon(struct machine *m, uint8_t *page)
{
	set_lru(m, page, bit(m->series->swapbacked),
		KERNEL_DIRECT_MAP + random_below(m, 1 << 20) * 64 + 1);
	le32_put(page + PAGE_MAPCOUNT, 0);
}

static void set_cache(struct machine *m, uint8_t *page, uint64_t mapping, bool private)
{
	set_lru(m, page, private ? bit(m->series->private) : 0, mapping);
}

static void set_slab(struct machine *m, uint8_t *section, uint64_t at, unsigned order)
{
	if (order)
		set_compound(m, section, at, order);
	if (m->series->slab)
		le32_put(page_at(section, at) + PAGE_MAPCOUNT, m->series->slab);
	else
		add_flags(page_at(section, at), bit(m->series->slab_flag));
	/* Its cache. */
	le64_put(page_at(section, at) + PAGE_MAPPING, KERNEL_DIRECT_MAP + 0x345000);
}

static void set_huge(struct machine *m, uint8_t *section)
{
	set_compound(m, section, 0, 18);
	if (m->series->hugetlb)
		le32_put(page_at(section, 0) + PAGE_MAPCOUNT, m->series->hugetlb);
	else if (m->series->hugetlb_flag)
		add_flags(page_at(section, 1), bit(m->series->hugetlb_flag));
	else
		page_at(section, 1)[m->series->dtor_off] = 2;
}

/* --- blocks --- */

/* Some pages at `at`, at most `room` a power of two, of what is mixed there: how many. */
static uint64_t put_cache(struct machine *m, uint8_t *section, uint64_t at, uint64_t room,
			  struct image *image)
{
	const uint64_t run = 1 + random_below(m, 64), n = MIN(room, run);
	const uint64_t what = random_below(m, 100);
	const uint64_t mapping = KERNEL_DIRECT_MAP + random_below(m, 1 << 20) * 64;

	if (what < 3) {
		set_free(m, section, at, 0, image);
		return 1;
	}
	for (uint64_t i = 0; i < n; i++)
		set_cache(m, page_at(section, at + i), mapping, what < 13);
	return n;
}

static uint64_t put_anon(struct machine *m, uint8_t *section, uint64_t at, uint64_t room,
			 struct image *image)
{
	const uint64_t run = 1 + random_below(m, 16), n = MIN(room, run);

	if (random_below(m, 10) == 0) {
		set_free(m, section, at, 0, image);
		return 1;
	}
	for (uint64_t i = 0; i < n; i++)
		set_anon(m, page_at(section, at + i));
	return n;
}

static uint64_t put_kernel(struct machine *m, uint8_t *section, uint64_t at, uint64_t room,
			   struct image *image)
{
	const unsigned order = (unsigned)__builtin_ctzll(MIN(room, 8U));

	switch (random_below(m, 8)) {
	case 0:
		set_free(m, section, at, order, image);
		return UINT64_C(1) << order;
	case 1: /* a page table */
		le32_put(page_at(section, at) + PAGE_MAPCOUNT, m->series->table);
		return 1;
	case 2: /* of a driver, a stack */
		return 1;
	default:
		set_slab(m, section, at, order);
		return UINT64_C(1) << order;
	}
}

static void fill_block(struct machine *m, uint8_t *section, uint64_t first, struct image *image)
{
	uint64_t (*put)(struct machine *, uint8_t *, uint64_t, uint64_t, struct image *);
	const unsigned free = shares[m->kind].free, thp = free + shares[m->kind].thp;
	const unsigned cache = thp + shares[m->kind].cache, anon = cache + shares[m->kind].anon;
	const uint64_t what = random_below(m, 100);

	if (what < free) {
		set_free(m, section, first, 10, image);
		return;
	}
	if (what < thp) {
		for (uint64_t at = first; at < first + BLOCK_PAGES; at += 1 << THP_ORDER) {
			set_compound(m, section, at, THP_ORDER);
			set_anon(m, page_at(section, at));
		}
		return;
	}
	put = what < cache ? put_cache : what < anon ? put_anon : put_kernel;
	for (uint64_t i = 0; i < BLOCK_PAGES;)
		i += put(m, section, first + i, i ? i & -i : BLOCK_PAGES, image);
}

static void fill_section(struct machine *m, uint8_t *section, struct image *image, bool reserved)
{
	for (uint64_t i = 0; i < SECTION_PAGES; i++) {
		page_init(page_at(section, i));
		if (reserved)
			add_flags(page_at(section, i), bit(m->series->reserved));
	}
	for (uint64_t i = 0; i < SECTION_PAGES && !reserved; i += BLOCK_PAGES)
		fill_block(m, section, i, image);
}

/* --- the kernel's tables --- */

static uint64_t entry_bytes(unsigned level)
{
	return UINT64_C(1) << (12 + 9 * (level - 1));
}

/* Map by an entry of that level: 2 for 2 MiB, 3 for 1 GiB. */
static void map(struct machine *m, uint64_t vaddr, uint64_t paddr, unsigned level)
{
	uint64_t table = m->top_table;

	for (unsigned l = 4; l > level; l--) {
		uint8_t *entry = m->memory + table + vaddr / entry_bytes(l) % 512 * 8;

		if (!le64_get(entry))
			le64_put(entry, allocate(m, PAGE) | 0x63);
		table = le64_get(entry) & ~(uint64_t)0xfff;
	}
	le64_put(m->memory + table + vaddr / entry_bytes(level) % 512 * 8,
		 paddr | 0x1e3 | UINT64_C(1) << 63);
}

static bool is_hole(uint64_t section)
{
	const uint64_t paddr = section << SECTION_BITS;

	return paddr >= HOLE && paddr < HOLE_END;
}

/* Nodes have equal parts of the sections. */
static uint64_t node_count(const struct machine *m)
{
	return m->sections > 8 * 1024 * 2 ? 8 : m->sections > 1024 ? 2 : 1;
}

/* Which struct pages a section has, the n-th of those that aren't reserved. */
static const struct image *image_of(const struct machine *m, uint64_t section, uint64_t *n)
{
	const uint64_t per_node = div_round_up(m->sections, node_count(m));

	if (section << SECTION_BITS < m->pool_end ||
	    section % per_node < div_round_up(per_node, KERNEL_PAGE / KERNEL_PAGE_STRUCT))
		return &m->images[section % m->reserved_images];
	return &m->images[m->reserved_images + (*n)++ % m->distinct];
}

/* The first of a page of 1 GiB has its head, the others have its tails. */
static const struct image *huge_image_of(const struct machine *m, uint64_t section, uint64_t *n)
{
	const uint64_t first = section / HUGE_SECTIONS * HUGE_SECTIONS;

	if (first << SECTION_BITS < m->pool_end || first + HUGE_SECTIONS > m->sections ||
	    first / HUGE_SECTIONS % 16 == 0)
		return image_of(m, section, n);
	return &m->images[m->reserved_images + m->distinct + (section > first)];
}

static void make_sections(struct machine *m)
{
	const uint64_t per_root = PAGE / 16,
		       root_count = (1 << (PHYSMEM_BITS - SECTION_BITS)) / per_root;
	const uint64_t roots = allocate(m, root_count * 8);
	const uint64_t structs = allocate(m, m->sections * 16);
	uint64_t n = 0;

	for (uint64_t i = 0; i < m->sections; i++) {
		const struct image *image;

		if (i % per_root == 0)
			le64_put(m->memory + roots + i / per_root * 8,
				 KERNEL_DIRECT_MAP + structs + i * 16);
		if (is_hole(i))
			continue;
		image = m->kind == HUGE_PAGES ? huge_image_of(m, i, &n) : image_of(m, i, &n);
		map(m, KERNEL_VMEMMAP + i * SECTION_STRUCTS, image->paddr, 2);
		m->free_pages += image->free_pages;
		le64_put(m->memory + structs + i * 16, KERNEL_VMEMMAP | SECTION_IN_USE);
	}
	add_info(m,
		 "SYMBOL(mem_section)=%" PRIx64 "\nLENGTH(mem_section)=%" PRIu64
		 "\nSIZE(mem_section)=16\nOFFSET(mem_section.section_mem_map)=0\n"
		 "NUMBER(SECTION_SIZE_BITS)=%d\nNUMBER(MAX_PHYSMEM_BITS)=%d\n",
		 KERNEL_DIRECT_MAP + roots, root_count, SECTION_BITS, PHYSMEM_BITS);
}

static void make_nodes(struct machine *m)
{
	const uint64_t nodes = node_count(m), map_at = IMAGE + PAGE, data_at = IMAGE + 2 * PAGE;

	for (uint64_t i = 0; i < nodes; i++) {
		const uint64_t node = allocate(m, NODE_BYTES);
		uint8_t *zone = m->memory + node + ZONE_NORMAL * ZONE_BYTES;

		le64_put(m->memory + data_at + i * 8, KERNEL_DIRECT_MAP + node);
		le32_put(m->memory + node + NODE_NR_ZONES, ZONE_NORMAL + 1);
		le64_put(zone + ZONE_VM_STAT,
			 m->free_pages / nodes + (i ? 0 : m->free_pages % nodes));
	}
	le64_put(m->memory + map_at, (UINT64_C(1) << nodes) - 1);
	add_info(
		m,
		"SYMBOL(node_online_map)=%" PRIx64 "\nSYMBOL(node_data)=%" PRIx64
		"\nLENGTH(node_data)=%d\nSIZE(pglist_data)=%d\nSIZE(zone)=%d\nSIZE(nodemask_t)=%d\n"
		"OFFSET(pglist_data.node_zones)=0\nOFFSET(pglist_data.nr_zones)=%d\n"
		"OFFSET(pglist_data.node_start_pfn)=%d\nOFFSET(pglist_data.node_spanned_pages)=%d\n"
		"OFFSET(zone.free_area)=256\nOFFSET(zone.vm_stat)=%d\nOFFSET(zone.spanned_pages)="
		"144\n"
		"NUMBER(NR_FREE_PAGES)=0\n",
		VADDR_IMAGE + map_at, VADDR_IMAGE + data_at, NODES_MAX, NODE_BYTES, ZONE_BYTES,
		NODES_MAX / 8, NODE_NR_ZONES, NODE_NR_ZONES + 8, NODE_NR_ZONES + 24, ZONE_VM_STAT);
}

static void make_image(struct machine *m)
{
	uint8_t *uts = m->memory + IMAGE + 8;

	/* struct new_utsname: six strings of 65 bytes. */
	strcpy((char *)uts, "Linux");
	strcpy((char *)uts + 65, "bigcore");
	snprintf((char *)uts + 130, 65, "%s.0-test", m->series->name);
	strcpy((char *)uts + 195, "#1 SMP");
	strcpy((char *)uts + 260, "x86_64");
	add_info(m, "OSRELEASE=%s.0-test\nPAGESIZE=4096\nCRASHTIME=1700000000\n", m->series->name);
	add_info(m, "SYMBOL(init_uts_ns)=%" PRIx64 "\nOFFSET(uts_namespace.name)=0\n",
		 VADDR_IMAGE + IMAGE + 8);
	add_info(m,
		 "SYMBOL(_stext)=%" PRIx64 "\nSYMBOL(swapper_pg_dir)=%" PRIx64
		 "\nSYMBOL(init_top_pgt)=%" PRIx64
		 "\nNUMBER(phys_base)=0\nNUMBER(pgtable_l5_enabled)=0\nNUMBER(sme_mask)=0\n"
		 "NUMBER(KERNEL_IMAGE_SIZE)=1073741824\nKERNELOFFSET=0\n%s",
		 VADDR_IMAGE + IMAGE, VADDR_IMAGE + m->top_table, VADDR_IMAGE + m->top_table,
		 m->series->info);
	for (uint64_t p = 0; p < IMAGE_BYTES; p += entry_bytes(2))
		map(m, VADDR_IMAGE + IMAGE + p, IMAGE + p, 2);
	for (uint64_t p = 0; p < m->end; p += GIB)
		map(m, KERNEL_DIRECT_MAP + p, p, 3);
}

static void make_images(struct machine *m)
{
	const unsigned count = m->reserved_images + m->distinct;

	for (unsigned i = 0; i < count; i++) {
		struct image *image = &m->images[i];

		image->paddr = POOL + (uint64_t)i * SECTION_STRUCTS;
		fill_section(m, m->memory + image->paddr, image, i < m->reserved_images);
	}
	if (m->kind != HUGE_PAGES)
		return;
	for (unsigned i = count; i < count + 2; i++) {
		uint8_t *section = m->memory + POOL + (uint64_t)i * SECTION_STRUCTS;

		m->images[i].paddr = POOL + (uint64_t)i * SECTION_STRUCTS;
		for (uint64_t p = 0; p < SECTION_PAGES; p++)
			page_init(page_at(section, p));
		set_huge(m, section);
		if (i > count) { /* tails only */
			memcpy(section, page_at(section, 2), KERNEL_PAGE_STRUCT);
			memcpy(page_at(section, 1), page_at(section, 2), KERNEL_PAGE_STRUCT);
		}
	}
}

/* --- the file --- */

static size_t put_note(uint8_t *out, const char *name, uint32_t type, const void *desc,
		       size_t bytes)
{
	const size_t name_bytes = strlen(name) + 1, padded = (name_bytes + 3) / 4 * 4;

	le32_put(out, (uint32_t)name_bytes);
	le32_put(out + 4, (uint32_t)bytes);
	le32_put(out + 8, type);
	memcpy(out + 12, name, name_bytes);
	memcpy(out + 12 + padded, desc, bytes);
	return 12 + padded + (bytes + 3) / 4 * 4;
}

static void put_phdr(uint8_t *out, uint32_t type, uint64_t off, uint64_t vaddr, uint64_t paddr,
		     uint64_t bytes)
{
	le32_put(out, type);
	le32_put(out + 4, 7);
	le64_put(out + 8, off);
	le64_put(out + 16, vaddr);
	le64_put(out + 24, paddr);
	le64_put(out + 32, bytes);
	le64_put(out + 40, bytes);
}

/* Physical address p lies at FILE_HEADER_BYTES + p of the file. */
static void put_headers(const struct machine *m, uint8_t *out)
{
	static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
	static const uint8_t prstatus[336];
	const uint64_t low_end = MIN(m->end, HOLE);
	const struct {
		uint64_t first, end, base;
	} loads[] = {
		{IMAGE, IMAGE + IMAGE_BYTES, VADDR_IMAGE},
		{0x1000, 0x9f000, KERNEL_DIRECT_MAP},
		{0x100000, low_end, KERNEL_DIRECT_MAP},
		{HOLE_END, m->end, KERNEL_DIRECT_MAP},
	};
	const unsigned count = m->end > HOLE_END ? 4 : 3;
	size_t notes = put_note(out + PAGE, "CORE", 1, prstatus, sizeof(prstatus));

	notes += put_note(out + PAGE + notes, "VMCOREINFO", 0, m->info, m->info_bytes);
	memcpy(out, ident, sizeof(ident));
	le16_put(out + 16, 4);	/* ET_CORE */
	le16_put(out + 18, 62); /* EM_X86_64 */
	le32_put(out + 20, 1);
	le64_put(out + 32, 64);
	le16_put(out + 52, 64);
	le16_put(out + 54, 56);
	le16_put(out + 56, (uint16_t)(1 + count));
	put_phdr(out + 64, 4, PAGE, 0, 0, notes);
	for (unsigned i = 0; i < count; i++)
		put_phdr(out + 64 + 56 * (i + 1), 1, FILE_HEADER_BYTES + loads[i].first,
			 loads[i].base + loads[i].first, loads[i].first,
			 loads[i].end - loads[i].first);
}

static void make_core(struct machine *m, const char *path)
{
	const unsigned images = m->reserved_images + m->distinct + 2;
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t *file;

	m->pool_end = POOL + (uint64_t)images * SECTION_STRUCTS;
	if (fd < 0 || ftruncate(fd, (off_t)(FILE_HEADER_BYTES + m->end)) < 0)
		die(path);
	file = mmap(NULL, FILE_HEADER_BYTES + m->pool_end, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		    0);
	if (file == MAP_FAILED)
		die(path);
	m->memory = file + FILE_HEADER_BYTES;
	m->top_table = IMAGE + 16 * PAGE;
	m->used = TABLES;
	make_images(m);
	make_image(m);
	make_sections(m);
	make_nodes(m);
	put_headers(m, file);
	if (munmap(file, FILE_HEADER_BYTES + m->pool_end) < 0 || close(fd) < 0)
		die(path);
}

static int usage(void)
{
	fprintf(stderr, "usage: bigcore [-k KERNEL] [-n DISTINCT] idle|cache|thp|huge SIZE FILE\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct machine m = {.series = kernel_series_find("6.1"), .kind = KINDS};
	uint64_t size, distinct = 512;
	struct error err;
	int option;

	while ((option = getopt(argc, argv, "k:n:")) != -1) {
		if (option == 'k')
			m.series = kernel_series_find(optarg);
		else if (option != 'n' || parse_size(optarg, &distinct, &err) < 0)
			return usage();
	}
	if (argc - optind != 3 || !m.series || parse_size(argv[optind + 1], &size, &err) < 0 ||
	    size < GIB / 2 || size > 64 * 1024 * GIB || distinct < 1 || distinct > 512)
		return usage();
	for (unsigned i = 0; i < KINDS; i++)
		if (strcmp(argv[optind], kind_names[i]) == 0)
			m.kind = (enum kind)i;
	if (m.kind == KINDS)
		return usage();
	m.end = size > HOLE ? size + (HOLE_END - HOLE) : size;
	m.sections = div_round_up(m.end, UINT64_C(1) << SECTION_BITS);
	m.reserved_images = (unsigned)MIN((uint64_t)RESERVED_IMAGES, div_round_up(m.sections, 64));
	m.distinct = (unsigned)MIN(distinct, m.sections);
	make_core(&m, argv[optind + 2]);
	return 0;
}
