/* sender/kernel/arch/arch.h: one architecture for each machine, and what all of them keep to. */
#include "tests/lib/unit.h"

#include <string.h>

#include "base/compiler.h"
#include "sender/kernel/arch/arch.h"
#include "sender/vmcore/vmcore.h"

/* A number of the ELF header, and what is known of it. */
struct machine {
	const char *name;
	uint16_t number;
	const char *uname;
	bool has_tables, has_image;
};

/* clang-format off */
static const struct machine machines[] = {
	{"arch_of: knows x86_64", ELF_EM_X86_64, "x86_64", true, true},
	{"arch_of: knows arm64", ELF_EM_AARCH64, "aarch64", true, true},
	{"arch_of: names riscv64", 243, "riscv64", false, false},
	{"arch_of: names ppc64le", 21, "ppc64le", false, false},
	{"arch_of: names s390x", 22, "s390x", false, false},
	{"arch_of: names loongarch64", 258, "loongarch64", false, false},
	{"arch_of: names mips64", 8, "mips64", false, false},
	{"arch_of: has one for a machine that nobody knows", 0xfffe, "unknown", false, false},
	{"arch_of: has one for no machine", 0, "unknown", false, false},
};
/* clang-format on */

static void test_machine(void **state)
{
	const struct machine *row = *state;
	const struct vmcore core = {.elf.machine = row->number};
	const struct arch *arch = arch_of(&core);

	assert_string_equal(arch->name, row->uname);
	assert_int_equal(arch->find_tables != NULL, row->has_tables);
	assert_int_equal(arch->image_paddr != NULL, row->has_image);
}

/* What callers rely on without asking. */
static void test_whole(void **state UNUSED)
{
	for (uint32_t number = 0; number <= UINT16_MAX; number++) {
		const struct arch *arch = arch_by_machine((uint16_t)number);

		assert_non_null(arch->name);
		assert_true(arch->elf_machine == number || strcmp(arch->name, "unknown") == 0);
		assert_int_equal(arch->translate != NULL, arch->find_tables != NULL);
		assert_int_equal(arch->code != NULL, arch->find_tables != NULL);
		assert_int_equal(arch->tables != NULL, arch->find_tables != NULL);
		assert_int_equal(arch->section_bits != NULL, arch->find_tables != NULL);
		if (!arch->find_tables)
			continue;
		assert_true(arch->stack_bytes > 0 && arch->stack_bytes <= ARCH_STACK_BYTES_MAX);
		assert_int_equal(arch->stack_bytes & (arch->stack_bytes - 1), 0);
		assert_true(arch->regs_bytes <= ARCH_REGS_BYTES_MAX);
		assert_true(arch->stack_pointer_off + 8 <= arch->regs_bytes);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, machines, test_machine);
	unit_add(&u, "struct arch: has all of its functions, or none", test_whole, NULL);
	return unit_run(&u, "arch", argc, argv);
}
