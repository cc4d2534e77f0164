/* The filter pass, and the least that it can take: loads of the struct pages that it must look at.
 *
 *   filterpass VMCORE LEVEL THREADS ROUNDS [read|mmap]
 *
 * For each round prints one JSON object: seconds on the clock and of the CPU of the kernel model,
 * of the filter pass, and of two floors with as many threads: what must be read lies in a mapping
 * of the file that is made anew (the CPU has to fault its pages in, as it would for any program),
 * or in one that was read before. A struct page must be read if it is the first of a block or
 * belongs to none, and of a block the second one, too; of each the four words that decide are
 * loaded. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bytes.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/pagewalk.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

enum { THREADS_MAX = 64 };

/* Struct pages that lie one behind the other in the file. */
struct needed {
	uint64_t off, count;
};

struct floor_setup {
	const struct page_rules *rules;
	struct needed *needed;
	size_t count;
	uint64_t pages; /* of all */
	const uint8_t *file;
	unsigned threads;
};

struct floor_worker {
	const struct floor_setup *setup;
	unsigned number;
	uint64_t sum; /* so that the loads are needed */
	pthread_t id;
};

struct times {
	double wall, cpu;
};

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct times times_since(struct times start)
{
	return (struct times){seconds_of(CLOCK_MONOTONIC) - start.wall,
			      seconds_of(CLOCK_PROCESS_CPUTIME_ID) - start.cpu};
}

static struct times times_now(void)
{
	return times_since((struct times){0});
}

/* --- the floor --- */

static void add_needed(struct floor_setup *s, uint64_t off, uint64_t count, size_t bytes)
{
	struct needed *last = s->count ? &s->needed[s->count - 1] : NULL;

	s->pages += count;
	if (last && last->off + last->count * bytes == off) {
		last->count += count;
		return;
	}
	if ((s->count & (s->count - 1)) == 0) {
		s->needed = realloc(s->needed, MAX(2 * s->count, 1U) * sizeof(*s->needed));
		if (!s->needed)
			abort();
	}
	s->needed[s->count++] = (struct needed){off, count};
}

/* Where the struct pages of [pfn, pfn + pages) lie in the file; they may be mapped in pieces. */
static void find_needed(struct floor_setup *s, const struct kmodel *km, uint64_t pfn,
			uint64_t pages)
{
	const size_t bytes = km->rules.struct_page_bytes;

	while (pages) {
		uint64_t there, paddr, span;
		const uint64_t vaddr = pagemap_vaddr(&km->pagemap, pfn, &there);
		const struct memmap_piece *piece;

		if (!vaddr || !paging_translate(&km->paging, vaddr, &paddr, &span))
			return;
		piece = memmap_find(&km->core->map, paddr);
		there = MIN(MIN(there, pages), MAX(span / bytes, UINT64_C(1)));
		if (piece && piece->paddr <= paddr && piece->off != MEMMAP_LOST)
			add_needed(s, piece->off + (paddr - piece->paddr), there, bytes);
		pfn += there;
		pages -= there;
	}
}

static void find_all_needed(struct floor_setup *s, const struct kmodel *km)
{
	const struct memmap *map = &km->core->map;
	struct pagewalk *walk;
	struct error err;

	if (pagewalk_new(km, &walk, &err) < 0)
		abort();
	for (size_t i = 0; i < map->data_count; i++) {
		uint64_t pfn = map->data[i].first;

		while (pfn < map->data[i].end) {
			const struct page_run run = pagewalk_next(walk, pfn, map->data[i].end, 0);

			find_needed(s, km, pfn, run.block ? 2 : run.pages);
			pfn += run.pages;
		}
	}
	pagewalk_free(walk);
}

static void *floor_main(void *arg)
{
	struct floor_worker *w = arg;
	const struct floor_setup *s = w->setup;
	const struct page_rules r = *s->rules;
	const size_t each = s->count / s->threads + 1;
	const size_t end = MIN(each * (w->number + 1), s->count);
	uint64_t sum = 0;

	for (size_t i = each * w->number; i < end; i++) {
		const uint8_t *page = s->file + s->needed[i].off;

		for (uint64_t n = s->needed[i].count; n; n--, page += r.struct_page_bytes)
			sum += le64_get(page + r.flags_off) ^ le64_get(page + r.compound_off) ^
			       le64_get(page + r.mapping_off) ^ le32_get(page + r.mapcount_off);
	}
	w->sum = sum;
	return NULL;
}

static uint64_t run_floor(const struct floor_setup *s)
{
	struct floor_worker w[THREADS_MAX];
	uint64_t sum = 0;

	for (unsigned i = 0; i < s->threads; i++) {
		w[i] = (struct floor_worker){.setup = s, .number = i};
		if (i && pthread_create(&w[i].id, NULL, floor_main, &w[i]) != 0)
			abort();
	}
	floor_main(&w[0]);
	for (unsigned i = 0; i < s->threads; i++) {
		if (i)
			pthread_join(w[i].id, NULL);
		sum += w[i].sum;
	}
	return sum;
}

/* --- one round --- */

static void round_of(const struct vmcore *core, unsigned level, unsigned threads,
		     struct floor_setup *floor)
{
	const unsigned classes = page_classes_of_level(level);
	struct filter_setup setup = {.exclude = classes, .threads = threads};
	struct times start = times_now(), model, filter, cold, hot;
	struct pageset *pages;
	struct warnings warnings = {0};
	struct filter_result result;
	struct error err;
	struct kmodel km;
	uint64_t sum, kept;
	void *file;

	kmodel_init(&km, core, classes, &warnings);
	model = times_since(start);
	setup.km = &km;
	start = times_now();
	if (filter_run(&setup, &pages, &result, &warnings, &err) < 0)
		abort();
	filter = times_since(start);
	kept = pageset_count(pages);
	pageset_free(pages);
	if (!floor->needed)
		find_all_needed(floor, &km);
	floor->rules = &km.rules;
	start = times_now();
	file = mmap(NULL, core->file_bytes, PROT_READ, MAP_SHARED, core->fd, 0);
	if (file == MAP_FAILED)
		abort();
	floor->file = file;
	sum = run_floor(floor);
	cold = times_since(start);
	start = times_now();
	sum ^= run_floor(floor);
	hot = times_since(start);
	munmap(file, core->file_bytes);
	printf("{\"threads\": %u, \"pages\": %llu, \"kept\": %llu, \"needed\": %llu, \"places\": "
	       "%zu, \"sum\": %llu, \"model_wall_s\": %.6f, \"model_cpu_s\": %.6f, "
	       "\"filter_wall_s\": %.6f, \"filter_cpu_s\": %.6f, \"floor_wall_s\": %.6f, "
	       "\"floor_cpu_s\": %.6f, \"hot_floor_wall_s\": %.6f, \"hot_floor_cpu_s\": %.6f}\n",
	       threads, (unsigned long long)core->map.max_mapnr, (unsigned long long)kept,
	       (unsigned long long)floor->pages, floor->count, (unsigned long long)sum, model.wall,
	       model.cpu, filter.wall, filter.cpu, cold.wall, cold.cpu, hot.wall, hot.cpu);
	fflush(stdout);
	kmodel_deinit(&km);
}

int main(int argc, char **argv)
{
	AUTO(vmcore_free) struct vmcore *core = NULL;
	struct floor_setup floor = {0};
	struct error err = {0};
	unsigned threads;
	bool mapped;

	if (argc < 5 || argc > 6) {
		fputs("usage: filterpass VMCORE LEVEL THREADS ROUNDS [read|mmap]\n", stderr);
		return 2;
	}
	mapped = argc == 6 && strcmp(argv[5], "mmap") == 0;
	threads = (unsigned)atoi(argv[3]);
	floor.threads = MIN(MAX(threads, 1U), (unsigned)THREADS_MAX);
	if (vmcore_open(argv[1], mapped ? VMCORE_ACCESS_MMAP : VMCORE_ACCESS_READ, &core, &err) <
	    0) {
		fprintf(stderr, "filterpass: %s\n", err.msg);
		return 1;
	}
	for (int i = 0; i < atoi(argv[4]); i++)
		round_of(core, (unsigned)atoi(argv[2]), threads, &floor);
	free(floor.needed);
	return 0;
}
