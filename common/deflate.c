/* Steps of the match finder to a block of DEFLATE, with Huffman codes made for the page.
 * Doesn't know how matches are found, nor zlib's frame around the block. Source: RFC 1951. */
#include "deflate.h"

#include <stdbool.h>
#include <string.h>

#include "bytes.h"
#include "compiler.h"

enum {
	LITERALS = 256,
	END_OF_BLOCK = 256,
	FIRST_LENGTH = 257,
	LENGTHS = 29,
	LITERAL_SYMBOLS = FIRST_LENGTH + LENGTHS, /* literals, end of block, lengths */
	DISTANCE_SYMBOLS = 30,
	SYMBOLS_MAX = LITERAL_SYMBOLS + DISTANCE_SYMBOLS,

	MATCH_MAX = 258,
	CODE_BITS_MAX = 15,
	LITERAL_BITS_MAX = 14, /* so that four fit the bit buffer at once; costs next to nothing */

	/*
	 * The code of the codes' lengths: 0 to 15 are lengths, then three kinds of runs. That of
	 * the same length (16) isn't used: it would save a byte or two.
	 */
	RUN_OF_ZEROS = 17,
	RUN_MIN = 3,
	LONG_RUN_OF_ZEROS = 18,
	LONG_RUN_MIN = 11,
	LONG_RUN_MAX = 138,
	LENGTH_SYMBOLS = 19,
	LENGTH_BITS_MAX = 7,

	BLOCK_LAST = 1,
	BLOCK_DYNAMIC = 2,
	BLOCK_HEADER_BITS = 3 + 5 + 5 + 4,
};

/* A Huffman code, and what it was made for. */
struct code {
	unsigned symbols, bits_max;
	uint16_t count[LITERAL_SYMBOLS]; /* how often each symbol comes */
	unsigned present_count;
	uint16_t present[LITERAL_SYMBOLS]; /* the symbols that come, by number */
	uint8_t bits[LITERAL_SYMBOLS];	   /* of the words of the present ones */
	uint16_t word[LITERAL_SYMBOLS];	   /* first bit lowest */
};

/* --- making a code --- */

enum {
	SYMBOL_BITS = 9,   /* an entry to sort is count << SYMBOL_BITS | symbol */
	COUNTS_SORTED = 64 /* counts below are sorted by counting, of the rest there are few */
};

static void find_present(struct code *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->symbols; i++) {
		c->present[n] = (uint16_t)i;
		n += c->count[i] != 0;
	}
	/* A code of one word has a second one that is never used: not all readers take less. */
	for (unsigned i = 0; n < 2; i++) {
		if (n == 1 && c->present[0] == i)
			continue;
		c->present[n++] = (uint16_t)i;
	}
	if (c->present[0] > c->present[1]) {
		const uint16_t first = c->present[1];

		c->present[1] = c->present[0];
		c->present[0] = first;
	}
	c->present_count = n;
}

/* The present symbols by count, then by number. */
static void sort_present(const struct code *c, uint32_t sorted[static LITERAL_SYMBOLS])
{
	uint16_t place[COUNTS_SORTED + 1] = {0};
	unsigned sum = 0, many;

	for (unsigned i = 0; i < c->present_count; i++)
		place[MIN(c->count[c->present[i]], COUNTS_SORTED)]++;
	many = c->present_count - place[COUNTS_SORTED];
	for (unsigned i = 0; i <= COUNTS_SORTED; i++) {
		const uint16_t here = place[i];

		place[i] = (uint16_t)sum;
		sum += here;
	}
	for (unsigned i = 0; i < c->present_count; i++) {
		const unsigned symbol = c->present[i], count = c->count[symbol];

		sorted[place[MIN(count, (unsigned)COUNTS_SORTED)]++] =
			count << SYMBOL_BITS | symbol;
	}
	for (unsigned i = many + 1; i < c->present_count; i++) {
		const uint32_t entry = sorted[i];
		unsigned at = i;

		for (; at > many && sorted[at - 1] > entry; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = entry;
	}
}

/*
 * The tree's inner nodes: each new one joins the two lightest of the leaves and nodes that have no
 * parent, and is no lighter than those before it. parent_ret[n] is that of node n; the last of the
 * leaves - 1 nodes is the root.
 */
static void join_nodes(const uint32_t *leaf, unsigned leaves,
		       uint16_t parent_ret[static LITERAL_SYMBOLS])
{
	uint32_t weight[LITERAL_SYMBOLS + 1];
	unsigned next_leaf = 0, next_node = 0;

	for (unsigned n = 0; n + 1 < leaves; n++) {
		uint32_t sum = 0;

		weight[n] = UINT32_MAX; /* not there yet */
		for (int k = 0; k < 2; k++) {
			const uint32_t light = next_leaf < leaves ? leaf[next_leaf] >> SYMBOL_BITS
								  : UINT32_MAX - 1;
			const bool is_leaf = light <= weight[next_node];

			/* Without a branch: it would be guessed wrong every third time. What is
			 * said of a node that isn't taken is said anew. */
			parent_ret[next_node] = (uint16_t)n;
			sum += is_leaf ? light : weight[next_node];
			next_leaf += is_leaf;
			next_node += !is_leaf;
		}
		weight[n] = sum;
	}
}

/*
 * How many codes there are of each length, at most bits_max: from the root down, each inner node
 * makes of one code two that are a bit longer. Where that would be too long, a shorter one is
 * taken.
 */
static void count_lengths(const uint16_t *parent, unsigned leaves, unsigned bits_max,
			  uint16_t with_bits[static CODE_BITS_MAX + 1])
{
	uint8_t depth[LITERAL_SYMBOLS];

	memset(with_bits, 0, (CODE_BITS_MAX + 1) * sizeof(*with_bits));
	with_bits[0] = 1;
	for (unsigned n = leaves - 1; n-- > 0;) {
		unsigned bits = n + 2 == leaves ? 0 : depth[parent[n]] + 1U;

		depth[n] = (uint8_t)MIN(bits, 254U);
		if (bits >= bits_max)
			for (bits = bits_max - 1; with_bits[bits] == 0;)
				bits--;
		with_bits[bits]--;
		with_bits[bits + 1] += 2;
	}
}

/* The words of the code follow from the lengths (RFC 1951, 3.2.2). */
static void make_words(struct code *c, const uint16_t with_bits[static CODE_BITS_MAX + 1])
{
	uint16_t next[CODE_BITS_MAX + 1] = {0};

	for (unsigned bits = 1; bits < CODE_BITS_MAX; bits++)
		next[bits + 1] = (uint16_t)((next[bits] + with_bits[bits]) << 1);
	for (unsigned i = 0; i < c->present_count; i++) {
		const unsigned symbol = c->present[i];
		uint32_t w = next[c->bits[symbol]]++; /* first bit highest: turn it round */

		w = (w & 0x5555) << 1 | (w >> 1 & 0x5555);
		w = (w & 0x3333) << 2 | (w >> 2 & 0x3333);
		w = (w & 0x0f0f) << 4 | (w >> 4 & 0x0f0f);
		w = (w & 0x00ff) << 8 | w >> 8;
		c->word[symbol] = (uint16_t)(w >> (16 - c->bits[symbol]));
	}
}

static void make_code(struct code *c)
{
	uint32_t sorted[LITERAL_SYMBOLS];
	uint16_t parent[LITERAL_SYMBOLS], with_bits[CODE_BITS_MAX + 1];
	unsigned at = 0;

	find_present(c);
	sort_present(c, sorted);
	join_nodes(sorted, c->present_count, parent);
	count_lengths(parent, c->present_count, c->bits_max, with_bits);
	for (unsigned bits = c->bits_max; bits; bits--)
		for (unsigned n = with_bits[bits]; n; n--)
			c->bits[sorted[at++] & ((1 << SYMBOL_BITS) - 1)] = (uint8_t)bits;
	make_words(c, with_bits);
}

/* Bits that all symbols together take. */
static size_t code_bits(const struct code *c)
{
	size_t sum = 0;

	for (unsigned i = 0; i < c->present_count; i++)
		sum += (size_t)c->count[c->present[i]] * c->bits[c->present[i]];
	return sum;
}

/* --- symbols of lengths and distances --- */

/* A symbol, and the bits behind its word. */
struct symbol {
	unsigned number, extra, extra_bits;
};

/* Both scales go by powers of two, each cut into 1 << part_bits symbols. */
static inline struct symbol symbol_of(unsigned n, unsigned part_bits)
{
	const unsigned log = 31 - (unsigned)__builtin_clz(n | 1U << part_bits);
	const unsigned extra_bits = log - part_bits;

	return (struct symbol){.number = (extra_bits << part_bits) + (n >> extra_bits),
			       .extra = n & ((1U << extra_bits) - 1),
			       .extra_bits = extra_bits};
}

static inline struct symbol length_symbol(unsigned bytes)
{
	if (bytes == MATCH_MAX)
		return (struct symbol){.number = LENGTHS - 1};
	return symbol_of(bytes - 3, 2);
}

static inline struct symbol distance_symbol(unsigned bytes)
{
	return symbol_of(bytes - 1, 1);
}

/* The next piece of a match of n bytes: what is left is none, or enough for a match. */
static inline unsigned piece_of(unsigned n)
{
	if (n <= MATCH_MAX)
		return n;
	return MIN(n - LZ_MATCH_MIN, (unsigned)MATCH_MAX);
}

/* --- counting --- */

static size_t literal_count(const struct lz_step *steps, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += steps[i].literal_bytes;
	return n;
}

/* Count the symbols; returns the extra bits. */
static size_t count_symbols(const struct deflater *d, size_t steps, struct code *literal,
			    struct code *distance)
{
	/* In turn into four tables: the same byte again and again doesn't wait for itself. */
	uint16_t part[4][LITERALS] = {{0}};
	const size_t literals = literal_count(d->steps, steps);
	size_t extra_bits = 0;

	for (size_t i = 0; i < literals; i++)
		part[i % 4][d->literals[i]]++;
	for (size_t i = 0; i < LITERALS; i++)
		literal->count[i] = (uint16_t)(part[0][i] + part[1][i] + part[2][i] + part[3][i]);
	memset(literal->count + LITERALS, 0, (LITERAL_SYMBOLS - LITERALS) * sizeof(uint16_t));
	memset(distance->count, 0, DISTANCE_SYMBOLS * sizeof(uint16_t));
	literal->count[END_OF_BLOCK] = 1;
	for (size_t i = 0; i + 1 < steps; i++) {
		const struct symbol far = distance_symbol(d->steps[i].distance);

		for (unsigned left = d->steps[i].match_bytes, n; left; left -= n) {
			struct symbol length;

			n = piece_of(left);
			length = length_symbol(n);
			literal->count[FIRST_LENGTH + length.number]++;
			distance->count[far.number]++;
			extra_bits += length.extra_bits + far.extra_bits;
		}
	}
	return extra_bits;
}

/* --- the lengths of both codes --- */

/* Both, as symbols of a code of their own, with what is behind them. */
struct lengths {
	struct code code;
	unsigned literal_symbols, distance_symbols; /* that are told */
	unsigned count, code_lengths;		    /* symbols here; lengths told of `code` */
	uint8_t symbol[SYMBOLS_MAX + 1], extra[SYMBOLS_MAX + 1];
};

/* The order in which the lengths of that code are told: those that often are none come last. */
static const uint8_t length_order[LENGTH_SYMBOLS] = {16, 17, 18, 0, 8,	7, 9,  6, 10, 5,
						     11, 4,  12, 3, 13, 2, 14, 1, 15};
static const uint8_t length_extra_bits[LENGTH_SYMBOLS] = {
	[RUN_OF_ZEROS] = 3, [LONG_RUN_OF_ZEROS] = 7};

/* So many symbols that don't come. Runs below three are told one by one; without a branch, since
 * nobody could guess them. */
static inline void add_absent(struct lengths *l, unsigned n)
{
	unsigned symbol, least, told;

	for (; n > LONG_RUN_MAX; n -= LONG_RUN_MAX) {
		l->symbol[l->count] = LONG_RUN_OF_ZEROS;
		l->extra[l->count++] = LONG_RUN_MAX - LONG_RUN_MIN;
		l->code.count[LONG_RUN_OF_ZEROS]++;
	}
	symbol = n >= LONG_RUN_MIN ? LONG_RUN_OF_ZEROS : n >= RUN_MIN ? RUN_OF_ZEROS : 0;
	least = n >= LONG_RUN_MIN ? LONG_RUN_MIN : n >= RUN_MIN ? RUN_MIN : n;
	told = n >= RUN_MIN ? 1 : n;
	l->symbol[l->count] = (uint8_t)symbol;
	l->symbol[l->count + 1] = 0;
	l->extra[l->count] = (uint8_t)(n - least);
	l->extra[l->count + 1] = 0;
	l->code.count[symbol] = (uint16_t)(l->code.count[symbol] + told);
	l->count += told;
}

/* The lengths of a code's words up to the last that comes; returns how many. */
static unsigned add_lengths(struct lengths *l, const struct code *c)
{
	unsigned next = 0;

	for (unsigned i = 0; i < c->present_count; i++) {
		const unsigned symbol = c->present[i];

		add_absent(l, symbol - next);
		l->symbol[l->count] = c->bits[symbol];
		l->extra[l->count++] = 0;
		l->code.count[c->bits[symbol]]++;
		next = symbol + 1;
	}
	return next;
}

/* How both codes are told; returns the bits that takes. The end of the block always comes, so there
 * are as many literals and lengths as must be told at least. */
static size_t tell_lengths(struct lengths *l, const struct code *literal,
			   const struct code *distance)
{
	l->code.symbols = LENGTH_SYMBOLS;
	l->code.bits_max = LENGTH_BITS_MAX;
	memset(l->code.count, 0, LENGTH_SYMBOLS * sizeof(uint16_t));
	l->count = 0;
	l->literal_symbols = add_lengths(l, literal);
	l->distance_symbols = add_lengths(l, distance);
	memset(l->code.bits, 0, LENGTH_SYMBOLS);
	make_code(&l->code);
	l->code_lengths = LENGTH_SYMBOLS;
	while (l->code_lengths > 4 && l->code.bits[length_order[l->code_lengths - 1]] == 0)
		l->code_lengths--;
	return BLOCK_HEADER_BITS + (size_t)l->code_lengths * 3 + code_bits(&l->code) +
	       (size_t)l->code.count[RUN_OF_ZEROS] * length_extra_bits[RUN_OF_ZEROS] +
	       (size_t)l->code.count[LONG_RUN_OF_ZEROS] * length_extra_bits[LONG_RUN_OF_ZEROS];
}

/* --- writing --- */

struct bits {
	uint8_t *at;
	uint64_t word;
	unsigned used; /* of the word: below 8 after flush() */
};

static inline void put(struct bits *b, uint64_t value, unsigned bits)
{
	b->word |= value << b->used;
	b->used += bits;
}

static inline void flush(struct bits *b)
{
	le64_put(b->at, b->word);
	b->at += b->used / 8;
	b->word >>= b->used & ~7U;
	b->used %= 8;
}

/* Bits go by value here and below: writing bytes through a pointer could change what is behind
 * another. */
static struct bits put_lengths(struct bits b, const struct lengths *l)
{
	put(&b, BLOCK_LAST, 1);
	put(&b, BLOCK_DYNAMIC, 2);
	put(&b, l->literal_symbols - FIRST_LENGTH, 5);
	put(&b, l->distance_symbols - 1, 5);
	put(&b, l->code_lengths - 4, 4);
	flush(&b);
	for (unsigned i = 0; i < l->code_lengths; i++) {
		put(&b, l->code.bits[length_order[i]], 3);
		flush(&b);
	}
	for (unsigned i = 0; i < l->count; i++) {
		const unsigned symbol = l->symbol[i];

		put(&b, l->code.word[symbol], l->code.bits[symbol]);
		put(&b, l->extra[i], length_extra_bits[symbol]);
		flush(&b);
	}
	return b;
}

/* A word of the code and its length in one load. */
struct packed {
	uint16_t word, bits;
};

enum { NOTHING = LITERAL_SYMBOLS }; /* a word of no bits */

static inline void put_packed(struct bits *b, struct packed p)
{
	put(b, p.word, p.bits);
}

/* So many literals, mostly none to three: four at a time, whether there are so many or not, for a
 * wrong guess costs more than they do. */
static inline const uint8_t *put_literals(struct bits *b, const struct packed *table,
					  const uint8_t *literal, size_t n)
{
	const uint8_t *const end = literal + n;

	do {
		for (size_t i = 0; i < 4; i++)
			put_packed(b, table[i < n ? literal[i] : NOTHING]);
		flush(b);
		literal += 4;
		n -= MIN(n, (size_t)4);
	} while (n);
	return end;
}

static inline void put_match(struct bits *b, const struct packed *table,
			     const struct code *distance, unsigned far, unsigned bytes)
{
	const struct symbol d = distance_symbol(far);

	for (unsigned left = bytes, n; left; left -= n) {
		struct symbol length;

		n = piece_of(left);
		length = length_symbol(n);
		put_packed(b, table[FIRST_LENGTH + length.number]);
		put(b, length.extra, length.extra_bits);
		put(b, distance->word[d.number], distance->bits[d.number]);
		put(b, d.extra, d.extra_bits);
		flush(b);
	}
}

static struct bits put_steps(struct bits b, const struct deflater *d, size_t steps,
			     const struct code *literal, const struct code *distance)
{
	struct packed table[LITERAL_SYMBOLS + 1];
	const uint8_t *literals = d->literals;

	for (unsigned i = 0; i < literal->present_count; i++) {
		const unsigned symbol = literal->present[i];

		table[symbol] = (struct packed){literal->word[symbol], literal->bits[symbol]};
	}
	table[NOTHING] = (struct packed){0, 0};
	for (size_t i = 0; i < steps; i++) {
		const struct lz_step *step = &d->steps[i];

		literals = put_literals(&b, table, literals, step->literal_bytes);
		put_match(&b, table, distance, step->distance, step->match_bytes);
	}
	put_packed(&b, table[END_OF_BLOCK]);
	b.used = (b.used + 7) & ~7U;
	flush(&b);
	return b;
}

size_t deflate_page(struct deflater *d, const uint8_t *page, size_t page_bytes, uint8_t *out,
		    size_t room)
{
	struct code literal = {.symbols = LITERAL_SYMBOLS, .bits_max = LITERAL_BITS_MAX};
	struct code distance = {.symbols = DISTANCE_SYMBOLS, .bits_max = CODE_BITS_MAX};
	struct lengths lengths;
	struct bits bits = {.at = out};
	const size_t steps = lz_steps(&d->lz, page, page_bytes, d->steps, d->literals);
	size_t sum = count_symbols(d, steps, &literal, &distance);

	make_code(&literal);
	make_code(&distance);
	sum += tell_lengths(&lengths, &literal, &distance) + code_bits(&literal) +
	       code_bits(&distance);
	if ((sum + 7) / 8 > room)
		return 0;
	bits = put_lengths(bits, &lengths);
	bits = put_steps(bits, d, steps, &literal, &distance);
	return (size_t)(bits.at - out);
}
