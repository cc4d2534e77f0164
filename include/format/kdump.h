/*
 * The kdump-compressed file: headers, bitmaps, page descriptors, as docs/FORMAT.md has them.
 *
 *   block 0        main header (464 bytes)
 *   block 1 …      sub header (104 bytes), notes; sub_hdr_size blocks
 *   then           bitmap 1 (RAM exists), bitmap 2 (page is here); bitmap_blocks / 2 each
 *   then           page descriptors, 24 bytes for each bit that is set in bitmap 2
 *   then           page data, where the descriptors point
 *
 * Only dumps of 64-bit little-endian machines: x86_64 and arm64.
 */
#ifndef KDUMP_H
#define KDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define KDUMP_SIGNATURE "KDUMP   "

enum {
	KDUMP_HEADER_BYTES = 464,
	KDUMP_SUB_HEADER_BYTES = 104,
	KDUMP_DESC_BYTES = 24,
	KDUMP_HEADER_VERSION = 6,
	/* Offset of `status` in the file: a dump under way carries INCOMPLETE there. */
	KDUMP_STATUS_OFFSET = 424,

	/* What libkdumpfile accepts. Source: its diskdump.c, page_size_pre_hook. */
	KDUMP_BLOCK_MIN = 4096,
	KDUMP_BLOCK_MAX = 262144,
};

/* Bits of kdump_header.status; all but the middle two are flags of kdump_desc as well. Source:
 * crash diskdump.h. */
enum {
	KDUMP_ZLIB = 0x1,
	KDUMP_LZO = 0x2,
	KDUMP_SNAPPY = 0x4,
	KDUMP_INCOMPLETE = 0x8,
	KDUMP_EXCLUDED_VMEMMAP = 0x10,
	KDUMP_ZSTD = 0x20,
};

/* The six names of uname(2), NUL-terminated. */
struct kdump_utsname {
	char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

/* The fields of the two headers, in units of the file. */
struct kdump_header {
	uint32_t header_version;
	struct kdump_utsname uts;
	int64_t crash_time_s;
	uint32_t status;
	uint32_t block_size; /* bytes; the page size of the crashed kernel */
	uint32_t sub_hdr_blocks;
	uint32_t bitmap_blocks; /* of both bitmaps */
	uint32_t nr_cpus;

	uint64_t phys_base;
	uint32_t dump_level;
	bool split; /* one part of several; pfns of this one are [start_pfn, end_pfn) */
	uint64_t start_pfn, end_pfn;
	uint64_t vmcoreinfo_off, vmcoreinfo_bytes; /* file offset, length: inside the note area */
	uint64_t notes_off, notes_bytes;
	uint64_t eraseinfo_off, eraseinfo_bytes;
	uint64_t max_mapnr; /* one past the highest pfn */
};

/* File offsets that follow from a header. */
struct kdump_layout {
	uint64_t bitmap1_off, bitmap2_off;
	uint64_t bitmap_bytes; /* of one bitmap, whole blocks */
	uint64_t desc_off;     /* of descriptor 0 */
};

struct kdump_desc {
	uint64_t off; /* of the payload in the file; 0: the page is missing */
	uint32_t size_bytes;
	uint32_t flags; /* 0: raw, else one codec */
};

/* Write the main header (KDUMP_HEADER_BYTES) and the sub header (KDUMP_SUB_HEADER_BYTES). */
void kdump_put_header(uint8_t out[static KDUMP_HEADER_BYTES], const struct kdump_header *h);
void kdump_put_sub_header(uint8_t out[static KDUMP_SUB_HEADER_BYTES], const struct kdump_header *h);

/*
 * Decode both headers: `main_header` holds KDUMP_HEADER_BYTES, `sub_header` KDUMP_SUB_HEADER_BYTES.
 * Every field is checked: the fields of *h_ret can be used for sizes and offsets. Fields that the
 * header's version doesn't have are 0. Fails -EBADMSG (no kdump file, or an impossible field) or
 * -ENOTSUP.
 */
NODISCARD int kdump_get_header(const uint8_t main_header[static KDUMP_HEADER_BYTES],
			       const uint8_t sub_header[static KDUMP_SUB_HEADER_BYTES],
			       struct kdump_header *h_ret, struct error *err);

/*
 * The block size of a main header alone (the sub header begins there): > 0, or -EBADMSG.
 */
NODISCARD int kdump_get_block_size(const uint8_t main_header[static KDUMP_HEADER_BYTES],
				   struct error *err);

/* The file offsets that follow from `h`, which kdump_get_header() or the sender has made. */
struct kdump_layout kdump_layout(const struct kdump_header *h);

void kdump_put_desc(uint8_t out[static KDUMP_DESC_BYTES], const struct kdump_desc *desc);
struct kdump_desc kdump_get_desc(const uint8_t in[static KDUMP_DESC_BYTES]);

#endif
