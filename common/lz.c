/* The match finder for pages, and the formats that it is put into while it searches.
 * Doesn't know what is in a page, nor whether it is worth compressing. */
#include "lz.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "compiler.h"

enum {
	HASHED_BYTES = 5, /* by four, a third more matches are found, mostly of four bytes */
	/* After so many misses, steps are one byte longer; and the first time so many earlier. */
	SKIP_MISSES = 32,
	SKIP_EARLY = 8,

	/* No match begins so close to the end: words are read and literals are copied without
	   looking. */
	TAIL_BYTES = 16,
};

/* What is being made. Which form it is, is known where this is inlined. */
struct output {
	enum form { FORM_SNAPPY, FORM_LZO, FORM_STEPS } form;
	uint8_t *start, *at;
	struct lz_step *step;
};

/* Inlined, so that each form is a loop of its own: searching and writing then overlap in the CPU,
 * and what the one guesses wrong doesn't hold up the other. */
#define INLINE static inline __attribute__((always_inline))

/* --- snappy: https://github.com/google/snappy, format_description.txt --- */

enum {
	SNAPPY_LITERAL_BYTES = 60, /* that a tag says by itself */
	SNAPPY_COPY_BYTES = 64,
};

/* Before the end, 16 bytes can be read and written whatever n is. */
INLINE uint8_t *snappy_literals(uint8_t *out, const uint8_t *bytes, size_t n, bool at_end)
{
	if (n == 0)
		return out;
	if (n <= SNAPPY_LITERAL_BYTES) {
		*out++ = (uint8_t)((n - 1) << 2);
	} else if (n <= 256) {
		*out++ = 60 << 2;
		*out++ = (uint8_t)(n - 1);
	} else {
		*out++ = 61 << 2;
		le16_put(out, (uint16_t)(n - 1));
		out += 2;
	}
	if (n <= 16 && !at_end)
		memcpy(out, bytes, 16);
	else
		memcpy(out, bytes, n);
	return out + n;
}

INLINE uint8_t *snappy_copy(uint8_t *out, size_t distance, size_t n)
{
	/* What is left must be at least LZ_MATCH_MIN. */
	while (n > SNAPPY_COPY_BYTES) {
		const size_t part = MIN(n - LZ_MATCH_MIN, (size_t)SNAPPY_COPY_BYTES);

		le32_put(out, (uint32_t)(2 | (part - 1) << 2 | distance << 8));
		out += 3;
		n -= part;
	}
	if (n < 12 && distance < 2048) {
		le16_put(out, (uint16_t)(1 | (n - 4) << 2 | distance >> 8 << 5 |
					 (distance & 0xff) << 8));
		return out + 2;
	}
	le32_put(out, (uint32_t)(2 | (n - 1) << 2 | distance << 8));
	return out + 3;
}

/* --- LZO1X: Linux Documentation/staging/lzo.rst --- */

enum {
	LZO_FIRST = 17,		    /* the first byte may be literals plus that */
	LZO_FIRST_BYTES = 255 - 17, /* so many at the most */
	LZO_SHORT_BYTES = 3,	    /* literals that are told in the match before them */
	LZO_RUN_BYTES = 18,	    /* literals that a byte says by itself */
	LZO_NEAR = 2048,	    /* the distance of a match in two bytes, */
	LZO_NEAR_BYTES = 8,	    /* and its length */
	LZO_FAR = 0x20,		    /* a match in three bytes, up to 16 KiB back */
	LZO_FAR_BYTES = 33,	    /* its length without further bytes */
	LZO_END = 0x11,		    /* and two zeros */
};

/* What a length exceeds its field by, in bytes of 255. */
INLINE uint8_t *lzo_excess(uint8_t *out, size_t n)
{
	for (; n > 255; n -= 255)
		*out++ = 0;
	*out++ = (uint8_t)n;
	return out;
}

INLINE uint8_t *lzo_literals(uint8_t *out, const uint8_t *start, const uint8_t *bytes, size_t n,
			     bool at_end)
{
	if (n == 0)
		return out;
	if (out == start && n <= LZO_FIRST_BYTES) {
		*out++ = (uint8_t)(LZO_FIRST + n);
	} else if (n <= LZO_SHORT_BYTES && out != start) {
		out[-2] |= (uint8_t)n;
	} else if (n <= LZO_RUN_BYTES) {
		*out++ = (uint8_t)(n - LZO_SHORT_BYTES);
		if (!at_end) {
			memcpy(out, bytes, LZO_RUN_BYTES);
			return out + n;
		}
	} else {
		*out++ = 0;
		out = lzo_excess(out, n - LZO_RUN_BYTES);
	}
	if (n <= LZO_SHORT_BYTES && !at_end)
		memcpy(out, bytes, LZO_SHORT_BYTES + 1);
	else
		memcpy(out, bytes, n);
	return out + n;
}

INLINE uint8_t *lzo_copy(uint8_t *out, size_t distance, size_t n)
{
	const size_t d = distance - 1;

	if (n <= LZO_NEAR_BYTES && distance <= LZO_NEAR) {
		*out++ = (uint8_t)((n - 1) << 5 | (d & 7) << 2);
		*out++ = (uint8_t)(d >> 3);
		return out;
	}
	if (n <= LZO_FAR_BYTES) {
		*out++ = (uint8_t)(LZO_FAR | (n - 2));
	} else {
		*out++ = LZO_FAR;
		out = lzo_excess(out, n - LZO_FAR_BYTES);
	}
	le16_put(out, (uint16_t)(d << 2));
	return out + 2;
}

/* --- the search --- */

INLINE void put_literals(struct output *o, const uint8_t *bytes, size_t n, bool at_end)
{
	switch (o->form) {
	case FORM_SNAPPY:
		o->at = snappy_literals(o->at, bytes, n, at_end);
		break;
	case FORM_LZO:
		o->at = lzo_literals(o->at, o->start, bytes, n, at_end);
		break;
	case FORM_STEPS:
		o->step->literal_bytes = (uint16_t)n;
		memcpy(o->at, bytes, n <= 16 && !at_end ? 16 : n);
		o->at += n;
		break;
	}
}

INLINE void put_match(struct output *o, size_t distance, size_t n)
{
	switch (o->form) {
	case FORM_SNAPPY:
		o->at = snappy_copy(o->at, distance, n);
		break;
	case FORM_LZO:
		o->at = lzo_copy(o->at, distance, n);
		break;
	case FORM_STEPS:
		o->step->match_bytes = (uint16_t)n;
		o->step->distance = (uint16_t)distance;
		o->step++;
		break;
	}
}

/* Where the bytes that begin the word were seen last. */
INLINE uint16_t *entry_of(struct lz *lz, uint64_t word)
{
	const uint64_t hash = (word << (64 - 8 * HASHED_BYTES)) * UINT64_C(0x9e3779b185ebca87);

	return &lz->table[hash >> (64 - LZ_TABLE_BITS)];
}

/* Put the word's position `at` into the table: the position that was there. */
INLINE size_t replace(struct lz *lz, uint64_t word, size_t at)
{
	uint16_t *entry = entry_of(lz, word);
	const size_t was = *entry;

	*entry = (uint16_t)at;
	return was;
}

/* How many bytes from `a` and from `b`, which is further on, are the same. */
INLINE size_t same_bytes(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	const uint8_t *const start = b;

	for (; end - b >= 8; a += 8, b += 8) {
		const uint64_t differ = le64_get(a) ^ le64_get(b);

		if (differ)
			return (size_t)(b - start) + (size_t)__builtin_ctzll(differ) / 8;
	}
	while (b < end && *a == *b) {
		a++;
		b++;
	}
	return (size_t)(b - start);
}

/* Where two words first differ, in bytes; 8 and more if they don't. */
INLINE size_t match_length(const uint8_t *page, size_t from, size_t at, uint64_t differ,
			   size_t page_bytes)
{
	if (differ)
		return (size_t)__builtin_ctzll(differ) / 8;
	return 8 + same_bytes(page + from + 8, page + at + 8, page + page_bytes);
}

/*
 * Greedy: at each place the last one with the same hash is tried. An empty entry stands for the
 * page's first byte, which is a place as good as any.
 */
INLINE void search(struct lz *lz, const uint8_t *page, size_t page_bytes, struct output *o)
{
	const size_t last = page_bytes - TAIL_BYTES; /* where a match may begin */
	size_t at = 1, done = 0;

	memset(lz->table, 0, sizeof(lz->table));
	while (at <= last) {
		unsigned misses = SKIP_MISSES + SKIP_EARLY;
		uint64_t word = le64_get(page + at), differ;
		size_t from;

		for (;;) {
			from = replace(lz, word, at);
			differ = word ^ le64_get(page + from);
			if ((uint32_t)differ == 0)
				break;
			at += misses++ >> 5;
			if (at > last)
				goto end;
			word = le64_get(page + at);
		}
		put_literals(o, page + done, at - done, false);
		/* Often the next match follows at once. */
		for (;;) {
			const size_t n = match_length(page, from, at, differ, page_bytes);

			put_match(o, at - from, n);
			at += n;
			done = at;
			if (at > last)
				goto end;
			*entry_of(lz, le64_get(page + at - 2)) = (uint16_t)(at - 2);
			word = le64_get(page + at);
			from = replace(lz, word, at);
			differ = word ^ le64_get(page + from);
			if ((uint32_t)differ)
				break;
			put_literals(o, page + done, 0, false);
		}
		at++;
	}
end:
	put_literals(o, page + done, page_bytes - done, true);
}

/* --- formats --- */

size_t lz_snappy(struct lz *lz, const uint8_t *page, size_t page_bytes, uint8_t *out)
{
	struct output o = {.form = FORM_SNAPPY, .start = out, .at = out};
	size_t n = page_bytes;

	for (; n >= 0x80; n >>= 7)
		*o.at++ = (uint8_t)(n | 0x80);
	*o.at++ = (uint8_t)n;
	search(lz, page, page_bytes, &o);
	return (size_t)(o.at - out);
}

size_t lz_lzo(struct lz *lz, const uint8_t *page, size_t page_bytes, uint8_t *out)
{
	struct output o = {.form = FORM_LZO, .start = out, .at = out};

	search(lz, page, page_bytes, &o);
	*o.at++ = LZO_END;
	*o.at++ = 0;
	*o.at++ = 0;
	return (size_t)(o.at - out);
}

size_t lz_steps(struct lz *lz, const uint8_t *page, size_t page_bytes,
		struct lz_step steps_ret[static LZ_STEPS_MAX], uint8_t *literals_ret)
{
	struct output o = {.form = FORM_STEPS, .at = literals_ret, .step = steps_ret};

	search(lz, page, page_bytes, &o);
	o.step->match_bytes = 0;
	return (size_t)(o.step - steps_ret) + 1;
}
