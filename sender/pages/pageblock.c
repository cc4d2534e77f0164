/* A block of bits, packed.
 * Doesn't know of other blocks, nor that a bit is a page. */
#include "sender/pages/pageblock.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum {
	WORD_BITS = 64,
	ALLOCATOR_BYTES = 8, /* glibc's, which gives multiples of 16, 32 at least */
	ALLOCATOR_UNIT = 16,
	ALLOCATION_MIN = 32,
};

struct pageblock {
	/* PAGEBLOCK_CHANGES_MAX: what follows are words of bits; else so many positions,
	   ascending. */
	uint64_t changes;
	uint16_t at[];
};

_Static_assert(offsetof(struct pageblock, at) % sizeof(uint64_t) == 0, "words are aligned");

static struct pageblock full = {.changes = 1, .at = {0}};

/* --- plain bits --- */

/* Bits [from, to) of a word, 0 <= from < to <= 64. */
static uint64_t mask(unsigned from, unsigned to)
{
	return (~UINT64_C(0) << from) & (~UINT64_C(0) >> (WORD_BITS - to));
}

void pageblock_words_change(uint64_t words[static PAGEBLOCK_WORDS], unsigned first, unsigned end,
			    bool member)
{
	while (first < end) {
		const unsigned from = first % WORD_BITS;
		const unsigned to = MIN((unsigned)WORD_BITS, from + (end - first));
		uint64_t *word = &words[first / WORD_BITS];

		*word = member ? *word | mask(from, to) : *word & ~mask(from, to);
		first += to - from;
	}
}

unsigned pageblock_words_seek(const uint64_t words[static PAGEBLOCK_WORDS], unsigned at,
			      bool member)
{
	const uint64_t flip = member ? 0 : ~UINT64_C(0);
	unsigned w = at / WORD_BITS;
	uint64_t word;

	if (at >= PAGEBLOCK_BITS)
		return PAGEBLOCK_BITS;
	word = (words[w] ^ flip) & mask(at % WORD_BITS, WORD_BITS);
	while (!word && ++w < PAGEBLOCK_WORDS)
		word = words[w] ^ flip;
	return word ? w * WORD_BITS + (unsigned)__builtin_ctzll(word) : PAGEBLOCK_BITS;
}

static unsigned words_count(const uint64_t *words, unsigned end)
{
	unsigned n = 0;

	for (unsigned w = 0; w < end / WORD_BITS; w++)
		n += (unsigned)__builtin_popcountll(words[w]);
	if (end % WORD_BITS)
		n += (unsigned)__builtin_popcountll(words[end / WORD_BITS] &
						    mask(0, end % WORD_BITS));
	return n;
}

static unsigned words_select(const uint64_t *words, unsigned n)
{
	unsigned w = 0;
	uint64_t word;

	for (;; w++) {
		const unsigned here = (unsigned)__builtin_popcountll(words[w]);

		if (n < here)
			break;
		n -= here;
	}
	for (word = words[w]; n; n--)
		word &= word - 1;
	return w * WORD_BITS + (unsigned)__builtin_ctzll(word);
}

/* --- packing --- */

/* The bits of a word that differ from the one before; *last is the bit before the word, then the
 * word's last. */
static uint64_t changes_of_word(uint64_t word, uint64_t *last)
{
	const uint64_t changes = word ^ (word << 1 | *last);

	*last = word >> (WORD_BITS - 1);
	return changes;
}

unsigned pageblock_changes(const uint64_t words[static PAGEBLOCK_WORDS])
{
	uint64_t last = 0;
	unsigned n = 0;

	for (unsigned w = 0; w < PAGEBLOCK_WORDS; w++) {
		const uint64_t changes = changes_of_word(words[w], &last);

		if (changes)
			n += (unsigned)__builtin_popcountll(changes);
	}
	return n;
}

/* What malloc() is asked for; 0: nothing. */
static size_t block_size(unsigned changes)
{
	if (changes == 0)
		return 0;
	return offsetof(struct pageblock, at) +
	       MIN(changes, (unsigned)PAGEBLOCK_CHANGES_MAX) * sizeof(uint16_t);
}

size_t pageblock_bytes(unsigned changes)
{
	const size_t size = block_size(changes) + ALLOCATOR_BYTES;

	if (changes == 0)
		return 0;
	return MAX((size + ALLOCATOR_UNIT - 1) / ALLOCATOR_UNIT * ALLOCATOR_UNIT,
		   (size_t)ALLOCATION_MIN);
}

static uint64_t *words_of(struct pageblock *block)
{
	return (uint64_t *)(void *)block->at;
}

static const uint64_t *const_words_of(const struct pageblock *block)
{
	return (const uint64_t *)(const void *)block->at;
}

static bool is_plain(const struct pageblock *block)
{
	return block && block->changes == PAGEBLOCK_CHANGES_MAX;
}

static void put_positions(const uint64_t *words, uint16_t *at)
{
	uint64_t last = 0;

	for (unsigned w = 0; w < PAGEBLOCK_WORDS; w++)
		for (uint64_t changes = changes_of_word(words[w], &last); changes;
		     changes &= changes - 1)
			*at++ = (uint16_t)(w * WORD_BITS + (unsigned)__builtin_ctzll(changes));
}

bool pageblock_pack(const uint64_t words[static PAGEBLOCK_WORDS], unsigned changes,
		    struct pageblock **block_ret)
{
	struct pageblock *block;

	if (changes == 0 || (changes == 1 && words[0] & 1)) {
		*block_ret = changes ? &full : NULL;
		return true;
	}
	block = malloc(block_size(changes));
	if (!block)
		return false;
	block->changes = MIN(changes, (unsigned)PAGEBLOCK_CHANGES_MAX);
	if (is_plain(block))
		memcpy(words_of(block), words, PAGEBLOCK_WORDS * sizeof(*words));
	else
		put_positions(words, block->at);
	*block_ret = block;
	return true;
}

void pageblock_free(struct pageblock *block)
{
	if (block != &full)
		free(block);
}

struct pageblock *pageblock_full(void)
{
	return &full;
}

bool pageblock_is_full(const struct pageblock *block)
{
	return block == &full;
}

unsigned pageblock_changes_of(const struct pageblock *block)
{
	return block ? (unsigned)block->changes : 0;
}

/* --- reading --- */

void pageblock_unpack(const struct pageblock *block, uint64_t words[static PAGEBLOCK_WORDS])
{
	const unsigned changes = pageblock_changes_of(block);

	if (is_plain(block)) {
		memcpy(words, const_words_of(block), PAGEBLOCK_WORDS * sizeof(*words));
		return;
	}
	memset(words, 0, PAGEBLOCK_WORDS * sizeof(*words));
	for (unsigned i = 0; i < changes; i += 2)
		pageblock_words_change(
			words, block->at[i],
			i + 1 < changes ? block->at[i + 1] : (unsigned)PAGEBLOCK_BITS, true);
}

/* How many changes there are up to and at `bit`: it is a member if that is odd. */
static unsigned changes_to(const struct pageblock *block, unsigned bit)
{
	unsigned low = 0, high = pageblock_changes_of(block);

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;

		if (block->at[middle] <= bit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

unsigned pageblock_seek(const struct pageblock *block, unsigned at, bool member)
{
	unsigned i;

	if (is_plain(block))
		return pageblock_words_seek(const_words_of(block), at, member);
	if (at >= PAGEBLOCK_BITS)
		return PAGEBLOCK_BITS;
	i = changes_to(block, at);
	if (i % 2 == member)
		return at;
	return i < pageblock_changes_of(block) ? block->at[i] : (unsigned)PAGEBLOCK_BITS;
}

unsigned pageblock_count(const struct pageblock *block, unsigned end)
{
	const unsigned changes = pageblock_changes_of(block);
	unsigned n = 0, i;

	if (is_plain(block))
		return words_count(const_words_of(block), end);
	for (i = 0; i + 1 < changes && block->at[i + 1] < end; i += 2)
		n += (unsigned)(block->at[i + 1] - block->at[i]);
	return i < changes && block->at[i] < end ? n + end - block->at[i] : n;
}

unsigned pageblock_select(const struct pageblock *block, unsigned n)
{
	const unsigned changes = pageblock_changes_of(block);

	if (is_plain(block))
		return words_select(const_words_of(block), n);
	for (unsigned i = 0; i + 1 < changes; i += 2) {
		const unsigned run = (unsigned)(block->at[i + 1] - block->at[i]);

		if (n < run)
			return block->at[i] + n;
		n -= run;
	}
	return block->at[changes - 1] + n;
}
