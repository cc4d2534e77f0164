/* What a page is for.
 * Doesn't know where struct pages come from, nor what is done with a class. */
#include "sender/kernel/pageclass.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/warnings.h"

enum {
	/* Past any huge page: x86_64's 1 GiB is 18, arm64's 16 GiB of 64 KiB pages too. */
	ORDER_MAX = 24,

	MAPPING_ANON = 1, /* Linux page-flags.h, PAGE_MAPPING_ANON; KSM pages have it too */
	COMPOUND_TAIL = 1,
};

/*
 * _mapcount of a page with a type is below that, as a signed number, on all kernels since types
 * came (4.18). Mapped pages have 0 and more, others -1. Source: Linux page-flags.h,
 * PAGE_MAPCOUNT_RESERVE.
 */
#define MAPCOUNT_TYPED INT32_C(-128)

const char *page_class_name(enum page_class class)
{
	static const char *const names[CLASS_COUNT] = {
		[CLASS_KERNEL] = "kernel",   [CLASS_CACHE] = "cache",
		[CLASS_USER] = "user",	     [CLASS_CACHE_PRIVATE] = "cache, private",
		[CLASS_FREE] = "free",	     [CLASS_OFFLINE] = "offline",
		[CLASS_HWPOISON] = "poison",
	};

	return names[class];
}

unsigned page_classes_of_level(unsigned level)
{
	unsigned classes = 1 << CLASS_OFFLINE | 1 << CLASS_HWPOISON;

	if (level & (LEVEL_CACHE | LEVEL_CACHE_PRIVATE)) /* the second means both */
		classes |= 1 << CLASS_CACHE;
	if (level & LEVEL_CACHE_PRIVATE)
		classes |= 1 << CLASS_CACHE_PRIVATE;
	if (level & LEVEL_USER)
		classes |= 1 << CLASS_USER;
	if (level & LEVEL_FREE)
		classes |= 1 << CLASS_FREE;
	return classes;
}

/* --- the rules from VMCOREINFO --- */

/* The offset of a field of `bytes` bytes in struct page: false if it is missing or lies outside. */
static bool get_field(const struct vmcoreinfo *info, const char *name, size_t bytes,
		      size_t struct_page_bytes, size_t *off_ret)
{
	uint64_t off;

	if (!vmcoreinfo_offset(info, name, &off) || off > struct_page_bytes - bytes)
		return false;
	*off_ret = (size_t)off;
	return true;
}

/* The same for a field of the first tail page that the kernel gives as one of struct folio, which
 * begins at the head. */
static bool get_tail_field(const struct vmcoreinfo *info, const char *name,
			   size_t struct_page_bytes, size_t *off_ret)
{
	uint64_t off;

	if (!vmcoreinfo_offset(info, name, &off) || off < struct_page_bytes ||
	    off >= 2 * struct_page_bytes)
		return false;
	*off_ret = (size_t)off - struct_page_bytes;
	return true;
}

static uint64_t get_flag(const struct vmcoreinfo *info, const char *name)
{
	uint64_t bit;

	return vmcoreinfo_number(info, name, &bit) && bit < 64 ? UINT64_C(1) << bit : 0;
}

/*
 * The value that _mapcount has for a type. Until 6.11 all of it counts; from 6.12 on the type is
 * the top byte, and owners may use the rest. Source: Linux page-flags.h, enum pagetype.
 */
static struct page_type get_type(const struct vmcoreinfo *info, const char *name)
{
	uint64_t n;
	uint32_t value;

	if (!vmcoreinfo_number(info, name, &n))
		return (struct page_type){0};
	value = (uint32_t)n; /* printed as a negative long */
	if ((value & 0xffffff) == 0 && value >= UINT32_C(0xf0000000))
		return (struct page_type){.value = value, .mask = UINT32_C(0xff000000)};
	return (struct page_type){.value = value, .mask = UINT32_MAX};
}

/* How the first tail page tells the order, and hugetlb pages. The newest way first: a kernel
 * exports one of them. */
static void get_compound_rules(struct page_rules *r, const struct vmcoreinfo *info)
{
	const size_t size = r->struct_page_bytes;

	r->hugetlb_flag = get_flag(info, "PG_hugetlb"); /* 6.6 to 6.8 */
	if (r->type_hugetlb.mask || r->hugetlb_flag)
		r->order_kind = ORDER_IN_FLAGS; /* the low byte, since 6.6 */
	else if (get_tail_field(info, "folio._folio_order", size, &r->order_off) || /* 6.3 to 6.5 */
		 get_field(info, "page.compound_order", 1, size, &r->order_off))    /* until 6.2 */
		r->order_kind = ORDER_BYTE;
	if (get_tail_field(info, "folio._folio_dtor", size, &r->dtor_off) ||
	    get_field(info, "page.compound_dtor", 1, size, &r->dtor_off))
		vmcoreinfo_number(info, "HUGETLB_PAGE_DTOR", &r->hugetlb_dtor);
}

static void get_numbers(struct page_rules *r, const struct vmcoreinfo *info)
{
	uint64_t n;

	r->lru = get_flag(info, "PG_lru");
	r->private = get_flag(info, "PG_private");
	r->swapcache = get_flag(info, "PG_swapcache");
	r->swapbacked = get_flag(info, "PG_swapbacked");
	r->hwpoison = get_flag(info, "PG_hwpoison");
	r->type_buddy = get_type(info, "PAGE_BUDDY_MAPCOUNT_VALUE");
	r->type_offline = get_type(info, "PAGE_OFFLINE_MAPCOUNT_VALUE");
	r->type_slab = get_type(info, "PAGE_SLAB_MAPCOUNT_VALUE");
	r->type_hugetlb = get_type(info, "PAGE_HUGETLB_MAPCOUNT_VALUE");
	r->type_unaccepted = get_type(info, "PAGE_UNACCEPTED_MAPCOUNT_VALUE");
	/* Where slab is a type (6.10), the old flag's bit means something else. */
	r->slab = r->type_slab.mask ? 0 : get_flag(info, "PG_slab");
	if (vmcoreinfo_number(info, "PG_head_mask", &n))
		r->head_mask = n;
	r->checked_flags = r->lru | r->private | r->swapcache | r->swapbacked | r->slab |
			   r->hwpoison | r->head_mask;
	if (vmcoreinfo_length(info, "zone.free_area", &n) && n > 0 && n <= ORDER_MAX)
		r->free_orders = (unsigned)n;
}

/* `what` is a class that was wanted and can't be told for want of `key`. */
static void cant_tell(struct warnings *warnings, const char *what, const char *key)
{
	remark(warnings, "%s pages stay in the dump: VMCOREINFO has no usable %s", what, key);
}

static bool check_base(struct page_rules *r, const struct vmcoreinfo *info,
		       const char **missing_ret)
{
	const size_t size = r->struct_page_bytes, word = kdata_word(r->data);

	*missing_ret = "OFFSET(page.flags)";
	if (!get_field(info, "page.flags", word, size, &r->flags_off))
		return false;
	*missing_ret = "OFFSET(page.compound_head)";
	if (!get_field(info, "page.compound_head", word, size, &r->compound_off) &&
	    !get_field(info, "page.compound_info", word, size, &r->compound_off)) /* 7.1 */
		return false;
	*missing_ret = "OFFSET(page._mapcount)";
	if (!get_field(info, "page._mapcount", 4, size, &r->mapcount_off))
		return false;
	*missing_ret = "PG_slab or PAGE_SLAB_MAPCOUNT_VALUE";
	return r->slab || r->type_slab.mask;
}

void page_rules_init(struct page_rules *r, const struct vmcoreinfo *info, enum elf_data data,
		     size_t struct_page_bytes, unsigned wanted, struct warnings *warnings)
{
	const unsigned cache = 1 << CLASS_CACHE | 1 << CLASS_CACHE_PRIVATE;
	const size_t word = kdata_word(data);
	const char *missing;
	bool has_mapping;

	*r = (struct page_rules){.data = data, .struct_page_bytes = struct_page_bytes};
	get_numbers(r, info);
	get_compound_rules(r, info);
	if (!check_base(r, info, &missing)) {
		if (wanted & ~page_classes_of_level(0))
			cant_tell(warnings, "cache, user and free", missing);
		return;
	}
	has_mapping = get_field(info, "page.mapping", word, struct_page_bytes, &r->mapping_off);
	if (has_mapping)
		r->known |= 1 << CLASS_USER;
	else if (wanted & (cache | 1 << CLASS_USER))
		cant_tell(warnings, "cache and user", "page.mapping");

	if (has_mapping && r->lru && r->private && r->swapcache && r->swapbacked)
		r->known |= cache;
	else if (has_mapping && (wanted & cache))
		cant_tell(warnings, "cache", "PG_lru, PG_private, PG_swapcache or PG_swapbacked");

	if (r->type_buddy.mask && r->free_orders &&
	    get_field(info, "page.private", word, struct_page_bytes, &r->private_off))
		r->known |= 1 << CLASS_FREE;
	else if (wanted & 1 << CLASS_FREE)
		cant_tell(warnings, "free",
			  "PAGE_BUDDY_MAPCOUNT_VALUE, page.private or zone.free_area");

	if ((wanted & 1 << CLASS_USER) && (r->order_kind == ORDER_UNKNOWN || !r->head_mask))
		remark(warnings,
		       "only the first page of each huge page is left out: VMCOREINFO doesn't say "
		       "where a compound page's order is");

	/* Optional features: a kernel without them has no such pages. */
	if (r->type_offline.mask)
		r->known |= 1 << CLASS_OFFLINE;
	if (r->hwpoison)
		r->known |= 1 << CLASS_HWPOISON;
}

/*
 * --- judging ---
 *
 * Each of these takes the layout of integers by itself, so that the compiler makes two of all that
 * is called for each page: one for little-endian 64-bit kernels, in which it is a constant, and one
 * for all others.
 */

static ALWAYS_INLINE uint64_t get_flags(enum elf_data d, const struct page_rules *r,
					const uint8_t *page)
{
	return kdata_ulong(d, page + r->flags_off);
}

static ALWAYS_INLINE bool is_tail(enum elf_data d, const struct page_rules *r, const uint8_t *page)
{
	return kdata_ulong(d, page + r->compound_off) & COMPOUND_TAIL;
}

static ALWAYS_INLINE bool is_typed(enum elf_data d, const struct page_rules *r, const uint8_t *page)
{
	return (int32_t)kdata_u32(d, page + r->mapcount_off) < MAPCOUNT_TYPED;
}

static bool is_type(struct page_type type, uint32_t mapcount)
{
	return type.mask && (mapcount & type.mask) == (type.value & type.mask);
}

/* 2^order, if that is possible for a block that begins at pfn; else 1. */
static uint64_t block_pages(uint64_t pfn, uint64_t order)
{
	const uint64_t pages = order <= ORDER_MAX ? UINT64_C(1) << order : 1;

	return pfn % pages ? 1 : pages;
}

static ALWAYS_INLINE uint64_t compound_pages(enum elf_data d, const struct page_rules *r,
					     uint64_t pfn, const uint8_t *next)
{
	switch (r->order_kind) {
	case ORDER_BYTE:
		return block_pages(pfn, next[r->order_off]);
	case ORDER_IN_FLAGS:
		return block_pages(pfn, get_flags(d, r, next) & 0xff);
	case ORDER_UNKNOWN:
		break;
	}
	return 1;
}

static ALWAYS_INLINE bool is_hugetlb(enum elf_data d, const struct page_rules *r, uint32_t mapcount,
				     const uint8_t *next)
{
	if (r->type_hugetlb.mask)
		return is_type(r->type_hugetlb, mapcount);
	if (r->hugetlb_flag)
		return get_flags(d, r, next) & r->hugetlb_flag;
	return r->hugetlb_dtor && next[r->dtor_off] == r->hugetlb_dtor;
}

static struct page_verdict verdict(enum page_class class, uint64_t pages)
{
	return (struct page_verdict){.class = class, .pages = pages};
}

/* A page of the buddy allocator: `private` is the order of the block that begins here. */
static ALWAYS_INLINE struct page_verdict check_free(enum elf_data d, const struct page_rules *r,
						    uint64_t pfn, const uint8_t *page)
{
	const uint64_t order = kdata_ulong(d, page + r->private_off);

	/* One corrupt word must not drop thousands of pages: the order has to be one, and the block
	 * aligned to it. */
	if (order >= r->free_orders || pfn % (UINT64_C(1) << order))
		return (struct page_verdict){.class = CLASS_KERNEL, .pages = 1, .odd = true};
	return verdict(CLASS_FREE, UINT64_C(1) << order);
}

static ALWAYS_INLINE struct page_verdict classify(enum elf_data d, const struct page_rules *r,
						  uint64_t pfn, const uint8_t *page,
						  const uint8_t *next)
{
	const uint64_t flags = get_flags(d, r, page);
	const uint32_t mapcount = kdata_u32(d, page + r->mapcount_off);
	/* Torn where no tail comes behind: it was just made, or is being taken apart. */
	const bool head = (flags & r->head_mask) && next && is_tail(d, r, next);
	const uint64_t pages = head ? compound_pages(d, r, pfn, next) : 1;
	bool anon, hugetlb;

	/* First of all: in tails and slabs, mapping and private hold other things. */
	if (is_tail(d, r, page))
		return verdict(CLASS_KERNEL, 1);
	if ((flags & r->slab) || is_type(r->type_slab, mapcount))
		return verdict(CLASS_KERNEL, 1);

	if (r->known & 1 << CLASS_FREE) {
		if (is_type(r->type_buddy, mapcount))
			return check_free(d, r, pfn, page);
		if (is_type(r->type_unaccepted, mapcount))
			return verdict(CLASS_FREE, block_pages(pfn, r->free_orders - 1));
	}
	if (is_type(r->type_offline, mapcount))
		return verdict(CLASS_OFFLINE, pages);

	hugetlb = head && is_hugetlb(d, r, mapcount, next);
	/* The kernel notes a broken page of a hugetlb page at its head: none of it can be trusted.
	 */
	if (hugetlb && (flags & r->hwpoison))
		return verdict(CLASS_HWPOISON, pages);
	if (hugetlb)
		return verdict(CLASS_USER, pages);
	/* Every other type (page tables, guards, zsmalloc, …) is the kernel's. */
	if (is_typed(d, r, page))
		return verdict(CLASS_KERNEL, 1);

	if (!(r->known & 1 << CLASS_USER))
		return verdict(CLASS_KERNEL, 1);
	anon = kdata_ulong(d, page + r->mapping_off) & MAPPING_ANON;
	if (anon)
		return verdict(CLASS_USER, pages);
	if ((flags & r->lru) || ((flags & r->swapbacked) && (flags & r->swapcache)))
		return verdict(flags & r->private ? CLASS_CACHE_PRIVATE : CLASS_CACHE, pages);
	return verdict(CLASS_KERNEL, 1);
}

static COLD struct page_verdict classify_other(const struct page_rules *r, uint64_t pfn,
					       const uint8_t *page, const uint8_t *next)
{
	return classify(r->data, r, pfn, page, next);
}

HOT struct page_verdict page_classify(const struct page_rules *r, uint64_t pfn, const uint8_t *page,
				      const uint8_t *next)
{
	return r->data == ELF_DATA_LE64 ? classify(ELF_DATA_LE64, r, pfn, page, next)
					: classify_other(r, pfn, page, next);
}

/* --- runs of pages that are judged alike --- */

/* How many tails follow each other, that agree in `flags`. */
static ALWAYS_INLINE size_t count_tails(enum elf_data d, const struct page_rules *r,
					const uint8_t *page, size_t n, uint64_t flags)
{
	const uint64_t first = get_flags(d, r, page);
	size_t i = 1;

	while (i < n && is_tail(d, r, page + i * r->struct_page_bytes) &&
	       !((get_flags(d, r, page + i * r->struct_page_bytes) ^ first) & flags))
		i++;
	return i;
}

static ALWAYS_INLINE size_t count_alike(enum elf_data d, const struct page_rules *r,
					const uint8_t *page, size_t n, uint64_t flags)
{
	const uint64_t first = get_flags(d, r, page);
	const uint64_t mapping = kdata_ulong(d, page + r->mapping_off);
	const uint64_t mask = r->checked_flags | flags;
	size_t i = 1;

	if (is_tail(d, r, page))
		return count_tails(d, r, page, n, r->hwpoison | flags);
	/* With a head's order or a type's number there is more to be looked at than here. */
	if ((first & r->head_mask) || is_typed(d, r, page))
		return 1;
	for (; i < n; i++) {
		const uint8_t *p = page + i * r->struct_page_bytes;

		if (((get_flags(d, r, p) ^ first) & mask) ||
		    ((kdata_ulong(d, p + r->mapping_off) ^ mapping) & MAPPING_ANON) ||
		    is_tail(d, r, p) || is_typed(d, r, p))
			break;
	}
	return i;
}

static COLD size_t count_alike_other(const struct page_rules *r, const uint8_t *page, size_t n,
				     uint64_t flags)
{
	return count_alike(r->data, r, page, n, flags);
}

HOT size_t page_run(const struct page_rules *r, const uint8_t *page, size_t n, uint64_t flags)
{
	return r->data == ELF_DATA_LE64 ? count_alike(ELF_DATA_LE64, r, page, n, flags)
					: count_alike_other(r, page, n, flags);
}

COLD uint64_t page_flags_other(const struct page_rules *r, const uint8_t *page)
{
	return get_flags(r->data, r, page);
}

bool page_is_hwpoison(const struct page_rules *r, const uint8_t *page)
{
	return page_flags(r, page) & r->hwpoison;
}
