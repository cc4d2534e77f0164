/* Segments: cursor, table of extents, and the chain of digests over them.
 * Doesn't know where the bytes of an extent are. */
#include "format/segment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

void segment_deinit(struct segment *s)
{
	free(s->extents);
	*s = (struct segment){0};
}

void segment_clear(struct segment *s)
{
	s->count = 0;
}

static int grow(struct segment *s, size_t count, struct error *err)
{
	size_t room = s->room ? s->room : 64;
	struct extent *extents;

	if (count > SEGMENT_EXTENTS_MAX)
		return error_set(err, -EFBIG, "a segment of more than %d extents",
				 SEGMENT_EXTENTS_MAX);
	if (count <= s->room)
		return 0;
	while (room < count)
		room *= 2;
	extents = reallocarray(s->extents, room, sizeof(*extents));
	if (!extents)
		return error_set(err, -ENOMEM, "out of memory for a segment's table");
	s->extents = extents;
	s->room = room;
	return 0;
}

int segment_add(struct segment *s, const struct extent *extent, struct error *err)
{
	const int r = grow(s, s->count + 1, err);

	if (r < 0)
		return r;
	s->extents[s->count++] = *extent;
	return 0;
}

void cursor_put(struct outbuf *o, const struct cursor *cursor)
{
	put_le64(o, cursor->segment);
	put_le64(o, cursor->chunk);
	put_le64(o, cursor->data_off);
	put_le64(o, cursor->stream_bytes);
	put_le64(o, cursor->unreadable);
}

struct cursor cursor_get(struct rd *r)
{
	struct cursor cursor;

	cursor.segment = rd_le64(r);
	cursor.chunk = rd_le64(r);
	cursor.data_off = rd_le64(r);
	cursor.stream_bytes = rd_le64(r);
	cursor.unreadable = rd_le64(r);
	return cursor;
}

static void extent_put(uint8_t out[static EXTENT_BYTES], const struct extent *extent)
{
	le64_put(out, extent->off);
	le32_put(out + 8, extent->size_bytes);
	memcpy(out + 12, extent->sha256, DIGEST_BYTES);
}

void segment_put(struct outbuf *o, const struct segment *s)
{
	put_le32(o, (uint32_t)s->count);
	for (size_t i = 0; i < s->count; i++) {
		uint8_t bytes[EXTENT_BYTES];

		extent_put(bytes, &s->extents[i]);
		put_bytes(o, bytes, sizeof(bytes));
	}
}

int segment_get(struct rd *rd, struct segment *s, struct error *err)
{
	const uint32_t count = rd_le32(rd);
	int r;

	segment_clear(s);
	if (!rd_ok(rd) || count > rd_left(rd) / EXTENT_BYTES)
		return error_set(err, -EBADMSG, "segment's table is cut short");
	r = grow(s, count, err);
	if (r < 0)
		return r == -EFBIG ? (err->code = -EBADMSG) : r;
	for (uint32_t i = 0; i < count; i++) {
		struct extent *e = &s->extents[i];
		uint64_t end;

		e->off = rd_le64(rd);
		e->size_bytes = rd_le32(rd);
		memcpy(e->sha256, rd_bytes(rd, DIGEST_BYTES), DIGEST_BYTES);
		if (e->size_bytes == 0 || ckd_add(&end, e->off, e->size_bytes) || end > INT64_MAX)
			return error_set(err, -EBADMSG,
					 "segment's table: bad extent %" PRIu64 "+%" PRIu32, e->off,
					 e->size_bytes);
	}
	s->count = count;
	return 0;
}

int digest_begin(struct digester *d, const uint8_t dump_id[static DIGEST_BYTES],
		 uint8_t chain_ret[static DIGEST_BYTES], struct error *err)
{
	digester_begin(d);
	digester_add(d, dump_id, DIGEST_BYTES);
	return digester_end(d, chain_ret, err);
}

int digest_chain(struct digester *d, const struct segment *s, uint8_t chain[static DIGEST_BYTES],
		 struct error *err)
{
	uint8_t count[4];

	le32_put(count, (uint32_t)s->count);
	digester_begin(d);
	digester_add(d, chain, DIGEST_BYTES);
	digester_add(d, count, sizeof(count));
	for (size_t i = 0; i < s->count; i++) {
		uint8_t bytes[EXTENT_BYTES];

		extent_put(bytes, &s->extents[i]);
		digester_add(d, bytes, sizeof(bytes));
	}
	return digester_end(d, chain, err);
}
