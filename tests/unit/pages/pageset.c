/* sender/pages/pageset.h: against an array of flags, what a set takes of memory, and what is so if
 * that is more than it may. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sender/pages/pageblock.h"
#include "sender/pages/pageset.h"

struct naive {
	uint64_t mapnr;
	bool *has;
};

enum { BLOCK = PAGEBLOCK_BITS };

static struct naive naive_new(uint64_t mapnr)
{
	struct naive n = {mapnr, calloc(mapnr + 1, sizeof(bool))};

	assert_non_null(n.has);
	return n;
}

/* The set's bitmap with some bytes behind it, read in pieces of that size: the caller's to free. */
static uint8_t *read_bitmap(const struct pageset *set, size_t piece)
{
	const size_t bytes = pageset_mapnr(set) / 8 + 10;
	uint8_t *bitmap = malloc(bytes);

	assert_non_null(bitmap);
	memset(bitmap, 0xa5, bytes);
	for (size_t at = 0, n; at < bytes; at += n) {
		n = MIN(piece, bytes - at);
		pageset_read(set, at, bitmap + at, n);
	}
	return bitmap;
}

/* As it is while it is changed: nothing is counted, and a block may be open. */
static void compare_unpacked(const struct pageset *set, const struct naive *n)
{
	uint64_t next = n->mapnr, gap = n->mapnr;

	for (uint64_t pfn = n->mapnr; pfn-- > 0;) {
		if (n->has[pfn])
			next = pfn;
		else
			gap = pfn;
		assert_int_equal(pageset_next(set, pfn), next);
		assert_int_equal(pageset_next_gap(set, pfn), gap);
	}
}

/* Everything that a set can be asked, for every pfn. */
static void compare(struct pageset *set, const struct naive *n)
{
	uint64_t next = n->mapnr, gap = n->mapnr, rank;
	AUTO_FREE uint8_t *open = read_bitmap(set, 1000);
	AUTO_FREE uint8_t *packed = NULL;
	struct error err;

	compare_unpacked(set, n);
	pageset_index(set);
	packed = read_bitmap(set, 4096);
	assert_memory_equal(open, packed, n->mapnr / 8 + 10);
	assert_int_equal(pageset_check(set, &err), 0);
	assert_in_range(pageset_memory(set), 1, pageset_memory_max(n->mapnr));
	assert_int_equal(pageset_mapnr(set), n->mapnr);
	rank = pageset_count(set);
	for (uint64_t pfn = n->mapnr; pfn-- > 0;) {
		if (n->has[pfn])
			next = pfn;
		else
			gap = pfn;
		assert_int_equal(pageset_has(set, pfn), n->has[pfn]);
		assert_int_equal(packed[pfn / 8] >> pfn % 8 & 1, n->has[pfn]);
		assert_int_equal(pageset_next(set, pfn), next);
		assert_int_equal(pageset_next_gap(set, pfn), gap);
		for (uint64_t max = 0; max < 130 && pfn % 7 == 0; max += 1 + max / 3)
			assert_int_equal(pageset_run(set, pfn, max), MIN(gap - pfn, max));
		assert_int_equal(pageset_run(set, pfn, UINT64_MAX), gap - pfn);
		rank -= n->has[pfn];
		/* Of a large set those at the ends of words, and a few more. */
		if (n->mapnr > 4000 && (pfn + 1) % 64 > 2 && pfn % 61)
			continue;
		assert_int_equal(pageset_rank(set, pfn), rank);
		if (n->has[pfn])
			assert_int_equal(pageset_select(set, rank), pfn);
	}
	assert_int_equal(rank, 0);
	assert_false(pageset_has(set, n->mapnr));
	assert_int_equal(pageset_rank(set, n->mapnr), pageset_count(set));
	assert_int_equal(pageset_rank(set, UINT64_MAX), pageset_count(set));
	assert_int_equal(pageset_next(set, n->mapnr), n->mapnr);
	assert_int_equal(pageset_next_gap(set, n->mapnr), n->mapnr);
	/* The bits behind the last pfn stay clear: readers count them. */
	for (uint64_t bit = n->mapnr; bit < (n->mapnr / 8 + 10) * 8; bit++)
		assert_int_equal(packed[bit / 8] >> bit % 8 & 1, 0);
}

static void change(struct pageset *set, struct naive *n, uint64_t first, uint64_t end, bool member)
{
	if (member)
		pageset_add(set, first, end);
	else
		pageset_remove(set, first, end);
	for (uint64_t pfn = first; pfn < end; pfn++)
		n->has[pfn] = member;
}

/* --- sizes about the words and blocks --- */

struct size {
	const char *name;
	uint64_t mapnr;
};

/* clang-format off */
static const struct size sizes[] = {
	{"pageset: works with no pfn", 0},
	{"pageset: works with 1 pfn", 1},
	{"pageset: works with 63 pfns", 63},
	{"pageset: works with 64 pfns", 64},
	{"pageset: works with 65 pfns", 65},
	{"pageset: works with 1000 pfns", 1000},
	{"pageset: works with 32703 pfns", 32703}, /* with the word behind them, a block */
	{"pageset: works with 32704 pfns", 32704},
	{"pageset: works with 32705 pfns", 32705},
	{"pageset: works with 32767 pfns", 32767},
	{"pageset: works with 32768 pfns", 32768},
	{"pageset: works with 32769 pfns", 32769},
	{"pageset: works with 100001 pfns", 100001},
};
/* clang-format on */

static void test_size(void **state)
{
	const struct size *row = *state;
	const uint64_t last = row->mapnr ? row->mapnr - 1 : 0;
	const uint64_t edges[] = {0,	 1,	63,    64,    65,   127,     128,
				  32704, 32767, 32768, 32769, last, last / 2};
	AUTO(pageset_free) struct pageset *set = NULL;
	struct naive n = naive_new(row->mapnr);
	struct error err;

	assert_int_equal(pageset_new(row->mapnr, &set, &err), 0);
	compare(set, &n);
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		if (edges[i] < row->mapnr)
			change(set, &n, edges[i], edges[i] + 1, true);
	compare(set, &n);
	change(set, &n, 0, row->mapnr, true);
	compare(set, &n);
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		if (edges[i] < row->mapnr)
			change(set, &n, edges[i], edges[i] + 1, false);
	compare(set, &n);
	change(set, &n, 0, row->mapnr, false);
	compare(set, &n);
	free(n.has);
}

/* --- any changes --- */

static void test_any(void **state UNUSED)
{
	uint32_t random = unit_seed();

	for (int run = 0; run < 60; run++) {
		const uint64_t mapnr = 1 + unit_random(&random) % (run % 4 ? 700 : 70000);
		AUTO(pageset_free) struct pageset *set = NULL;
		struct naive n = naive_new(mapnr);
		struct error err;

		assert_int_equal(pageset_new(mapnr, &set, &err), 0);
		for (int i = 0; i < 40; i++) {
			const uint64_t first = unit_random(&random) % (mapnr + 1);
			const uint64_t most = mapnr - first;
			const uint64_t size =
				most ? unit_random(&random) % (1 + (i % 2 ? most : MIN(most, 70U)))
				     : 0;

			change(set, &n, first, first + size, unit_random(&random) % 3);
		}
		compare(set, &n);
		free(n.has);
	}
}

static void test_remove_bits(void **state UNUSED)
{
	uint32_t random = unit_seed();

	for (int run = 0; run < 40; run++) {
		const uint64_t mapnr = 64 + unit_random(&random) % 4000;
		const uint64_t first = unit_random(&random) % (mapnr / 64) * 64;
		uint64_t words[64] = {0};
		const size_t count = MIN(ARRAY_LEN(words), (mapnr - first) / 64);
		AUTO(pageset_free) struct pageset *set = NULL;
		struct naive n = naive_new(mapnr);
		struct error err;

		assert_int_equal(pageset_new(mapnr, &set, &err), 0);
		change(set, &n, mapnr / 3, mapnr, true);
		for (uint64_t b = 0; b < count * 64; b++) {
			if (unit_random(&random) % 2)
				continue;
			words[b / 64] |= UINT64_C(1) << b % 64;
			n.has[first + b] = false;
		}
		pageset_remove_bits(set, first, words, count);
		compare(set, &n);
		free(n.has);
	}
}

/* ThreadSanitizer's notes on each byte are resident, too: nothing can be said of memory then. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
enum { MEMORY_IS_NOTED = 1 };
#else
enum { MEMORY_IS_NOTED = 0 };
#endif

static long resident_pages(void)
{
	long size, resident = -1;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident;
}

/* --- how blocks are packed --- */

/* Runs of `run` members `period` apart, as many as `bytes` of memory are for. */
struct packing {
	const char *name;
	unsigned run, period, count;
	uint64_t bytes; /* of memory beside what an empty set takes */
};

/* clang-format off */
static const struct packing packings[] = {
	{"pageset: takes nothing for no member", 0, 1, 0, 0},
	{"pageset: takes 32 bytes for one", 1, 1, 1, 32},
	{"pageset: takes no more for a long run", 32766, 32767, 1, 32},
	{"pageset: takes nothing for a block of members", BLOCK, BLOCK, 1, 0},
	{"pageset: takes nothing for blocks of members", 7 * BLOCK, 1, 1, 0},
	{"pageset: takes 4 bytes for each of many runs", 9, 32, 1000, 4016},
	{"pageset: takes 4 bytes for each of the most runs", 16, 32, 1023, 4112},
	{"pageset: takes no more than bits for one run more", 16, 32, 1024, 4112},
	{"pageset: takes no more than bits where every other page is a member", 1, 2, BLOCK / 2, 4112},
	{"pageset: takes no more than bits in every block", 1, 2, 4 * BLOCK, 8 * 4112},
};
/* clang-format on */

static void test_packing(void **state)
{
	const struct packing *row = *state;
	AUTO(pageset_free) struct pageset *set = NULL;
	struct naive n = naive_new(8 * BLOCK + 77);
	struct error err;
	uint64_t empty;

	assert_int_equal(pageset_new(n.mapnr, &set, &err), 0);
	empty = pageset_memory(set);
	for (unsigned i = 0; i < row->count; i++)
		change(set, &n, (uint64_t)i * row->period, (uint64_t)i * row->period + row->run,
		       true);
	compare(set, &n);
	assert_int_equal(pageset_memory(set) - empty, row->bytes);
	/* And gives it back, by pieces of a block, by whole blocks. */
	for (uint64_t pfn = 4 * BLOCK; pfn < 8 * BLOCK; pfn += BLOCK / 2)
		change(set, &n, pfn, pfn + BLOCK / 2, false);
	change(set, &n, 0, n.mapnr, false);
	compare(set, &n);
	assert_int_equal(pageset_memory(set), empty);
	free(n.has);
}

/* --- limits of memory --- */

static void add_alternating(struct pageset *set)
{
	for (uint64_t pfn = 0; pfn < pageset_mapnr(set); pfn += 2)
		pageset_add(set, pfn, pfn + 1);
	pageset_index(set);
}

static void test_limit(void **state UNUSED)
{
	const uint64_t mapnr = 20 * BLOCK;
	uint64_t takes, most = pageset_memory_max(mapnr);
	struct error err;

	for (int less = 0; less < 3; less++) {
		AUTO(pageset_free) struct pageset *set = NULL;

		assert_int_equal(pageset_new(mapnr, &set, &err), 0);
		takes = pageset_memory(set) + 20 * 4112;
		assert_in_range(most - takes, 0, 20 * 16);
		pageset_limit(set, less == 0 ? takes : less == 1 ? takes - 1 : 20000);
		add_alternating(set);
		/* It says what would do, whatever the limit was. */
		assert_int_equal(pageset_memory(set), takes);
		assert_int_equal(pageset_check(set, &err), less ? -ENOMEM : 0);
		if (less == 2)
			assert_string_equal(err.msg, "the page bitmap takes 84.7 KiB, and 19.5 KiB "
						     "are left for it");
	}
}

static void test_limit_is_kept(void **state UNUSED)
{
	const uint64_t mapnr = UINT64_C(1) << 27; /* 16 MiB of bits */
	AUTO(pageset_free) struct pageset *set = NULL;
	struct error err;
	long before, page = sysconf(_SC_PAGESIZE);

	assert_int_equal(pageset_new(mapnr, &set, &err), 0);
	pageset_add(set, 0, mapnr);
	pageset_limit(set, 2 << 20);
	before = resident_pages();
	add_alternating(set); /* of which none is new */
	assert_int_equal(pageset_check(set, &err), 0);
	for (uint64_t pfn = 0; pfn < mapnr; pfn += 2)
		pageset_remove(set, pfn, pfn + 1);
	pageset_index(set);
	assert_int_equal(pageset_check(set, &err), -ENOMEM);
	assert_true(MEMORY_IS_NOTED || (resident_pages() - before) * page < 3 << 20);
	assert_in_range(pageset_memory(set), 16 << 20, pageset_memory_max(mapnr));
}

/* --- a huge one --- */

static void test_sparse(void **state UNUSED)
{
	/* 2^36 pfns of 4 KiB are 256 TiB: 8 GiB of plain bits, of which two ends are used. */
	const uint64_t mapnr = UINT64_C(1) << 36;
	const long before = resident_pages(), page = sysconf(_SC_PAGESIZE);
	AUTO(pageset_free) struct pageset *set = NULL;
	struct error err;

	assert_int_equal(pageset_new(mapnr, &set, &err), 0);
	pageset_add(set, 5, 1005);
	pageset_add(set, mapnr - 1000, mapnr);
	pageset_remove(set, 2000, UINT64_C(1) << 30); /* touches nothing that is clear */
	assert_true(pageset_has(set, mapnr - 1));
	assert_true(MEMORY_IS_NOTED || (resident_pages() - before) * page < 8 << 20);
}

/* Whether a mapping of at least that many bytes has the flag `want` in smaps. */
static bool large_mapping_has(uint64_t bytes, const char *want)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	bool large = false, has = false;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long first, end;

		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			large = end - first >= bytes;
		else if (large && strncmp(line, "VmFlags:", 8) == 0 && strstr(line, want))
			has = true;
	}
	fclose(f);
	return has;
}

/* With huge pages the blocks of a sparse set would take 2 MiB each. */
static void test_no_huge_pages(void **state UNUSED)
{
	AUTO(pageset_free) struct pageset *set = NULL;
	struct error err;

	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) < 0)
		skip();
	assert_int_equal(pageset_new(UINT64_C(1) << 36, &set, &err), 0);
	assert_true(large_mapping_has((UINT64_C(1) << 36) / BLOCK * 16, " nh"));
}

static void test_sparse_index(void **state UNUSED)
{
	const uint64_t mapnr = UINT64_C(1) << 33;
	const long before = resident_pages(), page = sysconf(_SC_PAGESIZE);
	AUTO(pageset_free) struct pageset *set = NULL;
	struct error err;

	assert_int_equal(pageset_new(mapnr, &set, &err), 0);
	pageset_add(set, 5, 1005);
	pageset_add(set, mapnr - 1000, mapnr);
	pageset_index(set);
	assert_int_equal(pageset_count(set), 2000);
	assert_int_equal(pageset_rank(set, mapnr - 1000), 1000);
	assert_int_equal(pageset_select(set, 999), 1004);
	assert_int_equal(pageset_select(set, 1000), mapnr - 1000);
	assert_int_equal(pageset_select(set, 1999), mapnr - 1);
	assert_int_equal(pageset_next_gap(set, 5), 1005);
	assert_int_equal(pageset_next(set, 1005), mapnr - 1000);
	/* 16 bytes for 32,768 pfns: 4 MiB, and of the 1 GiB of bitmap no more than before. */
	assert_true(MEMORY_IS_NOTED || (resident_pages() - before) * page < 16 << 20);
}

/* The sanitizers end the program where memory can't be had, unless told so. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_too_many(void **state UNUSED)
{
	struct pageset *set = NULL;
	struct error err;

	assert_int_equal(pageset_new(UINT64_MAX, &set, &err), -ENOMEM);
	assert_null(set);
	pageset_free(NULL);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, sizes, test_size);
	unit_add(&u, "pageset: agrees with an array of flags, for any changes", test_any, NULL);
	unit_add(&u, "pageset_remove_bits: agrees with an array of flags", test_remove_bits, NULL);
	UNIT_ADD_ROWS(&u, packings, test_packing);
	unit_add(&u, "pageset_limit: says what it would take beyond it", test_limit, NULL);
	unit_add(&u, "pageset_limit: takes no more than that", test_limit_is_kept, NULL);
	unit_add(&u, "pageset: costs little where address space is a hole", test_sparse, NULL);
	unit_add(&u, "pageset: takes no huge pages", test_no_huge_pages, NULL);
	unit_add(&u, "pageset_index: costs little there, too", test_sparse_index, NULL);
	unit_add(&u, "pageset_new: refuses more pfns than there is memory for", test_too_many,
		 NULL);
	return unit_run(&u, "pageset", argc, argv);
}
