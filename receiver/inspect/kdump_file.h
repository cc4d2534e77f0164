/*
 * Reading a kdump-compressed file: headers, bitmaps, descriptors, bytes. Nothing in it is trusted.
 * All is read through windows of a fixed size, whatever the headers say. A dump may be read by
 * several threads, each with its own windows and cursors.
 */
#ifndef KDUMP_FILE_H
#define KDUMP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/kdump.h"

struct kdump_file; /* opaque */

/*
 * Open a dump and check its headers. Fails -EBADMSG or -ENODATA (headers), -ENOTSUP (not a
 * kdump-compressed file; the text names the kind), or with the file system's error. The caller
 * frees it.
 */
NODISCARD int kdump_file_open(const char *path, struct kdump_file **d_ret, struct error *err);
void kdump_file_free(struct kdump_file *d);
DEFINE_AUTO(struct kdump_file, kdump_file_free)

/* The header, borrowed; checked by kdump_get_header(), and no further. */
const struct kdump_header *kdump_file_header(const struct kdump_file *d);
uint64_t kdump_file_size(const struct kdump_file *d);

/* Check that the erase info is in the file (a text: makedumpfile's list of erased symbols). Nothing
 * here reads it. Fails -ENODATA. */
NODISCARD int kdump_file_check_eraseinfo(const struct kdump_file *d, struct error *err);

/* The pfns that have their descriptors in this file, where bitmap 2 says so: [*begin_ret,
 * *end_ret). */
void kdump_file_pfns(const struct kdump_file *d, uint64_t *begin_ret, uint64_t *end_ret);

/* The file around one place, as far as it is known: [begin, data) is a hole, [data, end) has data.
 * Zeros: nothing is known. */
struct stretch {
	uint64_t begin, data, end;
};

/*
 * The first byte of the file in [off, end) that isn't in a hole, or `end` where there is none.
 * Offsets beyond the end of the file aren't a hole. `known` is the caller's, for one walk that goes
 * forward: the file system is asked once for each stretch. Fails with its error.
 */
NODISCARD int kdump_file_skip_hole(const struct kdump_file *d, struct stretch *known, uint64_t off,
				   uint64_t end, uint64_t *data_ret, struct error *err);

/* A piece of the file that is held in memory. */
struct window {
	uint8_t *bytes; /* ours */
	size_t room, have;
	uint64_t off; /* of the first of `have` bytes */
	struct stretch known;
};

/* Fails -ENOMEM. window_deinit() accepts a window of zeros. */
NODISCARD int window_init(struct window *w, size_t room, struct error *err);
void window_deinit(struct window *w);

/*
 * The `size_bytes` (at most the window's room) at file offset `off`, borrowed until the next call.
 * Reads as much as the window takes where the reading goes forward, less where it jumps or a hole
 * begins. Fails -ENODATA beyond the end of the file.
 */
NODISCARD int window_get(struct window *w, const struct kdump_file *d, uint64_t off,
			 size_t size_bytes, const uint8_t **bytes_ret, struct error *err);

/* Counts of the bitmaps. */
struct kdump_file_bitmaps {
	uint64_t ram;	  /* pfns in bitmap 1 */
	uint64_t present; /* pfns in bitmap 2 */
	uint64_t in_file; /* of these, with a descriptor in this file: all, unless it is a part */
	uint64_t beyond;  /* bits of either that are set beyond the highest pfn */
	uint64_t not_ram; /* pfns in bitmap 2, but not in bitmap 1 */
	uint64_t first_beyond; /* the lowest such pfn */
	uint64_t first_not_ram;
};

/* Read both bitmaps to the end, passing over holes. Fails -ENODATA if the file ends before them,
 * -ENOMEM. */
NODISCARD int kdump_file_read_bitmaps(const struct kdump_file *d,
				      struct kdump_file_bitmaps *bitmaps_ret, struct error *err);

/* The number of faults that bitmaps can have. Returns whether they have fault `i` of these, and
 * describes it. */
enum { DUMP_BITMAPS_FAULTS = 3 };
bool kdump_file_bitmaps_fault(const struct kdump_file *d, const struct kdump_file_bitmaps *b,
			      unsigned i, struct error *fault_ret);

/* One page of the dump; or several, in the order of the bitmap, whose descriptors lie in a hole of
 * the file. */
struct kdump_file_page {
	uint64_t pfn, index; /* of the (first) descriptor */
	uint64_t count;	     /* pages; `desc` is zero for more than one */
	struct kdump_desc desc;
};

/*
 * A walk over the pages of [pfn, end_pfn), in order. Its work is bounded by the parts of bitmap and
 * table that aren't holes, whatever the headers say.
 */
struct kdump_file_cursor {
	const struct kdump_file *dump; /* borrowed */
	uint64_t pfn, end_pfn;	       /* the next one to look at */
	uint64_t index;		       /* of the next descriptor */
	struct window bitmap, table;
	struct stretch bitmap_known, table_known;
};

/* Fails -ENOMEM. kdump_file_cursor_deinit() accepts a cursor of zeros. */
NODISCARD int kdump_file_cursor_init(struct kdump_file_cursor *c, const struct kdump_file *d,
				     struct error *err);
void kdump_file_cursor_deinit(struct kdump_file_cursor *c);

/*
 * Go to [begin_pfn, end_pfn), within the range of kdump_file_pfns(); `index` is the descriptor
 * index of the first page at or after begin_pfn.
 */
void kdump_file_cursor_seek(struct kdump_file_cursor *c, uint64_t begin_pfn, uint64_t end_pfn,
			    uint64_t index);

/* Move on to the first pfn whose bit isn't in a hole of the file, or to the end. Fails as next
 * does.
 */
NODISCARD int kdump_file_cursor_skip_hole(struct kdump_file_cursor *c, struct error *err);

/* How many pages are left in the cursor's range. Doesn't move it. Fails as next does. */
NODISCARD int kdump_file_cursor_count(struct kdump_file_cursor *c, uint64_t *count_ret,
				      struct error *err);

/* The next page: 1 and *page_ret set, or 0 at the end. Fails -ENODATA where the file ends before
 * bitmap or descriptor. */
NODISCARD int kdump_file_cursor_next(struct kdump_file_cursor *c, struct kdump_file_page *page_ret,
				     struct error *err);

#endif
