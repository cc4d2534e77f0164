/* Pages to DEFLATE (RFC 1951): matches are found by one look into a small table, then Huffman codes
 * are made of what was found. Doesn't know of zlib's header and checksum, nor any library. */
#include "deflate.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"

enum {
	/* What is compressed by itself, with codes of its own: no distance is too long, and a
	 * position is 16 bits. */
	BLOCK_BYTES = 32 << 10,

	MATCH_MIN = 4, /* the format has 3, which seldom pays */
	MATCH_MAX = 258,
	HASH_BITS = 12,
	/* Where nothing is found for long, steps grow: one byte more after so many. */
	STEP_SHIFT = 6,

	LITLENS = 288, /* 286 and 287 only complete the fixed code */
	LITLENS_USED = 286,
	DISTS = 30,
	LENS = 19, /* symbols that code lengths are told by */
	END_OF_BLOCK = 256,

	/* Shorter than the format's 15, so that four literals fit what is put out at once. */
	LITLEN_BITS_MAX = 14,
	DIST_BITS_MAX = 15,
	LENS_BITS_MAX = 7,
};

/* Literals, then a match; a block's last has none (length 0). */
struct sequence {
	uint16_t literals, length, distance;
};

/* A Huffman code: of each symbol the bits, first bit lowest, and how many from bit 16 on. */
struct code {
	uint32_t word[LITLENS];
};

struct deflater {
	uint16_t head[1 << HASH_BITS]; /* the latest place of what hashes so; 0 if none is known */
	struct sequence seq[BLOCK_BYTES / MATCH_MIN + 1];
	size_t seqs;
	uint32_t litlen_count[LITLENS], dist_count[DISTS];
	struct code litlen, dist, fixed_litlen, fixed_dist;
};

/* --- Huffman codes --- */

static unsigned length_of(const struct code *c, unsigned symbol)
{
	return c->word[symbol] >> 16;
}

/*
 * Symbols that occur, as count << 16 | symbol, from the rarest on: how many. Two where there are
 * fewer, since a code of one symbol is none.
 */
static unsigned sort_symbols(const uint32_t *count, unsigned symbols, uint64_t *sorted)
{
	enum { OFTEN = 63 }; /* each number of times below that has a place of its own */
	unsigned place[OFTEN + 1] = {0}, n = 0;

	for (unsigned s = 0; s < symbols; s++)
		place[MIN(count[s], (uint32_t)OFTEN)]++;
	/* Those that don't occur are put behind all others, and forgotten. */
	for (unsigned i = 1, here; i <= OFTEN; i++, n += here) {
		here = place[i];
		place[i] = n;
	}
	place[0] = n;
	for (unsigned s = 0; s < symbols; s++)
		sorted[place[MIN(count[s], (uint32_t)OFTEN)]++] = (uint64_t)count[s] << 16 | s;
	/* All that is left to sort is the few that occur often. */
	for (unsigned i = 1, k; i < n; i++) {
		const uint64_t symbol = sorted[i];

		for (k = i; k > 0 && sorted[k - 1] > symbol; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = symbol;
	}
	for (; n < 2; n++)
		sorted[n] |= UINT64_C(1) << 16;
	return n;
}

/*
 * How many symbols get codes of each length, so that the whole is shortest. In place, as Moffat and
 * Katajainen found: weights (ascending, two at least) become the parents of inner nodes, and then
 * their depths.
 */
static void count_lengths(uint64_t *node, unsigned n, unsigned max, unsigned *per_length)
{
	unsigned leaf = 0, inner = 0, open = 1;

	for (unsigned next = 0; next + 1 < n; next++) {
		uint64_t weight = 0;

		for (int side = 0; side < 2; side++) {
			if (leaf >= n || (inner < next && node[inner] < node[leaf])) {
				weight += node[inner];
				node[inner++] = next;
			} else {
				weight += node[leaf++];
			}
		}
		node[next] = weight;
	}
	/* The last inner node is the root. Where a level has fewer inner nodes than places, the
	 * others are leaves. */
	node[n - 2] = 0;
	for (unsigned i = n - 2; i-- > 0;)
		node[i] = node[node[i]] + 1;
	memset(per_length, 0, (max + 1) * sizeof(*per_length));
	for (unsigned depth = 0, i = n - 1; open; depth++) {
		unsigned used = 0;

		for (; i > 0 && node[i - 1] == depth; i--)
			used++;
		per_length[MIN(depth, max)] += open - used;
		open = 2 * used;
	}
}

/* Codes that were longer than the limit made it: the code space is overdrawn, and others have to
 * grow until it isn't. */
static void limit_lengths(unsigned max, unsigned *per_length)
{
	uint32_t used = 0;

	for (unsigned i = 1; i <= max; i++)
		used += per_length[i] << (max - i);
	for (; used > UINT32_C(1) << max; used--) {
		unsigned shorter = max - 1;

		while (!per_length[shorter])
			shorter--;
		per_length[shorter]--;
		per_length[shorter + 1] += 2;
		per_length[max]--;
	}
}

/* Of 15 bits or less, the other way around: by pairs, fours, eights and all. */
static inline uint32_t reversed(uint32_t bits, unsigned n)
{
	bits = (bits & 0x5555) << 1 | (bits >> 1 & 0x5555);
	bits = (bits & 0x3333) << 2 | (bits >> 2 & 0x3333);
	bits = (bits & 0x0f0f) << 4 | (bits >> 4 & 0x0f0f);
	bits = (bits & 0x00ff) << 8 | bits >> 8;
	return bits >> (16 - n);
}

/* RFC 1951, 3.2.2: codes of one length follow each other in the order of the symbols. */
static void assign_codes(struct code *c, unsigned symbols, unsigned max, const unsigned *per_length)
{
	uint32_t next[16] = {0};

	for (unsigned i = 2; i <= max; i++)
		next[i] = (next[i - 1] + per_length[i - 1]) << 1;
	for (unsigned s = 0; s < symbols; s++) {
		const unsigned n = length_of(c, s);

		if (n)
			c->word[s] |= reversed(next[n]++, n);
	}
}

static void make_code(struct code *c, const uint32_t *count, unsigned symbols, unsigned max)
{
	uint64_t sorted[LITLENS], node[LITLENS];
	unsigned per_length[16];
	const unsigned n = sort_symbols(count, symbols, sorted);

	for (unsigned i = 0; i < n; i++)
		node[i] = sorted[i] >> 16;
	count_lengths(node, n, max, per_length);
	limit_lengths(max, per_length);
	memset(c->word, 0, symbols * sizeof(c->word[0]));
	for (unsigned length = max, i = 0; length; length--)
		for (unsigned k = per_length[length]; k; k--)
			c->word[sorted[i++] & 0xffff] = length << 16;
	assign_codes(c, symbols, max, per_length);
}

/* RFC 1951, 3.2.6. */
static void make_fixed_codes(struct deflater *d)
{
	static const unsigned litlen_lengths[] = {[7] = 24, [8] = 152, [9] = 112};
	static const unsigned dist_lengths[] = {[5] = DISTS};

	for (unsigned s = 0; s < LITLENS; s++)
		d->fixed_litlen.word[s] = (s < 144 ? 8U : s < 256 ? 9U : s < 280 ? 7U : 8U) << 16;
	for (unsigned s = 0; s < DISTS; s++)
		d->fixed_dist.word[s] = 5U << 16;
	assign_codes(&d->fixed_litlen, LITLENS, 9, litlen_lengths);
	assign_codes(&d->fixed_dist, DISTS, 5, dist_lengths);
}

/* --- symbols of lengths and distances --- */

/* A symbol, and what is told behind it. */
struct symbol {
	unsigned code, extra_bits, extra;
};

static unsigned log2_of(unsigned n)
{
	return 31U - (unsigned)__builtin_clz(n);
}

static inline struct symbol length_symbol(unsigned length)
{
	const unsigned n = length - 3, log = log2_of(n | 7);
	const unsigned bits = log - 2;

	if (n == MATCH_MAX - 3)
		return (struct symbol){285, 0, 0};
	if (n < 8)
		return (struct symbol){257 + n, 0, 0};
	return (struct symbol){257 + 4 * bits + (n >> bits), bits, n & ((1U << bits) - 1)};
}

static inline struct symbol dist_symbol(unsigned distance)
{
	const unsigned n = distance - 1, log = log2_of(n | 1);
	const unsigned bits = log ? log - 1 : 0;

	if (n < 2)
		return (struct symbol){n, 0, 0};
	return (struct symbol){2 * bits + (n >> bits), bits, n & ((1U << bits) - 1)};
}

/* --- finding matches --- */

static inline unsigned hash_of(uint32_t bytes)
{
	return bytes * UINT32_C(0x9e3779b1) >> (32 - HASH_BITS);
}

/* How far two places are alike, from `at` bytes on, which are. */
static inline size_t match_length(const uint8_t *a, const uint8_t *b, size_t at, size_t max)
{
	for (; at + 8 <= max; at += 8) {
		const uint64_t differs = le64_get(a + at) ^ le64_get(b + at);

		if (differs)
			return at + (size_t)__builtin_ctzll(differs) / 8;
	}
	while (at < max && a[at] == b[at])
		at++;
	return at;
}

static void add_sequence(struct deflater *d, const uint8_t *literals, size_t n, size_t length,
			 size_t distance)
{
	for (size_t i = 0; i < n; i++)
		d->litlen_count[literals[i]]++;
	if (length) {
		d->litlen_count[length_symbol((unsigned)length).code]++;
		d->dist_count[dist_symbol((unsigned)distance).code]++;
	}
	d->seq[d->seqs++] = (struct sequence){(uint16_t)n, (uint16_t)length, (uint16_t)distance};
}

/* Divide a block into sequences, and count their symbols. */
static HOT void find_sequences(struct deflater *d, const uint8_t *in, size_t n)
{
	size_t done = 0, at = 1;

	memset(d->head, 0, sizeof(d->head));
	memset(d->litlen_count, 0, sizeof(d->litlen_count));
	memset(d->dist_count, 0, sizeof(d->dist_count));
	d->seqs = 0;
	while (at + 8 <= n) {
		const uint32_t bytes = le32_get(in + at);
		uint16_t *head = &d->head[hash_of(bytes)];
		size_t from = *head, length;

		*head = (uint16_t)at;
		if (le32_get(in + from) != bytes) {
			at += 1 + ((at - done) >> STEP_SHIFT);
			continue;
		}
		length =
			match_length(in + at, in + from, MATCH_MIN, MIN(n - at, (size_t)MATCH_MAX));
		for (; at > done && from && in[at - 1] == in[from - 1] && length < MATCH_MAX;
		     length++) {
			at--;
			from--;
		}
		add_sequence(d, in + done, at - done, length, at - from);
		at += length;
		done = at;
		/* Of what a match covers its last place alone: all of them would cost more time
		 * than they save bytes. */
		if (at + 3 <= n)
			d->head[hash_of(le32_get(in + at - 1))] = (uint16_t)(at - 1);
	}
	add_sequence(d, in + done, n - done, 0, 0);
	d->litlen_count[END_OF_BLOCK]++;
}

/* --- putting it out --- */

/* Bits, first bit lowest, that aren't whole bytes yet. */
struct bits {
	uint64_t bits;
	unsigned count;
	uint8_t *out;
};

/* At most 56 bits between two flushes. */
static inline void put_bits(struct bits *b, uint64_t value, unsigned n)
{
	b->bits |= value << b->count;
	b->count += n;
}

static inline void flush_bits(struct bits *b)
{
	le64_put(b->out, b->bits);
	b->out += b->count / 8;
	b->bits >>= b->count & ~7U;
	b->count &= 7;
}

static inline void put_word(struct bits *b, uint32_t word)
{
	put_bits(b, word & 0xffff, word >> 16);
}

static HOT void put_sequences(const struct deflater *d, struct bits *b, const struct code *litlen,
			      const struct code *dist, const uint8_t *in)
{
	for (size_t k = 0; k < d->seqs; k++) {
		const struct sequence s = d->seq[k];
		struct symbol symbol;
		size_t i = 0;

		for (; i + 4 <= s.literals; i += 4) {
			for (size_t j = 0; j < 4; j++)
				put_word(b, litlen->word[in[i + j]]);
			flush_bits(b);
		}
		for (; i < s.literals; i++)
			put_word(b, litlen->word[in[i]]);
		flush_bits(b);
		in += s.literals;
		if (!s.length)
			break;
		symbol = length_symbol(s.length);
		put_word(b, litlen->word[symbol.code]);
		put_bits(b, symbol.extra, symbol.extra_bits);
		symbol = dist_symbol(s.distance);
		put_word(b, dist->word[symbol.code]);
		put_bits(b, symbol.extra, symbol.extra_bits);
		flush_bits(b);
		in += s.length;
	}
	put_word(b, litlen->word[END_OF_BLOCK]);
	flush_bits(b);
}

/* --- the header of a block with codes of its own (RFC 1951, 3.2.7) --- */

/* The two codes' lengths, in symbols of a third code. */
struct header {
	unsigned litlens, dists, lens;
	unsigned items;
	uint8_t item[LITLENS + DISTS], extra[LITLENS + DISTS];
	uint32_t count[LENS];
	struct code code;
};

enum {
	REPEAT = 16,	 /* the last length, 3 to 6 times, by 2 bits */
	ZEROS = 17,	 /* 3 to 10, by 3 bits */
	MANY_ZEROS = 18, /* 11 to 138, by 7 bits */
};

static const uint8_t lens_order[LENS] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					 11, 4,	 12, 3, 13, 2, 14, 1, 15};

static unsigned extra_bits_of(unsigned item)
{
	return item == REPEAT ? 2 : item == ZEROS ? 3 : item == MANY_ZEROS ? 7 : 0;
}

static void add_item(struct header *h, unsigned item, unsigned extra)
{
	h->item[h->items] = (uint8_t)item;
	h->extra[h->items++] = (uint8_t)extra;
	h->count[item]++;
}

/* `run` times the same length. */
static void add_run(struct header *h, unsigned length, unsigned run)
{
	if (length) {
		add_item(h, length, 0);
		run--;
	}
	while (run >= 3) {
		const unsigned n = length ? MIN(run, 6U) : MIN(run, 138U);

		if (length)
			add_item(h, REPEAT, n - 3);
		else if (n <= 10)
			add_item(h, ZEROS, n - 3);
		else
			add_item(h, MANY_ZEROS, n - 11);
		run -= n;
	}
	while (run--)
		add_item(h, length, 0);
}

static void make_header(struct header *h, const struct code *litlen, const struct code *dist)
{
	uint8_t lengths[LITLENS + DISTS];
	unsigned n;

	memset(h->count, 0, sizeof(h->count));
	h->items = 0;
	for (h->litlens = LITLENS_USED; length_of(litlen, h->litlens - 1) == 0;)
		h->litlens--;
	for (h->dists = DISTS; length_of(dist, h->dists - 1) == 0;)
		h->dists--;
	for (unsigned i = 0; i < h->litlens; i++)
		lengths[i] = (uint8_t)length_of(litlen, i);
	for (unsigned i = 0; i < h->dists; i++)
		lengths[h->litlens + i] = (uint8_t)length_of(dist, i);
	n = h->litlens + h->dists;
	for (unsigned i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && lengths[end] == lengths[i];)
			end++;
		add_run(h, lengths[i], end - i);
	}
	make_code(&h->code, h->count, LENS, LENS_BITS_MAX);
	for (h->lens = LENS; length_of(&h->code, lens_order[h->lens - 1]) == 0;)
		h->lens--;
}

static size_t header_bits(const struct header *h)
{
	size_t bits = 5 + 5 + 4 + 3 * h->lens;

	for (unsigned s = 0; s < LENS; s++)
		bits += h->count[s] * (length_of(&h->code, s) + extra_bits_of(s));
	return bits;
}

static void put_header(const struct header *h, struct bits *b)
{
	put_bits(b, h->litlens - 257, 5);
	put_bits(b, h->dists - 1, 5);
	put_bits(b, h->lens - 4, 4);
	for (unsigned i = 0; i < h->lens; i++) {
		put_bits(b, length_of(&h->code, lens_order[i]), 3);
		flush_bits(b);
	}
	for (unsigned i = 0; i < h->items; i++) {
		put_word(b, h->code.word[h->item[i]]);
		put_bits(b, h->extra[i], extra_bits_of(h->item[i]));
		flush_bits(b);
	}
}

/* --- a block --- */

/* What a block's sequences take with these codes, but for the extra bits, which are the same with
 * all. */
static size_t bits_with(const struct deflater *d, const struct code *litlen,
			const struct code *dist)
{
	size_t bits = 0;

	for (unsigned s = 0; s < LITLENS_USED; s++)
		bits += (size_t)d->litlen_count[s] * length_of(litlen, s);
	for (unsigned s = 0; s < DISTS; s++)
		bits += (size_t)d->dist_count[s] * length_of(dist, s);
	return bits;
}

static size_t extra_bits(const struct deflater *d)
{
	size_t bits = 0;

	for (unsigned s = 265; s < 285; s++)
		bits += (size_t)d->litlen_count[s] * ((s - 261) / 4);
	for (unsigned s = 4; s < DISTS; s++)
		bits += (size_t)d->dist_count[s] * (s / 2 - 1);
	return bits;
}

/* Whether it fits what ends at `end`. */
static bool put_block(struct deflater *d, struct bits *b, const uint8_t *in, size_t n, bool last,
		      const uint8_t *end)
{
	const size_t room = 8 * (size_t)(end - b->out) - b->count;
	size_t own_bits, fixed_bits;
	struct header header;
	bool fixed;

	find_sequences(d, in, n);
	make_code(&d->litlen, d->litlen_count, LITLENS_USED, LITLEN_BITS_MAX);
	make_code(&d->dist, d->dist_count, DISTS, DIST_BITS_MAX);
	make_header(&header, &d->litlen, &d->dist);
	own_bits = header_bits(&header) + bits_with(d, &d->litlen, &d->dist);
	fixed_bits = bits_with(d, &d->fixed_litlen, &d->fixed_dist);
	fixed = fixed_bits <= own_bits;
	if (3 + (fixed ? fixed_bits : own_bits) + extra_bits(d) > room)
		return false;
	put_bits(b, last, 1);
	put_bits(b, fixed ? 1 : 2, 2);
	if (fixed) {
		put_sequences(d, b, &d->fixed_litlen, &d->fixed_dist, in);
	} else {
		put_header(&header, b);
		put_sequences(d, b, &d->litlen, &d->dist, in);
	}
	return true;
}

struct deflater *deflater_new(void)
{
	struct deflater *d = calloc(1, sizeof(*d));

	if (d)
		make_fixed_codes(d);
	return d;
}

void deflater_free(struct deflater *d)
{
	free(d);
}

size_t deflater_run(struct deflater *d, const uint8_t *in, size_t n, uint8_t *out, size_t room)
{
	struct bits b = {.out = out};

	for (size_t at = 0; at == 0 || at < n; at += BLOCK_BYTES) {
		const size_t size = MIN(n - at, (size_t)BLOCK_BYTES);

		if (!put_block(d, &b, in + at, size, at + size >= n, out + room))
			return 0;
	}
	/* The last byte may be in part. */
	return (size_t)(b.out - out) + (b.count != 0);
}
