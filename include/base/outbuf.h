/*
 * The other way round from reader.h: a cursor that puts bytes into a buffer of fixed size. Bytes
 * that don't fit set `bad`, which stays set, so that a message is written straight down and checked
 * once.
 */
#ifndef OUTBUF_H
#define OUTBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

struct outbuf {
	uint8_t *begin, *pos, *end; /* borrowed */
	bool bad;
};

static inline struct outbuf outbuf_init(void *bytes, size_t room_bytes)
{
	uint8_t *p = bytes;

	return (struct outbuf){.begin = p, .pos = p, .end = p + room_bytes};
}

/* The next n bytes, to be filled, or NULL. */
static inline uint8_t *put_room(struct outbuf *o, size_t n)
{
	uint8_t *p = o->pos;

	if (o->bad || n > (size_t)(o->end - p)) {
		o->bad = true;
		return NULL;
	}
	o->pos += n;
	return p;
}

static inline void put_bytes(struct outbuf *o, const void *bytes, size_t n)
{
	uint8_t *p = put_room(o, n);

	if (p && n)
		memcpy(p, bytes, n);
}

static inline void put_u8(struct outbuf *o, uint8_t v)
{
	put_bytes(o, &v, 1);
}

static inline void put_le32(struct outbuf *o, uint32_t v)
{
	uint8_t *p = put_room(o, 4);

	if (p)
		le32_put(p, v);
}

static inline void put_le64(struct outbuf *o, uint64_t v)
{
	uint8_t *p = put_room(o, 8);

	if (p)
		le64_put(p, v);
}

static inline size_t outbuf_used(const struct outbuf *o)
{
	return (size_t)(o->pos - o->begin);
}

#endif
