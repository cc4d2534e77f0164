/* Page tables against VMCOREINFO.
 * Doesn't know what a table looks like, nor which layouts there are. */
#include "sender/kernel/arch/fit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/arch/arch.h"
#include "sender/vmcore/vmcore.h"

/* All of them are code or data of the kernel image. Source: Linux kernel/vmcore_info.c. */
static const char *const symbols[] = {"_stext", "init_uts_ns", "swapper_pg_dir"};

struct fit fit_check(const struct paging *p)
{
	struct fit fit = {0};

	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		uint64_t vaddr, paddr, mapped = 0, span;
		bool is_mapped;

		if (!vmcoreinfo_symbol(p->core->info, symbols[i], &vaddr) ||
		    !arch_image_paddr(p->core, vaddr, &paddr))
			continue;
		is_mapped = p->arch->translate(p, vaddr, &mapped, &span);
		if (is_mapped && mapped == paddr) {
			fit.right++;
			continue;
		}
		if (!fit.symbol || (is_mapped && fit.wrong == 0)) {
			fit.symbol = symbols[i];
			fit.vaddr = vaddr;
			fit.paddr = paddr;
			fit.mapped = mapped;
		}
		fit.wrong += is_mapped;
	}
	return fit;
}

int fit_error(const struct fit *fit, struct error *err)
{
	if (!fit->symbol)
		return error_set(err, -EBADMSG,
				 "VMCOREINFO names no symbol to check the page tables by");
	if (fit->wrong == 0)
		return error_set(err, -EBADMSG,
				 "the page tables don't map %s at 0x%" PRIx64
				 ", which by VMCOREINFO is at 0x%" PRIx64 " in memory",
				 fit->symbol, fit->vaddr, fit->paddr);
	return error_set(err, -EBADMSG,
			 "the page tables map %s at 0x%" PRIx64 " to 0x%" PRIx64
			 " in memory, but by VMCOREINFO it is at 0x%" PRIx64,
			 fit->symbol, fit->vaddr, fit->mapped, fit->paddr);
}
