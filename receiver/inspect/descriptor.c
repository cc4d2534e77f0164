/* Checks page descriptors.
 * Doesn't read: neither the descriptors nor their payloads. */
#include "receiver/inspect/descriptor.h"

#include "base/checked.h"

enum descriptor_state descriptor_check(const struct kdump_desc *desc, uint32_t block_size,
				       uint64_t table_end, uint64_t file_bytes,
				       enum codec_id *codec_ret)
{
	uint64_t end;

	if (desc->off == 0 && desc->size_bytes == 0 && desc->flags == 0)
		return DESCRIPTOR_ZERO;
	if (desc->size_bytes == 0 || desc->size_bytes > block_size)
		return DESCRIPTOR_BAD_SIZE;
	if (desc->off < table_end)
		return DESCRIPTOR_IN_TABLE;
	if (ckd_add(&end, desc->off, desc->size_bytes) || end > file_bytes)
		return DESCRIPTOR_BEYOND;
	return codec_by_kdump_flag(desc->flags, codec_ret) ? DESCRIPTOR_GOOD : DESCRIPTOR_BAD_FLAGS;
}
