/* What is known of the crashed kernel.
 * Doesn't know page tables: everything here lies in the kernel image, which is mapped in one piece.
 */
#include "sender/kernel/kernel.h"

#include <stdio.h>
#include <string.h>

#include "format/vmcoreinfo.h"
#include "sender/vmcore/elf_machine.h"
#include "sender/vmcore/vmcore.h"

/* The load that has the kernel image by its virtual address: /proc/vmcore's does, QEMU's cores have
 * none. */
static const struct elf_load *image_load(const struct vmcore *core, uint64_t vaddr)
{
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (l->vaddr && vaddr >= l->vaddr && vaddr - l->vaddr < l->mem_bytes)
			return l;
	}
	return NULL;
}

bool kernel_image_paddr(const struct vmcore *core, uint64_t vaddr, uint64_t *paddr_ret)
{
	const struct elf_load *l;
	uint64_t n;

	if (core->elf.machine == ELF_EM_X86_64 && vaddr >= X86_64_IMAGE_BASE &&
	    vmcoreinfo_number(core->info, "phys_base", &n)) {
		*paddr_ret =
			vaddr - X86_64_IMAGE_BASE + n; /* phys_base may be negative: it wraps */
		return true;
	}
	if (core->elf.machine == ELF_EM_AARCH64 &&
	    vmcoreinfo_number(core->info, "kimage_voffset", &n)) {
		*paddr_ret = vaddr - n;
		return true;
	}
	l = image_load(core, vaddr);
	if (!l)
		return false;
	*paddr_ret = l->paddr + (vaddr - l->vaddr);
	return true;
}

uint64_t kernel_phys_base(const struct vmcore *core)
{
	uint64_t n = 0;

	if (core->elf.machine == ELF_EM_AARCH64)
		return vmcoreinfo_number(core->info, "PHYS_OFFSET", &n) ? n : 0;
	if (core->elf.machine != ELF_EM_X86_64 || vmcoreinfo_number(core->info, "phys_base", &n))
		return n;
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		if (l->vaddr >= X86_64_IMAGE_BASE)
			return l->paddr - (l->vaddr - X86_64_IMAGE_BASE);
	}
	return 0;
}

static bool is_name(const char name[static 65])
{
	const size_t len = strnlen(name, 65);

	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~')
			return false;
	return len < 65;
}

/* What libkdumpfile asks of it (uts_looks_sane), and a little more. */
static bool is_utsname(const struct kdump_utsname *u)
{
	return strncmp(u->sysname, "Linux", sizeof(u->sysname)) == 0 && is_name(u->nodename) &&
	       is_name(u->release) && *u->release && is_name(u->version) && *u->version &&
	       is_name(u->machine) && *u->machine && is_name(u->domainname);
}

static void utsname_from_notes(const struct vmcore *core, struct kdump_utsname *u)
{
	const char *release = vmcoreinfo_text(core->info, "OSRELEASE");

	*u = (struct kdump_utsname){.sysname = "Linux", .version = "#1"};
	snprintf(u->release, sizeof(u->release), "%s", release ? release : "unknown");
	snprintf(u->machine, sizeof(u->machine), "%s", elf_machine_name(core->elf.machine));
}

bool kernel_utsname_paddr(const struct vmcore *core, uint64_t *paddr_ret)
{
	/* Until 5.10 VMCOREINFO doesn't say where the name is: behind a kref then. Source: Linux
	 * utsname.h. */
	uint64_t vaddr, offset = 4;

	vmcoreinfo_offset(core->info, "uts_namespace.name", &offset);
	return vmcoreinfo_symbol(core->info, "init_uts_ns", &vaddr) &&
	       kernel_image_paddr(core, vaddr + offset, paddr_ret);
}

bool kernel_utsname(const struct vmcore *core, struct kdump_utsname *uts_ret)
{
	_Static_assert(sizeof(*uts_ret) == 6 * 65, "struct new_utsname is six names of 65 bytes");
	uint64_t paddr;

	if (kernel_utsname_paddr(core, &paddr) &&
	    vmcore_read(core, paddr, uts_ret, sizeof(*uts_ret)) == 0 && is_utsname(uts_ret))
		return true;
	utsname_from_notes(core, uts_ret);
	return false;
}
