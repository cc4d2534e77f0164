/* The kernel model: the parts, and what they say together.
 * Doesn't decide about any page. */
#include "sender/kernel/kmodel.h"

#include "base/checked.h"
#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/image.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Larger counts are corrupt: the largest machines have some hundred nodes, and a node has
	   five zones. */
	NODES_MAX = 4096,
	ZONES_MAX = 16,
	NODES_AT_ONCE = 64, /* pointers to them in one read, which is a walk of page tables */

	RESERVED_STEP = 32, /* every so many pages of the image are asked for PG_reserved */
	FLAG_BITS = 24, /* above are node, zone and section. Source: Linux page-flags-layout.h */
};

/*
 * The bit of PG_reserved, which VMCOREINFO doesn't tell (12 until 6.11, 13 since): the only one
 * that most of the image's pages have. What was freed of the image (init memory, gaps) has lost it.
 * 0: not found.
 */
static uint64_t find_reserved(const struct kmodel *km)
{
	unsigned pages = 0, having[FLAG_BITS] = {0};
	uint8_t raw[STRUCT_PAGE_BYTES_MAX];
	uint64_t found = 0;

	for (uint64_t pfn = km->image.first; pfn < km->image.end; pfn += RESERVED_STEP) {
		uint64_t flags;
		bool known;

		pagemap_read(&km->pagemap, pfn, 1, raw, &known);
		if (!known)
			continue;
		pages++;
		flags = page_flags(&km->rules, raw);
		for (size_t b = 0; b < FLAG_BITS; b++)
			having[b] += (unsigned)(flags >> b & 1);
	}
	for (size_t b = 0; b < FLAG_BITS; b++)
		if (pages && having[b] > pages / 2)
			found |= UINT64_C(1) << b;
	return found & (found - 1) ? 0 : found;
}

void kmodel_init(struct kmodel *km, const struct vmcore *core, unsigned wanted,
		 struct warnings *warnings)
{
	const bool needed = wanted & ~(unsigned)(1 << CLASS_OFFLINE | 1 << CLASS_HWPOISON);
	struct error err = {0};

	*km = (struct kmodel){.core = core, .image = image_by_load(core)};
	if (!core->info) {
		if (needed)
			remark(warnings,
			       "cache, user and free pages stay in the dump: the vmcore has no "
			       "usable VMCOREINFO");
		return;
	}
	km->has_paging = paging_init(&km->paging, core, &err) == 0;
	if (km->has_paging && km->image.first == km->image.end)
		km->image = image_by_tables(&km->paging);
	if (!km->has_paging || pagemap_init(&km->pagemap, &km->paging, &err) < 0) {
		if (needed)
			remark(warnings, "cache, user and free pages stay in the dump: %s",
			       err.msg);
		return;
	}
	page_rules_init(&km->rules, core->info, core->elf.data, km->pagemap.struct_page_bytes,
			wanted, warnings);
	if (km->rules.known)
		km->reserved = find_reserved(km);
}

void kmodel_deinit(struct kmodel *km)
{
	pagemap_deinit(&km->pagemap);
}

unsigned kmodel_served_level(const struct kmodel *km, unsigned level)
{
	unsigned served = level & LEVEL_ZERO;

	for (unsigned bit = LEVEL_CACHE; bit <= LEVEL_FREE; bit <<= 1) {
		const unsigned always = page_classes_of_level(0);
		const unsigned classes = page_classes_of_level(bit) & ~always;

		if ((level & bit) && (km->rules.known & classes) == classes)
			served |= bit;
	}
	return served;
}

/* --- the zones' counters --- */

/* Where the counters lie in a node. */
struct zone_keys {
	uint64_t node_zones, nr_zones, zone_bytes, vm_stat, nr_free_pages;
};

static bool get_zone_keys(struct zone_keys *k, const struct vmcoreinfo *info)
{
	k->nr_free_pages = 0; /* the first of enum zone_stat_item on all kernels */
	vmcoreinfo_number(info, "NR_FREE_PAGES", &k->nr_free_pages);
	return vmcoreinfo_offset(info, "pglist_data.node_zones", &k->node_zones) &&
	       vmcoreinfo_offset(info, "pglist_data.nr_zones", &k->nr_zones) &&
	       vmcoreinfo_size(info, "zone", &k->zone_bytes) &&
	       vmcoreinfo_offset(info, "zone.vm_stat", &k->vm_stat) && k->nr_free_pages < 64;
}

/* What is made of each node. */
struct node_sums {
	struct zone_keys keys;
	uint64_t free_pages;
	bool has_spans;
	uint64_t start_off, spanned_off; /* of its first pfn and how many it spans, in a node */
	uint64_t end_pfn;		 /* one past the highest */
};

/* Add the free pages of the node whose pglist_data lies at `node`. */
static bool add_free_pages(struct node_sums *sums, const struct paging *p, uint64_t node)
{
	const struct zone_keys *k = &sums->keys;
	const uint64_t counter = k->vm_stat + k->nr_free_pages * kdata_word(p->core->elf.data);
	uint32_t zones;

	if (!kdata_read_u32(p, node + k->nr_zones, &zones) || zones > ZONES_MAX)
		return false;
	for (uint32_t i = 0; i < zones; i++) {
		int64_t pages;

		if (!kdata_read_long(p, node + k->node_zones + i * k->zone_bytes + counter, &pages))
			return false;
		/* A zone's counter lags behind its CPUs', and may be below 0. */
		sums->free_pages += (uint64_t)MAX(pages, INT64_C(0));
	}
	return true;
}

/* The same, and note where its memory ends. */
static bool add_node(struct node_sums *sums, const struct paging *p, uint64_t node)
{
	uint64_t start, spanned, end;

	if (sums->has_spans && kdata_read_ulong(p, node + sums->start_off, &start) &&
	    kdata_read_ulong(p, node + sums->spanned_off, &spanned) &&
	    !ckd_add(&end, start, spanned))
		sums->end_pfn = MAX(sums->end_pfn, end);
	return add_free_pages(sums, p, node);
}

/* The array of pointers to nodes. VMCOREINFO has it on x86_64; elsewhere the symbol table may. */
static bool find_nodes(const struct kmodel *km, uint64_t *vaddr_ret, uint64_t *count_ret)
{
	const struct vmcoreinfo *info = km->core->info;
	struct kallsyms_symbol sym[] = {{.name = "node_data"}, {.name = "nr_node_ids"}};
	uint32_t count;

	*count_ret = 0;
	if (vmcoreinfo_symbol(info, "node_data", vaddr_ret)) {
		vmcoreinfo_length(info, "node_data", count_ret);
		return true;
	}
	if (!kallsyms_find(&km->paging, sym, ARRAY_LEN(sym)) || !sym[0].found || !sym[1].found ||
	    !kdata_read_u32(&km->paging, sym[1].vaddr, &count))
		return false;
	*vaddr_ret = sym[0].vaddr;
	*count_ret = count;
	return true;
}

/* Add all nodes: false where one can't be reached, or there is none. */
static bool add_nodes(const struct kmodel *km, struct node_sums *sums)
{
	const struct vmcoreinfo *info = km->core->info;
	const enum elf_data data = km->core->elf.data;
	const size_t word = kdata_word(data);
	uint64_t nodes_vaddr, nodes, contiguous;
	uint8_t raw[NODES_AT_ONCE * 8];
	size_t found = 0;

	if (vmcoreinfo_symbol(info, "contig_page_data", &contiguous))
		return add_node(sums, &km->paging, contiguous);
	if (!find_nodes(km, &nodes_vaddr, &nodes))
		return false;
	nodes = MIN(nodes, (uint64_t)NODES_MAX);
	for (uint64_t i = 0; i < nodes; i++) {
		uint64_t node;

		if (i % NODES_AT_ONCE == 0 &&
		    !paging_read(&km->paging, nodes_vaddr + i * word, raw,
				 word * (size_t)MIN(nodes - i, (uint64_t)NODES_AT_ONCE)))
			return false;
		node = kdata_ulong(data, raw + i % NODES_AT_ONCE * word);
		if (node == 0)
			continue;
		if (!add_node(sums, &km->paging, node))
			return false;
		found++;
	}
	return found > 0;
}

bool kmodel_free_pages(const struct kmodel *km, uint64_t *pages_ret, uint64_t *end_pfn_ret)
{
	const struct vmcoreinfo *info = km->core->info;
	struct node_sums sums = {0};

	if (!km->has_paging || !get_zone_keys(&sums.keys, info))
		return false;
	sums.has_spans =
		vmcoreinfo_offset(info, "pglist_data.node_start_pfn", &sums.start_off) &&
		vmcoreinfo_offset(info, "pglist_data.node_spanned_pages", &sums.spanned_off);
	if (!add_nodes(km, &sums))
		return false;
	*pages_ret = sums.free_pages;
	*end_pfn_ret = MAX(sums.end_pfn, km->core->map.max_mapnr);
	return true;
}
