/* Any VMCOREINFO, page tables and struct pages: the model, the filter, the essential set, the
 * symbol table and the log end, stay in their bounds, and agree with themselves.
 *
 * The input is a made-up kernel that is changed: 4 bytes choose it, changes follow.
 *   series, what is odd (see below), dump level, chunk size and threads
 *   'i' LENGTH text             lines put in front of VMCOREINFO
 *   'p' PFN(2) OFFSET LENGTH bytes    in the struct page of that pfn
 *   'k' PFN(2) KIND ORDER       a page, or compound page, of that kind
 *   'm' PADDR(3) LENGTH bytes   in memory
 *   't' PAGE INDEX(2) ENTRY(8)  in a page table: the top one, or the PAGE-th page behind the image,
 *                               where the others begin */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/reader.h"
#include "sender/kernel/dmesg.h"
#include "sender/kernel/kernel.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/pages/sending_order.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernelsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PAGES = 6144,	    /* of memory */
	NEAR_PAGES = PAGES, /* those that changes reach */
	ORDER_MAX = 10,
	TAKEN = 48, /* changes that take memory of the kernel's; there is no more */

	ODD_LEVELS = 1,
	ODD_SECTIONS = 2,
	ODD_SCATTERED = 4,
	ODD_IMAGE = 8,
	ODD_ENCRYPTED = 16,
	ODD_INFO = 32,
	SYMBOLS = 64,
	NODES = 128,
};

/* --- the kernel --- */

static const struct kernel_symbol symbols[] = {
	{"A__per_cpu_start", 0},
	{"Acurrent_task", 0x1000},
	{"T_stext", KERNEL_IMAGE_VADDR},
	{"D_sdata", KERNEL_IMAGE_VADDR + 0x20000},
	{"D__per_cpu_offset", KERNEL_IMAGE_VADDR + 0x30000},
	{"Dnr_cpu_ids", KERNEL_IMAGE_VADDR + 0x31000},
};

/* A log of 16 messages at most, two of which are there; all of it in one page, for 'm' to change.
 */
static void add_log(struct kernel *k)
{
	const uint64_t at = kernel_alloc(k, KERNEL_PAGE, KERNEL_PAGE);
	uint8_t *ring = kernel_at(k, at);
	enum { DESCS = 0x100, INFOS = 0x300, TEXT = 0x800 };

	le64_put(ring, KERNEL_DIRECT_MAP + at + 8);
	le32_put(ring + 8, 4);
	le64_put(ring + 16, KERNEL_DIRECT_MAP + at + DESCS);
	le64_put(ring + 24, KERNEL_DIRECT_MAP + at + INFOS);
	le64_put(ring + 32, 18); /* head, tail */
	le64_put(ring + 40, 17);
	le32_put(ring + 48, 10);
	le64_put(ring + 56, KERNEL_DIRECT_MAP + at + TEXT);
	for (uint64_t id = 17; id <= 18; id++) {
		uint8_t *desc = ring + DESCS + id % 16 * 24, *text = ring + TEXT + id * 32;

		le64_put(desc, id | UINT64_C(2) << 62);
		le64_put(desc + 8, id * 32);
		le64_put(desc + 16, id * 32 + 32);
		le16_put(ring + INFOS + id % 16 * 24 + 16, 24);
		le64_put(text, id);
		memcpy(text + 8, "Kernel panic\n\x1b not sync", 24);
	}
	kernel_add_info(
		k,
		"SYMBOL(prb)=%llx\nSIZE(printk_ringbuffer)=64\nSIZE(prb_desc)=24\n"
		"SIZE(printk_info)=24\nOFFSET(printk_ringbuffer.desc_ring)=0\n"
		"OFFSET(printk_ringbuffer.text_data_ring)=40\nOFFSET(prb_desc_ring.count_bits)=0\n"
		"OFFSET(prb_desc_ring.descs)=8\nOFFSET(prb_desc_ring.infos)=16\n"
		"OFFSET(prb_desc_ring.head_id)=24\nOFFSET(prb_desc_ring.tail_id)=32\n"
		"OFFSET(prb_data_ring.size_bits)=0\nOFFSET(prb_data_ring.data)=8\n"
		"OFFSET(prb_desc.state_var)=0\nOFFSET(prb_desc.text_blk_lpos)=8\n"
		"OFFSET(prb_data_blk_lpos.begin)=0\nOFFSET(prb_data_blk_lpos.next)=8\n"
		"OFFSET(printk_info.ts_nsec)=8\nOFFSET(printk_info.text_len)=16\n"
		"OFFSET(printk_info.caller_id)=20\nOFFSET(atomic_long_t.counter)=0\n",
		(unsigned long long)(KERNEL_DIRECT_MAP + at));
}

static void put_kind(struct kernel *k, uint64_t pfn, unsigned kind, unsigned order)
{
	/* A head needs room for its tails. */
	pfn = pfn % NEAR_PAGES >> order << order;
	switch (kind % 6) {
	case 0:
		kernel_set_free(k, pfn, order);
		break;
	case 1:
		kernel_set_anon(k, pfn);
		break;
	case 2:
		kernel_set_cache(k, pfn, order & 1);
		break;
	case 3:
		kernel_set_compound(k, pfn, order);
		break;
	case 4:
		kernel_set_hugetlb(k, pfn, order);
		break;
	default:
		kernel_set_slab(k, pfn, order);
		break;
	}
}

static bool skip_change(struct rd *r, uint8_t op)
{
	const uint8_t *p = rd_bytes(r, op == 't' ? 11 : 4);

	if (p && op != 't')
		p = rd_bytes(r, p[3]);
	return p != NULL;
}

/* A change of the struct pages: false at the end of the input. Others are passed over. */
static bool change_pages(struct kernel *k, struct rd *r, unsigned *taken)
{
	const uint8_t *op = rd_bytes(r, 1), *bytes;
	uint64_t at, n;

	if (!op)
		return false;
	switch (*op) {
	case 'p': {
		const uint8_t *p = rd_bytes(r, 4);

		if (!p || ++*taken > TAKEN)
			return false;
		at = MIN((uint64_t)p[2], (uint64_t)KERNEL_PAGE_STRUCT);
		n = MIN((uint64_t)p[3], KERNEL_PAGE_STRUCT - at);
		bytes = rd_bytes(r, p[3]);
		if (!bytes)
			return false;
		memcpy(kernel_page(k, le16_get(p) % NEAR_PAGES) + at, bytes, n);
		return true;
	}
	case 'k': {
		const uint8_t *p = rd_bytes(r, 4);

		*taken += 6; /* a large one's tails */
		if (!p || *taken > TAKEN)
			return false;
		put_kind(k, le16_get(p), p[2], 1 + p[3] % ORDER_MAX);
		return true;
	}
	case 'm':
	case 't':
		return skip_change(r, *op);
	default:
		return true;
	}
}

/* A change of memory, which comes when all else is made: the kernel can't be changed in any other
 * way after it. */
static bool change_memory(struct kernel *k, struct rd *r)
{
	const uint8_t *op = rd_bytes(r, 1), *p;
	uint64_t at, n;

	if (!op)
		return false;
	switch (*op) {
	case 'm':
	case 'p':
		p = rd_bytes(r, 4);
		n = p ? p[3] : 0;
		at = p ? (le32_get(p) & 0xffffff) % KERNEL_BYTES : 0;
		p = rd_bytes(r, n);
		if (p && *op == 'm')
			memcpy(kernel_at(k, at), p, MIN(n, KERNEL_BYTES - at));
		return p != NULL;
	case 't':
		p = rd_bytes(r, 11);
		if (!p)
			return false;
		at = p[0] ? KERNEL_IMAGE + KERNEL_IMAGE_BYTES + (p[0] - 1U) * KERNEL_PAGE
			  : kernel_top_table(k);
		memcpy(kernel_at(k, at + le16_get(p + 1) % 512 * 8), p + 3, 8);
		return true;
	case 'k':
		return rd_bytes(r, 4);
	default:
		return true;
	}
}

/* The lines of 'i', which come first: they are part of what the kernel is made from. */
static char *take_info(struct rd *r)
{
	const uint8_t *p = rd_left(r) > 2 ? r->pos : NULL;
	char *text = NULL;

	if (p && p[0] == 'i' && rd_left(r) >= 2U + p[1]) {
		rd_bytes(r, 2);
		text = strndup((const char *)rd_bytes(r, p[1]), p[1]);
	}
	return text;
}

/* --- what must hold --- */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int take(void *ctx, const char *text, size_t bytes, struct error *err UNUSED)
{
	size_t *sum = ctx;

	for (size_t i = 0; i < bytes; i++)
		must(text[i] == '\n' || text[i] == '\t' || (text[i] >= ' ' && text[i] <= '~'));
	*sum += bytes;
	return 0;
}

static struct pageset *filter(const struct kmodel *km, unsigned level, unsigned bits,
			      unsigned threads, struct filter_result *result)
{
	const struct filter_setup setup = {.km = km,
					   .exclude = page_classes_of_level(level),
					   .threads = threads,
					   .chunk_bits = bits};
	struct warnings warnings = {0};
	struct pageset *pages = NULL;
	struct error err;

	must(filter_run(&setup, &pages, result, &warnings, &err) == 0);
	return pages;
}

/* Chunk size and threads change nothing; the classes add up to all there is. */
static void check_filter(const struct kmodel *km, unsigned level, unsigned how)
{
	const unsigned bits =
		FILTER_CHUNK_BITS_MIN + how % (FILTER_CHUNK_BITS_MAX - FILTER_CHUNK_BITS_MIN + 1);
	const uint64_t mapnr = km->core->map.max_mapnr;
	struct filter_result one, two;
	struct pageset *a = filter(km, level, bits, how / 16 % 3, &one);
	struct pageset *b = filter(km, level, FILTER_CHUNK_BITS, 0, &two);
	uint8_t a_bits[4096], b_bits[4096];
	uint64_t sum = 0, left_out = 0;

	for (uint64_t at = 0; at * 8 < mapnr; at += sizeof(a_bits)) {
		pageset_read(a, at, a_bits, sizeof(a_bits));
		pageset_read(b, at, b_bits, sizeof(b_bits));
		must(memcmp(a_bits, b_bits, sizeof(a_bits)) == 0);
	}
	must(memcmp(&one, &two, sizeof(one)) == 0);
	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		sum += one.classes[i];
		if (page_classes_of_level(level) & km->rules.known & 1U << i)
			left_out += one.classes[i];
	}
	must(sum == 0 || sum == mapnr);
	must(pageset_count(a) == mapnr - left_out);
	pageset_free(a);
	pageset_free(b);
}

static void check_order(const struct kmodel *km)
{
	struct warnings warnings = {0};
	struct sending_order order;
	struct error err;
	uint64_t pages = 0;

	must(sending_order_init(&order, km, &warnings, &err) == 0);
	for (size_t i = 0; i < order.count; i++) {
		must(order.extents[i].first < order.extents[i].end);
		pages += order.extents[i].end - order.extents[i].first;
	}
	must(pages == km->core->map.max_mapnr);
	sending_order_deinit(&order);
}

static void check(const struct vmcore *core, unsigned level, unsigned how)
{
	const unsigned wanted = page_classes_of_level(level);
	struct warnings warnings = {0};
	struct kdump_utsname uts;
	struct kmodel km;
	struct error err;
	size_t sum = 0;

	kmodel_init(&km, core, wanted, &warnings);
	must((kmodel_served_level(&km, level) & ~level) == 0);
	check_filter(&km, level, how);
	check_order(&km);
	if (km.has_paging)
		must(dmesg_read(&km.paging, take, &sum, &err) <= INT32_MAX);
	kernel_utsname(core, &uts);
	kmodel_deinit(&km);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size), changes;
	const uint8_t *choice = rd_bytes(&r, 4);
	AUTO_FREE char *info = NULL;
	struct kernel_setup setup = {.pages = PAGES};
	unsigned taken = 0;
	struct vmcore *core;
	struct error err;
	struct kernel *k;
	char path[32];
	int fd;

	if (!choice)
		return 0;
	info = take_info(&r);
	setup.series = &kernel_series[choice[0] % kernel_series_count];
	setup.levels = choice[1] & ODD_LEVELS ? 5 : 4;
	setup.flat_sections = choice[1] & ODD_SECTIONS;
	setup.scattered = choice[1] & ODD_SCATTERED;
	setup.no_image_load = choice[1] & ODD_IMAGE;
	setup.sme_mask = choice[1] & ODD_ENCRYPTED ? UINT64_C(1) << 47 : 0;
	setup.no_info = choice[1] & ODD_INFO;
	setup.more = info;
	k = kernel_new(&setup);
	kernel_add_cpu(k, KERNEL_DIRECT_MAP + 0x3f00);
	add_log(k);
	if (choice[1] & SYMBOLS)
		kernel_add_symbols(k, symbols, ARRAY_LEN(symbols), choice[3] % 3);
	if (choice[1] & NODES)
		kernel_add_node(k, 1000);
	changes = r;
	while (change_pages(k, &r, &taken))
		;
	while (change_memory(k, &changes))
		;
	fd = kernel_file(k, path);
	kernel_free(k);
	if (vmcore_open(path, VMCORE_ACCESS_READ, &core, &err) == 0) {
		check(core, choice[2] % (LEVEL_MAX + 1), choice[3]);
		vmcore_free(core);
	}
	close(fd);
	return 0;
}
