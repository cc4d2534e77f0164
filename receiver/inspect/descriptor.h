/* Checks of a page descriptor against the file that it is in. */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include <stdint.h>

#include "format/codec.h"
#include "format/kdump.h"

enum descriptor_state {
	DESCRIPTOR_GOOD,      /* its payload can be at the place that it gives */
	DESCRIPTOR_ZERO,      /* all zero: the page is missing */
	DESCRIPTOR_BAD_SIZE,  /* the payload would have no byte, or more than a page */
	DESCRIPTOR_IN_TABLE,  /* the payload would lie in headers or descriptors */
	DESCRIPTOR_BEYOND,    /* the payload would end beyond the end of the file */
	DESCRIPTOR_BAD_FLAGS, /* no codec has these; the payload is in the file */
};

/*
 * The state of a descriptor in a dump with blocks of `block_size`, whose descriptors end at
 * `table_end`, in a file of `file_bytes`. *codec_ret is set where the state is GOOD. Doesn't look
 * at the payload.
 */
enum descriptor_state descriptor_check(const struct kdump_desc *desc, uint32_t block_size,
				       uint64_t table_end, uint64_t file_bytes,
				       enum codec_id *codec_ret);

#endif
