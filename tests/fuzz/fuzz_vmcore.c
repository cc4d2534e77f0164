/* Fuzzes what reads a vmcore: any file is refused, or read whole within bounds, the same way by
 * pread and by windows. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/find_info.h"
#include "sender/kernel/kernel.h"
#include "sender/output/prologue.h"
#include "sender/pages/pageset.h"
#include "sender/pages/plan.h"
#include "sender/vmcore/vmcore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MAX_PAGES = 600,     /* that are read of a core */
	MAX_MAPNR = 1 << 24, /* pfns that a set is made of */
	MAX_BYTES = 4 << 20,
};

#define REQUIRE(what)                                                                              \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* Pieces and ranges: in order, disjoint, within each other. */
static void check_map(const struct vmcore *core)
{
	const struct memmap *map = &core->map;
	uint64_t lost = 0;

	for (size_t i = 0; i < map->piece_count; i++) {
		const struct memmap_piece *p = &map->pieces[i];

		REQUIRE(p->paddr < p->end);
		REQUIRE(i == 0 || map->pieces[i - 1].end <= p->paddr);
		if (p->off == MEMMAP_LOST)
			lost += p->end - p->paddr;
		else
			REQUIRE(p->off + (p->end - p->paddr) <= core->file_bytes);
	}
	REQUIRE(lost == map->lost_bytes);
	for (size_t i = 0; i < map->ram_count; i++) {
		REQUIRE(map->ram[i].first < map->ram[i].end);
		REQUIRE(i == 0 || map->ram[i - 1].end < map->ram[i].first);
	}
	for (size_t i = 0, ram = 0; i < map->data_count; i++) {
		REQUIRE(i == 0 || map->data[i - 1].end < map->data[i].first);
		while (ram < map->ram_count && map->ram[ram].end < map->data[i].end)
			ram++;
		REQUIRE(ram < map->ram_count && map->data[i].first >= map->ram[ram].first);
	}
	REQUIRE(map->ram_count == 0 || map->max_mapnr == map->ram[map->ram_count - 1].end);
}

/* Some pages, by both ways. */
static void read_pages(const struct vmcore *by_read, const struct vmcore *by_map)
{
	AUTO(page_source_free) struct page_source *a = NULL, *b = NULL;
	const size_t page = (size_t)by_read->page_bytes;
	unsigned pages = 0;
	struct error err;

	if (page_source_new(by_read, &a, &err) < 0 || page_source_new(by_map, &b, &err) < 0)
		return;
	for (size_t i = 0; i < by_read->map.data_count && pages < MAX_PAGES; i++) {
		const struct pfn_range *r = &by_read->map.data[i];

		for (uint64_t pfn = r->first; pfn < r->end && pages < MAX_PAGES;) {
			const size_t n = (size_t)MIN(r->end - pfn, PAGE_RUN_BYTES / page);
			uint64_t lost_a, lost_b;
			const uint8_t *x = page_source_get(a, pfn, n, &lost_a);
			const uint8_t *y = page_source_get(b, pfn, n, &lost_b);

			REQUIRE(lost_a == lost_b);
			REQUIRE(memcmp(x, y, n * page) == 0);
			REQUIRE(n == 64 || lost_a >> n == 0);
			REQUIRE(lost_a == 0 || by_read->map.lost_bytes);
			pfn += n;
			pages += (unsigned)n;
		}
	}
}

/* What a dump is made of. */
static void plan_dump(const struct vmcore *core)
{
	AUTO(pageset_free) struct pageset *set = NULL;
	AUTO(plan_free) struct plan *plan = NULL;
	const struct pfn_range all = {0, core->map.max_mapnr};
	struct kdump_header header;
	uint64_t ranks = 0, pages = 0;
	struct error err;
	bool known;

	if (prologue_header(core, 0, 0, &header, &known, &err) == 0) {
		REQUIRE(header.vmcoreinfo_bytes == 0 ||
			header.vmcoreinfo_off + header.vmcoreinfo_bytes <=
				header.notes_off + header.notes_bytes);
		REQUIRE(memchr(header.uts.release, 0, sizeof(header.uts.release)));
	}
	if (core->map.max_mapnr > MAX_MAPNR || pageset_new(core->map.max_mapnr, &set, &err) < 0)
		return;
	for (size_t i = 0; i < core->map.data_count; i++) {
		pageset_add(set, core->map.data[i].first, core->map.data[i].end);
		pages += core->map.data[i].end - core->map.data[i].first;
	}
	pageset_index(set);
	REQUIRE(pageset_count(set) == pages);
	if (plan_new(set, &all, 1, chunk_pages(core->page_bytes), &plan, &err) < 0)
		return;
	for (uint64_t k = 0; k < MIN(plan_chunk_count(plan), UINT64_C(1000)); k++) {
		const struct plan_chunk c = plan_chunk(plan, k);

		REQUIRE(c.first_rank == ranks && c.pages >= 1);
		REQUIRE(pageset_rank(set, c.first_pfn) == ranks);
		ranks += c.pages;
	}
	REQUIRE(ranks == pages || plan_chunk_count(plan) > 1000);
}

/* Whatever the notes say can be held against memory, and one of them, or one of ours, is the
 * dump's. */
static void check_info(struct vmcore *core)
{
	static const char text[] = "OSRELEASE=1\n";
	struct error err;

	for (unsigned i = 0; i < core->info_note_count; i++) {
		REQUIRE(vmcore_info_of_note(core, i, &err) == 0);
		REQUIRE(info_check(core) <= INFO_MAPPED);
	}
	if (core->info_note_count % 3 == 2)
		REQUIRE(vmcore_info_of_memory(core, text, strlen(text), &err) == 0);
	REQUIRE(vmcore_settle_info(core, &err) == 0);
	REQUIRE(core->info_bytes == 0 || core->info_at + core->info_bytes <= core->elf.notes.bytes);
}

/* The one file of all runs. */
static const char *file_of(const uint8_t *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("core", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || ftruncate(fd, 0) < 0 || io_pwrite_full(fd, data, size, 0) < 0)
		abort();
	return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(vmcore_free) struct vmcore *by_read = NULL, *by_map = NULL;
	const char *path = file_of(data, MIN(size, (size_t)MAX_BYTES));
	struct error err = {0};

	if (vmcore_open(path, VMCORE_ACCESS_READ, &by_read, &err) < 0) {
		REQUIRE(err.code == -EBADMSG || err.code == -ENODATA || err.code == -EFBIG ||
			err.code == -ENOMEM);
		return 0;
	}
	if (vmcore_open(path, VMCORE_ACCESS_MMAP, &by_map, &err) < 0)
		abort();
	check_info(by_read);
	check_info(by_map);
	check_map(by_read);
	read_pages(by_read, by_map);
	plan_dump(by_read);
	return 0;
}
