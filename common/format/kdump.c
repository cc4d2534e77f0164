/* The kdump-compressed file's headers and descriptors, to and from bytes.
 * Doesn't know where the bytes come from or go to, and doesn't touch page data. */
#include "format/kdump.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/reader.h"

/*
 * The main header of a 64-bit machine. Source: makedumpfile diskdump_mod.h (disk_dump_header),
 * whose alignment leaves six bytes of padding behind the names; libkdumpfile diskdump.c agrees.
 */
enum {
	NAME_BYTES = 65,
	NAMES = 6,
	PADDING_BYTES = 6,

	/*
	 * One past the highest pfn that a 52-bit physical address can have. 2^40 pfns take bitmaps
	 * of 2 × 128 GiB, so a header can't claim more than that whatever it says.
	 */
	MAX_MAPNR_BITS = 40,
};

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	le32_put(p, v);
	return p + 4;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
	le64_put(p, v);
	return p + 8;
}

void kdump_put_header(uint8_t out[static KDUMP_HEADER_BYTES], const struct kdump_header *h)
{
	uint8_t *p = out;

	memset(out, 0, KDUMP_HEADER_BYTES);
	memcpy(p, KDUMP_SIGNATURE, 8);
	p = put32(p + 8, KDUMP_HEADER_VERSION);
	memcpy(p, &h->uts, NAMES * NAME_BYTES);
	p += NAMES * NAME_BYTES + PADDING_BYTES;
	p = put64(p, (uint64_t)h->crash_time_s);
	/* Microseconds stay 0: libkdumpfile takes some values for the block size of a 32-bit
	 * header. */
	p = put64(p, 0);
	p = put32(p, h->status);
	p = put32(p, h->block_size);
	p = put32(p, h->sub_hdr_blocks);
	p = put32(p, h->bitmap_blocks);
	p = put32(p, (uint32_t)MIN(h->max_mapnr, UINT32_MAX));
	p += 4 * 4; /* total_ram_blocks, device_blocks, written_blocks, current_cpu: nobody reads
		       them */
	put32(p, h->nr_cpus);
}

void kdump_put_sub_header(uint8_t out[static KDUMP_SUB_HEADER_BYTES], const struct kdump_header *h)
{
	uint8_t *p = out;

	memset(out, 0, KDUMP_SUB_HEADER_BYTES);
	p = put64(p, h->phys_base);
	p = put32(p, h->dump_level);
	p = put32(p, h->split);
	p = put64(p, h->start_pfn & UINT32_MAX);
	p = put64(p, h->end_pfn & UINT32_MAX);
	p = put64(p, h->vmcoreinfo_off);
	p = put64(p, h->vmcoreinfo_bytes);
	p = put64(p, h->notes_off);
	p = put64(p, h->notes_bytes);
	p = put64(p, h->eraseinfo_off);
	p = put64(p, h->eraseinfo_bytes);
	p = put64(p, h->start_pfn);
	p = put64(p, h->end_pfn);
	put64(p, h->max_mapnr);
}

static bool is_block_size(uint32_t size)
{
	return size >= KDUMP_BLOCK_MIN && size <= KDUMP_BLOCK_MAX && (size & (size - 1)) == 0;
}

int kdump_get_block_size(const uint8_t main_header[static KDUMP_HEADER_BYTES], struct error *err)
{
	const uint32_t block_size = le32_get(main_header + 428);

	if (memcmp(main_header, KDUMP_SIGNATURE, 8) != 0)
		return error_set(err, -EBADMSG, "no kdump-compressed file: signature is missing");
	if (!is_block_size(block_size))
		return error_set(err, -EBADMSG, "main header: block size %" PRIu32 " is impossible",
				 block_size);
	return (int)block_size;
}

static void get_main_header(struct rd *r, struct kdump_header *h)
{
	const char *names;

	rd_bytes(r, 8);
	h->header_version = rd_le32(r);
	names = rd_bytes(r, NAMES * NAME_BYTES);
	memcpy(&h->uts, names, NAMES * NAME_BYTES);
	for (size_t i = 1; i <= NAMES; i++)
		((char *)&h->uts)[i * NAME_BYTES - 1] = '\0';
	rd_bytes(r, PADDING_BYTES);
	h->crash_time_s = (int64_t)rd_le64(r);
	rd_bytes(r, 8);
	h->status = rd_le32(r);
	h->block_size = rd_le32(r);
	h->sub_hdr_blocks = rd_le32(r);
	h->bitmap_blocks = rd_le32(r);
	h->max_mapnr = rd_le32(r);
	rd_bytes(r, 4 * 4);
	h->nr_cpus = rd_le32(r);
}

static void get_sub_header(struct rd *r, struct kdump_header *h)
{
	const uint32_t version = h->header_version;

	h->phys_base = rd_le64(r);
	if (version >= 1)
		h->dump_level = rd_le32(r);
	if (version >= 2) {
		h->split = rd_le32(r) != 0;
		h->start_pfn = rd_le64(r);
		h->end_pfn = rd_le64(r);
	}
	if (version >= 3) {
		h->vmcoreinfo_off = rd_le64(r);
		h->vmcoreinfo_bytes = rd_le64(r);
	}
	if (version >= 4) {
		h->notes_off = rd_le64(r);
		h->notes_bytes = rd_le64(r);
	}
	if (version >= 5) {
		h->eraseinfo_off = rd_le64(r);
		h->eraseinfo_bytes = rd_le64(r);
	}
	if (version >= 6) {
		h->start_pfn = rd_le64(r);
		h->end_pfn = rd_le64(r);
		h->max_mapnr = rd_le64(r);
	}
}

/* An area [off, off + size) that readers would look at must lie behind the headers, below 2^63. */
static int check_area(const char *what, uint64_t off, uint64_t size, struct error *err)
{
	int64_t end;

	if (size == 0)
		return 0;
	if (off < KDUMP_HEADER_BYTES || ckd_add(&end, off, size))
		return error_set(err, -EBADMSG,
				 "sub header: %s at %" PRIu64 "+%" PRIu64 " is impossible", what,
				 off, size);
	return 0;
}

static int check_header(const struct kdump_header *h, struct error *err)
{
	const uint64_t bitmap_bytes = (uint64_t)h->bitmap_blocks / 2 * h->block_size;
	int r;

	if (h->header_version > KDUMP_HEADER_VERSION)
		return error_set(err, -ENOTSUP,
				 "main header: version %" PRIu32 ", we read up to %d",
				 h->header_version, KDUMP_HEADER_VERSION);
	if (h->sub_hdr_blocks == 0)
		return error_set(err, -EBADMSG, "main header: no block for the sub header");
	if (h->max_mapnr >> MAX_MAPNR_BITS)
		return error_set(err, -EBADMSG, "header: highest pfn %" PRIu64 " is impossible",
				 h->max_mapnr);
	if (div_round_up(h->max_mapnr, 8) > bitmap_bytes)
		return error_set(err, -EBADMSG,
				 "main header: %" PRIu32 " bitmap blocks are too few for %" PRIu64
				 " pfns",
				 h->bitmap_blocks, h->max_mapnr);
	if (h->split && h->start_pfn > h->end_pfn)
		return error_set(err, -EBADMSG,
				 "sub header: split from pfn %" PRIu64 " to %" PRIu64, h->start_pfn,
				 h->end_pfn);
	r = check_area("vmcoreinfo", h->vmcoreinfo_off, h->vmcoreinfo_bytes, err);
	if (r == 0)
		r = check_area("notes", h->notes_off, h->notes_bytes, err);
	if (r == 0)
		r = check_area("erase info", h->eraseinfo_off, h->eraseinfo_bytes, err);
	return r;
}

int kdump_get_header(const uint8_t main_header[static KDUMP_HEADER_BYTES],
		     const uint8_t sub_header[static KDUMP_SUB_HEADER_BYTES],
		     struct kdump_header *h_ret, struct error *err)
{
	struct rd main_rd = rd_init(main_header, KDUMP_HEADER_BYTES);
	struct rd sub_rd = rd_init(sub_header, KDUMP_SUB_HEADER_BYTES);
	struct kdump_header h = {0};
	int r = kdump_get_block_size(main_header, err);

	if (r < 0)
		return r;
	get_main_header(&main_rd, &h);
	get_sub_header(&sub_rd, &h);
	r = check_header(&h, err);
	if (r < 0)
		return r;
	*h_ret = h;
	return 0;
}

struct kdump_layout kdump_layout(const struct kdump_header *h)
{
	/* 32-bit counts times at most 2^18: no product or sum here reaches 2^53. */
	const uint64_t block = h->block_size;
	const uint64_t bitmap_bytes = (uint64_t)h->bitmap_blocks / 2 * block;
	const uint64_t bitmap1_off = (1 + (uint64_t)h->sub_hdr_blocks) * block;

	return (struct kdump_layout){
		.bitmap1_off = bitmap1_off,
		.bitmap2_off = bitmap1_off + bitmap_bytes,
		.bitmap_bytes = bitmap_bytes,
		.desc_off = bitmap1_off + h->bitmap_blocks * block,
	};
}

void kdump_put_desc(uint8_t out[static KDUMP_DESC_BYTES], const struct kdump_desc *desc)
{
	le64_put(out, desc->off);
	le32_put(out + 8, desc->size_bytes);
	le32_put(out + 12, desc->flags);
	le64_put(out + 16, 0); /* page_flags: nobody reads it */
}

struct kdump_desc kdump_get_desc(const uint8_t in[static KDUMP_DESC_BYTES])
{
	return (struct kdump_desc){
		.off = le64_get(in),
		.size_bytes = le32_get(in + 8),
		.flags = le32_get(in + 12),
	};
}
