/* sender/vmcore/vmcore.h: pages by physical address, however the file has them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "format/vmcoreinfo.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

/* A core that is open, and the file behind it. */
struct opened {
	struct core_plan plan;
	struct core file;
	int fd;
	struct vmcore *core;
	struct page_source *src;
};

static void open_core(struct opened *o, enum vmcore_access access)
{
	char path[32];
	struct error err;

	o->file = core_make(&o->plan);
	o->fd = core_file(o->file.bytes, o->file.size_bytes, path);
	assert_int_equal(vmcore_open(path, access, &o->core, &err), 0);
	assert_int_equal(page_source_new(o->core, &o->src, &err), 0);
}

static void close_core(struct opened *o)
{
	page_source_free(o->src);
	vmcore_free(o->core);
	close(o->fd);
	core_free(&o->file);
}

/* What memory holds by the plan: the first load that has a byte, zeros where none has. */
static void wanted(const struct core_plan *plan, uint64_t paddr, uint8_t *out, size_t n)
{
	memset(out, 0, n);
	for (size_t b = 0; b < n; b++) {
		for (size_t i = 0; i < plan->load_count; i++) {
			const struct core_load *l = &plan->loads[i];

			if (paddr + b < l->paddr || paddr + b >= l->paddr + l->file_bytes)
				continue;
			core_memory(paddr + b, l->salt, out + b, 1);
			break;
		}
	}
}

static void check_pages(const struct opened *o, uint64_t pfn, size_t count)
{
	uint8_t want[CORE_PAGE];
	uint64_t lost = 99;
	const uint8_t *got = page_source_get(o->src, pfn, count, &lost);

	assert_int_equal(lost, 0);
	for (size_t i = 0; i < count; i++) {
		wanted(&o->plan, (pfn + i) * CORE_PAGE, want, CORE_PAGE);
		assert_memory_equal(got + i * CORE_PAGE, want, CORE_PAGE);
	}
}

static const enum vmcore_access accesses[] = {VMCORE_ACCESS_READ, VMCORE_ACCESS_MMAP};

/* --- any loads --- */

static void test_any(void **state)
{
	const enum vmcore_access *access = *state;
	uint32_t random = unit_seed();

	for (int run = 0; run < 60; run++) {
		struct opened o = {0};
		const size_t loads = 1 + unit_random(&random) % 8;

		o.plan.unaligned = run % 2;
		for (size_t i = 0; i < loads; i++) {
			const uint64_t unit = run % 3 ? CORE_PAGE : 1;
			const uint64_t paddr = unit_random(&random) % 100000 / unit * unit;
			const uint64_t bytes = (1 + unit_random(&random) % 30000 / unit) * unit;
			const uint64_t in_file =
				unit_random(&random) % 4 ? bytes : unit_random(&random) % bytes;

			core_add_load(&o.plan, paddr, in_file, bytes)->salt = (unsigned)i;
		}
		open_core(&o, *access);
		assert_int_equal(o.core->access, *access);
		for (int i = 0; i < 10; i++) {
			const uint64_t mapnr = o.core->map.max_mapnr;
			const uint64_t pfn = unit_random(&random) % mapnr;
			uint8_t want[5000], got[sizeof(want)];
			const uint64_t paddr = unit_random(&random) % 110000;
			const size_t n = unit_random(&random) % sizeof(want);

			check_pages(&o, pfn, 1 + unit_random(&random) % MIN(mapnr - pfn, 12U));
			wanted(&o.plan, paddr, want, n);
			assert_int_equal(vmcore_read(o.core, paddr, got, n), 0);
			assert_memory_equal(got, want, n);
		}
		close_core(&o);
	}
}

/* One page of three loads, with holes before, between and behind them. */
static void test_patchwork(void **state)
{
	const enum vmcore_access *access = *state;
	struct opened o = {.plan.unaligned = true};
	struct core_load *loads[3] = {core_add_load(&o.plan, 0x2100, 0x200, 0x200),
				      core_add_load(&o.plan, 0x2800, 1, 1),
				      core_add_load(&o.plan, 0x2900, 0x600, 0x600)};

	for (unsigned i = 0; i < 3; i++)
		loads[i]->salt = 10 + i;
	open_core(&o, *access);
	assert_int_equal(o.core->map.max_mapnr, 3);
	check_pages(&o, 2, 1);
	check_pages(&o, 0, 3);
	close_core(&o);
}

static void test_last_addresses(void **state)
{
	const enum vmcore_access *access = *state;
	struct opened o = {0};
	uint8_t got[64], zeros[64] = {0};

	core_add_load(&o.plan, 0, CORE_PAGE, CORE_PAGE)->salt = 1;
	open_core(&o, *access);
	alarm(10); /* rather than for ever */
	for (uint64_t below = 0; below < sizeof(got); below++) {
		memset(got, 1, sizeof(got));
		assert_int_equal(vmcore_read(o.core, UINT64_MAX - below, got, sizeof(got)), 0);
		assert_memory_equal(got, zeros, sizeof(got));
	}
	alarm(0);
	close_core(&o);
}

static void test_longest_run(void **state)
{
	const enum vmcore_access *access = *state;
	struct opened o = {0};

	core_add_load(&o.plan, 0, 6 << 20, 6 << 20);
	open_core(&o, *access);
	for (uint64_t pfn = 0; pfn < 1536; pfn += PAGE_RUN_MAX)
		check_pages(&o, pfn, PAGE_RUN_MAX);
	for (uint64_t pfn = 1400; pfn > 300; pfn -= 37) /* backwards, across windows */
		check_pages(&o, pfn, PAGE_RUN_MAX);
	close_core(&o);
}

/* --- what can't be read --- */

static void test_lost(void **state)
{
	const enum vmcore_access *access = *state;
	struct opened o = {0};
	char path[32];
	struct error err;
	uint64_t lost;
	const uint8_t *got;
	uint8_t want[CORE_PAGE], zeros[CORE_PAGE] = {0}, byte;

	/* The file ends within page 20; page 30 is another load's, and there. */
	core_add_load(&o.plan, 30 * CORE_PAGE, CORE_PAGE, CORE_PAGE);
	core_add_load(&o.plan, 10 * CORE_PAGE, 20 * CORE_PAGE, 20 * CORE_PAGE)->salt = 1;
	o.file = core_make(&o.plan);
	o.fd = core_file(o.file.bytes, o.plan.loads[1].off + 10 * CORE_PAGE + 100, path);
	assert_int_equal(vmcore_open(path, *access, &o.core, &err), 0);
	assert_int_equal(page_source_new(o.core, &o.src, &err), 0);
	assert_int_equal(o.core->map.lost_bytes, 10 * CORE_PAGE - 100);

	got = page_source_get(o.src, 8, 23, &lost);
	for (uint64_t i = 0; i < 23; i++) {
		const uint64_t pfn = 8 + i;
		const bool want_lost = pfn >= 20 && pfn < 30;

		assert_int_equal(lost >> i & 1, want_lost);
		wanted(&o.plan, pfn * CORE_PAGE, want, CORE_PAGE);
		assert_memory_equal(got + i * CORE_PAGE, want_lost ? zeros : want, CORE_PAGE);
	}
	assert_int_equal(lost >> 23, 0);
	assert_int_equal(vmcore_read(o.core, 20 * CORE_PAGE + 99, &byte, 1), 0);
	assert_int_equal(vmcore_read(o.core, 20 * CORE_PAGE + 100, &byte, 1), -ENODATA);
	assert_int_equal(vmcore_read(o.core, 30 * CORE_PAGE, &byte, 1), 0);
	close_core(&o);
}

static void test_shrinks(void **state UNUSED)
{
	struct opened o = {0};
	uint64_t lost;

	core_add_load(&o.plan, 0, 64 * CORE_PAGE, 64 * CORE_PAGE);
	open_core(&o, VMCORE_ACCESS_READ);
	assert_int_equal(ftruncate(o.fd, (off_t)o.plan.loads[0].off + 63 * CORE_PAGE), 0);
	page_source_get(o.src, 0, 64, &lost);
	assert_int_equal(lost, UINT64_C(1) << 63);
	assert_int_equal(ftruncate(o.fd, (off_t)o.plan.loads[0].off), 0);
	page_source_get(o.src, 0, 64, &lost);
	assert_int_equal(lost, UINT64_MAX);
	close_core(&o);
}

/* --- windows --- */

/* No mmap() works while the address space is said to be full. */
static void refuse_mmap(bool refuse)
{
	static struct rlimit was;
	struct rlimit none;

	if (refuse) {
		assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
		none = (struct rlimit){.rlim_cur = 4096, .rlim_max = was.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	} else {
		assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
	}
}

static void test_refused_window(void **state UNUSED)
{
	struct opened o = {0};
	uint64_t lost;
	const uint8_t *buf, *mapped;

	core_add_load(&o.plan, 0, 4 << 20, 4 << 20);
	open_core(&o, VMCORE_ACCESS_MMAP);
	refuse_mmap(true);
	buf = page_source_get(o.src, 0, 1, &lost); /* the window is refused: read */
	refuse_mmap(false);
	assert_int_equal(lost, 0);
	check_pages(&o, 0, 1);
	mapped = page_source_get(o.src, 600, 1, &lost); /* another one: mapped */
	assert_ptr_not_equal(mapped, buf);
	check_pages(&o, 600, 64);
	/* The refused one isn't tried again, though it could be had now. */
	assert_ptr_equal(page_source_get(o.src, 255, 1, &lost), buf);
	check_pages(&o, 250, 5);
	check_pages(&o, 250, 20); /* half in it */
	check_pages(&o, 300, 64);
	close_core(&o);
}

/* How far the mapping that has `p` goes on behind it. */
static size_t mapped_bytes(const void *p)
{
	const uintptr_t at = (uintptr_t)p;
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long first, end;
	size_t n = 0;
	char line[512];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &first, &end) == 2 && at >= first && at < end)
			n = end - at;
	fclose(f);
	return n;
}

/* What lies in the file behind a piece may be what mmap() of /proc/vmcore refuses. */
static void test_window_ends(void **state UNUSED)
{
	struct opened o = {0};
	uint64_t lost;

	core_add_load(&o.plan, 0, 20 * CORE_PAGE, 20 * CORE_PAGE);
	core_add_load(&o.plan, 64 << 20, 8 << 20, 8 << 20);
	open_core(&o, VMCORE_ACCESS_MMAP);
	assert_int_equal(mapped_bytes(page_source_get(o.src, 0, 1, &lost)), 20 * CORE_PAGE);
	assert_int_equal(mapped_bytes(page_source_get(o.src, 16384, 1, &lost)), 1 << 20);
	close_core(&o);
}

/* A page that a window has is the file's own; one that no piece has whole is put together. */
static void test_mapped(void **state UNUSED)
{
	struct opened o = {0};
	uint64_t lost;
	const uint8_t *first, *second;

	core_add_load(&o.plan, 0, 8 * CORE_PAGE, 8 * CORE_PAGE);
	core_add_load(&o.plan, 16 * CORE_PAGE, 100, CORE_PAGE)->salt = 1;
	open_core(&o, VMCORE_ACCESS_MMAP);
	first = page_source_get(o.src, 0, 2, &lost);
	second = page_source_get(o.src, 4, 2, &lost);
	assert_int_equal(second - first, 4 * CORE_PAGE); /* one window */
	check_pages(&o, 16, 1);
	check_pages(&o, 7, 3); /* across the end of a piece */
	close_core(&o);
}

/* --- opening --- */

struct info {
	const char *name, *text; /* NULL: no VMCOREINFO */
	uint64_t page_bytes;
	bool has_info;
};

/* clang-format off */
static const struct info infos[] = {
	{"vmcore_open: takes 4 KiB pages without VMCOREINFO", NULL, 4096, false},
	{"vmcore_open: takes 4 KiB pages where VMCOREINFO doesn't say", "OSRELEASE=6.1\n", 4096, true},
	{"vmcore_open: takes the page size of VMCOREINFO", "PAGESIZE=16384\n", 16384, true},
	{"vmcore_open: takes pages of 256 KiB", "PAGESIZE=262144\n", 262144, true},
	{"vmcore_open: ignores a page size that is too small", "PAGESIZE=2048\n", 4096, true},
	{"vmcore_open: ignores a page size that is too large", "PAGESIZE=524288\n", 4096, true},
	{"vmcore_open: ignores a page size that is no power of two", "PAGESIZE=12288\n", 4096, true},
	{"vmcore_open: ignores a page size of 0", "PAGESIZE=0\n", 4096, true},
	{"vmcore_open: ignores a page size of 2^64", "PAGESIZE=18446744073709551616\n", 4096, true},
};
/* clang-format on */

static void test_info(void **state)
{
	const struct info *row = *state;
	struct opened o = {0};

	core_add_load(&o.plan, 0, 300000, 300000);
	core_add_note(&o.plan, "CORE", ELF_NT_PRSTATUS, "cpu 0", 5);
	core_add_note(&o.plan, "VMCOREINFO", 1, "PAGESIZE=8192\n", 14); /* not the type */
	if (row->text)
		core_add_vmcoreinfo(&o.plan, row->text);
	core_add_note(&o.plan, "CORE", ELF_NT_PRSTATUS, "cpu 1", 5);
	core_add_note(&o.plan, "CORE", 2, "fpregset", 8);
	core_add_note(&o.plan, "QEMU", ELF_NT_PRSTATUS, "cpu 1", 5);
	open_core(&o, VMCORE_ACCESS_READ);
	assert_int_equal(o.core->page_bytes, row->page_bytes);
	assert_int_equal(o.core->info != NULL, row->has_info);
	assert_int_equal(o.core->cpus, 2);
	if (row->text) {
		assert_int_equal(o.core->info_bytes, strlen(row->text));
		assert_memory_equal(o.core->info_text, row->text, o.core->info_bytes);
	}
	close_core(&o);
}

static void test_first_info_counts(void **state UNUSED)
{
	struct opened o = {0};
	uint64_t n;

	core_add_load(&o.plan, 0, 4096, 4096);
	core_add_vmcoreinfo(&o.plan, "NUMBER(a)=1\n");
	core_add_vmcoreinfo(&o.plan, "NUMBER(a)=2\n");
	open_core(&o, VMCORE_ACCESS_READ);
	assert_true(vmcoreinfo_number(o.core->info, "a", &n));
	assert_int_equal(n, 1);
	close_core(&o);
}

static void test_large_pages(void **state)
{
	const enum vmcore_access *access = *state;
	struct opened o = {0};
	uint8_t *want = malloc(262144);
	uint64_t lost;
	const uint8_t *got;

	assert_non_null(want);
	core_add_load(&o.plan, 5000, 300000, 300000);
	core_add_vmcoreinfo(&o.plan, "PAGESIZE=262144\n");
	open_core(&o, *access);
	assert_int_equal(o.core->map.max_mapnr, 2);
	for (uint64_t pfn = 0; pfn < 2; pfn++) {
		got = page_source_get(o.src, pfn, 1, &lost);
		assert_int_equal(lost, 0);
		wanted(&o.plan, pfn * 262144, want, 262144);
		assert_memory_equal(got, want, 262144);
	}
	close_core(&o);
	free(want);
}

static void test_cannot_open(void **state UNUSED)
{
	struct vmcore *core = NULL;
	struct error err;

	assert_int_equal(vmcore_open("/nonexistent/vmcore", VMCORE_ACCESS_AUTO, &core, &err),
			 -ENOENT);
	assert_string_equal(err.msg, "/nonexistent/vmcore: No such file or directory");
	assert_int_equal(vmcore_open("/dev/null", VMCORE_ACCESS_AUTO, &core, &err), -EINVAL);
	assert_true(strncmp(err.msg, "/dev/null: ", 11) == 0);
	assert_int_equal(vmcore_open("/", VMCORE_ACCESS_AUTO, &core, &err), -EINVAL);
	assert_null(core);
	vmcore_free(NULL);
	page_source_free(NULL);
}

static void add_accesses(struct unit *u, const char *what, CMUnitTestFunction test)
{
	static const char *const how[] = {"read", "mapped"};
	static char names[32][96];
	static size_t used;

	for (size_t i = 0; i < ARRAY_LEN(accesses); i++, used++) {
		snprintf(names[used], sizeof(names[used]), "vmcore: %s, %s", what, how[i]);
		unit_add(u, names[used], test, &accesses[i]);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	add_accesses(&u, "has what the loads say, for any loads", test_any);
	add_accesses(&u, "puts a page together from several loads and holes", test_patchwork);
	add_accesses(&u, "has zeros at the last addresses that there are", test_last_addresses);
	add_accesses(&u, "gives runs of 64 pages", test_longest_run);
	add_accesses(&u, "loses the pages past the end of the file alone", test_lost);
	add_accesses(&u, "has pages of 256 KiB", test_large_pages);
	unit_add(&u, "page_source_get: loses pages of a file that shrinks", test_shrinks, NULL);
	unit_add(&u, "page_source_get: reads where a window is refused, and there alone",
		 test_refused_window, NULL);
	unit_add(&u, "page_source_get: has windows of 1 MiB that end with their piece",
		 test_window_ends, NULL);
	unit_add(&u, "page_source_get: maps what lies in one piece", test_mapped, NULL);
	UNIT_ADD_ROWS(&u, infos, test_info);
	unit_add(&u, "vmcore_open: takes the first VMCOREINFO", test_first_info_counts, NULL);
	unit_add(&u, "vmcore_open: says why it can't", test_cannot_open, NULL);
	return unit_run(&u, "vmcore", argc, argv);
}
