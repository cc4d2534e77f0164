/* Headers, bitmaps and descriptors of a kdump-compressed file, through windows.
 * Doesn't know whether descriptors are right, and doesn't decompress. */
#include "receiver/inspect/kdump_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/io.h"
#include "base/sniff.h"
#include "receiver/assemble/bits.h"

enum {
	BITMAP_WINDOW_BYTES = 64 << 10,
	TABLE_WINDOW_BYTES = 8192 * KDUMP_DESC_BYTES,

	/* The bytes to read after a jump: more would mostly be for nothing. */
	JUMP_BYTES = 64 << 10,
};

struct kdump_file {
	int fd;
	uint64_t size_bytes;
	struct kdump_header header;
	struct kdump_layout layout;
};

/* Read up to size_bytes at `off`; -ENODATA unless all of it is there. */
static int read_at(const struct kdump_file *d, uint64_t off, void *buf, size_t size_bytes,
		   const char *what, struct error *err)
{
	const ssize_t n = io_pread_full(d->fd, buf, size_bytes, off);

	if (n < 0) {
		errno = (int)-n;
		return error_sys(err, "read at %" PRIu64, off);
	}
	if ((size_t)n < size_bytes)
		return error_set(err, -ENODATA, "the file ends inside of %s", what);
	return 0;
}

static int read_headers(struct kdump_file *d, struct error *err)
{
	uint8_t main_header[KDUMP_HEADER_BYTES], sub_header[KDUMP_SUB_HEADER_BYTES];
	const size_t head_bytes = (size_t)MIN(d->size_bytes, sizeof(main_header));
	int r = read_at(d, 0, main_header, head_bytes, "the main header", err);

	if (r < 0)
		return r;
	if (head_bytes < 8 || memcmp(main_header, KDUMP_SIGNATURE, 8) != 0)
		return error_set(err, -ENOTSUP, "no kdump-compressed file%s",
				 sniff(main_header, head_bytes));
	if (head_bytes < sizeof(main_header))
		return error_set(err, -ENODATA, "the file ends inside of the main header");
	r = kdump_get_block_size(main_header, err);
	if (r < 0)
		return r;
	r = read_at(d, (uint64_t)r, sub_header, sizeof(sub_header), "the sub header", err);
	if (r < 0)
		return r;
	r = kdump_get_header(main_header, sub_header, &d->header, err);
	if (r < 0)
		return r;
	d->layout = kdump_layout(&d->header);
	return 0;
}

/*
 * A collector doesn't remove a dump meanwhile (receiver/retention/removal.h). A part isn't locked:
 * its sender, which may come at any time to go on, would find it locked. Where a file system has no
 * locks, only that protection is lost.
 */
static void hold(int fd, const char *path)
{
	static const char part[] = ".part";
	const size_t len = strlen(path), end = sizeof(part) - 1;

	if (len < end || strcmp(path + len - end, part) != 0)
		(void)flock(fd, LOCK_SH | LOCK_NB);
}

int kdump_file_open(const char *path, struct kdump_file **d_ret, struct error *err)
{
	AUTO(kdump_file_free) struct kdump_file *d = calloc(1, sizeof(*d));
	struct stat st;
	int r;

	if (!d)
		return error_set(err, -ENOMEM, "out of memory");
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	d->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (d->fd < 0 || fstat(d->fd, &st) < 0)
		return error_sys(err, "can't open it");
	if (!S_ISREG(st.st_mode))
		return error_set(err, -ENOTSUP, "no regular file");
	d->size_bytes = (uint64_t)st.st_size;
	hold(d->fd, path);
	r = read_headers(d, err);
	if (r < 0)
		return r;
	*d_ret = TAKE_PTR(d);
	return 0;
}

void kdump_file_free(struct kdump_file *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

const struct kdump_header *kdump_file_header(const struct kdump_file *d)
{
	return &d->header;
}

uint64_t kdump_file_size(const struct kdump_file *d)
{
	return d->size_bytes;
}

int kdump_file_check_eraseinfo(const struct kdump_file *d, struct error *err)
{
	const struct kdump_header *h = &d->header;

	/* The sum is below 2^63: kdump_get_header() has seen to that. */
	if (h->eraseinfo_bytes == 0 || h->eraseinfo_off + h->eraseinfo_bytes <= d->size_bytes)
		return 0;
	return error_set(err, -ENODATA, "the file ends inside of the erase info");
}

void kdump_file_pfns(const struct kdump_file *d, uint64_t *begin_ret, uint64_t *end_ret)
{
	const struct kdump_header *h = &d->header;

	*begin_ret = h->split ? MIN(h->start_pfn, h->max_mapnr) : 0;
	*end_ret = h->split ? MIN(h->end_pfn, h->max_mapnr) : h->max_mapnr;
}

int window_init(struct window *w, size_t room, struct error *err)
{
	*w = (struct window){.bytes = io_buffer(room), .room = room};
	return w->bytes ? 0 : error_set(err, -ENOMEM, "out of memory");
}

void window_deinit(struct window *w)
{
	free(w->bytes);
	*w = (struct window){0};
}

int kdump_file_skip_hole(const struct kdump_file *d, struct stretch *known, uint64_t off,
			 uint64_t end, uint64_t *data_ret, struct error *err)
{
	if (off < known->begin || off >= known->end) {
		struct stretch s = {.begin = off, .data = d->size_bytes, .end = d->size_bytes};
		const int r = io_next_data(d->fd, off, d->size_bytes, &s.data, &s.end);

		if (r < 0) {
			errno = -r;
			return error_sys(err, "holes at %" PRIu64, off);
		}
		*known = s;
	}
	*data_ret = MIN(MAX(off, known->data), end);
	return 0;
}

/* How much to read at `off`, of which `size_bytes` are wanted. */
static int check_window(struct window *w, const struct kdump_file *d, uint64_t off,
			size_t size_bytes, size_t *want_ret, struct error *err)
{
	/* Read on: the next piece begins inside of the last one, at its end, or not far behind it.
	 */
	const bool onward = off >= w->off && off - w->off <= 2 * w->room;
	const size_t room = onward ? w->room : MIN(w->room, MAX(size_bytes, (size_t)JUMP_BYTES));
	uint64_t data = 0;
	const int r = kdump_file_skip_hole(d, &w->known, off, off + room, &data, err);

	if (r < 0)
		return r;
	/* No more of a hole than is wanted. */
	if (data > off)
		*want_ret = size_bytes;
	else
		*want_ret = MAX(size_bytes, (size_t)MIN((uint64_t)room, w->known.end - off));
	return 0;
}

int window_get(struct window *w, const struct kdump_file *d, uint64_t off, size_t size_bytes,
	       const uint8_t **bytes_ret, struct error *err)
{
	size_t want = size_bytes;
	uint64_t end;
	ssize_t n;
	int r;

	if (ckd_add(&end, off, size_bytes) || end > d->size_bytes)
		return error_set(err, -ENODATA,
				 "%zu bytes at %" PRIu64 " lie beyond the end of the file",
				 size_bytes, off);
	if (off < w->off || end > w->off + w->have) {
		r = check_window(w, d, off, size_bytes, &want, err);
		if (r < 0)
			return r;
		n = io_pread_full(d->fd, w->bytes, want, off);
		w->off = off;
		w->have = n < 0 ? 0 : (size_t)n;
		if (n < 0) {
			errno = (int)-n;
			return error_sys(err, "read at %" PRIu64, off);
		}
		if (w->have < size_bytes)
			return error_set(err, -ENODATA, "the file got shorter at %" PRIu64, off);
	}
	*bytes_ret = w->bytes + (off - w->off);
	return 0;
}

/* Count in one window of both bitmaps, which begins at `pfn` and has `count` bits. */
static void count_bitmaps(const struct kdump_file *d, const uint8_t *map1, const uint8_t *map2,
			  uint64_t pfn, uint64_t count, struct kdump_file_bitmaps *b)
{
	const uint64_t max_mapnr = d->header.max_mapnr;
	const uint64_t valid = pfn >= max_mapnr ? 0 : MIN(count, max_mapnr - pfn);
	uint64_t begin, end;

	kdump_file_pfns(d, &begin, &end);
	b->ram += bits_count(map1, 0, valid);
	b->present += bits_count(map2, 0, valid);
	if (begin < pfn + valid && end > pfn)
		b->in_file += bits_count(map2, MAX(begin, pfn) - pfn, MIN(end, pfn + valid) - pfn);
	for (uint64_t i = 0; i < valid; i++) {
		/* Whole bytes at a time; only the rare byte with an exception is searched bit by
		 * bit. */
		if (i % 8 == 0 && !(map2[i / 8] & ~map1[i / 8])) {
			i += 7;
			continue;
		}
		if (bits_test(map2, i) && !bits_test(map1, i) && b->not_ram++ == 0)
			b->first_not_ram = pfn + i;
	}
	for (uint64_t i = valid; i < count; i++)
		if ((bits_test(map1, i) || bits_test(map2, i)) && b->beyond++ == 0)
			b->first_beyond = pfn + i;
}

/* The first byte at or after `off` that isn't a hole in one of the bitmaps, or their end. */
static int skip_hole_of_both(const struct kdump_file *d, struct stretch known[static 2],
			     uint64_t off, uint64_t *off_ret, struct error *err)
{
	const struct kdump_layout *at = &d->layout;
	uint64_t data1, data2 = 0;
	int r = kdump_file_skip_hole(d, &known[0], at->bitmap1_off + off, at->bitmap2_off, &data1,
				     err);

	if (r == 0)
		r = kdump_file_skip_hole(d, &known[1], at->bitmap2_off + off, at->desc_off, &data2,
					 err);
	if (r == 0)
		*off_ret = MIN(data1 - at->bitmap1_off, data2 - at->bitmap2_off);
	return r;
}

int kdump_file_read_bitmaps(const struct kdump_file *d, struct kdump_file_bitmaps *bitmaps_ret,
			    struct error *err)
{
	const struct kdump_layout *at = &d->layout;
	AUTO_FREE uint8_t *map1 = io_buffer(BITMAP_WINDOW_BYTES),
			  *map2 = io_buffer(BITMAP_WINDOW_BYTES);
	struct stretch known[2] = {0};
	struct kdump_file_bitmaps b = {0};
	uint64_t off = 0;
	size_t n = 0;
	int r;

	if (!map1 || !map2)
		return error_set(err, -ENOMEM, "out of memory");
	if (d->size_bytes < at->desc_off)
		return error_set(err, -ENODATA, "the file ends inside of the bitmaps");
	for (;; off += n) {
		r = skip_hole_of_both(d, known, off, &off, err);
		if (r < 0)
			return r;
		if (off >= at->bitmap_bytes)
			break;
		n = (size_t)MIN(at->bitmap_bytes - off, (uint64_t)BITMAP_WINDOW_BYTES);
		r = read_at(d, at->bitmap1_off + off, map1, n, "bitmap 1", err);
		if (r == 0)
			r = read_at(d, at->bitmap2_off + off, map2, n, "bitmap 2", err);
		if (r < 0)
			return r;
		count_bitmaps(d, map1, map2, off * 8, n * UINT64_C(8), &b);
	}
	*bitmaps_ret = b;
	return 0;
}

bool kdump_file_bitmaps_fault(const struct kdump_file *d, const struct kdump_file_bitmaps *b,
			      unsigned i, struct error *fault)
{
	const uint64_t max_mapnr = d->header.max_mapnr;

	if (i == 0 && b->beyond > 0)
		error_set(fault, -EBADMSG,
			  "bitmaps: %" PRIu64 " bits beyond the highest pfn %" PRIu64
			  ", the first at %" PRIu64,
			  b->beyond, max_mapnr, b->first_beyond);
	else if (i == 1 && b->not_ram > 0)
		error_set(fault, -EBADMSG,
			  "bitmaps: %" PRIu64
			  " pages are in the second but not in the first, pfn %" PRIu64 " on",
			  b->not_ram, b->first_not_ram);
	else if (i == 2 && b->present == 0)
		error_set(fault, -EBADMSG,
			  "bitmaps: not one page is in the dump, of pfns below %" PRIu64,
			  max_mapnr);
	else
		return false;
	return true;
}

int kdump_file_cursor_init(struct kdump_file_cursor *c, const struct kdump_file *d,
			   struct error *err)
{
	int r;

	*c = (struct kdump_file_cursor){.dump = d};
	r = window_init(&c->bitmap, BITMAP_WINDOW_BYTES, err);
	if (r == 0)
		r = window_init(&c->table, TABLE_WINDOW_BYTES, err);
	if (r < 0)
		kdump_file_cursor_deinit(c);
	else
		kdump_file_cursor_seek(c, 0, 0, 0);
	return r;
}

void kdump_file_cursor_deinit(struct kdump_file_cursor *c)
{
	window_deinit(&c->bitmap);
	window_deinit(&c->table);
}

void kdump_file_cursor_seek(struct kdump_file_cursor *c, uint64_t begin_pfn, uint64_t end_pfn,
			    uint64_t index)
{
	c->pfn = begin_pfn;
	c->end_pfn = end_pfn;
	c->index = index;
}

/* Bitmap 2 from byte `at` on: at most a window of it, and no more than up to the cursor's end. */
static int get_bitmap(struct kdump_file_cursor *c, uint64_t at, const uint8_t **map_ret,
		      size_t *bytes_ret, struct error *err)
{
	const uint64_t left = div_round_up(c->end_pfn, 8) - at;

	*bytes_ret = (size_t)MIN(left, (uint64_t)BITMAP_WINDOW_BYTES);
	return window_get(&c->bitmap, c->dump, c->dump->layout.bitmap2_off + at, *bytes_ret,
			  map_ret, err);
}

int kdump_file_cursor_skip_hole(struct kdump_file_cursor *c, struct error *err)
{
	const uint64_t bitmap2_off = c->dump->layout.bitmap2_off;
	const uint64_t at = bitmap2_off + c->pfn / 8,
		       end = bitmap2_off + div_round_up(c->end_pfn, 8);
	uint64_t data;
	int r;

	if (c->pfn >= c->end_pfn)
		return 0;
	r = kdump_file_skip_hole(c->dump, &c->bitmap_known, at, end, &data, err);
	if (r == 0 && data > at)
		c->pfn = MIN((data - bitmap2_off) * 8, c->end_pfn);
	return r;
}

/* The least end for which [begin, end) still has `count` set bits. It has them; `count` is at least
 * 1. */
static uint64_t end_of_bits(const uint8_t *map, uint64_t begin, uint64_t end, uint64_t count)
{
	while (end - begin > 1) {
		const uint64_t middle = begin + (end - begin) / 2;
		const uint64_t bits = bits_count(map, begin, middle);

		if (bits >= count) {
			end = middle;
		} else {
			begin = middle;
			count -= bits;
		}
	}
	return end;
}

/* Pass over up to `max` pages and their descriptors. *passed_ret says how many there were. */
static int pass_pages(struct kdump_file_cursor *c, uint64_t max, uint64_t *passed_ret,
		      struct error *err)
{
	uint64_t passed = 0;

	while (c->pfn < c->end_pfn && passed < max) {
		const uint8_t *map;
		uint64_t first, end, count;
		size_t bytes;
		int r = kdump_file_cursor_skip_hole(c, err);

		if (r < 0)
			return r;
		if (c->pfn >= c->end_pfn)
			break;
		first = c->pfn - c->pfn % 8;
		r = get_bitmap(c, first / 8, &map, &bytes, err);
		if (r < 0)
			return r;
		end = MIN(c->end_pfn, first + bytes * UINT64_C(8));
		count = bits_count(map, c->pfn - first, end - first);
		if (count > max - passed) {
			count = max - passed;
			end = first + end_of_bits(map, c->pfn - first, end - first, count);
		}
		c->pfn = end;
		passed += count;
	}
	c->index += passed;
	*passed_ret = passed;
	return 0;
}

int kdump_file_cursor_count(struct kdump_file_cursor *c, uint64_t *count_ret, struct error *err)
{
	const uint64_t pfn = c->pfn, index = c->index;
	const int r = pass_pages(c, UINT64_MAX, count_ret, err);

	c->pfn = pfn;
	c->index = index;
	return r;
}

/* The next set bit of bitmap 2: 1 and c->pfn on it, or 0 at the end. */
static int find_page(struct kdump_file_cursor *c, struct error *err)
{
	while (c->pfn < c->end_pfn) {
		const uint64_t byte = c->pfn / 8;
		const struct window *w = &c->bitmap;
		const uint64_t in_window = c->dump->layout.bitmap2_off + byte - w->off;
		const uint8_t *map;
		size_t bytes;
		unsigned bits;

		if (w->have == 0 || c->dump->layout.bitmap2_off + byte < w->off ||
		    in_window >= w->have) {
			int r = kdump_file_cursor_skip_hole(c, err);

			if (r < 0)
				return r;
			if (c->pfn / 8 != byte)
				continue;
			r = get_bitmap(c, byte, &map, &bytes, err);
			if (r < 0)
				return r;
		} else {
			map = w->bytes + in_window;
		}
		bits = (unsigned)*map >> (c->pfn % 8);
		if (bits) {
			c->pfn += (unsigned)__builtin_ctz(bits);
			return c->pfn < c->end_pfn;
		}
		c->pfn = (byte + 1) * 8;
	}
	return 0;
}

/* How many of the next descriptors lie in a hole of the file. */
static int descs_in_hole(struct kdump_file_cursor *c, uint64_t *count_ret, struct error *err)
{
	const uint64_t off = c->dump->layout.desc_off + c->index * KDUMP_DESC_BYTES;
	uint64_t data;
	const int r = kdump_file_skip_hole(c->dump, &c->table_known, off,
					   MAX(off, c->dump->size_bytes), &data, err);

	if (r == 0)
		*count_ret = (data - off) / KDUMP_DESC_BYTES;
	return r;
}

int kdump_file_cursor_next(struct kdump_file_cursor *c, struct kdump_file_page *page_ret,
			   struct error *err)
{
	struct kdump_file_page page;
	const uint8_t *bytes;
	uint64_t holes = 0;
	int r = find_page(c, err);

	if (r <= 0)
		return r;
	page = (struct kdump_file_page){.pfn = c->pfn, .index = c->index, .count = 1};
	r = descs_in_hole(c, &holes, err);
	if (r < 0)
		return r;
	if (holes > 0) {
		r = pass_pages(c, holes, &page.count, err);
		if (r < 0)
			return r;
		*page_ret = page;
		return 1;
	}
	r = window_get(&c->table, c->dump, c->dump->layout.desc_off + c->index * KDUMP_DESC_BYTES,
		       KDUMP_DESC_BYTES, &bytes, err);
	if (r < 0)
		return error_prefix(err, "descriptor %" PRIu64, c->index);
	page.desc = kdump_get_desc(bytes);
	*page_ret = page;
	c->pfn++;
	c->index++;
	return 1;
}
