/* Compares a header with VMCOREINFO.
 * Doesn't know which of the two is right. */
#include "receiver/inspect/agree.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "format/vmcoreinfo.h"

/*
 * Keys that the kernels of one machine have and no others. Source: Linux
 * arch/x86/kernel/vmcore_info_64.c, arch/arm64/kernel/vmcore_info.c (machine_kexec_64.c and
 * crash_core.c before 6.9).
 */
static const struct {
	const char *machine, *key;
} machines[] = {
	{"x86_64", "NUMBER(phys_base)"},
	{"aarch64", "NUMBER(kimage_voffset)"},
};

/* The machine whose VMCOREINFO it is, or NULL where that isn't known. */
static const char *machine_of(const struct vmcoreinfo *vi)
{
	const char *machine = NULL;

	for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
		if (!vmcoreinfo_text(vi, machines[i].key))
			continue;
		if (machine)
			return NULL;
		machine = machines[i].machine;
	}
	return machine;
}

static bool is_known(const char *machine)
{
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (strcmp(machine, machines[i].machine) == 0)
			return true;
	return false;
}

int agree_check(const struct kdump_header *h, const struct vmcoreinfo *vi, struct error *err)
{
	const char *release = vmcoreinfo_text(vi, "OSRELEASE"), *machine = machine_of(vi);
	uint64_t page_size;

	if (!vi)
		return 0;
	if (!release)
		return error_set(err, -EBADMSG, "VMCOREINFO doesn't parse: it has no OSRELEASE");
	/* QEMU leaves the names of a dump that it makes itself empty. */
	if (*h->uts.release && strcmp(h->uts.release, release) != 0)
		return error_set(err, -EBADMSG,
				 "header and VMCOREINFO are of different kernels, \"%s\" and "
				 "\"%.64s\"",
				 h->uts.release, release);
	if (machine && is_known(h->uts.machine) && strcmp(h->uts.machine, machine) != 0)
		return error_set(err, -EBADMSG,
				 "header and VMCOREINFO are of different machines, \"%s\" and "
				 "\"%s\"",
				 h->uts.machine, machine);
	if (vmcoreinfo_decimal(vi, "PAGESIZE", &page_size) && page_size != h->block_size)
		return error_set(err, -EBADMSG,
				 "VMCOREINFO has pages of %" PRIu64
				 " bytes, the header blocks of %" PRIu32,
				 page_size, h->block_size);
	return 0;
}
