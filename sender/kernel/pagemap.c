/* The array of struct page.
 * Doesn't know what is in a struct page. */
#include "sender/kernel/pagemap.h"

#include <errno.h>
#include <inttypes.h>

#include "base/checked.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kdata.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

/* Flags in the low bits of mem_section.section_mem_map. Source: Linux include/linux/mmzone.h. */
enum {
	SECTION_HAS_MEM_MAP = 1 << 1,
	SECTION_IS_ONLINE = 1 << 2,

	/*
	 * The address is page-aligned by construction, so all low bits are flags, those of kernels
	 * to come included (6.15 added one at bit 5; who masks five bits reads a shifted array
	 * there).
	 */
	SECTION_FLAGS = 0xfff,

	SECTION_BYTES_AT_ONCE = 4096,
};

/* What VMCOREINFO says of the sections. */
struct section_keys {
	uint64_t roots_vaddr; /* mem_section: the array of roots, or of sections */
	uint64_t root_count;  /* its length; 0: not known */
	uint64_t entry_bytes; /* of a struct mem_section */
	uint64_t word_off;    /* of section_mem_map in it */
	uint64_t size_bits, max_physmem_bits;
};

static int get_keys(struct section_keys *k, const struct paging *paging, struct error *err)
{
	const struct vmcoreinfo *info = paging->core->info;
	const size_t word = kdata_word(paging->core->elf.data);

	*k = (struct section_keys){0};
	if (!vmcoreinfo_symbol(info, "mem_section", &k->roots_vaddr) ||
	    !vmcoreinfo_size(info, "mem_section", &k->entry_bytes) ||
	    !vmcoreinfo_offset(info, "mem_section.section_mem_map", &k->word_off))
		return error_set(err, -ENODATA, "VMCOREINFO has no memory sections (SPARSEMEM)");
	vmcoreinfo_length(info, "mem_section", &k->root_count);
	paging->arch->section_bits(info, &k->size_bits, &k->max_physmem_bits);
	vmcoreinfo_number(info, "SECTION_SIZE_BITS", &k->size_bits);
	vmcoreinfo_number(info, "MAX_PHYSMEM_BITS", &k->max_physmem_bits);
	if (k->entry_bytes < word || k->entry_bytes > 256 || k->word_off > k->entry_bytes - word)
		return error_set(err, -EBADMSG,
				 "struct mem_section of %" PRIu64 " bytes is impossible",
				 k->entry_bytes);
	if (k->size_bits < 20 || k->size_bits > 40 || k->max_physmem_bits <= k->size_bits ||
	    k->max_physmem_bits > 52)
		return error_set(err, -EBADMSG,
				 "sections of 2^%" PRIu64 " bytes in 2^%" PRIu64 " are impossible",
				 k->size_bits, k->max_physmem_bits);
	return 0;
}

/* EXTREME: an array of pointers to pages full of sections. Else it is the sections themselves. */
static bool is_extreme(const struct section_keys *k, uint64_t per_root)
{
	const uint64_t sections = UINT64_C(1) << (k->max_physmem_bits - k->size_bits);

	return k->root_count == 0 || k->root_count == div_round_up(sections, per_root);
}

/* What the words of sections are read with: those of a root at once, or as many of a flat array. */
struct section_reader {
	const struct paging *paging;
	struct section_keys keys;
	uint64_t per_root;
	bool extreme;
	uint64_t at_hand; /* one more than the number of the root whose sections are in `raw` */
	bool known;	  /* all of them could be read */
	uint8_t raw[SECTION_BYTES_AT_ONCE];
};

/* Where a section's struct mem_section is; 0: there is none. */
static uint64_t section_entry(const struct section_reader *s, uint64_t section)
{
	const struct section_keys *k = &s->keys;
	const size_t word = kdata_word(s->paging->core->elf.data);
	uint64_t root;

	if (!s->extreme)
		return k->roots_vaddr + section * k->entry_bytes;
	if (!kdata_read_ulong(s->paging, k->roots_vaddr + section / s->per_root * word, &root) ||
	    root == 0)
		return 0;
	return root + section % s->per_root * k->entry_bytes;
}

/* Read all of the section's root. Each read is a walk of page tables. */
static void read_root(struct section_reader *s, uint64_t root)
{
	const uint64_t vaddr = section_entry(s, root * s->per_root);
	const uint64_t bytes = s->per_root * s->keys.entry_bytes;

	s->at_hand = root + 1;
	s->known = vaddr && bytes <= sizeof(s->raw) &&
		   paging_read(s->paging, vaddr, s->raw, (size_t)bytes);
}

/* The section's word: where its struct pages are, with flags; 0 if there is no section. */
static uint64_t section_word(struct section_reader *s, uint64_t section)
{
	const struct section_keys *k = &s->keys;
	uint64_t entry, word;

	if (section / s->per_root + 1 != s->at_hand)
		read_root(s, section / s->per_root);
	if (s->known)
		return kdata_ulong(s->paging->core->elf.data,
				   s->raw + section % s->per_root * k->entry_bytes + k->word_off);
	/* Not all of them are there, but this one may be. */
	entry = section_entry(s, section);
	return entry && kdata_read_ulong(s->paging, entry + k->word_off, &word) ? word : 0;
}

/* Note where section `i` has its struct pages: whether it has any that can be trusted. */
static bool find_section(struct pagemap *map, struct section_reader *s, uint64_t i)
{
	const uint64_t word = section_word(s, i);
	const uint64_t need = SECTION_HAS_MEM_MAP | SECTION_IS_ONLINE;

	/* The struct pages of a section that isn't online hold nothing. */
	if ((word & need) != need)
		return false;
	/* The word holds the address minus the size of all struct pages before it. */
	map->section_vaddr[i] =
		(word & ~(uint64_t)SECTION_FLAGS) + i * map->section_pages * map->struct_page_bytes;
	return true;
}

int pagemap_init(struct pagemap *map, const struct paging *paging, struct error *err)
{
	const struct memmap *memory = &paging->core->map;

	return pagemap_init_of(map, paging, memory->ram, memory->ram_count, err);
}

int pagemap_init_of(struct pagemap *map, const struct paging *paging,
		    const struct pfn_range *ranges, size_t count, struct error *err)
{
	const struct vmcore *core = paging->core;
	struct section_reader s = {.paging = paging};
	const struct section_keys *k = &s.keys;
	uint64_t page_struct, found = 0, next = 0;
	int r = get_keys(&s.keys, paging, err);

	*map = (struct pagemap){.paging = paging, .mapnr = count ? ranges[count - 1].end : 0};
	if (r < 0)
		return r;
	if (!vmcoreinfo_size(core->info, "page", &page_struct))
		return error_set(err, -ENODATA,
				 "VMCOREINFO doesn't say how large a struct page is");
	if (page_struct < STRUCT_PAGE_BYTES_MIN || page_struct > STRUCT_PAGE_BYTES_MAX)
		return error_set(err, -EBADMSG, "a struct page of %" PRIu64 " bytes is impossible",
				 page_struct);
	map->struct_page_bytes = (size_t)page_struct;
	map->section_pages = (UINT64_C(1) << k->size_bits) / core->page_bytes;
	/* Whatever the core says: the kernel can't have more. */
	map->section_count = (size_t)MIN(div_round_up(map->mapnr, map->section_pages),
					 UINT64_C(1) << (k->max_physmem_bits - k->size_bits));
	map->section_vaddr = calloc(map->section_count + 1, sizeof(*map->section_vaddr));
	if (!map->section_vaddr)
		return error_set(err, -ENOMEM, "out of memory for %zu sections",
				 map->section_count);

	s.per_root = MAX(core->page_bytes / k->entry_bytes, UINT64_C(1));
	s.extreme = is_extreme(k, s.per_root);
	/* Between ranges of memory may lie any number of sections that don't exist. */
	for (size_t n = 0; n < count; n++) {
		const struct pfn_range *ram = &ranges[n];
		const uint64_t first = MAX(ram->first / map->section_pages, next);

		next = MIN(div_round_up(ram->end, map->section_pages),
			   (uint64_t)map->section_count);
		for (uint64_t i = first; i < next; i++)
			found += find_section(map, &s, i);
	}
	if (!found)
		return error_set(err, -ENODATA, "no memory section has struct pages");
	return 0;
}

void pagemap_deinit(struct pagemap *map)
{
	free(map->section_vaddr);
	*map = (struct pagemap){0};
}

uint64_t pagemap_vaddr(const struct pagemap *map, uint64_t pfn, uint64_t *pages_ret)
{
	const uint64_t section = pfn / map->section_pages, within = pfn % map->section_pages;

	*pages_ret = map->section_pages - within;
	if (section >= map->section_count || map->section_vaddr[section] == 0)
		return 0;
	return map->section_vaddr[section] + within * map->struct_page_bytes;
}

uint64_t pagemap_pages_in_page(const struct pagemap *map, uint64_t vaddr)
{
	const uint64_t page = map->paging->core->page_bytes;

	return MAX((page - vaddr % page) / map->struct_page_bytes, UINT64_C(1));
}

size_t pagemap_read(const struct pagemap *map, uint64_t pfn, size_t n, void *buf, bool *known_ret)
{
	const size_t bytes = map->struct_page_bytes;
	uint64_t pages;
	const uint64_t vaddr = pagemap_vaddr(map, pfn, &pages);

	n = (size_t)MIN((uint64_t)n, pages);
	*known_ret = false;
	if (!vaddr)
		return n;
	*known_ret = paging_read(map->paging, vaddr, buf, n * bytes);
	if (*known_ret)
		return n;
	/* Some of them are not there: answer for those that lie in the first page of the array. */
	n = (size_t)MIN((uint64_t)n, pagemap_pages_in_page(map, vaddr));
	*known_ret = paging_read(map->paging, vaddr, buf, n * bytes);
	return n;
}
