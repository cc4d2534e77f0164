/* sender/vmcore/elf.h: hostile, odd and torn ELF cores. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/kernel/arch/arch.h"
#include "sender/vmcore/elf.h"
#include "tests/lib/corefile.h"

#define LAST_OFFSET UINT64_C(0x7fffffffffffffff)

/* Offsets of fields. Source: the System V ABI. */
enum {
	E_CLASS = 4,
	E_DATA = 5,
	E_TYPE = 16,
	E_PHOFF = 32,
	E_SHOFF = 40,
	E_PHENTSIZE = 54,
	E_PHNUM = 56,
	P_OFFSET = 8,
	P_PADDR = 24,
	P_FILESZ = 32,
	P_MEMSZ = 40,
	NOTE = CORE_EHDR_BYTES, /* the headers of core_make() */
	LOAD0 = CORE_EHDR_BYTES + CORE_PHDR_BYTES,
	LOAD1 = CORE_EHDR_BYTES + 2 * CORE_PHDR_BYTES,
};

/* Open `bytes` as a core; what was read stays in *core. */
static int init(struct elf_core *core, const void *bytes, size_t n, struct error *err)
{
	char path[32];
	AUTO_CLOSE int fd = core_file(bytes, n, path);

	*err = (struct error){0};
	return elf_core_init(core, fd, err);
}

/* Two loads, PRSTATUS and VMCOREINFO. */
static struct core_plan small_plan(void)
{
	struct core_plan plan = {0};

	core_add_load(&plan, 0x1000, 0x2000, 0x3000)->vaddr = UINT64_C(0xffff888000001000);
	core_add_load(&plan, 0x8000, 0x1000, 0x1000);
	core_add_note(&plan, "CORE", ELF_NT_PRSTATUS, "status", 6);
	core_add_vmcoreinfo(&plan, "OSRELEASE=6.1\n");
	return plan;
}

static void check_small(const struct core_plan *plan, const struct elf_core *core)
{
	assert_int_equal(core->load_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(core->loads[i].paddr, plan->loads[i].paddr);
		assert_int_equal(core->loads[i].vaddr, plan->loads[i].vaddr);
		assert_int_equal(core->loads[i].off, plan->loads[i].off);
		assert_int_equal(core->loads[i].file_bytes, plan->loads[i].file_bytes);
		assert_int_equal(core->loads[i].mem_bytes, plan->loads[i].mem_bytes);
	}
	assert_int_equal(core->notes.bytes, plan->notes_bytes);
	assert_memory_equal(core->notes.held, plan->notes, plan->notes_bytes);
}

/* --- what is taken --- */

struct good {
	const char *name;
	uint64_t phoff;
	uint16_t ehsize, machine;
	bool xnum;
};

/* clang-format off */
static const struct good goods[] = {
	{"elf_core_init: takes a plain core", 0, 0, ELF_EM_X86_64, false},
	{"elf_core_init: takes program headers at 192", 192, 0, ELF_EM_X86_64, false},
	{"elf_core_init: takes program headers at an odd place", 12345, 0, ELF_EM_X86_64, false},
	{"elf_core_init: ignores a wrong e_ehsize", 0, 52, ELF_EM_X86_64, false},
	{"elf_core_init: counts program headers by PN_XNUM", 0, 0, ELF_EM_X86_64, true},
	{"elf_core_init: knows arm64", 0, 0, ELF_EM_AARCH64, false},
};
/* clang-format on */

static void test_good(void **state)
{
	const struct good *row = *state;
	struct core_plan plan = small_plan();
	struct elf_core core;
	struct error err;
	struct core file;

	plan.phoff = row->phoff;
	plan.ehsize = row->ehsize;
	plan.machine = row->machine;
	plan.xnum = row->xnum;
	file = core_make(&plan);
	assert_int_equal(init(&core, file.bytes, file.size_bytes, &err), 0);
	check_small(&plan, &core);
	assert_int_equal(core.machine, row->machine);
	elf_core_deinit(&core);
	core_free(&file);
}

static void test_empty_loads(void **state UNUSED)
{
	struct core_plan plan = small_plan();
	struct elf_core core;
	struct error err;
	struct core file;

	core_add_load(&plan, 0x5000, 0, 0);
	core_add_load(&plan, 0x20000, 0, 0x7000);
	file = core_make(&plan);
	assert_int_equal(init(&core, file.bytes, file.size_bytes, &err), 0);
	assert_int_equal(core.load_count, 3);
	assert_int_equal(core.loads[2].paddr, 0x20000);
	assert_int_equal(core.loads[2].file_bytes, 0);
	assert_int_equal(core.loads[2].mem_bytes, 0x7000);
	elf_core_deinit(&core);
	core_free(&file);
}

/* --- what is refused --- */

struct patch {
	size_t off, size_bytes; /* none: 0 bytes */
	uint64_t value;
};

struct bad {
	const char *name;
	int want;
	struct patch patch[3];
};

/* clang-format off */
static const struct bad bads[] = {
	{"elf_core_init: refuses what is no ELF file", -EBADMSG, {{0, 1, 'X'}}},
	{"elf_core_init: refuses 32-bit ELF", -EBADMSG, {{E_CLASS, 1, 1}}},
	{"elf_core_init: refuses big-endian ELF", -EBADMSG, {{E_DATA, 1, 2}}},
	{"elf_core_init: refuses an executable", -EBADMSG, {{E_TYPE, 2, 2}}},
	{"elf_core_init: refuses program headers of another size", -EBADMSG, {{E_PHENTSIZE, 2, 55}}},
	{"elf_core_init: refuses no program headers", -EBADMSG, {{E_PHNUM, 2, 0}}},
	{"elf_core_init: refuses a core without memory", -EBADMSG, {{E_PHNUM, 2, 1}}},
	{"elf_core_init: refuses program headers past the end", -ENODATA, {{E_PHOFF, 8, 1 << 30}}},
	{"elf_core_init: refuses program headers at 2^63 - 1", -ENODATA, {{E_PHOFF, 8, LAST_OFFSET}}},
	{"elf_core_init: refuses program headers at 2^63", -ENODATA, {{E_PHOFF, 8, LAST_OFFSET + 1}}},
	{"elf_core_init: refuses program headers at 2^64 - 1", -ENODATA, {{E_PHOFF, 8, UINT64_MAX}}},
	{"elf_core_init: refuses more program headers than the file has", -ENODATA, {{E_PHNUM, 2, 0xfffe}}},
	{"elf_core_init: refuses PN_XNUM without a section header", -ENODATA, {{E_PHNUM, 2, 0xffff}, {E_SHOFF, 8, 1 << 30}}},
	{"elf_core_init: refuses PN_XNUM with the section header at 2^64 - 1", -ENODATA, {{E_PHNUM, 2, 0xffff}, {E_SHOFF, 8, UINT64_MAX}}},
	{"elf_core_init: refuses PN_XNUM of 0", -EBADMSG, {{E_PHNUM, 2, 0xffff}, {E_SHOFF, 8, 0x3000}, {0x3000 + 44, 4, 0}}},
	{"elf_core_init: refuses 2^18 + 1 program headers", -EFBIG, {{E_PHNUM, 2, 0xffff}, {E_SHOFF, 8, 0x3000}, {0x3000 + 44, 4, ELF_LOADS_MAX + 1}}},
	{"elf_core_init: refuses 2^32 - 1 program headers", -EFBIG, {{E_PHNUM, 2, 0xffff}, {E_SHOFF, 8, 0x3000}, {0x3000 + 44, 4, UINT32_MAX}}},
	{"elf_core_init: refuses more in the file than in memory", -EBADMSG, {{LOAD0 + P_FILESZ, 8, 0x3001}}},
	{"elf_core_init: refuses memory that wraps around", -EBADMSG, {{LOAD0 + P_PADDR, 8, UINT64_MAX - 0x2ffe}}},
	{"elf_core_init: refuses memory of 2^64 - 1 bytes", -EBADMSG, {{LOAD1 + P_MEMSZ, 8, UINT64_MAX}}},
	{"elf_core_init: refuses contents that wrap around", -EBADMSG, {{LOAD0 + P_OFFSET, 8, UINT64_MAX}}},
	{"elf_core_init: refuses contents that end past 2^63 - 1", -EBADMSG, {{LOAD0 + P_OFFSET, 8, LAST_OFFSET - 0x1fff}}},
	{"elf_core_init: refuses notes past the end", -ENODATA, {{NOTE + P_OFFSET, 8, 1 << 30}}},
	{"elf_core_init: refuses notes at 2^63 - 1", -ENODATA, {{NOTE + P_OFFSET, 8, LAST_OFFSET}}},
	{"elf_core_init: refuses notes at 2^64 - 1", -ENODATA, {{NOTE + P_OFFSET, 8, UINT64_MAX}}},
	{"elf_core_init: refuses notes longer than the file", -ENODATA, {{NOTE + P_FILESZ, 8, 1 << 20}}},
	{"elf_core_init: refuses 256 MiB and a byte of notes", -EFBIG, {{NOTE + P_FILESZ, 8, ELF_NOTES_MAX_BYTES + 1}}},
	{"elf_core_init: refuses 2^64 - 1 bytes of notes", -EFBIG, {{NOTE + P_FILESZ, 8, UINT64_MAX}}},
	{"elf_core_init: takes memory up to 2^64 - 1", 0, {{LOAD0 + P_PADDR, 8, UINT64_MAX - 0x3000}}},
	{"elf_core_init: takes contents up to 2^63 - 1", 0, {{LOAD0 + P_OFFSET, 8, LAST_OFFSET - 0x2000}}},
};
/* clang-format on */

static void test_bad(void **state)
{
	const struct bad *row = *state;
	struct core_plan plan = small_plan();
	struct core file = core_make(&plan);
	struct elf_core core;
	struct error err;
	int r;

	for (size_t i = 0; i < ARRAY_LEN(row->patch); i++) {
		uint8_t value[8];

		le64_put(value, row->patch[i].value);
		memcpy(file.bytes + row->patch[i].off, value, row->patch[i].size_bytes);
	}
	r = init(&core, file.bytes, file.size_bytes, &err);
	assert_int_equal(r, row->want);
	assert_int_equal(err.code, row->want);
	assert_int_equal(!*err.msg, r == 0);
	elf_core_deinit(&core);
	core_free(&file);
}

static void test_cut(void **state UNUSED)
{
	struct core_plan plan = small_plan();
	struct core file = core_make(&plan);
	const size_t headers_end = CORE_EHDR_BYTES + 3 * CORE_PHDR_BYTES + plan.notes_bytes;
	struct elf_core core;
	struct error err;

	for (size_t n = 0; n < headers_end; n++) {
		assert_int_equal(init(&core, file.bytes, n, &err), -ENODATA);
		elf_core_deinit(&core);
	}
	for (size_t n = headers_end; n <= file.size_bytes; n += 509) {
		assert_int_equal(init(&core, file.bytes, n, &err), 0);
		check_small(&plan, &core);
		elf_core_deinit(&core);
	}
	core_free(&file);
}

static void test_many_loads(void **state UNUSED)
{
	/* As many as PN_XNUM is there for: 70,000 loads of one page each, no contents. */
	enum { LOADS = 70000 };
	struct core_plan plan = {.xnum = true};
	struct core file = core_make(&plan);
	const size_t bytes = file.size_bytes + (size_t)LOADS * CORE_PHDR_BYTES;
	AUTO_FREE uint8_t *big = calloc(1, bytes);
	struct elf_core core;
	struct error err;

	assert_non_null(big);
	memcpy(big, file.bytes, file.size_bytes);
	le64_put(big + E_PHOFF, file.size_bytes);
	le32_put(big + le64_get(big + E_SHOFF) + 44, LOADS);
	for (uint64_t i = 0; i < LOADS; i++) {
		uint8_t *p = big + file.size_bytes + i * CORE_PHDR_BYTES;

		le32_put(p, 1);
		le64_put(p + P_PADDR, (LOADS - i) * 0x2000);
		le64_put(p + P_MEMSZ, 0x1000);
	}
	assert_int_equal(init(&core, big, bytes, &err), 0);
	assert_int_equal(core.load_count, LOADS);
	assert_int_equal(core.loads[LOADS - 1].paddr, 0x2000);
	elf_core_deinit(&core);
	core_free(&file);
}

/* --- notes --- */

static void test_several_note_segments(void **state UNUSED)
{
	struct core_plan plan = small_plan();
	struct elf_core core;
	struct error err;
	struct core file;

	/* The second load's header becomes another PT_NOTE, of what lies there. */
	file = core_make(&plan);
	le32_put(file.bytes + LOAD1, 4);
	assert_int_equal(init(&core, file.bytes, file.size_bytes, &err), 0);
	assert_int_equal(core.load_count, 1);
	assert_int_equal(core.notes.bytes, plan.notes_bytes + 0x1000);
	assert_memory_equal(core.notes.held, plan.notes, plan.notes_bytes);
	assert_memory_equal(core.notes.held + plan.notes_bytes, file.bytes + plan.loads[1].off,
			    0x1000);
	elf_core_deinit(&core);
	core_free(&file);
}

static void test_read_fails(void **state UNUSED)
{
	struct elf_core core;
	struct error err = {0};

	assert_int_equal(elf_core_init(&core, -1, &err), -EBADF);
	elf_core_deinit(&core);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, goods, test_good);
	UNIT_ADD_ROWS(&u, bads, test_bad);
	unit_add(&u, "elf_core_init: leaves out loads without memory", test_empty_loads, NULL);
	unit_add(&u, "elf_core_init: refuses headers cut at any byte, takes contents cut anywhere",
		 test_cut, NULL);
	unit_add(&u, "elf_core_init: takes 70,000 loads", test_many_loads, NULL);
	unit_add(&u, "elf_core_init: joins several note segments", test_several_note_segments,
		 NULL);
	unit_add(&u, "elf_core_init: says why reading fails", test_read_fails, NULL);
	return unit_run(&u, "elf", argc, argv);
}
