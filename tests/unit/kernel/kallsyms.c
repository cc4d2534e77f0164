/* sender/kernel/kallsyms.h: the crashed kernel's symbol table, in each of its forms. */
#include "tests/lib/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/kernel/kallsyms.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernelsyms.h"

#define LONG_NAME                                                                                  \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567" \
	"8901234567890123456789012345678901234567890123456789"

/* clang-format off */
static const struct kernel_symbol table[] = {
	{"A__per_cpu_start", 0},
	{"Acurrent_task", 0x1f940},
	{"T_stext", KERNEL_IMAGE_VADDR},
	{"T_text", KERNEL_IMAGE_VADDR + 0x10},
	{"t" LONG_NAME, KERNEL_IMAGE_VADDR + 0x20},
	{"tstart_cpu_te", KERNEL_IMAGE_VADDR + 0x30},
	{"Dnr_cpu_ids", KERNEL_IMAGE_VADDR + 0x3000},
	{"d__per_cpu_offset", KERNEL_IMAGE_VADDR + 0x3100},
	{"dtwice", KERNEL_IMAGE_VADDR + 0x3200},
	{"dtwice", KERNEL_IMAGE_VADDR + 0x3300},
};
/* clang-format on */

struct fixture {
	struct kernel *k;
	struct kernel_symbols s;
	struct vmcore *core;
	struct paging paging;
};

static bool find(struct fixture *f, struct kallsyms_symbol *symbols, size_t count)
{
	struct error err;
	bool found;

	f->core = kernel_open(f->k);
	assert_int_equal(paging_init(&f->paging, f->core, &err), 0);
	found = kallsyms_find(&f->paging, symbols, count);
	vmcore_free(f->core);
	return found;
}

static void test_encodings(void **state UNUSED)
{
	for (int e = KERNEL_PERCPU_ABSOLUTE; e <= KERNEL_PLACE_RELATIVE; e++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
		struct kallsyms_symbol want[] = {
			{.name = "__per_cpu_start"}, {.name = "current_task"}, {.name = "missing"},
			{.name = LONG_NAME},	     {.name = "_stext"},       {.name = "_text"},
			{.name = "start_cpu_te"},    {.name = "nr_cpu_ids"},   {.name = "twice"},
			{.name = "__per_cpu_offset"}};
		static const uint64_t vaddrs[] = {
			0, 0x1f940, 0, 0x20, 0, 0x10, 0x30, 0x3000, 0x3200, 0x3100,
		};

		/* Offsets of 32 bits don't reach absolute addresses from there: what newer kernels
		 * have of per-CPU variables is relative too, and told as such. */
		f.s = kernel_add_symbols(f.k, e == KERNEL_PERCPU_ABSOLUTE ? table : table + 2,
					 ARRAY_LEN(table) - (e == KERNEL_PERCPU_ABSOLUTE ? 0 : 2),
					 e);
		assert_true(find(&f, want, ARRAY_LEN(want)));
		for (size_t i = 0; i < ARRAY_LEN(want); i++) {
			const bool absolute = i < 2;

			if (i == 2 || (absolute && e != KERNEL_PERCPU_ABSOLUTE)) {
				assert_false(want[i].found);
				continue;
			}
			assert_true(want[i].found);
			assert_int_equal(want[i].vaddr,
					 absolute ? vaddrs[i] : KERNEL_IMAGE_VADDR + vaddrs[i]);
		}
		kernel_free(f.k);
	}
}

/* --- what is no table --- */

struct refusal {
	const char *name;
	const char *without, *more;
};

static const struct refusal refusals[] = {
	{"kallsyms_find: finds nothing without the names", "SYMBOL(kallsyms_names)", NULL},
	{"kallsyms_find: finds nothing without their number", "SYMBOL(kallsyms_num_syms)", NULL},
	{"kallsyms_find: finds nothing without tokens", "SYMBOL(kallsyms_token_table)", NULL},
	{"kallsyms_find: finds nothing without the tokens' places", "SYMBOL(kallsyms_token_index)",
	 NULL},
	{"kallsyms_find: finds nothing without addresses", "SYMBOL(kallsyms_offsets)", NULL},
	{"kallsyms_find: finds nothing without _stext to check by", "SYMBOL(_stext)", NULL},
	{"kallsyms_find: finds nothing where _stext is elsewhere", NULL,
	 "SYMBOL(_stext)=ffffffff81000010"},
	{"kallsyms_find: finds nothing where the names aren't there", NULL,
	 "SYMBOL(kallsyms_names)=ffffc90000000000"},
	{"kallsyms_find: finds nothing where the number isn't there", NULL,
	 "SYMBOL(kallsyms_num_syms)=ffffc90000000000"},
	{"kallsyms_find: finds nothing where the addresses aren't there", NULL,
	 "SYMBOL(kallsyms_offsets)=ffffc90000000000"},
};

static void test_refusal(void **state)
{
	const struct refusal *row = *state;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.without = row->without,
								   .more = row->more})};
	struct kallsyms_symbol want[] = {{.name = "nr_cpu_ids"}};

	kernel_add_symbols(f.k, table, ARRAY_LEN(table), KERNEL_PERCPU_ABSOLUTE);
	assert_false(find(&f, want, 1));
	assert_false(want[0].found);
	kernel_free(f.k);
}

/* More symbols than there are names, and more than any kernel has. */
static void test_counts(void **state UNUSED)
{
	static const uint32_t counts[] = {100000, 1U << 21, (1U << 21) + 1, UINT32_MAX, 0};

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
		struct kallsyms_symbol want[] = {{.name = "nr_cpu_ids"}, {.name = "missing"}};

		f.s = kernel_add_symbols(f.k, table, ARRAY_LEN(table), KERNEL_PERCPU_ABSOLUTE);
		le32_put(kernel_at(f.k, f.s.count), counts[i]);
		assert_int_equal(find(&f, want, 2), counts[i] && counts[i] <= 1U << 21);
		kernel_free(f.k);
	}
}

/* Bytes of this process that RLIMIT_DATA counts. */
static uint64_t data_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %*u %*u %*u %*u %lu", &pages), 1);
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* 64 MiB of names, which are 2 MiB over and over: they take no more memory than a few. */
static void test_memory(void **state UNUSED)
{
	enum { BLOCK = 2 << 20, BLOCKS = 32, LONGEST = 0x7fff };
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){
				    .more = "SYMBOL(kallsyms_names)=ffffc90000000000"})};
	struct kallsyms_symbol want[] = {{.name = "nr_cpu_ids"}, {.name = "missing"}};
	struct rlimit before, tight;
	struct error err;
	uint8_t *block;

	f.s = kernel_add_symbols(f.k, table, ARRAY_LEN(table), KERNEL_PERCPU_ABSOLUTE);
	le32_put(kernel_at(f.k, f.s.count), 1U << 21);
	block = kernel_at(f.k, kernel_alloc(f.k, BLOCK, BLOCK));
	for (size_t at = 4096; at + LONGEST + 2 <= BLOCK; at += LONGEST + 2) {
		block[at] = 0xff; /* a name as long as can be */
		block[at + 1] = 0xff;
	}
	memcpy(block, kernel_at(f.k, f.s.names), 4096);
	for (uint64_t i = 0; i < BLOCKS; i++)
		kernel_map(f.k, UINT64_C(0xffffc90000000000) + i * BLOCK,
			   (uint64_t)(block - kernel_at(f.k, 0)), 2);
	f.core = kernel_open(f.k);
	assert_int_equal(paging_init(&f.paging, f.core, &err), 0);
	getrlimit(RLIMIT_DATA, &before);
	tight = before;
	tight.rlim_cur = data_bytes() + (8 << 20);
	setrlimit(RLIMIT_DATA, &tight);
	assert_true(kallsyms_find(&f.paging, want, 2));
	setrlimit(RLIMIT_DATA, &before);
	assert_true(want[0].found);
	assert_false(want[1].found);
	vmcore_free(f.core);
	kernel_free(f.k);
}

/* A window's end within names of each length: none is lost. */
static void test_windows(void **state UNUSED)
{
	enum { NAMES = 5000, NAME = 40 };
	char(*names)[NAME + 12] = calloc(NAMES, sizeof(*names));
	struct kernel_symbol *symbols = calloc(NAMES + 1, sizeof(*symbols));

	assert_non_null(names);
	assert_non_null(symbols);
	symbols[0] = (struct kernel_symbol){"T_stext", KERNEL_IMAGE_VADDR};
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(names[i], sizeof(names[i]), "dx%04u%.*s", i, (int)(i % NAME), LONG_NAME);
		symbols[1 + i] = (struct kernel_symbol){names[i], KERNEL_IMAGE_VADDR + i};
	}
	for (unsigned i = 0; i < NAMES; i += 97) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
		struct kallsyms_symbol want[] = {{.name = names[i] + 1}};

		kernel_add_symbols(f.k, symbols, NAMES + 1, KERNEL_BASE_RELATIVE);
		assert_true(find(&f, want, 1));
		assert_int_equal(want[0].vaddr, KERNEL_IMAGE_VADDR + i);
		kernel_free(f.k);
	}
	free(symbols);
	free(names);
}

static void test_noise(void **state UNUSED)
{
	uint32_t seed = unit_seed();

	for (unsigned n = 0; n < 60; n++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
		struct kallsyms_symbol want[] = {{.name = "nr_cpu_ids"}, {.name = "missing"}};
		uint64_t first, end;

		f.s = kernel_add_symbols(f.k, table, ARRAY_LEN(table), n % 3);
		first = n % 2 ? f.s.names : f.s.tokens;
		end = n % 2 ? f.s.tokens : f.s.offsets;
		for (unsigned i = 0; i < 200; i++)
			*kernel_at(f.k, first + unit_random(&seed) % (end - first)) =
				(uint8_t)unit_random(&seed);
		find(&f, want, 2);
		kernel_free(f.k);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "kallsyms_find: finds symbols in each form of the table", test_encodings,
		 NULL);
	UNIT_ADD_ROWS(&u, refusals, test_refusal);
	unit_add(&u, "kallsyms_find: is bounded whatever the number of symbols", test_counts, NULL);
	unit_add(&u, "kallsyms_find: loses no name where it reads on", test_windows, NULL);
	unit_add(&u, "kallsyms_find: takes little memory whatever there is of names", test_memory,
		 NULL);
	unit_add(&u, "kallsyms_find: stands any bytes", test_noise, NULL);
	return unit_run(&u, "kallsyms", argc, argv);
}
