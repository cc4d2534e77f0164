/*
 * A cursor over bytes that nobody vouches for.
 *
 * A read past the end yields zeros and sets `bad`, which stays set, so that a header is read
 * straight down and checked once: by rd_ok() (no read went past the end) or by rd_done() (and no
 * byte is left). rd_bytes() is the only comparison with the end.
 */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct rd {
	const uint8_t *begin, *pos, *end; /* borrowed */
	bool bad;
};

static inline struct rd rd_init(const void *bytes, size_t size_bytes)
{
	const uint8_t *p = bytes;

	return (struct rd){.begin = p, .pos = p, .end = p + size_bytes};
}

/* Borrow the next n bytes, or NULL. */
static inline const void *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->pos;

	if (r->bad || n > (size_t)(r->end - p)) {
		r->bad = true;
		return NULL;
	}
	r->pos += n;
	return p;
}

static inline uint16_t rd_le16(struct rd *r)
{
	const void *p = rd_bytes(r, 2);

	return p ? le16_get(p) : 0;
}

static inline uint32_t rd_le32(struct rd *r)
{
	const void *p = rd_bytes(r, 4);

	return p ? le32_get(p) : 0;
}

static inline uint64_t rd_le64(struct rd *r)
{
	const void *p = rd_bytes(r, 8);

	return p ? le64_get(p) : 0;
}

static inline uint32_t rd_be32(struct rd *r)
{
	const void *p = rd_bytes(r, 4);

	return p ? be32_get(p) : 0;
}

static inline uint64_t rd_be64(struct rd *r)
{
	const void *p = rd_bytes(r, 8);

	return p ? be64_get(p) : 0;
}

static inline size_t rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->pos);
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->pos == r->end;
}

#endif
