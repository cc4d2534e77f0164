/* sender/output/worker.h: what a chunk holds of its pages, whichever way they are read and stored.
 */
#include "tests/lib/unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sender/output/codec_ladder.h"
#include "sender/output/worker.h"
#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

enum {
	PAGES = 600,
	LOST_FIRST = 200, /* [LOST_FIRST, LOST_END) are behind the file's end */
	LOST_END = 230,
};

struct machine {
	struct core_plan plan;
	int fd;
	struct vmcore *core;
	struct pageset *pages;
	struct plan *order;
};

/* Pages of zeros, lost ones and others by turns, and gaps between them. */
static void make_machine(struct machine *m, enum vmcore_access access)
{
	const struct pfn_range all = {0, PAGES};
	uint32_t random = unit_seed();
	struct core file;
	struct error err;
	char path[32];

	*m = (struct machine){0};
	core_add_load(&m->plan, LOST_END * CORE_PAGE, (PAGES - LOST_END) * CORE_PAGE,
		      (PAGES - LOST_END) * CORE_PAGE);
	core_add_load(&m->plan, 0, LOST_END * CORE_PAGE, LOST_END * CORE_PAGE);
	file = core_make(&m->plan);
	m->fd = core_file(file.bytes, m->plan.loads[1].off + LOST_FIRST * CORE_PAGE, path);
	core_free(&file);
	assert_int_equal(vmcore_open(path, access, &m->core, &err), 0);
	assert_int_equal(pageset_new(PAGES, &m->pages, &err), 0);
	for (uint64_t pfn = 0; pfn < PAGES; pfn++)
		if (unit_random(&random) % 8)
			pageset_add(m->pages, pfn, pfn + 1);
	pageset_index(m->pages);
	assert_int_equal(plan_new(m->pages, &all, 1, chunk_pages(CORE_PAGE), &m->order, &err), 0);
}

static void drop_machine(struct machine *m)
{
	plan_free(m->order);
	pageset_free(m->pages);
	vmcore_free(m->core);
	close(m->fd);
}

static bool is_lost(uint64_t pfn)
{
	return pfn >= LOST_FIRST && pfn < LOST_END;
}

static void check_page(const struct page_flag *flag, const uint8_t *payload, bool exclude_zero)
{
	uint8_t want[CORE_PAGE], got[CORE_PAGE];
	AUTO(decompressor_free) struct decompressor *d = NULL;
	struct error err;

	if (is_lost(flag->pfn) || (exclude_zero && core_is_zero_page(flag->pfn * CORE_PAGE, 0))) {
		assert_int_equal(flag->kind, is_lost(flag->pfn) ? PAGE_UNREADABLE : PAGE_ZERO);
		assert_int_equal(flag->size_bytes, 0);
		return;
	}
	assert_int_equal(flag->kind, PAGE_STORED);
	core_memory(flag->pfn * CORE_PAGE, 0, want, CORE_PAGE);
	if (flag->codec == CODEC_NONE) {
		assert_int_equal(flag->size_bytes, CORE_PAGE);
		assert_memory_equal(payload, want, CORE_PAGE);
		return;
	}
	assert_int_equal(decompressor_new(&d, &err), 0);
	assert_int_equal(
		decompressor_run(d, flag->codec, payload, flag->size_bytes, got, CORE_PAGE, &err),
		0);
	assert_memory_equal(got, want, CORE_PAGE);
}

struct way {
	const char *name;
	enum vmcore_access access;
	const struct codec_ladder *ladder; /* its first rung is taken */
	bool exclude_zero;
};

static const struct codec_ladder raw = {.rung = {{CODEC_NONE, 0}}, .count = 1};
static const struct codec_ladder mixed = {.rung = {{CODEC_NONE, 0}, {CODEC_ZLIB, 1}}, .count = 2};
static const struct codec_ladder snappy = {.rung = {{CODEC_SNAPPY, 1}}, .count = 1};

static const struct way ways[] = {
	{"raw, read", VMCORE_ACCESS_READ, &raw, false},
	{"raw, read, zeros left out", VMCORE_ACCESS_READ, &raw, true},
	{"raw, read, zeros compressed", VMCORE_ACCESS_READ, &mixed, false},
	{"raw, mapped", VMCORE_ACCESS_MMAP, &raw, false},
	{"raw, mapped, zeros left out", VMCORE_ACCESS_MMAP, &raw, true},
	{"raw, mapped, zeros compressed", VMCORE_ACCESS_MMAP, &mixed, false},
	{"compressed, read", VMCORE_ACCESS_READ, &snappy, false},
	{"compressed, read, zeros left out", VMCORE_ACCESS_READ, &snappy, true},
	{"compressed, mapped", VMCORE_ACCESS_MMAP, &snappy, false},
};

static void test_chunks(void **state)
{
	const struct way *way = *state;
	AUTO(worker_free) struct worker *w = NULL;
	struct worker_setup setup = {.ladder = way->ladder, .exclude_zero = way->exclude_zero};
	struct machine m;
	struct chunk *chunk;
	uint64_t pfn, rank = 0;
	struct error err;

	make_machine(&m, way->access);
	setup.core = m.core;
	setup.pages = m.pages;
	setup.plan = m.order;
	assert_int_equal(worker_new(&setup, &w, &err), 0);
	chunk = chunk_new(worker_page_data_bytes(w));
	assert_non_null(chunk);
	pfn = pageset_next(m.pages, 0);
	for (uint64_t k = 0; k < plan_chunk_count(m.order); k++) {
		uint32_t at = 0;

		assert_int_equal(worker_fill(w, k, chunk, &err), 0);
		assert_int_equal(chunk->first_rank, rank);
		for (uint32_t i = 0; i < chunk->pages; i++) {
			assert_int_equal(chunk->page_flag[i].pfn, pfn);
			check_page(&chunk->page_flag[i], chunk->page_data + at, way->exclude_zero);
			at += chunk->page_flag[i].size_bytes;
			pfn = pageset_next(m.pages, pfn + 1);
		}
		assert_int_equal(at, chunk->data_bytes);
		rank += chunk->pages;
	}
	assert_int_equal(rank, pageset_count(m.pages));
	chunk_free(chunk);
	worker_free(TAKE_PTR(w));
	drop_machine(&m);
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	UNIT_ADD_ROWS(&u, ways, test_chunks);
	return unit_run(&u, "worker", argc, argv);
}
