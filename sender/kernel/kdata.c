/* Integers in the crashed kernel's memory.
 * Doesn't know what they mean. */
#include "sender/kernel/kdata.h"

#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

bool kdata_read_u32(const struct paging *p, uint64_t vaddr, uint32_t *n_ret)
{
	uint8_t raw[4];

	if (!paging_read(p, vaddr, raw, sizeof(raw)))
		return false;
	*n_ret = kdata_u32(p->core->elf.data, raw);
	return true;
}

bool kdata_read_ulong(const struct paging *p, uint64_t vaddr, uint64_t *n_ret)
{
	uint8_t raw[8];

	if (!paging_read(p, vaddr, raw, kdata_word(p->core->elf.data)))
		return false;
	*n_ret = kdata_ulong(p->core->elf.data, raw);
	return true;
}

bool kdata_read_long(const struct paging *p, uint64_t vaddr, int64_t *n_ret)
{
	uint8_t raw[8];

	if (!paging_read(p, vaddr, raw, kdata_word(p->core->elf.data)))
		return false;
	*n_ret = kdata_long(p->core->elf.data, raw);
	return true;
}
