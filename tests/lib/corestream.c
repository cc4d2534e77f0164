/* Flattened streams, judged.
 * Doesn't know what made them. */
#include "tests/lib/corestream.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "format/codec.h"
#include "format/flat.h"
#include "tests/lib/unit.h"

/* Every byte of the file: whether a record had it. */
struct sent {
	uint8_t *map;
	size_t size_bytes;
};

static bool is_sent(const struct sent *sent, uint64_t off, uint64_t n)
{
	if (off > sent->size_bytes || n > sent->size_bytes - off)
		return false;
	return n == 0 || !memchr(sent->map + off, 0, n);
}

static void grow(struct core_stream *s, struct sent *sent, size_t end)
{
	if (end <= s->file_bytes)
		return;
	assert_true(end < (size_t)1 << 32); /* what tests make is small */
	if (end > sent->size_bytes) {
		const size_t room = end + end / 2;

		s->file = realloc(s->file, room);
		sent->map = realloc(sent->map, room);
		assert_non_null(s->file);
		assert_non_null(sent->map);
		memset(s->file + sent->size_bytes, 0, room - sent->size_bytes);
		memset(sent->map + sent->size_bytes, 0, room - sent->size_bytes);
		sent->size_bytes = room;
	}
	s->file_bytes = end;
}

static uint64_t table_end(const struct core_stream *s)
{
	return s->layout.desc_off + s->pages * KDUMP_DESC_BYTES;
}

/* Segment 0 is whole: what it says. */
static void read_prologue(struct core_stream *s, const struct sent *sent)
{
	struct error err = {0};
	uint64_t bits;

	assert_true(is_sent(sent, 0, KDUMP_HEADER_BYTES));
	assert_int_equal(
		kdump_get_header(s->file, s->file + le32_get(s->file + 428), &s->header, &err), 0);
	s->layout = kdump_layout(&s->header);
	assert_true(is_sent(sent, s->header.block_size, KDUMP_SUB_HEADER_BYTES));
	assert_true(is_sent(sent, s->header.notes_off, s->header.notes_bytes));
	assert_true(is_sent(sent, s->layout.bitmap1_off, 2 * s->layout.bitmap_bytes));
	bits = s->layout.bitmap_bytes * 8;
	for (uint64_t pfn = 0; pfn < bits; pfn++) {
		s->pages += core_stream_has(s, 2, pfn);
		/* A page of the dump exists, and none is beyond the last. */
		assert_true(!core_stream_has(s, 2, pfn) || core_stream_has(s, 1, pfn));
		assert_true(pfn < s->header.max_mapnr || !core_stream_has(s, 1, pfn));
	}
}

static void check_descs(const struct core_stream *s, const struct sent *sent, uint64_t off,
			uint64_t size)
{
	assert_int_equal((off - s->layout.desc_off) % KDUMP_DESC_BYTES, 0);
	assert_int_equal(size % KDUMP_DESC_BYTES, 0);
	assert_true(size <= FLAT_RUN_BYTES);
	assert_true(off + size <= table_end(s));
	for (uint64_t at = off; at < off + size; at += KDUMP_DESC_BYTES) {
		const struct kdump_desc d = kdump_get_desc(s->file + at);

		assert_true(d.size_bytes <= s->header.block_size);
		if (d.off) {
			assert_true(d.off >= table_end(s));
			assert_true(is_sent(sent, d.off, d.size_bytes));
		}
	}
}

/* The second main header: the first one, but for the incomplete bit. */
static void check_header_again(struct core_stream *s, const uint8_t *bytes, uint64_t size)
{
	uint8_t was[KDUMP_HEADER_BYTES];

	assert_int_equal(size, KDUMP_HEADER_BYTES);
	assert_false(s->header_again);
	memcpy(was, s->file, sizeof(was));
	assert_int_equal(le32_get(was + KDUMP_STATUS_OFFSET) & KDUMP_INCOMPLETE, 0);
	le32_put(was + KDUMP_STATUS_OFFSET, le32_get(was + KDUMP_STATUS_OFFSET) | KDUMP_INCOMPLETE);
	assert_memory_equal(was, bytes, sizeof(was));
	s->header.status |= KDUMP_INCOMPLETE;
	s->header_again = true;
}

static void check_record(struct core_stream *s, struct sent *sent, const struct flat_record *rec,
			 const uint8_t *bytes)
{
	const bool prologue_known = s->header.block_size != 0;

	if (prologue_known && rec->off == 0) {
		check_header_again(s, bytes, rec->size_bytes);
		memcpy(s->file, bytes, rec->size_bytes);
		return;
	}
	assert_false(s->header_again); /* the last record */
	assert_true(rec->size_bytes <= FLAT_RUN_BYTES);
	grow(s, sent, (size_t)(rec->off + rec->size_bytes));
	memcpy(s->file + rec->off, bytes, rec->size_bytes);
	assert_null(memchr(sent->map + rec->off, 1, rec->size_bytes)); /* no overlap */
	memset(sent->map + rec->off, 1, rec->size_bytes);
	if (!prologue_known)
		return;
	if (rec->off < table_end(s))
		check_descs(s, sent, rec->off, rec->size_bytes);
}

/* Whether the last byte of bitmap 2 was just sent. */
static bool ends_bitmaps(const struct core_stream *s, const struct flat_record *rec)
{
	struct kdump_header h;
	struct error err;

	return rec->off && s->file_bytes > le32_get(s->file + 428) + KDUMP_SUB_HEADER_BYTES &&
	       kdump_get_header(s->file, s->file + le32_get(s->file + 428), &h, &err) == 0 &&
	       rec->off + rec->size_bytes == kdump_layout(&h).desc_off;
}

struct core_stream core_stream_check(const uint8_t *bytes, size_t size_bytes)
{
	struct core_stream s = {0};
	struct sent sent = {0};
	struct rd r = rd_init(bytes, size_bytes);
	struct error err = {0};

	assert_int_equal(flat_get_header(&r, &err), 0);
	while (rd_left(&r)) {
		struct flat_record rec;
		const int more = flat_get_record(&r, &rec, &err);
		const uint8_t *content;

		assert_true(more >= 0);
		if (more == 0) {
			s.whole = true;
			break;
		}
		content = rd_bytes(&r, (size_t)rec.size_bytes);
		assert_non_null(content);
		check_record(&s, &sent, &rec, content);
		s.records++;
		if (!s.header.block_size && ends_bitmaps(&s, &rec))
			read_prologue(&s, &sent);
	}
	assert_int_equal(rd_left(&r), 0);
	assert_true(s.header.block_size != 0);
	if (s.whole)
		assert_true(is_sent(&sent, s.layout.desc_off, s.pages * KDUMP_DESC_BYTES));
	free(sent.map);
	return s;
}

void core_stream_free(struct core_stream *s)
{
	free(s->file);
	*s = (struct core_stream){0};
}

struct kdump_desc core_stream_desc(const struct core_stream *s, uint64_t n)
{
	const uint64_t at = s->layout.desc_off + n * KDUMP_DESC_BYTES;

	assert_true(n < s->pages);
	if (at + KDUMP_DESC_BYTES > s->file_bytes)
		return (struct kdump_desc){0};
	return kdump_get_desc(s->file + at);
}

bool core_stream_has(const struct core_stream *s, int bitmap, uint64_t pfn)
{
	const uint64_t off = bitmap == 1 ? s->layout.bitmap1_off : s->layout.bitmap2_off;

	return s->file[off + pfn / 8] >> pfn % 8 & 1;
}

bool core_stream_page(const struct core_stream *s, uint64_t n, uint8_t *page)
{
	const struct kdump_desc d = core_stream_desc(s, n);
	struct decompressor *decompressor;
	enum codec_id codec;
	struct error err;

	if (d.off == 0)
		return false;
	assert_true(d.off + d.size_bytes <= s->file_bytes);
	assert_true(codec_by_kdump_flag(d.flags, &codec));
	assert_int_equal(decompressor_new(&decompressor, &err), 0);
	assert_int_equal(decompressor_run(decompressor, codec, s->file + d.off, d.size_bytes, page,
					  s->header.block_size, &err),
			 0);
	decompressor_free(decompressor);
	return true;
}
