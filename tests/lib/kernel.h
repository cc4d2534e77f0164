/*
 * A kernel made up for tests: VMCOREINFO, page tables, memory sections and struct pages of a chosen
 * kernel, in an ELF core. Memory begins at paddr 0; its first KERNEL_BYTES hold all that the kernel
 * model reads, what lies above has struct pages but no content. A failure ends the test.
 */
#ifndef TESTS_KERNEL_H
#define TESTS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmcore;

enum {
	KERNEL_BYTES = 6 << 20,
	KERNEL_PAGE = 4096,
	KERNEL_SECTION_PAGES = 1 << 15,

	/* The image in physical memory; the tables and struct pages lie behind it. */
	KERNEL_IMAGE = 0x100000,
	KERNEL_IMAGE_BYTES = 0x40000,

	/* struct page. Source: Linux include/linux/mm_types.h, x86_64 of 5.4 to 7.3. */
	KERNEL_PAGE_STRUCT = 64,
	PAGE_FLAGS = 0,
	PAGE_COMPOUND = 8,
	PAGE_MAPPING = 24,
	PAGE_PRIVATE = 40,
	PAGE_MAPCOUNT = 48,
};

#define KERNEL_DIRECT_MAP  UINT64_C(0xffff888000000000)
#define KERNEL_VMEMMAP	   UINT64_C(0xffffea0000000000)
#define KERNEL_IMAGE_VADDR UINT64_C(0xffffffff81000000)

/* All of the kernel's memory is mapped here too, within reach of the image's addresses. */
#define KERNEL_SYMBOL_TABLES UINT64_C(0xffffffff82000000)

/* How one series of kernels marks its pages, and says so: numbers of flag bits, values of _mapcount
 * (0: it has no such type). */
struct kernel_series {
	const char *name;
	const char *info; /* lines of VMCOREINFO about struct page */
	unsigned lru, private, swapcache, swapbacked, reserved, head;
	unsigned slab_flag, hwpoison; /* 0: there is none */
	uint32_t buddy, offline, slab, hugetlb, unaccepted, table;

	/* In the first tail page. */
	bool order_in_flags;
	unsigned hugetlb_flag; /* bit; 0: there is none */
	unsigned order_off, dtor_off;
};

/* All series that the rules know, oldest first; a series by name. */
extern const struct kernel_series kernel_series[];
extern const size_t kernel_series_count;
const struct kernel_series *kernel_series_find(const char *name);

/* What to make. Zero is a 6.1 with 4 levels of tables, 32 MiB of memory, EXTREME sections. */
struct kernel_setup {
	const struct kernel_series *series;
	uint64_t pages;		/* of memory, KERNEL_BYTES at least */
	unsigned levels;	/* of tables: 4 or 5 */
	uint64_t sme_mask;	/* set in all entries */
	bool flat_sections;	/* not EXTREME */
	bool scattered;		/* struct pages in descending order of sections (no vmemmap) */
	unsigned section_flags; /* 0: those of a section in use */
	const char *without;	/* the key whose line is left out, such as "SYMBOL(mem_section)" */
	const char *more;	/* lines put in front: of a repeated key the first counts */
	bool no_info, no_image_load;
	bool big_endian;    /* all but the page tables, which are the processor's */
	bool no_data_above; /* of what lies above KERNEL_BYTES the core has no data */

	/* Pages [hidden, hidden_end) above KERNEL_BYTES, multiples of 512, are in no load; if they
	   are the last, memory ends before them. None: hidden_end is 0. */
	uint64_t hidden, hidden_end;
};

struct kernel;

struct kernel *kernel_new(const struct kernel_setup *setup);
void kernel_free(struct kernel *k);

/* Make a core of it, opened. The caller's to vmcore_free(); the kernel may go on to change. */
struct vmcore *kernel_open(const struct kernel *k);

/* The same as a file: `path` is what to open it by; returns the descriptor that keeps it alive. */
int kernel_file(const struct kernel *k, char path[static 32]);

/* --- memory --- */

uint8_t *kernel_at(struct kernel *k, uint64_t paddr);

/* Put an integer into memory in the kernel's byte order. */
void kernel_put16(const struct kernel *k, uint8_t *at, uint16_t n);
void kernel_put32(const struct kernel *k, uint8_t *at, uint32_t n);
void kernel_put64(const struct kernel *k, uint8_t *at, uint64_t n);

/* `bytes` of zeros that no one has, at a multiple of `align`: the physical address; add
 * KERNEL_DIRECT_MAP for the virtual one. */
uint64_t kernel_alloc(struct kernel *k, size_t bytes, size_t align);

/* Map `vaddr` by an entry of that level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB). Returns where the entry
 * lies. */
uint64_t kernel_map(struct kernel *k, uint64_t vaddr, uint64_t paddr, unsigned level);
uint64_t kernel_top_table(const struct kernel *k); /* paddr */

/* Append a note's CPU whose stack pointer is that. */
void kernel_add_cpu(struct kernel *k, uint64_t rsp);

/* The id of the task that ran on the CPU that was appended last. */
void kernel_set_pid(struct kernel *k, uint32_t pid);

/* Append a line to VMCOREINFO. */
void kernel_add_info(struct kernel *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- struct pages: until it is set, a page is one that the kernel has allocated for itself --- */

uint8_t *kernel_page(struct kernel *k, uint64_t pfn);

/* All of [pfn, pfn + n), both multiples of 64, look like that one; of a page of the kernel's memory
 * that is shared. */
void kernel_fill(struct kernel *k, uint64_t pfn, uint64_t n, const uint8_t *page);

/* The word of a section's struct mem_section. */
void kernel_set_section(struct kernel *k, uint64_t section, uint64_t word);

void kernel_set_flag(struct kernel *k, uint64_t pfn, unsigned bit);
void kernel_set_mapcount(struct kernel *k, uint64_t pfn, uint32_t mapcount);
void kernel_set_free(struct kernel *k, uint64_t pfn, unsigned order);
void kernel_set_anon(struct kernel *k, uint64_t pfn);
void kernel_set_cache(struct kernel *k, uint64_t pfn, bool private);

/* A tail of the compound page at pfn `head`, as misleading as the kernel's are. */
void kernel_make_tail(const struct kernel *k, uint64_t head, uint8_t *page);

/* A head and its tails. */
void kernel_set_compound(struct kernel *k, uint64_t pfn, unsigned order);
void kernel_set_hugetlb(struct kernel *k, uint64_t pfn, unsigned order);
void kernel_set_slab(struct kernel *k, uint64_t pfn, unsigned order);

/* A node whose counters say that so many pages are free. */
void kernel_add_node(struct kernel *k, int64_t free_pages);

/* Where the array of pointers to nodes lies: a paddr. */
uint64_t kernel_nodes(const struct kernel *k);

#endif
