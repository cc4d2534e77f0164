/* sender/pages/budget.h: sums, and limits to them. */
#include "tests/lib/unit.h"

#include <string.h>

#include "sender/pages/budget.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

static struct vmcore core;

/* For a machine with so much memory. */
static struct budget_setup of(uint64_t bytes, unsigned threads, uint64_t memory, uint64_t available)
{
	core = (struct vmcore){.page_bytes = 4096, .map = {.max_mapnr = bytes / 4096}};
	return (struct budget_setup){.core = &core,
				     .codec_bytes = MIB,
				     .threads = threads,
				     .memory_bytes = memory,
				     .available_bytes = available};
}

static void test_threads(void **state UNUSED)
{
	struct budget_setup s = of(1024 * MIB, 0, 0, 0);
	uint64_t last = budget_make(&s).most_bytes;

	for (unsigned n = 1; n < 20; n++) {
		uint64_t bytes;

		s = of(1024 * MIB, n, 0, 0);
		bytes = budget_make(&s).most_bytes;
		assert_true(bytes > last || n == 1);
		last = bytes;
		s = of(1024 * MIB, 100, bytes, 0);
		assert_int_equal(budget_make(&s).threads, n);
		s = of(1024 * MIB, n, bytes, 0);
		assert_int_equal(budget_make(&s).threads, n);
		assert_true(budget_make(&s).most_bytes <= bytes);
		s = of(1024 * MIB, 100, 0, bytes); /* three quarters of it */
		assert_in_range(budget_make(&s).threads, 0, n);
	}
	s = of(1024 * MIB, 5, 0, 0);
	assert_int_equal(budget_make(&s).threads, 5);
	assert_int_equal(budget_make(&s).pages_bytes, 0); /* no limit */
	s = of(1024 * MIB, 5, 1, 0);
	assert_int_equal(budget_make(&s).threads, 0);
	assert_int_equal(budget_make(&s).pages_bytes, MIB);
}

/* The bitmap of a large machine leaves threads a part, and takes it back where it has to. */
static void test_large(void **state UNUSED)
{
	const struct budget_setup s = of(12 * TIB, 2, 128 * MIB, 0);
	const struct budget b = budget_make(&s);

	assert_int_equal(b.threads, 2);
	assert_in_range(b.pages_bytes, 112 * MIB, 118 * MIB);
	assert_true(b.most_bytes <= 128 * MIB);
	assert_true(b.least_bytes < 16 * MIB);
	assert_int_equal(budget_threads(&b, 60 * MIB), 2);
	assert_int_equal(budget_threads(&b, 115 * MIB), 1);
	assert_int_equal(budget_threads(&b, b.pages_bytes), 0);
}

static void test_default(void **state UNUSED)
{
	const struct budget_setup s = of(12 * TIB, 64, 0, 256 * MIB);
	const struct budget b = budget_make(&s);

	/* Threads by three quarters of it, the bitmap by all. */
	assert_in_range(b.threads, 30, 45);
	/* What those take while they filter is not the bitmap's. */
	assert_in_range(b.pages_bytes, 200 * MIB, 256 * MIB - b.threads * MIB / 2);
	assert_true(b.most_bytes <= 256 * MIB);
}

static void test_suggestion(void **state UNUSED)
{
	static const unsigned threads[] = {0, 2, 64, 1024};

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		for (uint64_t pages = 2 * MIB; pages < 400 * MIB; pages += 3 * MIB + 12345) {
			struct budget_setup s = of(12 * TIB, threads[i], 16 * MIB, 0);
			struct budget b = budget_make(&s);
			const uint64_t mib = budget_mib_for(&b, pages);

			s.memory_bytes = mib * MIB;
			b = budget_make(&s);
			assert_true(b.pages_bytes >= pages);
			assert_true(b.most_bytes <= s.memory_bytes);
			s.memory_bytes -= MIB;
			b = budget_make(&s);
			assert_true(b.pages_bytes < pages);
		}
}

/* Large notes aren't held; small ones are. */
static void test_notes(void **state UNUSED)
{
	struct budget_setup s = of(1024 * MIB, 4, 0, 0);
	const uint64_t bare = budget_make(&s).most_bytes;
	uint8_t held[1];

	core.elf.notes.bytes = 64 * MIB;
	assert_int_equal(budget_make(&s).most_bytes, bare);
	core.elf.notes.bytes = ELF_NOTES_HELD_BYTES;
	core.elf.notes.held = held;
	assert_int_equal(budget_make(&s).most_bytes, bare + ELF_NOTES_HELD_BYTES);
}

/* What would do for a core that isn't open is no less than what it takes once it is. */
static void test_unopened(void **state UNUSED)
{
	for (uint64_t bytes = 16 * MIB; bytes <= 64 * TIB; bytes *= 4) {
		const struct budget_setup s = of(bytes, 0, 0, 0);
		const struct budget b = budget_make(&s);
		const struct elf_extent few = {.phdrs = 1, .paddr_end = bytes};
		const struct elf_extent many = {.phdrs = 1 + 100000, .paddr_end = bytes};
		const uint64_t unopened = budget_bytes_unopened(&few, MIB);

		assert_true(unopened >= b.dump_bytes + pageset_memory_max(bytes / 4096));
		assert_in_range(budget_bytes_unopened(&many, MIB) - unopened, 100000 * 200,
				100000 * 500);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "budget_make: has as many threads as the memory is for", test_threads, NULL);
	unit_add(&u, "budget_make: shares between threads and a large bitmap", test_large, NULL);
	unit_add(&u, "budget_make: keeps within what is available", test_default, NULL);
	unit_add(&u, "budget_mib_for: says the least that does", test_suggestion, NULL);
	unit_add(&u, "budget_make: counts notes that are held, and no others", test_notes, NULL);
	unit_add(&u, "budget_bytes_unopened: is what an open core takes, and its headers",
		 test_unopened, NULL);
	return unit_run(&u, "budget", argc, argv);
}
