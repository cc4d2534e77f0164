/* sender/report.h: --mem-usage and --dump-dmesg as they are printed. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#if WITH_JANSSON
#include <jansson.h>
#endif

#include "base/bytes.h"
#include "sender/kernel/pageclass.h"
#include "sender/kernel/warnings.h"
#include "sender/pages/filter.h"
#include "sender/report.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"

enum { PAGES = 4096, FIRST = KERNEL_BYTES / KERNEL_PAGE };

/* Some of each class above the kernel's own memory, which holds what its struct pages say. */
static struct kernel *make_kernel(const struct kernel_setup *setup)
{
	struct kernel *k = kernel_new(setup);

	kernel_set_free(k, 2048, 10);
	for (unsigned i = 0; i < 5; i++)
		kernel_set_anon(k, 3072 + i);
	kernel_set_cache(k, 3100, false);
	kernel_set_cache(k, 3101, false);
	kernel_set_cache(k, 3102, true);
	kernel_set_mapcount(k, 3200, kernel_series_find("6.1")->offline);
	kernel_set_flag(k, 3300, 22);
	return k;
}

/* What is printed of it; the caller frees it. */
static char *print(const struct kernel *k, bool json, struct warnings *warnings, int *r)
{
	struct vmcore *core = kernel_open(k);
	struct error err = {0};
	size_t bytes;
	char *text = NULL;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	*r = report_mem_usage(core, 2, json, out, warnings, &err);
	fclose(out);
	vmcore_free(core);
	return text;
}

/* The number in a line that begins with `name`. */
static unsigned long number(const char *text, const char *name)
{
	const char *line = text;

	while (line && (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ' ')) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	assert_non_null(line);
	return strtoul(line + 16, NULL, 10);
}

static void test_text(void **state UNUSED)
{
	struct kernel *k = make_kernel(&(struct kernel_setup){.pages = PAGES});
	struct warnings warnings = {0};
	unsigned long kernel;
	int r;
	char *text = print(k, false, &warnings, &r);

	assert_int_equal(r, 0);
	assert_int_equal(warnings.count, 0);
	assert_int_equal(number(text, "cache"), 2);
	assert_int_equal(number(text, "cache, private"), 1);
	assert_int_equal(number(text, "user"), 5);
	assert_int_equal(number(text, "free"), 1024);
	assert_int_equal(number(text, "offline"), 1);
	assert_int_equal(number(text, "poison"), 1);
	assert_int_equal(number(text, "all"), PAGES);
	kernel = number(text, "kernel") + number(text, "kernel, zero");
	assert_int_equal(kernel, PAGES - 2 - 1 - 5 - 1024 - 1 - 1);
	assert_true(number(text, "kernel, zero") > 0);
	assert_int_equal(number(text, "0"), PAGES - 2);
	assert_int_equal(number(text, "31"), number(text, "kernel"));
	assert_int_equal(number(text, "15"), number(text, "kernel") + 1024);
	assert_non_null(strstr(text, "level 16"));
	assert_non_null(strstr(text, "every level"));
	free(text);
	kernel_free(k);
}

/* What can't be told is said to be so, line by line. */
static void test_unknown(void **state UNUSED)
{
	struct kernel *k = make_kernel(
		&(struct kernel_setup){.pages = PAGES, .without = "OFFSET(page.private)"});
	struct warnings warnings = {0};
	int r;
	char *text = print(k, false, &warnings, &r);

	assert_int_equal(r, 0);
	assert_int_equal(warnings.count, 1);
	assert_int_equal(number(text, "free"), 0);
	assert_int_equal(number(text, "user"), 5);
	assert_non_null(strstr(text, "not known"));
	free(text);
	kernel_free(k);
}

static void test_no_info(void **state UNUSED)
{
	struct kernel *k = make_kernel(&(struct kernel_setup){.pages = PAGES, .no_info = true});
	struct warnings warnings = {0};
	int r;
	char *text = print(k, false, &warnings, &r);

	assert_int_equal(r, 0);
	assert_int_equal(warnings.count, 1);
	assert_int_equal(number(text, "kernel") + number(text, "kernel, zero"), PAGES);
	free(text);
	kernel_free(k);
}

#if WITH_JANSSON
static json_int_t get(const json_t *all, const char *class, const char *key)
{
	return json_integer_value(
		json_object_get(json_object_get(json_object_get(all, "classes"), class), key));
}

static void test_json(void **state UNUSED)
{
	struct kernel *k = make_kernel(&(struct kernel_setup){.pages = PAGES});
	struct warnings warnings = {0};
	int r;
	char *text = print(k, true, &warnings, &r), *plain = print(k, false, &warnings, &r);
	json_t *all = json_loads(text, 0, NULL);
	const json_t *levels = json_object_get(all, "pages_at_level");

	assert_non_null(all);
	assert_int_equal(json_integer_value(json_object_get(all, "page_size")), 4096);
	assert_int_equal(json_integer_value(json_object_get(all, "pages")), PAGES);
	assert_int_equal(get(all, "user", "pages"), 5);
	assert_int_equal(get(all, "user", "level"), 8);
	assert_int_equal(get(all, "free", "pages"), 1024);
	assert_int_equal(get(all, "cache, private", "level"), 4);
	assert_int_equal(get(all, "kernel", "level"), 0);
	assert_true(json_is_true(json_object_get(
		json_object_get(json_object_get(all, "classes"), "free"), "known")));
	assert_int_equal(json_array_size(levels), 32);
	for (unsigned level = 0; level <= LEVEL_MAX; level = level * 2 + 1) {
		char name[8];

		snprintf(name, sizeof(name), "%u", level);
		assert_int_equal(json_integer_value(json_array_get(levels, level)),
				 number(plain, name));
	}
	/* A level that the text doesn't have: user pages alone. */
	assert_int_equal(json_integer_value(json_array_get(levels, 8)), PAGES - 2 - 5);
	json_decref(all);
	free(text);
	free(plain);
	kernel_free(k);
}
#else
static void test_json(void **state UNUSED)
{
	struct kernel *k = make_kernel(&(struct kernel_setup){.pages = PAGES});
	struct warnings warnings = {0};
	int r;

	free(print(k, true, &warnings, &r));
	assert_int_equal(r, -ENOTSUP);
	kernel_free(k);
}
#endif

/* --- what fails --- */

static void test_full(void **state UNUSED)
{
	struct kernel *k = make_kernel(&(struct kernel_setup){.pages = PAGES});
	struct vmcore *core = kernel_open(k);
	struct warnings warnings = {0};
	struct error err;
	FILE *out = fopen("/dev/full", "w");

	assert_non_null(out);
	assert_int_equal(report_mem_usage(core, 0, false, out, &warnings, &err), -ENOSPC);
	fclose(out);
	vmcore_free(core);
	kernel_free(k);
}

struct log_failure {
	const char *name;
	struct kernel_setup setup;
	int want;
	const char *said;
};

static const struct log_failure log_failures[] = {
	{"report_dmesg: says that there is no VMCOREINFO",
	 {.no_info = true},
	 -ENODATA,
	 "VMCOREINFO"},
	{"report_dmesg: says that there are no page tables",
	 {.without = "SYMBOL(init_top_pgt)"},
	 -ENODATA,
	 "page tables"},
	{"report_dmesg: says that there is no log", {.pages = 0}, -ENODATA, "no kernel log"},
};

static void test_log_failure(void **state)
{
	const struct log_failure *row = *state;
	struct kernel *k = kernel_new(&row->setup);
	struct vmcore *core = kernel_open(k);
	struct error err = {0};

	assert_int_equal(report_dmesg(core, stdout, &err), row->want);
	assert_non_null(strstr(err.msg, row->said));
	vmcore_free(core);
	kernel_free(k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "report_mem_usage: counts each class, and what levels leave", test_text, NULL);
	unit_add(&u, "report_mem_usage: says which classes aren't known", test_unknown, NULL);
	unit_add(&u, "report_mem_usage: counts without VMCOREINFO", test_no_info, NULL);
	unit_add(&u, "report_mem_usage: says the same as JSON", test_json, NULL);
	unit_add(&u, "report_mem_usage: fails on a full disk", test_full, NULL);
	UNIT_ADD_ROWS(&u, log_failures, test_log_failure);
	return unit_run(&u, "report", argc, argv);
}
