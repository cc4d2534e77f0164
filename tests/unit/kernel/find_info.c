/* sender/kernel/find_info.h: which VMCOREINFO is that of the memory, among notes and in memory. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/vmcoreinfo.h"
#include "sender/kernel/find_info.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"
#include "tests/lib/kernel.h"

/* Where the kernel's name lies, and what VMCOREINFO has to say for it to be found there. */
enum { NAME_AT = 0x3000, NAME_BYTES = 65 };
#define NAME_VADDR  "ffffffff81003000"
#define OTHER_VADDR "ffffffff81003008"
#define PHYS_BASE   "-15728640" /* KERNEL_IMAGE less KERNEL_IMAGE_VADDR's place among the image's */
#define NAME	    "SYMBOL(init_uts_ns)=" NAME_VADDR "\nOFFSET(uts_namespace.name)=0\n"
#define RIGHT	    "OSRELEASE=6.1.0-test\n" NAME "NUMBER(phys_base)=" PHYS_BASE "\n"
#define STALE	    "OSRELEASE=6.1.0-test\n" NAME "NUMBER(phys_base)=-15724544\n"
#define OLDER	    "OSRELEASE=5.10.0-old\n" NAME "NUMBER(phys_base)=" PHYS_BASE "\n"
#define SAYS_LITTLE "OSRELEASE=5.4.0-some\nPAGESIZE=4096\n"

static void put_name(char *at)
{
	strcpy(at, "Linux");
	strcpy(at + NAME_BYTES, "host");
	strcpy(at + 2 * NAME_BYTES, "6.1.0-test");
	strcpy(at + 3 * NAME_BYTES, "#1 SMP");
	strcpy(at + 4 * NAME_BYTES, "x86_64");
	strcpy(at + 5 * NAME_BYTES, "(none)");
}

/* --- how well one fits --- */

struct fit {
	const char *name;
	const char *more; /* lines in front of the kernel's own */
	const char *without;
	enum info_fit want;
};

/* clang-format off */
static const struct fit fits[] = {
	{"info_check: believes page tables that map the kernel", NAME, NULL, INFO_MAPPED},
	{"info_check: believes the kernel's name", NAME "SYMBOL(init_top_pgt)=ffffffff81005000", NULL, INFO_NAMED},
	{"info_check: can't tell without the name's place", NULL, NULL, INFO_UNPROVED},
	{"info_check: sees another kernel's release", NAME "OSRELEASE=5.10.0-old", NULL, INFO_CONTRADICTED},
	{"info_check: sees that no name is there", "SYMBOL(init_uts_ns)=" OTHER_VADDR "\nOFFSET(uts_namespace.name)=0", NULL, INFO_CONTRADICTED},
	{"info_check: sees another boot's base", NAME "NUMBER(phys_base)=-15724544", NULL, INFO_CONTRADICTED},
	{"info_check: sees a base outside of memory", NAME "NUMBER(phys_base)=1099511627776", NULL, INFO_CONTRADICTED},
	{"info_check: takes a text without release for empty", NAME, "OSRELEASE", INFO_EMPTY},
	{"info_check: takes an empty release for empty", NAME "OSRELEASE=", NULL, INFO_EMPTY},
};
/* clang-format on */

static void test_fit(void **state)
{
	const struct fit *row = *state;
	const struct kernel_setup setup = {.more = row->more, .without = row->without};
	struct kernel *k = kernel_new(&setup);
	struct vmcore *core;

	put_name((char *)kernel_at(k, KERNEL_IMAGE + NAME_AT));
	core = kernel_open(k);
	assert_int_equal(info_check(core), row->want);
	vmcore_free(core);
	kernel_free(k);
}

/* Memory that exists, and that the vmcore doesn't have, contradicts nobody. */
static void test_not_there(void **state UNUSED)
{
	struct core_plan plan = {0};
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	int fd;

	core_add_load(&plan, 0, CORE_PAGE, 4 << 20);
	core_add_vmcoreinfo(&plan, RIGHT);
	file = core_make(&plan);
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	assert_int_equal(info_check(core), INFO_UNPROVED);
	vmcore_free(core);
	close(fd);
	core_free(&file);
}

/* --- choosing --- */

struct choice {
	const char *name;
	const char *notes[4];
	const char *in_memory;	  /* a text */
	size_t at;		  /* where in a page */
	const char *want_release; /* NULL: none is taken */
	const char *want_remark;  /* NULL: nothing is said */
};

/* clang-format off */
static const struct choice choices[] = {
	{"find_info: takes the only note that is right", {RIGHT}, NULL, 0, "6.1.0-test", NULL},
	{"find_info: takes the only note where memory doesn't tell", {SAYS_LITTLE}, NULL, 0, "5.4.0-some", NULL},
	{"find_info: passes over an empty note", {"", RIGHT}, NULL, 0, "6.1.0-test", "of 2 VMCOREINFO notes number 2 is taken, of 6.1.0-test: the kernel's name is"},
	{"find_info: passes over a note of another boot", {STALE, RIGHT}, NULL, 0, "6.1.0-test", "number 2 is taken"},
	{"find_info: passes over a note of another kernel", {OLDER, STALE, RIGHT}, NULL, 0, "6.1.0-test", "of 3 VMCOREINFO notes number 3"},
	{"find_info: prefers a note that is proved", {SAYS_LITTLE, RIGHT, ""}, NULL, 0, "6.1.0-test", "number 2 is taken"},
	{"find_info: prefers a note that isn't contradicted", {OLDER, SAYS_LITTLE}, NULL, 0, "5.4.0-some", "number 2 is taken, of 5.4.0-some: the others are empty, or memory contradicts them"},
	{"find_info: takes the first of equal notes", {RIGHT, RIGHT "MORE=1\n"}, NULL, 0, "6.1.0-test", "number 1 is taken"},
	{"find_info: says where memory doesn't tell which of them", {SAYS_LITTLE, SAYS_LITTLE}, NULL, 0, "5.4.0-some", "memory doesn't tell which one is right"},
	{"find_info: finds it in memory where there is no note", {NULL}, RIGHT, 0, "6.1.0-test", "VMCOREINFO is taken from memory, that of 6.1.0-test: the vmcore has no note of it"},
	{"find_info: finds it in memory where the note is empty", {""}, RIGHT, 0, "6.1.0-test", "the vmcore's note says nothing"},
	{"find_info: finds it in memory where the note is of another boot", {STALE}, RIGHT, 0, "6.1.0-test", "is of another kernel or boot"},
	{"find_info: finds it in memory where all notes are wrong", {"", OLDER}, RIGHT, 0, "6.1.0-test", "the vmcore's note, of 5.10.0-old, is of another"},
	{"find_info: finds it in the kernel's own note", {NULL}, RIGHT, 24, "6.1.0-test", "from memory"},
	{"find_info: finds it in an old kernel's array", {NULL}, RIGHT, 1032, "6.1.0-test", "from memory"},
	{"find_info: finds it across a page's end", {NULL}, RIGHT, CORE_PAGE - 8, "6.1.0-test", "from memory"},
	{"find_info: takes no text of another boot from memory", {NULL}, STALE, 0, NULL, NULL},
	{"find_info: takes no text of another kernel from memory", {NULL}, OLDER, 0, NULL, NULL},
	{"find_info: takes no text from memory that proves nothing", {NULL}, SAYS_LITTLE, 0, NULL, NULL},
	{"find_info: uses no note of another boot", {STALE}, NULL, 0, NULL, "VMCOREINFO isn't used: the vmcore's note, of 6.1.0-test, is of another kernel or boot: its kernel isn't where it says, and memory has none"},
	{"find_info: uses no note of another kernel", {OLDER, STALE}, NULL, 0, NULL, "VMCOREINFO isn't used"},
	{"find_info: uses no empty note", {""}, NULL, 0, NULL, NULL},
	{"find_info: keeps a note without release where there is no better one", {"PAGESIZE=16384\n"}, NULL, 0, "", NULL},
};
/* clang-format on */

/* The core of a row: an image with the kernel's name, and two pages that may hold a text; before it
 * one of another boot, which is none. */
static struct vmcore *make_core(const struct choice *row)
{
	struct core_plan plan = {0};
	struct vmcore *core;
	struct core_load *l = core_add_load(&plan, KERNEL_IMAGE, 64 << 10, 64 << 10);
	struct core file;
	struct error err;
	char path[32];
	int fd;

	l->salt = CORE_ZEROS;
	l = core_add_load(&plan, 0x800000, 4 * CORE_PAGE, 4 * CORE_PAGE);
	l->salt = CORE_ZEROS;
	for (size_t i = 0; i < ARRAY_LEN(row->notes) && row->notes[i]; i++)
		core_add_vmcoreinfo(&plan, row->notes[i]);
	file = core_make(&plan);
	put_name((char *)file.bytes + plan.loads[0].off + NAME_AT);
	strcpy((char *)file.bytes + l->off, STALE);
	if (row->in_memory)
		strcpy((char *)file.bytes + l->off + CORE_PAGE + row->at, row->in_memory);
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	close(fd);
	core_free(&file);
	return core;
}

static void test_choice(void **state)
{
	const struct choice *row = *state;
	struct vmcore *core = make_core(row);
	struct warnings warnings = {0};
	struct error err;

	assert_int_equal(find_info(core, NULL, &warnings, &err), 0);
	if (row->want_release) {
		const char *release = vmcoreinfo_text(core->info, "OSRELEASE");

		assert_string_equal(release ? release : "", row->want_release);
	} else {
		assert_null(core->info);
	}
	assert_int_equal(warnings.count, row->want_remark != NULL);
	if (row->want_remark && !strstr(warnings.line[0], row->want_remark))
		fail_msg("\"%s\" without \"%s\"", warnings.line[0], row->want_remark);
	vmcore_free(core);
}

static void test_page_size(void **state UNUSED)
{
	const struct choice as = {.notes = {"", RIGHT "PAGESIZE=16384\n"}};
	struct vmcore *core = make_core(&as);
	struct warnings warnings = {0};
	struct error err;

	assert_int_equal(core->page_bytes, 4096);
	assert_int_equal(find_info(core, NULL, &warnings, &err), 0);
	assert_int_equal(core->page_bytes, 16384);
	assert_int_equal(core->map.max_mapnr, 0x804000 / 16384);
	vmcore_free(core);
}

static bool stopped(void)
{
	return true;
}

static void test_cancelled(void **state UNUSED)
{
	const struct choice as = {.in_memory = RIGHT};
	struct vmcore *core = make_core(&as);
	struct warnings warnings = {0};
	struct error err;

	core->stop.signalled = stopped;
	assert_int_equal(find_info(core, NULL, &warnings, &err), -ECANCELED);
	vmcore_free(core);
}

static uint64_t told_bytes;
static unsigned asked;

static void tell(uint64_t bytes)
{
	told_bytes += bytes;
}

static bool count_asking(void)
{
	asked++;
	return false;
}

static void test_tells(void **state UNUSED)
{
	const struct choice as[] = {{.notes = {RIGHT}}, {.in_memory = RIGHT}};
	struct warnings warnings = {0};
	struct error err;

	for (size_t i = 0; i < ARRAY_LEN(as); i++) {
		struct vmcore *core = make_core(&as[i]);

		assert_int_equal(find_info(core, tell, &warnings, &err), 0);
		assert_int_equal(told_bytes, i * ((64 << 10) + 4 * CORE_PAGE));
		vmcore_free(core);
	}
}

/* Files in the page cache may have many such texts: behind the last that is judged nothing is read.
 */
static void test_many_texts(void **state UNUSED)
{
	enum { MEMORY = 8 << 20, FULL = 1 << 20, STEP = 2048 };
	struct core_plan plan = {0};
	struct warnings warnings = {0};
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	int fd;

	core_add_load(&plan, 0, MEMORY, MEMORY)->salt = CORE_ZEROS;
	file = core_make(&plan);
	for (size_t at = 0; at < FULL; at += STEP)
		strcpy((char *)file.bytes + plan.loads[0].off + at, "OSRELEASE=some\n");
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	core->stop.signalled = count_asking;
	assert_int_equal(find_info(core, NULL, &warnings, &err), 0);
	assert_null(core->info);
	assert_in_range(asked, 1, FULL / PAGE_RUN_BYTES);
	vmcore_free(core);
	close(fd);
	core_free(&file);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, fits, test_fit);
	unit_add(&u, "info_check: isn't contradicted by memory that was left out", test_not_there,
		 NULL);
	UNIT_ADD_ROWS(&u, choices, test_choice);
	unit_add(&u, "find_info: takes the page size of what it has found", test_page_size, NULL);
	unit_add(&u, "find_info: ends its search with a signal", test_cancelled, NULL);
	unit_add(&u,
		 "find_info: tells of a search before it begins, and of none where there is none",
		 test_tells, NULL);
	unit_add(&u, "find_info: ends its search after as many texts as are judged",
		 test_many_texts, NULL);
	return unit_run(&u, "find_info", argc, argv);
}
