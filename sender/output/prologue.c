/* Headers, notes and bitmaps of a dump.
 * Doesn't know how pages are read or compressed. */
#include "sender/output/prologue.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "format/flat.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kernel.h"
#include "sender/output/sink.h"
#include "sender/pages/pageset.h"
#include "sender/vmcore/vmcore.h"

int prologue_header(const struct vmcore *core, unsigned level, uint32_t status,
		    struct kdump_header *header_ret, bool *uname_known_ret, struct error *err)
{
	const uint64_t block = core->page_bytes;
	const uint64_t bitmap_blocks = div_round_up(div_round_up(core->map.max_mapnr, 8), block);
	const uint64_t notes_off = block + KDUMP_SUB_HEADER_BYTES;
	struct kdump_header h = {
		.header_version = KDUMP_HEADER_VERSION,
		.status = status | (core->map.lost_bytes ? KDUMP_INCOMPLETE : 0),
		.block_size = (uint32_t)block,
		.sub_hdr_blocks = (uint32_t)div_round_up(
			KDUMP_SUB_HEADER_BYTES + core->elf.notes.bytes, block),
		.bitmap_blocks = (uint32_t)(2 * bitmap_blocks),
		.nr_cpus = core->cpus,
		.phys_base = kernel_phys_base(core),
		.dump_level = level,
		.notes_off = core->elf.notes.bytes ? notes_off : 0,
		.notes_bytes = core->elf.notes.bytes,
		.max_mapnr = core->map.max_mapnr,
	};
	uint64_t crash_time;

	if (bitmap_blocks > UINT32_MAX / 2)
		return error_set(err, -EFBIG, "%" PRIu64 " pfns are more than a dump can count",
				 core->map.max_mapnr);
	if (core->info_text) {
		h.vmcoreinfo_off = notes_off + core->info_at;
		h.vmcoreinfo_bytes = core->info_bytes;
	}
	if (vmcoreinfo_decimal(core->info, "CRASHTIME", &crash_time))
		h.crash_time_s = (int64_t)crash_time;
	*uname_known_ret = kernel_utsname(core, &h.uts);
	*header_ret = h;
	return 0;
}

struct notes_output {
	struct sink *sink;
	uint64_t off; /* of the first note in the file */
};

static int write_notes(void *ctx, uint64_t at, const uint8_t *bytes, size_t n, struct error *err)
{
	const struct notes_output *o = ctx;

	return sink_write(o->sink, o->off + at, bytes, n, err);
}

static int write_headers(struct sink *sink, const struct kdump_header *header,
			 const struct vmcore *core, uint8_t *part, struct error *err)
{
	uint8_t main_header[KDUMP_HEADER_BYTES], sub_header[KDUMP_SUB_HEADER_BYTES];
	int r;

	/* The main header comes first: file(1) names a flattened dump by its first record. */
	kdump_put_header(main_header, header);
	kdump_put_sub_header(sub_header, header);
	r = sink_write(sink, 0, main_header, sizeof(main_header), err);
	if (r == 0)
		r = sink_write(sink, header->block_size, sub_header, sizeof(sub_header), err);
	if (r == 0)
		r = elf_notes_each(&core->elf.notes, part, FLAT_RUN_BYTES, write_notes,
				   &(struct notes_output){sink, header->notes_off}, err);
	return r;
}

/* Set bits [first, end) of a bitmap part that begins at bit `base` and has `bits`. */
static void set_bits(uint8_t *part, uint64_t base, uint64_t bits, struct pfn_range range)
{
	uint64_t bit = MAX(range.first, base) - base;
	const uint64_t end = MIN(range.end, base + bits) - base;

	for (; bit < end && bit % 8; bit++)
		part[bit / 8] |= (uint8_t)(1 << bit % 8);
	if (bit + 8 <= end) {
		memset(part + bit / 8, 0xff, (size_t)((end - bit) / 8));
		bit += (end - bit) / 8 * 8;
	}
	for (; bit < end; bit++)
		part[bit / 8] |= (uint8_t)(1 << bit % 8);
}

/* Bitmap 1: the pages that exist. It is made as it is written: only bitmap 2 is kept in memory. */
static int write_ram_bitmap(struct sink *sink, uint64_t off, uint64_t bytes,
			    const struct memmap *map, uint8_t *part, struct error *err)
{
	size_t next = 0;
	int r = 0;

	for (uint64_t at = 0; at < bytes && r == 0; at += FLAT_RUN_BYTES) {
		const size_t n = (size_t)MIN(bytes - at, (uint64_t)FLAT_RUN_BYTES);
		const uint64_t base = at * 8, bits = (uint64_t)n * 8;

		memset(part, 0, n);
		while (next < map->ram_count && map->ram[next].end <= base)
			next++;
		for (size_t i = next; i < map->ram_count && map->ram[i].first < base + bits; i++)
			set_bits(part, base, bits, map->ram[i]);
		r = sink_write(sink, off + at, part, n, err);
	}
	return r;
}

/* Bitmap 2: the pages that are in the dump. */
static int write_dump_bitmap(struct sink *sink, uint64_t off, uint64_t bytes,
			     const struct pageset *pages, uint8_t *part, struct error *err)
{
	int r = 0;

	for (uint64_t at = 0; at < bytes && r == 0; at += FLAT_RUN_BYTES) {
		const size_t n = (size_t)MIN(bytes - at, (uint64_t)FLAT_RUN_BYTES);

		pageset_read(pages, at, part, n);
		r = sink_write(sink, off + at, part, n, err);
	}
	return r;
}

int prologue_write(struct sink *sink, const struct kdump_header *header, const struct vmcore *core,
		   const struct pageset *pages, struct error *err)
{
	const struct kdump_layout layout = kdump_layout(header);
	AUTO_FREE uint8_t *part = malloc(FLAT_RUN_BYTES);
	int r;

	if (!part)
		return error_set(err, -ENOMEM, "out of memory for the bitmaps");
	r = write_headers(sink, header, core, part, err);
	if (r == 0)
		r = write_ram_bitmap(sink, layout.bitmap1_off, layout.bitmap_bytes, &core->map,
				     part, err);
	if (r == 0)
		r = write_dump_bitmap(sink, layout.bitmap2_off, layout.bitmap_bytes, pages, part,
				      err);
	return r;
}
