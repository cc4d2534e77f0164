/* sender/kernel/pagemap.h: where struct pages are, by the memory sections. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sender/kernel/pagemap.h"
#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"

enum { SECTION = KERNEL_SECTION_PAGES };

struct fixture {
	struct kernel *k;
	struct vmcore *core;
	struct paging paging;
	struct pagemap map;
};

static int open_fixture(struct fixture *f, struct error *err)
{
	f->core = kernel_open(f->k);
	assert_int_equal(paging_init(&f->paging, f->core, err), 0);
	return pagemap_init(&f->map, &f->paging, err);
}

static void close_fixture(struct fixture *f)
{
	pagemap_deinit(&f->map);
	vmcore_free(f->core);
	kernel_free(f->k);
}

static bool is_known(const struct fixture *f, uint64_t pfn)
{
	uint8_t raw[STRUCT_PAGE_BYTES_MAX];
	bool known;

	assert_int_equal(pagemap_read(&f->map, pfn, 1, raw, &known), 1);
	return known;
}

/* --- ways that sections are kept --- */

struct way {
	const char *name;
	struct kernel_setup setup;
};

static const struct way ways[] = {
	{"pagemap_read: finds them through roots", {.pages = 3 * SECTION}},
	{"pagemap_read: finds them through a flat array",
	 {.pages = 3 * SECTION, .flat_sections = true}},
	{"pagemap_read: finds them where sections are apart",
	 {.pages = 3 * SECTION, .scattered = true}},
	{"pagemap_read: finds them with 5 levels", {.pages = 3 * SECTION, .levels = 5}},
	{"pagemap_read: doesn't need MAX_PHYSMEM_BITS",
	 {.pages = 3 * SECTION, .without = "NUMBER(MAX_PHYSMEM_BITS)"}},
	{"pagemap_read: doesn't need SECTION_SIZE_BITS",
	 {.pages = 3 * SECTION, .without = "NUMBER(SECTION_SIZE_BITS)"}},
	{"pagemap_read: takes roots where their number isn't known",
	 {.pages = 3 * SECTION, .without = "LENGTH(mem_section)"}},
	{"pagemap_read: takes the flags of 5.10", {.pages = 3 * SECTION, .section_flags = 0x7}},
	{"pagemap_read: takes flags up to bit 5",
	 {.pages = 3 * SECTION, .section_flags = 0x3f}}, /* SECTION_IS_VMEMMAP_PREINIT, 6.15 */
	{"pagemap_read: takes flags of kernels to come",
	 {.pages = 3 * SECTION, .section_flags = 0xfff}},
};

static void test_way(void **state)
{
	const struct way *row = *state;
	static const uint64_t pfns[] = {
		0, 1, SECTION - 1, SECTION, SECTION + 7, 2 * SECTION - 1, 3 * SECTION - 1};
	struct fixture f = {.k = kernel_new(&row->setup)};
	struct error err = {0};
	uint8_t raw[KERNEL_PAGE_STRUCT];
	bool known;

	for (size_t i = 0; i < ARRAY_LEN(pfns); i++)
		le64_put(kernel_page(f.k, pfns[i]) + PAGE_PRIVATE, 0x123456 + pfns[i]);
	if (open_fixture(&f, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(f.map.section_count, 3);
	for (size_t i = 0; i < ARRAY_LEN(pfns); i++) {
		assert_int_equal(pagemap_read(&f.map, pfns[i], 1, raw, &known), 1);
		assert_true(known);
		assert_int_equal(le64_get(raw + PAGE_PRIVATE), 0x123456 + pfns[i]);
	}
	close_fixture(&f);
}

/* --- how much is answered for at once --- */

static void test_batches(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = 2 * SECTION + 100})};
	uint8_t *buf = malloc(3 * SECTION * KERNEL_PAGE_STRUCT);
	struct error err;
	uint64_t entry;
	bool known;

	assert_non_null(buf);
	entry = kernel_map(f.k, KERNEL_VMEMMAP + 640 * KERNEL_PAGE_STRUCT, 0, 1);
	le64_put(kernel_at(f.k, entry), 0);
	assert_int_equal(open_fixture(&f, &err), 0);
	/* At most to the section's end. */
	assert_int_equal(pagemap_read(&f.map, SECTION, 3 * SECTION, buf, &known), SECTION);
	assert_true(known);
	assert_int_equal(pagemap_read(&f.map, SECTION - 5, 100, buf, &known), 5);
	assert_true(known);
	/* Across a hole, page by page. */
	assert_int_equal(pagemap_read(&f.map, 600, 200, buf, &known), 640 - 600);
	assert_true(known);
	assert_int_equal(pagemap_read(&f.map, 640, 200, buf, &known), 64);
	assert_false(known);
	assert_int_equal(pagemap_read(&f.map, 700, 200, buf, &known), 4);
	assert_false(known);
	assert_int_equal(pagemap_read(&f.map, 704, 200, buf, &known), 200);
	assert_true(known);
	/* Past all sections. */
	assert_int_equal(pagemap_read(&f.map, 3 * SECTION, 50, buf, &known), 50);
	assert_false(known);
	free(buf);
	close_fixture(&f);
}

/* A struct page that isn't 64 bytes lies across two pages, one of which may be missing. */
static void test_across(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.more = "SIZE(page)=56"})};
	uint8_t raw[STRUCT_PAGE_BYTES_MAX];
	struct error err;
	uint64_t entry;
	bool known;

	entry = kernel_map(f.k, KERNEL_VMEMMAP + KERNEL_PAGE, 0, 1);
	le64_put(kernel_at(f.k, entry), 0);
	assert_int_equal(open_fixture(&f, &err), 0);
	assert_int_equal(f.map.struct_page_bytes, 56);
	assert_true(is_known(&f, 72));	/* ends at 4088 */
	assert_false(is_known(&f, 73)); /* ends at 4144 */
	assert_false(is_known(&f, 146));
	assert_true(is_known(&f, 147)); /* begins at 8232 */
	assert_int_equal(pagemap_read(&f.map, 73, 1, raw, &known), 1);
	close_fixture(&f);
}

/* --- sections that hold nothing --- */

static void test_unusable_sections(void **state UNUSED)
{
	static const uint64_t words[] = {0, 0xf, KERNEL_VMEMMAP | 1, KERNEL_VMEMMAP | 0xb,
					 KERNEL_VMEMMAP | 0xd};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct fixture f = {.k = kernel_new(&(struct kernel_setup){.pages = 2 * SECTION})};
		struct error err;

		kernel_set_section(f.k, 1, words[i]);
		assert_int_equal(open_fixture(&f, &err), 0);
		assert_true(is_known(&f, SECTION - 1));
		assert_false(is_known(&f, SECTION));
		close_fixture(&f);
	}
}

/* Sections where there is no memory aren't looked for, however many there could be: here 2^26. */
/* A core may claim any size. */
static void test_claims(void **state UNUSED)
{
	struct fixture f = {
		.k = kernel_new(&(struct kernel_setup){.pages = 3 * SECTION,
						       .more = "NUMBER(MAX_PHYSMEM_BITS)=28",
						       .without = "LENGTH(mem_section)"})};
	struct error err;

	assert_int_equal(open_fixture(&f, &err), 0);
	assert_int_equal(f.map.section_count, 2);
	assert_true(is_known(&f, 2 * SECTION - 1));
	assert_false(is_known(&f, 2 * SECTION));
	close_fixture(&f);
}

static void test_far_memory(void **state UNUSED)
{
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){0})};
	const struct pfn_range far = {(UINT64_C(1) << 40) - 100, UINT64_C(1) << 40};
	struct pfn_range ram[2], *old;
	struct error err;

	f.core = kernel_open(f.k);
	assert_int_equal(paging_init(&f.paging, f.core, &err), 0);
	assert_int_equal(f.core->map.ram_count, 1);
	ram[0] = f.core->map.ram[0];
	ram[1] = far;
	old = f.core->map.ram;
	f.core->map.ram = ram;
	f.core->map.ram_count = 2;
	f.core->map.max_mapnr = far.end;
	assert_int_equal(pagemap_init(&f.map, &f.paging, &err), 0);
	assert_true(is_known(&f, 5));
	assert_false(is_known(&f, far.first));
	f.core->map.ram = old;
	f.core->map.ram_count = 1;
	close_fixture(&f);
}

/* --- what is refused --- */

struct refusal {
	const char *name;
	const char *without, *more;
	int want;
	const char *said;
};

/* clang-format off */
static const struct refusal refusals[] = {
	{"pagemap_init: refuses a kernel without mem_section", "SYMBOL(mem_section)", NULL, -ENODATA, "no memory sections"},
	{"pagemap_init: refuses one without its size", "SIZE(mem_section)", NULL, -ENODATA, "no memory sections"},
	{"pagemap_init: refuses one without its word", "OFFSET(mem_section.section_mem_map)", NULL, -ENODATA, "no memory sections"},
	{"pagemap_init: refuses one without the size of struct page", "SIZE(page)", NULL, -ENODATA, "how large a struct page"},
	{"pagemap_init: refuses struct pages of 39 bytes", NULL, "SIZE(page)=39", -EBADMSG, "39 bytes"},
	{"pagemap_init: refuses struct pages of 257 bytes", NULL, "SIZE(page)=257", -EBADMSG, "257 bytes"},
	{"pagemap_init: refuses struct pages of 2^64 - 1 bytes", NULL, "SIZE(page)=18446744073709551615", -EBADMSG, "impossible"},
	{"pagemap_init: refuses sections of 0 bytes", NULL, "NUMBER(SECTION_SIZE_BITS)=0", -EBADMSG, "impossible"},
	{"pagemap_init: refuses sections of 2^19 bytes", NULL, "NUMBER(SECTION_SIZE_BITS)=19", -EBADMSG, "2^19"},
	{"pagemap_init: refuses sections of 2^41 bytes", NULL, "NUMBER(SECTION_SIZE_BITS)=41", -EBADMSG, "2^41"},
	{"pagemap_init: refuses sections of 2^-1 bytes", NULL, "NUMBER(SECTION_SIZE_BITS)=-1", -EBADMSG, "impossible"},
	{"pagemap_init: refuses memory smaller than a section", NULL, "NUMBER(MAX_PHYSMEM_BITS)=27", -EBADMSG, "2^27"},
	{"pagemap_init: refuses 2^53 bytes of memory", NULL, "NUMBER(MAX_PHYSMEM_BITS)=53", -EBADMSG, "2^53"},
	{"pagemap_init: refuses struct mem_section of 7 bytes", NULL, "SIZE(mem_section)=7", -EBADMSG, "7 bytes"},
	{"pagemap_init: refuses struct mem_section of 257 bytes", NULL, "SIZE(mem_section)=257", -EBADMSG, "257 bytes"},
	{"pagemap_init: refuses a word past its end", NULL, "OFFSET(mem_section.section_mem_map)=9", -EBADMSG, "impossible"},
	{"pagemap_init: refuses roots that aren't there", NULL, "SYMBOL(mem_section)=ffffc90000000000", -ENODATA, "no memory section has"},
	{"pagemap_init: refuses roots where there are none", NULL, "SYMBOL(mem_section)=ffff888000000000", -ENODATA, "no memory section has"},
};
/* clang-format on */

static void test_refusal(void **state)
{
	const struct refusal *row = *state;
	struct fixture f = {.k = kernel_new(&(struct kernel_setup){.without = row->without,
								   .more = row->more})};
	struct error err = {0};

	assert_int_equal(open_fixture(&f, &err), row->want);
	assert_non_null(strstr(err.msg, row->said));
	close_fixture(&f);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, ways, test_way);
	unit_add(&u, "pagemap_read: answers for one section, up to a hole", test_batches, NULL);
	unit_add(&u, "pagemap_read: wants all of a struct page", test_across, NULL);
	unit_add(&u, "pagemap_read: trusts no section that isn't in use", test_unusable_sections,
		 NULL);
	unit_add(&u, "pagemap_init: has no more sections than the kernel can", test_claims, NULL);
	unit_add(&u, "pagemap_init: looks for sections where there is memory", test_far_memory,
		 NULL);
	UNIT_ADD_ROWS(&u, refusals, test_refusal);
	return unit_run(&u, "pagemap", argc, argv);
}
