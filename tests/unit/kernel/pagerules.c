/* sender/kernel/pageclass.h: which keys of a kernel the rules need, and what each level leaves out.
 */
#include "tests/lib/unit.h"

#include <string.h>

#include "format/vmcoreinfo.h"
#include "sender/kernel/pageclass.h"
#include "sender/kernel/warnings.h"
#include "tests/lib/kernel.h"

enum {
	ALL = (1 << CLASS_COUNT) - 1 - (1 << CLASS_KERNEL),
	CACHE = 1 << CLASS_CACHE | 1 << CLASS_CACHE_PRIVATE,
	USER = 1 << CLASS_USER,
	FREE = 1 << CLASS_FREE,
	OFFLINE = 1 << CLASS_OFFLINE,
	POISON = 1 << CLASS_HWPOISON,
};

/* A key that a kernel of a series doesn't tell, or tells as nonsense: the classes that can't be
 * told then, and what is said. */
struct missing {
	const char *name, *series, *key, *instead;
	unsigned lost;
	const char *said; /* NULL: nothing */
};

/* clang-format off */
static const struct missing missing[] = {
	{"page_rules_init: tells nothing without page.flags", "6.1", "OFFSET(page.flags)", "", ALL, "OFFSET(page.flags)"},
	{"page_rules_init: tells nothing without page.compound_head", "6.1", "OFFSET(page.compound_head)", "", ALL, "OFFSET(page.compound_head)"},
	{"page_rules_init: tells nothing without page.compound_info", "7.1", "OFFSET(page.compound_info)", "", ALL, "OFFSET(page.compound_head)"},
	{"page_rules_init: tells nothing without page._mapcount", "6.1", "OFFSET(page._mapcount)", "", ALL, "OFFSET(page._mapcount)"},
	{"page_rules_init: tells nothing without a way to tell slabs", "6.1", "NUMBER(PG_slab)", "", ALL, "PG_slab"},
	{"page_rules_init: tells nothing without the type of slabs", "6.12", "NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", "", ALL, "PAGE_SLAB_MAPCOUNT_VALUE"},
	{"page_rules_init: refuses flags past the struct page", "6.1", "OFFSET(page.flags)", "57", ALL, "OFFSET(page.flags)"},
	{"page_rules_init: refuses an offset of 2^64 - 1", "6.1", "OFFSET(page._mapcount)", "18446744073709551615", ALL, "OFFSET(page._mapcount)"},
	{"page_rules_init: refuses a flag of bit 64", "6.1", "NUMBER(PG_slab)", "64", ALL, "PG_slab"},
	{"page_rules_init: can't tell cache and user without page.mapping", "6.1", "OFFSET(page.mapping)", "", CACHE | USER, "cache and user pages stay"},
	{"page_rules_init: can't tell cache without PG_lru", "6.1", "NUMBER(PG_lru)", "", CACHE, "cache pages stay"},
	{"page_rules_init: can't tell cache without PG_private", "6.12", "NUMBER(PG_private)", "", CACHE, "cache pages stay"},
	{"page_rules_init: can't tell cache without PG_swapcache", "6.1", "NUMBER(PG_swapcache)", "", CACHE, "cache pages stay"},
	{"page_rules_init: can't tell cache without PG_swapbacked", "6.1", "NUMBER(PG_swapbacked)", "", CACHE, "cache pages stay"},
	{"page_rules_init: can't tell free without page.private", "6.1", "OFFSET(page.private)", "", FREE, "free pages stay"},
	{"page_rules_init: can't tell free without the buddy's value", "6.1", "NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", "", FREE, "free pages stay"},
	{"page_rules_init: can't tell free without zone.free_area", "6.1", "LENGTH(zone.free_area)", "", FREE, "free pages stay"},
	{"page_rules_init: refuses 0 orders", "6.1", "LENGTH(zone.free_area)", "0", FREE, "free pages stay"},
	{"page_rules_init: refuses 25 orders", "6.1", "LENGTH(zone.free_area)", "25", FREE, "free pages stay"},
	{"page_rules_init: says that huge pages aren't known without PG_head_mask", "6.1", "NUMBER(PG_head_mask)", "", 0, "only the first page of each huge page"},
	{"page_rules_init: says that huge pages aren't known without the order", "6.1", "OFFSET(page.compound_order)", "", 0, "only the first page of each huge page"},
	{"page_rules_init: says so without 6.3's order", "6.3", "OFFSET(folio._folio_order)", "", 0, "only the first page of each huge page"},
	{"page_rules_init: refuses an order that is in the head", "6.3", "OFFSET(folio._folio_order)", "63", 0, "only the first page of each huge page"},
	{"page_rules_init: refuses an order past the tail", "6.3", "OFFSET(folio._folio_order)", "128", 0, "only the first page of each huge page"},
	{"page_rules_init: takes a kernel without memory failures", "6.1", "NUMBER(PG_hwpoison)", "", POISON, NULL},
	{"page_rules_init: takes a kernel without offline pages", "6.1", "NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", "", OFFLINE, NULL},
	{"page_rules_init: takes a kernel without hugetlb pages", "6.1", "NUMBER(HUGETLB_PAGE_DTOR)", "", 0, NULL},
	{"page_rules_init: takes a kernel without unaccepted memory", "6.16", "NUMBER(PAGE_UNACCEPTED_MAPCOUNT_VALUE)", "", 0, NULL},
};
/* clang-format on */

/* The rules for the classes `wanted`. */
static struct page_rules make_rules(const char *text, unsigned wanted, struct warnings *warnings)
{
	AUTO(vmcoreinfo_free) struct vmcoreinfo *info = NULL;
	struct page_rules rules;
	struct error err;

	assert_int_equal(vmcoreinfo_new(text, strlen(text), &info, &err), 0);
	page_rules_init(&rules, info, ELF_DATA_LE64, KERNEL_PAGE_STRUCT, wanted, warnings);
	return rules;
}

/* The series' text with the key's line left out, or with another value. */
static void edit(char *out, size_t room, const char *text, const char *key, const char *value)
{
	const char *at = strstr(text, key), *end;

	assert_non_null(at);
	end = strchr(at, '\n') + 1;
	if (*value)
		snprintf(out, room, "%.*s%s=%s\n%s", (int)(at - text), text, key, value, end);
	else
		snprintf(out, room, "%.*s%s", (int)(at - text), text, end);
}

static void test_missing(void **state)
{
	const struct missing *row = *state;
	struct warnings warnings = {0};
	struct page_rules rules;
	char text[2000];

	edit(text, sizeof(text), kernel_series_find(row->series)->info, row->key, row->instead);
	rules = make_rules(text, ALL, &warnings);
	assert_int_equal(rules.known, ALL & ~row->lost);
	if (!row->said) {
		assert_int_equal(warnings.count, 0);
		return;
	}
	assert_int_equal(warnings.count, 1);
	assert_non_null(strstr(warnings.line[0], row->said));
}

/* What isn't wanted needs no keys. */
static void test_unwanted(void **state UNUSED)
{
	struct warnings warnings = {0};
	struct page_rules rules;
	char text[2000];

	edit(text, sizeof(text), kernel_series_find("6.1")->info, "NUMBER(PG_lru)", "");
	rules = make_rules(text, FREE, &warnings);
	assert_int_equal(warnings.count, 0);
	assert_true(rules.known & FREE);
}

static void test_levels(void **state UNUSED)
{
	for (unsigned level = 0; level <= LEVEL_MAX; level++) {
		const unsigned classes = page_classes_of_level(level);

		assert_int_equal(!!(classes & 1 << CLASS_CACHE), !!(level & (2 | 4)));
		assert_int_equal(!!(classes & 1 << CLASS_CACHE_PRIVATE), !!(level & 4));
		assert_int_equal(!!(classes & USER), !!(level & 8));
		assert_int_equal(!!(classes & FREE), !!(level & 16));
		assert_int_equal(classes & (OFFLINE | POISON), OFFLINE | POISON);
		assert_false(classes & 1 << CLASS_KERNEL);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, missing, test_missing);
	unit_add(&u, "page_rules_init: asks for what is wanted only", test_unwanted, NULL);
	unit_add(&u, "page_classes_of_level: follows makedumpfile's levels", test_levels, NULL);
	return unit_run(&u, "pagerules", argc, argv);
}
