/* sender/vmcore/memmap.h: the memory map against a byte-by-byte one. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "sender/vmcore/elf.h"
#include "sender/vmcore/memmap.h"

enum { PAGE = 8 /* bytes: pages small enough that every byte of memory can be looked at */ };

#define LOST MEMMAP_LOST

/* --- tables --- */

struct row {
	const char *name;
	uint64_t file_bytes;
	struct elf_load loads[5];      /* until one without memory: paddr, vaddr, off, file, mem */
	struct memmap_piece pieces[8]; /* until an empty one */
	struct pfn_range ram[5], data[5];
	uint64_t lost_bytes;
};

/* clang-format off */
static const struct row rows[] = {
	{"memmap_init: maps one load", 1000,
	 {{16, 0, 100, 16, 16}}, {{16, 32, 100}}, {{2, 4}}, {{2, 4}}, 0},
	{"memmap_init: sorts loads", 1000,
	 {{32, 0, 100, 8, 8}, {0, 0, 200, 8, 8}}, {{0, 8, 200}, {32, 40, 100}}, {{0, 1}, {4, 5}}, {{0, 1}, {4, 5}}, 0},
	{"memmap_init: joins neighbours in memory and file", 1000,
	 {{0, 0, 100, 8, 8}, {8, 0, 108, 8, 8}}, {{0, 16, 100}}, {{0, 2}}, {{0, 2}}, 0},
	{"memmap_init: keeps neighbours in memory alone apart", 1000,
	 {{0, 0, 100, 8, 8}, {8, 0, 109, 8, 8}}, {{0, 8, 100}, {8, 16, 109}}, {{0, 2}}, {{0, 2}}, 0},
	{"memmap_init: prefers the load that comes first in the file", 1000,
	 {{8, 0, 500, 8, 8}, {0, 0, 100, 24, 24}}, {{0, 8, 100}, {8, 16, 500}, {16, 24, 116}}, {{0, 3}}, {{0, 3}}, 0},
	{"memmap_init: prefers it where it is the longer one", 1000,
	 {{0, 0, 100, 24, 24}, {8, 0, 500, 8, 8}}, {{0, 24, 100}}, {{0, 3}}, {{0, 3}}, 0},
	{"memmap_init: takes the same load twice once", 1000,
	 {{0, 0, 100, 8, 8}, {0, 0, 200, 8, 8}}, {{0, 8, 100}}, {{0, 1}}, {{0, 1}}, 0},
	{"memmap_init: has no data of memory that isn't in the file", 1000,
	 {{0, 0, 100, 8, 24}, {32, 0, 300, 0, 8}}, {{0, 8, 100}}, {{0, 3}, {4, 5}}, {{0, 1}}, 0},
	{"memmap_init: has a page as soon as one byte is in the file", 1000,
	 {{15, 0, 100, 2, 40}}, {{15, 17, 100}}, {{1, 7}}, {{1, 3}}, 0},
	{"memmap_init: counts what lies past the end of the file", 110,
	 {{0, 0, 100, 24, 24}}, {{0, 10, 100}, {10, 24, LOST}}, {{0, 3}}, {{0, 3}}, 14},
	{"memmap_init: counts a load that begins at the end of the file", 100,
	 {{0, 0, 100, 8, 8}}, {{0, 8, LOST}}, {{0, 1}}, {{0, 1}}, 8},
	{"memmap_init: counts all of an empty file", 0,
	 {{0, 0, 0, 8, 8}}, {{0, 8, LOST}}, {{0, 1}}, {{0, 1}}, 8},
	{"memmap_init: takes a later load where the first was cut off", 110,
	 {{0, 0, 100, 24, 24}, {8, 0, 50, 8, 8}}, {{0, 10, 100}, {10, 16, 52}, {16, 24, LOST}}, {{0, 3}}, {{0, 3}}, 8},
	{"memmap_init: joins lost neighbours", 10,
	 {{0, 0, 10, 8, 8}, {8, 0, 500, 8, 8}}, {{0, 16, LOST}}, {{0, 2}}, {{0, 2}}, 16},
	{"memmap_init: counts memory once that was lost twice", 10,
	 {{0, 0, 10, 16, 16}, {8, 0, 500, 16, 16}}, {{0, 24, LOST}}, {{0, 3}}, {{0, 3}}, 24},
	{"memmap_init: begins and ends within pages", 1000,
	 {{3, 0, 100, 2, 2}, {13, 0, 200, 1, 1}, {39, 0, 300, 2, 2}}, {{3, 5, 100}, {13, 14, 200}, {39, 41, 300}}, {{0, 2}, {4, 6}}, {{0, 2}, {4, 6}}, 0},
	{"memmap_init: maps nothing", 1000, {{0}}, {{0}}, {{0}}, {{0}}, 0},
	{"memmap_init: takes memory up to 2^50", 1000,
	 {{(UINT64_C(1) << 50) - 8, 0, 100, 8, 8}}, {{(UINT64_C(1) << 50) - 8, UINT64_C(1) << 50, 100}},
	 {{(UINT64_C(1) << 47) - 1, UINT64_C(1) << 47}}, {{(UINT64_C(1) << 47) - 1, UINT64_C(1) << 47}}, 0},
};
/* clang-format on */

static void check_ranges(const struct pfn_range *got, size_t count, const struct pfn_range *want)
{
	size_t n = 0;

	for (; want[n].end; n++) {
		assert_true(n < count);
		assert_int_equal(got[n].first, want[n].first);
		assert_int_equal(got[n].end, want[n].end);
	}
	assert_int_equal(count, n);
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct memmap map;
	struct error err;
	size_t loads = 0, n = 0;

	while (row->loads[loads].mem_bytes)
		loads++;
	assert_int_equal(memmap_init(&map, row->loads, loads, row->file_bytes, PAGE, &err), 0);
	for (; row->pieces[n].end; n++) {
		assert_true(n < map.piece_count);
		assert_int_equal(map.pieces[n].paddr, row->pieces[n].paddr);
		assert_int_equal(map.pieces[n].end, row->pieces[n].end);
		assert_int_equal(map.pieces[n].off, row->pieces[n].off);
	}
	assert_int_equal(map.piece_count, n);
	check_ranges(map.ram, map.ram_count, row->ram);
	check_ranges(map.data, map.data_count, row->data);
	assert_int_equal(map.lost_bytes, row->lost_bytes);
	assert_int_equal(map.max_mapnr, map.ram_count ? map.ram[map.ram_count - 1].end : 0);
	memmap_deinit(&map);
}

static void test_beyond(void **state UNUSED)
{
	const struct elf_load load = {.paddr = (UINT64_C(1) << 50) - 8, .mem_bytes = 9};
	struct memmap map;
	struct error err;

	assert_int_equal(memmap_init(&map, &load, 1, 1000, PAGE, &err), -EFBIG);
	memmap_deinit(&map);
}

static void test_find(void **state UNUSED)
{
	static const struct elf_load loads[] = {{8, 0, 100, 8, 8}, {32, 0, 200, 8, 8}};
	static const struct {
		uint64_t paddr, want; /* the piece's paddr; 0: none */
	} finds[] = {{0, 8},   {7, 8},	 {8, 8},   {15, 8}, {16, 32},
		     {31, 32}, {32, 32}, {39, 32}, {40, 0}, {UINT64_MAX, 0}};
	struct memmap map;
	struct error err;

	assert_int_equal(memmap_init(&map, loads, 2, 1000, PAGE, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(finds); i++) {
		const struct memmap_piece *piece = memmap_find(&map, finds[i].paddr);

		assert_int_equal(piece ? piece->paddr : 0, finds[i].want);
	}
	memmap_deinit(&map);
	assert_null(memmap_find(&map, 0));
}

/* --- any loads, against a map that has an entry for each byte --- */

enum { MEMORY = 256, FILE_END = 400, LOADS = 12 };

struct naive {
	uint64_t off[MEMORY]; /* where a byte lies; 0: nowhere; LOST */
	bool ram[MEMORY];
};

static void naive_add(struct naive *m, const struct elf_load *l, uint64_t file_bytes, bool lost)
{
	for (uint64_t i = 0; i < l->mem_bytes; i++) {
		const bool in_file = i < l->file_bytes && l->off + i < file_bytes;

		m->ram[l->paddr + i] = true;
		if (i >= l->file_bytes || in_file == lost || m->off[l->paddr + i])
			continue;
		m->off[l->paddr + i] = lost ? LOST : l->off + i;
	}
}

static uint64_t map_off(const struct memmap *map, uint64_t paddr)
{
	const struct memmap_piece *p = memmap_find(map, paddr);

	if (!p || p->paddr > paddr)
		return 0;
	return p->off == LOST ? LOST : p->off + (paddr - p->paddr);
}

static bool in_ranges(const struct pfn_range *ranges, size_t count, uint64_t pfn)
{
	for (size_t i = 0; i < count; i++)
		if (pfn >= ranges[i].first && pfn < ranges[i].end)
			return true;
	return false;
}

static void compare(const struct memmap *map, const struct naive *m)
{
	uint64_t lost = 0;

	for (uint64_t b = 0; b < MEMORY; b++) {
		assert_int_equal(map_off(map, b), m->off[b]);
		lost += m->off[b] == LOST;
	}
	assert_int_equal(map->lost_bytes, lost);
	for (uint64_t pfn = 0; pfn < MEMORY / PAGE; pfn++) {
		bool ram = false, data = false;

		for (uint64_t b = pfn * PAGE; b < (pfn + 1) * PAGE; b++) {
			ram |= m->ram[b];
			data |= m->off[b] != 0;
		}
		assert_int_equal(in_ranges(map->ram, map->ram_count, pfn), ram);
		assert_int_equal(in_ranges(map->data, map->data_count, pfn), data);
	}
}

/* Ascending, disjoint, not adjacent. */
static void check_order(const struct memmap *map)
{
	for (size_t i = 0; i + 1 < map->piece_count; i++)
		assert_true(map->pieces[i].end <= map->pieces[i + 1].paddr);
	for (size_t i = 0; i + 1 < map->ram_count; i++)
		assert_true(map->ram[i].end < map->ram[i + 1].first);
	for (size_t i = 0; i + 1 < map->data_count; i++)
		assert_true(map->data[i].end < map->data[i + 1].first);
}

static void test_any(void **state UNUSED)
{
	uint32_t random = unit_seed();

	for (int run = 0; run < 5000; run++) {
		const size_t count = unit_random(&random) % (LOADS + 1);
		const uint64_t file_bytes =
			unit_random(&random) % 4 ? FILE_END * 2 : unit_random(&random) % FILE_END;
		struct elf_load loads[LOADS];
		struct naive m = {0};
		struct memmap map;
		struct error err;

		for (size_t i = 0; i < count; i++) {
			struct elf_load *l = &loads[i];

			*l = (struct elf_load){.paddr = unit_random(&random) % MEMORY,
					       .off = 1 + unit_random(&random) % FILE_END};
			l->mem_bytes = 1 + unit_random(&random) % (MEMORY - l->paddr);
			l->file_bytes = unit_random(&random) % 3
						? l->mem_bytes
						: unit_random(&random) % (l->mem_bytes + 1);
		}
		for (size_t i = 0; i < count; i++)
			naive_add(&m, &loads[i], file_bytes, false);
		for (size_t i = 0; i < count; i++)
			naive_add(&m, &loads[i], file_bytes, true);
		assert_int_equal(memmap_init(&map, loads, count, file_bytes, PAGE, &err), 0);
		compare(&map, &m);
		check_order(&map);
		memmap_deinit(&map);
	}
}

static void test_many(void **state UNUSED)
{
	/* A quadratic sweep would take minutes. */
	enum { MANY = 1 << 17 };
	struct elf_load *loads = calloc(MANY, sizeof(*loads));
	struct memmap map;
	struct error err;

	assert_non_null(loads);
	for (uint64_t i = 0; i < MANY; i++) /* all begin low and end high, the last one outermost */
		loads[i] = (struct elf_load){.paddr = (MANY - i) * 64,
					     .off = 1 + i,
					     .mem_bytes = i * 128 + 64,
					     .file_bytes = i * 128 + 64};
	assert_int_equal(memmap_init(&map, loads, MANY, UINT64_C(1) << 40, 4096, &err), 0);
	assert_int_equal(map.piece_count, 2 * MANY - 1);
	assert_int_equal(map.lost_bytes, 0);
	memmap_deinit(&map);
	free(loads);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "memmap_init: refuses memory beyond 2^50", test_beyond, NULL);
	unit_add(&u, "memmap_find: finds the piece, or the next", test_find, NULL);
	unit_add(&u, "memmap: agrees with a map of every byte, for any loads", test_any, NULL);
	unit_add(&u, "memmap_init: takes 131,072 nested loads in no time", test_many, NULL);
	return unit_run(&u, "memmap", argc, argv);
}
