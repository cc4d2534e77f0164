/* sender/kernel/fingerprint.h: which pages of memory make it, and that it is the same each time. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "sender/kernel/fingerprint.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/kernel.h"

/* A page of the kernel's first 4 MiB, where its top table lies, that nothing else lies in; and one
 * far from them. */
enum { NEAR_PFN = 0x3f0, FAR_PFN = 0x5f0 };

struct print {
	uint8_t bytes[DIGEST_BYTES];
};

static struct print take(const struct vmcore *core)
{
	AUTO(digester_free) struct digester *d = NULL;
	struct warnings warnings = {0};
	struct kmodel km;
	struct print p;
	struct error err;

	kmodel_init(&km, core, 0, &warnings);
	assert_int_equal(digester_new(&d, &err), 0);
	digester_begin(d);
	assert_int_equal(fingerprint_memory(&km, d, &err), 0);
	assert_int_equal(digester_end(d, p.bytes, &err), 0);
	kmodel_deinit(&km);
	return p;
}

static struct print of_kernel(const struct kernel *k)
{
	struct vmcore *core = kernel_open(k);
	const struct print p = take(core);

	vmcore_free(core);
	return p;
}

static bool same(const struct print *a, const struct print *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* --- where the kernel is known --- */

struct fixture {
	struct kernel *k;
	struct print before;
};

static struct fixture begin(void)
{
	const struct kernel_setup setup = {0};
	struct fixture f = {.k = kernel_new(&setup)};

	/* Up to there the file has data. */
	kernel_alloc(f.k, KERNEL_PAGE, (FAR_PFN + 1) * KERNEL_PAGE);
	f.before = of_kernel(f.k);
	return f;
}

/* Whether it is another one now. */
static bool changed(const struct fixture *f)
{
	const struct print now = of_kernel(f->k);

	return !same(&f->before, &now);
}

static void test_same(void **state UNUSED)
{
	struct fixture f = begin();

	assert_false(changed(&f));
	kernel_free(f.k);
}

static void test_data(void **state UNUSED)
{
	struct fixture f = begin();

	kernel_at(f.k, (uint64_t)NEAR_PFN * KERNEL_PAGE)[4095] = 1;
	assert_true(changed(&f));
	kernel_at(f.k, (uint64_t)NEAR_PFN * KERNEL_PAGE)[4095] = 0;
	assert_false(changed(&f));
	kernel_at(f.k, KERNEL_IMAGE)[77] ^= 1;
	assert_true(changed(&f));
	kernel_free(f.k);
}

static void test_elsewhere(void **state UNUSED)
{
	struct fixture f = begin();

	kernel_at(f.k, (uint64_t)FAR_PFN * KERNEL_PAGE)[0] = 1;
	assert_false(changed(&f));
	kernel_free(f.k);
}

/* What becomes of a page of whose memory nothing may be read. */
struct spared {
	const char *name;
	void (*make)(struct kernel *k, uint64_t pfn);
};

static void make_broken(struct kernel *k, uint64_t pfn)
{
	kernel_set_flag(k, pfn, kernel_series_find("6.1")->hwpoison);
}

static void make_offline(struct kernel *k, uint64_t pfn)
{
	kernel_set_mapcount(k, pfn, kernel_series_find("6.1")->offline);
}

static void make_free(struct kernel *k, uint64_t pfn)
{
	kernel_set_free(k, pfn, 4);
}

static const struct spared spared[] = {
	{"fingerprint_memory: reads no broken page", make_broken},
	{"fingerprint_memory: reads no offline page", make_offline},
	{"fingerprint_memory: reads no free page", make_free},
	{"fingerprint_memory: reads no user's page", kernel_set_anon},
};

static void test_spared(void **state)
{
	const struct spared *row = *state;
	struct fixture f = begin();

	row->make(f.k, NEAR_PFN);
	assert_true(changed(&f));
	f.before = of_kernel(f.k);
	kernel_at(f.k, (uint64_t)NEAR_PFN * KERNEL_PAGE)[0] = 1;
	assert_false(changed(&f));
	/* Its neighbour before it is. */
	kernel_at(f.k, (uint64_t)(NEAR_PFN - 1) * KERNEL_PAGE)[0] = 1;
	assert_true(changed(&f));
	kernel_free(f.k);
}

/* --- where it isn't --- */

/* A core of these loads, cut by so many bytes, with the byte at `at` of the file's memory set. */
static struct print of_plan(struct core_plan *plan, size_t cut_bytes, uint64_t at)
{
	struct core file = core_make(plan);
	struct vmcore *core;
	struct error err;
	struct print p;
	char path[32];
	int fd;

	if (at)
		file.bytes[plan->loads[0].off + at] ^= 1;
	fd = core_file(file.bytes, file.size_bytes - cut_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	p = take(core);
	vmcore_free(core);
	close(fd);
	core_free(&file);
	return p;
}

/* Of a small core every page counts. */
static void test_all(void **state UNUSED)
{
	enum { PAGES = 100 };
	struct core_plan plan = {0};
	struct print first;

	core_add_load(&plan, 0x100000, (uint64_t)PAGES * CORE_PAGE, (uint64_t)PAGES * CORE_PAGE);
	first = of_plan(&plan, 0, 0);
	for (uint64_t i = 0; i < PAGES; i++) {
		const struct print p = of_plan(&plan, 0, i * CORE_PAGE + 4000);

		assert_false(same(&first, &p));
	}
}

static void test_lost(void **state UNUSED)
{
	struct core_plan plan = {0};
	struct print whole, cut, again;

	core_add_load(&plan, 0, 8 * CORE_PAGE, 8 * CORE_PAGE)->salt = CORE_ZEROS;
	whole = of_plan(&plan, 0, 0);
	cut = of_plan(&plan, 3 * CORE_PAGE, 0);
	again = of_plan(&plan, 3 * CORE_PAGE, 0);
	assert_true(same(&cut, &again));
	assert_false(same(&whole, &cut)); /* a page that is lost isn't one of zeros */
}

/* Of a large one as many as are allowed, evenly: of twice as many each second one. */
static void test_even(void **state UNUSED)
{
	enum {
		LOADS = 32,
		EACH = 2 * FINGERPRINT_SAMPLE_PAGES / LOADS,
	};
	struct core_plan plan = {0};
	struct print first, odd, even;

	for (uint64_t i = 0; i < LOADS; i++) {
		const uint64_t bytes = (uint64_t)EACH * CORE_PAGE;

		core_add_load(&plan, i * bytes, bytes, bytes)->salt = CORE_ZEROS;
		plan.loads[i].off = 0x10000; /* the same of each: the file is small */
	}
	first = of_plan(&plan, 0, 0);
	odd = of_plan(&plan, 0, 5 * CORE_PAGE);
	even = of_plan(&plan, 0, 6 * CORE_PAGE);
	assert_true(same(&first, &odd));
	assert_false(same(&first, &even));
}

static bool stopped(void)
{
	return true;
}

static void test_cancelled(void **state UNUSED)
{
	AUTO(digester_free) struct digester *d = NULL;
	const struct kernel_setup setup = {0};
	struct kernel *k = kernel_new(&setup);
	struct vmcore *core = kernel_open(k);
	struct warnings warnings = {0};
	struct kmodel km;
	struct error err;

	kmodel_init(&km, core, 0, &warnings);
	core->stop.signalled = stopped;
	assert_int_equal(digester_new(&d, &err), 0);
	digester_begin(d);
	assert_int_equal(fingerprint_memory(&km, d, &err), -ECANCELED);
	kmodel_deinit(&km);
	vmcore_free(core);
	kernel_free(k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "fingerprint_memory: is the same each time", test_same, NULL);
	unit_add(&u, "fingerprint_memory: changes with the kernel's data", test_data, NULL);
	unit_add(&u, "fingerprint_memory: reads nothing else of a known kernel", test_elsewhere,
		 NULL);
	UNIT_ADD_ROWS(&u, spared, test_spared);
	unit_add(&u, "fingerprint_memory: changes with each page of a small core", test_all, NULL);
	unit_add(&u, "fingerprint_memory: takes pages that can't be read for what they are",
		 test_lost, NULL);
	unit_add(&u, "fingerprint_memory: takes an even sample of a large core", test_even, NULL);
	unit_add(&u, "fingerprint_memory: ends with a signal", test_cancelled, NULL);
	return unit_run(&u, "fingerprint", argc, argv);
}
