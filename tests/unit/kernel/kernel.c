/* sender/kernel/kernel.h and sender/output/prologue.h: what is told of a kernel, and the headers
 * made of it. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/kernel/arch/arch.h"
#include "sender/kernel/kernel.h"
#include "sender/output/prologue.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

/* Where the image lies in physical memory, and the name in the image. */
enum { IMAGE = 0x1000000, IMAGE_BYTES = 0x4000, NAME_AT = 0x1100, NAME_BYTES = 65 };

#define ARM64_IMAGE   UINT64_C(0xffff800008000000)
#define ARM64_VOFFSET "0xffff800007000000" /* of IMAGE to ARM64_IMAGE */

struct name {
	const char *name;
	const char *info;
	uint16_t machine;
	uint64_t load_vaddr; /* of the image's load */
	const char *nodename, *release;
	size_t at; /* of the name in the image; 0: it isn't there */
	bool want;
	const char *want_release, *want_machine;
};

/* clang-format off */
static const struct name names[] = {
	{"kernel_utsname: finds it by phys_base",
	 "SYMBOL(init_uts_ns)=ffffffff80001100\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, true, "6.1.0", "m"},
	{"kernel_utsname: finds it by a negative phys_base",
	 "SYMBOL(init_uts_ns)=ffffffff82001100\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=-16777216\n",
	 ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, true, "6.1.0", "m"},
	{"kernel_utsname: finds it behind the kref of old kernels",
	 "SYMBOL(init_uts_ns)=ffffffff800010fc\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "5.4.0", NAME_AT, true, "5.4.0", "m"},
	{"kernel_utsname: finds it by the image's load",
	 "SYMBOL(init_uts_ns)=ffffffff81001100\nOFFSET(uts_namespace.name)=0\n",
	 ELF_EM_X86_64, UINT64_C(0xffffffff81000000), "host", "6.1.0", NAME_AT, true, "6.1.0", "m"},
	{"kernel_utsname: finds it on arm64",
	 "SYMBOL(init_uts_ns)=ffff800008001100\nOFFSET(uts_namespace.name)=0\nNUMBER(kimage_voffset)=" ARM64_VOFFSET "\n",
	 ELF_EM_AARCH64, 0, "host", "6.6.0", NAME_AT, true, "6.6.0", "m"},
	{"kernel_utsname: takes a node without name",
	 "SYMBOL(init_uts_ns)=ffffffff80001100\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "", "6.1.0", NAME_AT, true, "6.1.0", "m"},
	{"kernel_utsname: refuses names with control characters",
	 "OSRELEASE=6.1-note\nSYMBOL(init_uts_ns)=ffffffff80001100\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "ho\nst", "6.1.0", NAME_AT, false, "6.1-note", "x86_64"},
	{"kernel_utsname: refuses a kernel without release",
	 "OSRELEASE=6.1-note\nSYMBOL(init_uts_ns)=ffffffff80001100\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "", NAME_AT, false, "6.1-note", "x86_64"},
	{"kernel_utsname: falls back where memory holds something else",
	 "OSRELEASE=6.1-note\nSYMBOL(init_uts_ns)=ffffffff80001108\nOFFSET(uts_namespace.name)=0\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, false, "6.1-note", "x86_64"},
	{"kernel_utsname: falls back where the symbol lies outside memory",
	 "OSRELEASE=6.1-note\nSYMBOL(init_uts_ns)=ffffffffffffffff\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, false, "6.1-note", "x86_64"},
	{"kernel_utsname: falls back without the symbol",
	 "OSRELEASE=6.1-note\nNUMBER(phys_base)=16777216\n",
	 ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, false, "6.1-note", "x86_64"},
	{"kernel_utsname: falls back on arm64",
	 "OSRELEASE=6.6-note\n",
	 ELF_EM_AARCH64, 0, "host", "6.6.0", NAME_AT, false, "6.6-note", "aarch64"},
	{"kernel_utsname: falls back without VMCOREINFO",
	 NULL, ELF_EM_X86_64, 0, "host", "6.1.0", NAME_AT, false, "unknown", "x86_64"},
	{"kernel_utsname: names riscv64 by its ELF machine", NULL, 243, 0, "", "", 0, false, "unknown", "riscv64"},
	{"kernel_utsname: names ppc64le by its ELF machine", NULL, 21, 0, "", "", 0, false, "unknown", "ppc64le"},
	{"kernel_utsname: names s390x by its ELF machine", NULL, 22, 0, "", "", 0, false, "unknown", "s390x"},
	{"kernel_utsname: names loongarch64 by its ELF machine", NULL, 258, 0, "", "", 0, false, "unknown", "loongarch64"},
	{"kernel_utsname: names mips64 by its ELF machine", NULL, 8, 0, "", "", 0, false, "unknown", "mips64"},
	{"kernel_utsname: calls no machine x86_64 that it doesn't know", NULL, 9999, 0, "", "", 0, false, "unknown", "unknown"},
	{"kernel_utsname: takes the machine's name from memory, whatever the ELF header says",
	 "SYMBOL(init_uts_ns)=ffffffff81001100\nOFFSET(uts_namespace.name)=0\n",
	 243, UINT64_C(0xffffffff81000000), "host", "6.1.0", NAME_AT, true, "6.1.0", "m"},
	{"kernel_utsname: cuts a release that is too long",
	 "OSRELEASE=0123456789012345678901234567890123456789012345678901234567890123456789\n",
	 ELF_EM_X86_64, 0, "", "", 0, false, "0123456789012345678901234567890123456789012345678901234567890123", "x86_64"},
};
/* clang-format on */

/* The core of a row: an image with the name in it, and a page elsewhere. */
static struct vmcore *make_core(const struct name *row)
{
	struct core_plan plan = {.machine = row->machine};
	struct core_load *image = core_add_load(&plan, IMAGE, IMAGE_BYTES, IMAGE_BYTES);
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	int fd;

	image->vaddr = row->load_vaddr;
	image->salt = CORE_ZEROS;
	core_add_load(&plan, 0x100000, CORE_PAGE, CORE_PAGE)->vaddr = UINT64_C(0xffff888000100000);
	if (row->info)
		core_add_vmcoreinfo(&plan, row->info);
	file = core_make(&plan);
	if (row->at) {
		char *uts = (char *)file.bytes + image->off + row->at;

		strcpy(uts, "Linux");
		strcpy(uts + NAME_BYTES, row->nodename);
		strcpy(uts + 2 * NAME_BYTES, row->release);
		strcpy(uts + 3 * NAME_BYTES, "#1 SMP");
		strcpy(uts + 4 * NAME_BYTES, "m");
		strcpy(uts + 5 * NAME_BYTES, "(none)");
	}
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	close(fd);
	core_free(&file);
	return core;
}

static void test_name(void **state)
{
	const struct name *row = *state;
	struct vmcore *core = make_core(row);
	struct kdump_utsname uts;

	assert_int_equal(kernel_utsname(core, &uts), row->want);
	assert_string_equal(uts.sysname, "Linux");
	assert_string_equal(uts.nodename, row->want ? row->nodename : "");
	assert_string_equal(uts.release, row->want_release);
	assert_string_equal(uts.machine, row->want_machine);
	assert_true(*uts.version); /* readers need one */
	vmcore_free(core);
}

/* --- addresses --- */

struct base {
	const char *name;
	const char *info;
	uint16_t machine;
	uint64_t load_vaddr, want;
};

/* clang-format off */
static const struct base bases[] = {
	{"kernel_phys_base: takes x86_64's", "NUMBER(phys_base)=16777216\n", ELF_EM_X86_64, 0, 16777216},
	{"kernel_phys_base: takes a negative one", "NUMBER(phys_base)=-4096\n", ELF_EM_X86_64, 0, -UINT64_C(4096)},
	{"kernel_phys_base: takes it from the image's load", "X=1\n", ELF_EM_X86_64, UINT64_C(0xffffffff81000000), 0},
	{"kernel_phys_base: takes it from an image that was moved", NULL, ELF_EM_X86_64, UINT64_C(0xffffffff80200000), 0xe00000},
	{"kernel_phys_base: is 0 where nothing tells", NULL, ELF_EM_X86_64, 0, 0},
	{"kernel_phys_base: takes arm64's PHYS_OFFSET", "NUMBER(PHYS_OFFSET)=0x40000000\nNUMBER(phys_base)=7\n", ELF_EM_AARCH64, 0, 0x40000000},
	{"kernel_phys_base: is 0 on arm64 without it", "NUMBER(phys_base)=7\n", ELF_EM_AARCH64, UINT64_C(0xffffffff81000000), 0},
	{"kernel_phys_base: is 0 on other machines", "NUMBER(phys_base)=7\n", 21, 0, 0},
};
/* clang-format on */

static void test_base(void **state)
{
	const struct base *row = *state;
	const struct name as = {
		.info = row->info, .machine = row->machine, .load_vaddr = row->load_vaddr};
	struct vmcore *core = make_core(&as);

	assert_int_equal(kernel_phys_base(core), row->want);
	vmcore_free(core);
}

static void test_image_paddr(void **state UNUSED)
{
	const struct name as = {.machine = ELF_EM_X86_64,
				.load_vaddr = UINT64_C(0xffffffff81000000)};
	struct vmcore *core = make_core(&as);
	uint64_t paddr = 1;

	assert_true(arch_image_paddr(core, UINT64_C(0xffffffff81000000), &paddr));
	assert_int_equal(paddr, IMAGE);
	assert_true(arch_image_paddr(core, UINT64_C(0xffffffff81003fff), &paddr));
	assert_int_equal(paddr, IMAGE + 0x3fff);
	assert_false(arch_image_paddr(core, UINT64_C(0xffffffff81004000), &paddr));
	assert_false(arch_image_paddr(core, UINT64_C(0xffffffff80ffffff), &paddr));
	assert_true(arch_image_paddr(core, UINT64_C(0xffff888000100010), &paddr));
	assert_int_equal(paddr, 0x100010);
	assert_false(arch_image_paddr(core, 0, &paddr));
	vmcore_free(core);
}

/* --- headers --- */

static void test_header(void **state UNUSED)
{
	static const char info[] = "CRASHTIME=1700000000\nNUMBER(phys_base)=4096\n";
	struct core_plan plan = {0};
	struct kdump_header h;
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	bool known;
	int fd;

	core_add_load(&plan, 0, 0x2000, 0x40000000)->salt = CORE_ZEROS;
	core_add_note(&plan, "CORE", ELF_NT_PRSTATUS, "cpu 0", 5);
	core_add_vmcoreinfo(&plan, info);
	file = core_make(&plan);
	fd = core_file(file.bytes, file.size_bytes - 0x800, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	assert_int_equal(prologue_header(core, 31, KDUMP_ZSTD, &h, &known, &err), 0);
	assert_int_equal(h.header_version, 6);
	assert_int_equal(h.status, KDUMP_ZSTD | KDUMP_INCOMPLETE); /* the core was cut */
	assert_int_equal(h.block_size, 4096);
	assert_int_equal(h.sub_hdr_blocks, 1);
	assert_int_equal(h.bitmap_blocks, 2 * 8); /* 2^18 pfns: 32 KiB each */
	assert_int_equal(h.max_mapnr, 0x40000);
	assert_int_equal(h.nr_cpus, 1);
	assert_int_equal(h.phys_base, 4096);
	assert_int_equal(h.dump_level, 31);
	assert_false(h.split);
	assert_int_equal(h.crash_time_s, 1700000000);
	assert_int_equal(h.notes_off, 4096 + KDUMP_SUB_HEADER_BYTES);
	assert_int_equal(h.notes_bytes, plan.notes_bytes);
	assert_int_equal(h.vmcoreinfo_bytes, strlen(info));
	assert_memory_equal(plan.notes + (h.vmcoreinfo_off - h.notes_off), info, strlen(info));
	assert_int_equal(h.eraseinfo_bytes, 0);
	assert_false(known);
	vmcore_free(core);
	close(fd);
	core_free(&file);
}

struct notes {
	const char *name;
	size_t desc_bytes; /* of the only note */
	uint32_t want_blocks;
};

/* clang-format off */
static const struct notes notes[] = {
	{"prologue_header: puts notes that just fit into the sub header's block", 4096 - 104 - 12 - 8, 1},
	{"prologue_header: takes a block more for notes that don't", 4096 - 104 - 12 - 8 + 1, 2},
};
/* clang-format on */

static void test_notes(void **state)
{
	const struct notes *row = *state;
	static const uint8_t desc[4096];
	struct core_plan plan = {0};
	struct kdump_header h;
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	bool known;
	int fd;

	core_add_load(&plan, 0, 4096, 4096);
	core_add_note(&plan, "CORE", 4, desc, row->desc_bytes);
	file = core_make(&plan);
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	assert_int_equal(prologue_header(core, 0, 0, &h, &known, &err), 0);
	assert_int_equal(h.sub_hdr_blocks, row->want_blocks);
	assert_int_equal(h.vmcoreinfo_off, 0);
	assert_int_equal(h.vmcoreinfo_bytes, 0);
	assert_int_equal(h.status, 0);
	assert_int_equal(h.nr_cpus, 0);
	assert_int_equal(h.bitmap_blocks, 2);
	vmcore_free(core);
	close(fd);
	core_free(&file);
}

static void test_no_notes(void **state UNUSED)
{
	const struct name as = {.machine = ELF_EM_X86_64};
	struct vmcore *core = make_core(&as);
	struct kdump_header h;
	struct error err;
	bool known;

	assert_int_equal(prologue_header(core, 0, 0, &h, &known, &err), 0);
	assert_int_equal(h.notes_off, 0);
	assert_int_equal(h.notes_bytes, 0);
	assert_int_equal(h.crash_time_s, 0);
	vmcore_free(core);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, names, test_name);
	UNIT_ADD_ROWS(&u, bases, test_base);
	unit_add(&u, "arch_image_paddr: goes by the loads' virtual addresses", test_image_paddr,
		 NULL);
	unit_add(&u, "prologue_header: says what the core says", test_header, NULL);
	UNIT_ADD_ROWS(&u, notes, test_notes);
	unit_add(&u, "prologue_header: does without notes", test_no_notes, NULL);
	return unit_run(&u, "kernel", argc, argv);
}
