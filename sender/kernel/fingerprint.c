/* Some of memory into a digest.
 * Doesn't know what the digest is for. */
#include "sender/kernel/fingerprint.h"

#include <errno.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/crc32c.h"
#include "base/digest.h"
#include "sender/kernel/kernel.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/vmcore/vmcore.h"

/* In place of a page's CRC, which has 32 bits. */
#define NOT_READ UINT64_C(0x100000000) /* for what it is */
#define LOST	 UINT64_C(0x100000001)

struct fingerprint {
	const struct kmodel *km;
	const struct vmcore *core;
	struct digester *digester;
	struct page_source *source;
	struct pagewalk *walk; /* NULL: what pages are for isn't known */
	uint64_t pages;	       /* pages that were added by now */
};

static void add_page(struct fingerprint *f, uint64_t pfn, uint64_t value)
{
	uint8_t raw[16];

	le64_put(raw, pfn);
	le64_put(raw + 8, value);
	digester_add(f->digester, raw, sizeof(raw));
	f->pages++;
}

/* Pages [pfn, pfn + n) as they are in memory; n is what one read takes at the most. */
static void add_content(struct fingerprint *f, uint64_t pfn, size_t n)
{
	const size_t bytes = (size_t)f->core->page_bytes;
	uint64_t lost;
	const uint8_t *page = page_source_get(f->source, pfn, n, &lost);

	for (size_t i = 0; i < n; i++, page += bytes)
		add_page(f, pfn + i, lost >> i & 1 ? LOST : crc32c(0, page, bytes));
}

/* How many pages from pfn on are alike in whether they may be read: that is the kernel's own ones,
 * unless their memory is broken. */
static uint64_t check(struct fingerprint *f, uint64_t pfn, uint64_t end, bool *readable_ret)
{
	struct page_run run;

	*readable_ret = true;
	if (!f->walk)
		return end - pfn;
	run = pagewalk_next(f->walk, pfn, end, f->km->rules.hwpoison);
	*readable_ret = run.class == CLASS_KERNEL && !(run.flags & f->km->rules.hwpoison);
	return MIN(run.pages, end - pfn);
}

static int add_range(struct fingerprint *f, uint64_t pfn, uint64_t end, struct error *err)
{
	const uint64_t most = PAGE_RUN_BYTES / f->core->page_bytes;

	while (pfn < end) {
		bool readable;
		const uint64_t n = check(f, pfn, MIN(end, pfn + most), &readable);

		if (stop_check(&f->core->stop, err) < 0)
			return err->code;
		if (readable)
			add_content(f, pfn, (size_t)n);
		for (uint64_t i = 0; !readable && i < n; i++)
			add_page(f, pfn + i, NOT_READ);
		pfn += n;
	}
	return 0;
}

/*
 * The block of memory that has `paddr`, and the one before it, as far as they have data. A block is
 * as long as the buddy allocator's largest where pages have 4 KiB, so that none reaches into it
 * from before. Larger pages have larger ones: pages inside of these are taken for the kernel's.
 */
static int add_blocks(struct fingerprint *f, uint64_t paddr, struct error *err)
{
	const struct memmap *map = &f->core->map;
	const uint64_t page_bytes = f->core->page_bytes;
	const uint64_t block = paddr / FINGERPRINT_BLOCK_BYTES * FINGERPRINT_BLOCK_BYTES;
	const uint64_t first = (block - MIN(block, FINGERPRINT_BLOCK_BYTES)) / page_bytes;
	const uint64_t end = (block + FINGERPRINT_BLOCK_BYTES) / page_bytes;
	int r = 0;

	for (size_t i = 0; i < map->data_count && r == 0; i++)
		r = add_range(f, MAX(map->data[i].first, first), MIN(map->data[i].end, end), err);
	return r;
}

/* Pages of all memory that has data, as far apart from each other as their number makes them. */
static int add_sample(struct fingerprint *f, struct error *err)
{
	const struct memmap *map = &f->core->map;
	uint64_t all = 0, before = 0, wanted, next = 0;
	int r = 0;

	for (size_t i = 0; i < map->data_count; i++)
		all += map->data[i].end - map->data[i].first;
	wanted = MIN(all, (uint64_t)FINGERPRINT_SAMPLE_PAGES);
	for (size_t i = 0; i < map->data_count && r == 0; i++) {
		const struct pfn_range *range = &map->data[i];
		const uint64_t pages = range->end - range->first;

		/* All of them: in long reads. */
		if (wanted == all)
			r = add_range(f, range->first, range->end, err);
		/* There are fewer than 2^38 pages of 4 KiB below 2^50 bytes: this doesn't wrap. */
		for (; wanted < all && next < wanted && next * all / wanted < before + pages &&
		       r == 0;
		     next++) {
			const uint64_t pfn = range->first + (next * all / wanted - before);

			r = add_range(f, pfn, pfn + 1, err);
		}
		before += pages;
	}
	return r;
}

/*
 * Where the kernel's variables lie, the count of its ticks among them: where its name does, or the
 * top page table. Source: Linux include/asm-generic/vmlinux.lds.h: both are in .data, what is
 * aligned to cache lines (jiffies_64) before most others.
 */
static bool find_data(const struct kmodel *km, uint64_t *paddr_ret)
{
	struct kdump_utsname uts;

	if (kernel_utsname(km->core, &uts))
		return kernel_utsname_paddr(km->core, paddr_ret);
	*paddr_ret = km->paging.root_paddr;
	return km->has_paging;
}

int fingerprint_memory(const struct kmodel *km, struct digester *d, struct error *err)
{
	AUTO(page_source_free) struct page_source *source = NULL;
	AUTO(pagewalk_free) struct pagewalk *walk = NULL;
	struct fingerprint f = {.km = km, .core = km->core, .digester = d};
	int r = page_source_new(km->core, &source, err);
	uint64_t paddr;

	if (r == 0 && km->rules.known)
		r = pagewalk_new(km, &walk, err);
	if (r < 0)
		return r;
	f.source = source;
	f.walk = walk;
	if (find_data(km, &paddr))
		r = add_blocks(&f, paddr, err);
	return r == 0 && f.pages == 0 ? add_sample(&f, err) : r;
}
