/* What is known of the crashed kernel.
 * Doesn't know page tables: everything here lies in the kernel image, which is mapped in one piece.
 */
#include "sender/kernel/kernel.h"

#include <stdio.h>
#include <string.h>

#include "format/vmcoreinfo.h"
#include "sender/kernel/arch/arch.h"
#include "sender/vmcore/vmcore.h"

uint64_t kernel_phys_base(const struct vmcore *core)
{
	const struct arch *arch = arch_of(core);

	return arch->phys_base ? arch->phys_base(core) : 0;
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
	snprintf(u->machine, sizeof(u->machine), "%s", arch_of(core)->name);
}

bool kernel_utsname_paddr(const struct vmcore *core, uint64_t *paddr_ret)
{
	/* Until 5.10 VMCOREINFO doesn't say where the name is: behind a kref then. Source: Linux
	 * utsname.h. */
	uint64_t vaddr, offset = 4;

	vmcoreinfo_offset(core->info, "uts_namespace.name", &offset);
	return vmcoreinfo_symbol(core->info, "init_uts_ns", &vaddr) &&
	       arch_image_paddr(core, vaddr + offset, paddr_ret);
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
