/* Sums of memory: docs/ARCHITECTURE.md, "Memory".
 * Doesn't take any, nor know what the system has. */
#include "sender/pages/budget.h"

#include "base/checked.h"
#include "base/compiler.h"
#include "format/flat.h"
#include "sender/machine/meminfo.h"
#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"
#include "sender/threads/pipeline.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Code, libraries, stacks and the C library's own: measured, and rounded up. */
	BASE_BYTES = 9 << 20,
	/* What a thread of the filter pass takes: struct pages, and bits of the chunks. */
	FILTER_THREAD_BYTES = 640 << 10,
	/* So much of a bitmap there is room for in any case. */
	PAGES_BYTES_MIN = 1 << 20,
	/* Of a core that is opened, for each program header: the loads and, as long as the memory
	   map is made of them, what it is made in. */
	PHDR_BYTES = 400,
	/* The least page, of which there are most, and the least section that has a word. */
	LEAST_PAGE_BYTES = 4096,
	LEAST_SECTION_BYTES = 128 << 20,
};

/* The page pass, but for the bitmap. */
static uint64_t page_pass_bytes(const struct budget_setup *s, unsigned threads)
{
	const uint64_t slot = CHUNK_BYTES + 2 * s->core->page_bytes;
	const uint64_t slots = threads ? (uint64_t)threads * PIPELINE_ITEMS_PER_WORKER : 1;
	const uint64_t worker = PAGE_RUN_BYTES + s->codec_bytes;

	return BASE_BYTES + FLAT_RUN_BYTES + elf_notes_memory(&s->core->elf.notes) + slots * slot +
	       MAX(threads, 1U) * worker + s->session_bytes;
}

static uint64_t filter_pass_bytes(const struct budget_setup *s, unsigned threads)
{
	return BASE_BYTES + elf_notes_memory(&s->core->elf.notes) +
	       MAX(threads, 1U) * (uint64_t)FILTER_THREAD_BYTES + s->session_bytes;
}

static uint64_t pages_bytes_max(const struct budget_setup *s)
{
	return pageset_memory_max(s->core->map.max_mapnr);
}

/* As many of `threads` as fit, with that bitmap. */
static unsigned fitting(const struct budget_setup *s, unsigned threads, uint64_t limit,
			uint64_t pages_bytes)
{
	while (limit && threads && page_pass_bytes(s, threads) + pages_bytes > limit)
		threads--;
	return threads;
}

/* Before the bitmap is known it may be as large as it can, but must leave the threads half. */
static unsigned threads_at(const struct budget_setup *s, uint64_t limit)
{
	return fitting(s, s->threads, limit, MIN(pages_bytes_max(s), limit / 2));
}

/* What is left for the bitmap, if threads are given up for it once it is made. */
static uint64_t pages_bytes_at(const struct budget_setup *s, uint64_t limit, unsigned threads)
{
	const uint64_t others = MAX(page_pass_bytes(s, 0), filter_pass_bytes(s, threads));

	return limit > others + PAGES_BYTES_MIN ? limit - others : (uint64_t)PAGES_BYTES_MIN;
}

struct budget budget_make(const struct budget_setup *setup)
{
	const uint64_t of_pages =
		setup->memory_bytes ? setup->memory_bytes : setup->available_bytes;
	const uint64_t most = pages_bytes_max(setup);
	struct budget b = {
		.setup = *setup,
		.limit_bytes = setup->memory_bytes ? setup->memory_bytes
						   : meminfo_share(setup->available_bytes),
	};

	b.threads = threads_at(setup, b.limit_bytes);
	b.pages_bytes = of_pages ? pages_bytes_at(setup, of_pages, b.threads) : 0;
	b.most_bytes = page_pass_bytes(setup, b.threads) + most;
	if (b.pages_bytes) /* threads are given up for a bitmap that takes their share */
		b.most_bytes = MAX(page_pass_bytes(setup, 0) + MIN(b.pages_bytes, most),
				   MIN(b.most_bytes, of_pages));
	b.least_bytes = page_pass_bytes(setup, 0) + MIN(most, (uint64_t)PAGES_BYTES_MIN);
	b.dump_bytes = page_pass_bytes(setup, 0) - BASE_BYTES - setup->session_bytes;
	return b;
}

uint64_t budget_bytes_unopened(const struct elf_extent *extent, uint64_t codec_bytes)
{
	const uint64_t pages = div_round_up(extent->paddr_end, LEAST_PAGE_BYTES);
	const struct vmcore core = {.page_bytes = LEAST_PAGE_BYTES};
	const struct budget_setup s = {.core = &core, .codec_bytes = codec_bytes};

	return (uint64_t)extent->phdrs * PHDR_BYTES + ELF_NOTES_HELD_BYTES +
	       extent->paddr_end / LEAST_SECTION_BYTES * sizeof(uint64_t) +
	       pageset_memory_max(pages) + page_pass_bytes(&s, 0) - BASE_BYTES;
}

unsigned budget_threads(const struct budget *budget, uint64_t pages_bytes)
{
	return fitting(&budget->setup, budget->threads, budget->limit_bytes, pages_bytes);
}

uint64_t budget_mib_for(const struct budget *budget, uint64_t pages_bytes)
{
	const struct budget_setup *s = &budget->setup;
	uint64_t mib = (page_pass_bytes(s, 0) + pages_bytes) >> 20;

	/* More memory makes more threads, whose filter pass takes a part of it. */
	while (pages_bytes_at(s, mib << 20, threads_at(s, mib << 20)) < pages_bytes)
		mib++;
	return mib;
}
