/* A set of pfns with rank and select.
 * Doesn't know why a page is in it. */
#include "pageset.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "checked.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words of the set are bytes of the file");

enum {
	WORD_BITS = 64,
	BLOCK_WORDS = 512,
	BLOCK_BITS = BLOCK_WORDS * WORD_BITS, /* pfns for which one rank is kept */
};

struct pageset {
	uint64_t mapnr;
	uint64_t *words; /* mapped, word_count of them, so that untouched pages cost nothing */
	size_t word_count;
	uint64_t *block_ranks; /* [b]: members below block b; [block_count]: all members */
	size_t block_count;
};

int pageset_new(uint64_t mapnr, struct pageset **set_ret, struct error *err)
{
	AUTO(pageset_free) struct pageset *set = calloc(1, sizeof(*set));

	if (!set)
		return error_set(err, -ENOMEM, "out of memory for the page bitmap");
	set->mapnr = mapnr;
	/* One word more than needed: never none, which mmap() refuses. */
	set->word_count = (size_t)div_round_up(mapnr, WORD_BITS) + 1;
	set->block_count = (size_t)div_round_up(set->word_count, BLOCK_WORDS);
	set->block_ranks = calloc(set->block_count + 1, sizeof(*set->block_ranks));
	set->words = mmap(NULL, set->word_count * sizeof(*set->words), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (set->words == MAP_FAILED)
		set->words = NULL;
	/* A bit must not cost 2 MiB where the system likes huge pages. Kernels without them refuse.
	 */
	if (set->words)
		(void)madvise(set->words, set->word_count * sizeof(*set->words), MADV_NOHUGEPAGE);
	if (!set->words || !set->block_ranks)
		return error_set(err, -ENOMEM,
				 "out of memory for the page bitmap of %" PRIu64 " pages", mapnr);
	*set_ret = TAKE_PTR(set);
	return 0;
}

void pageset_free(struct pageset *set)
{
	if (!set)
		return;
	if (set->words)
		munmap(set->words, set->word_count * sizeof(*set->words));
	free(set->block_ranks);
	free(set);
}

/* Bits [from, to) of a word, 0 <= from < to <= 64. */
static uint64_t mask(unsigned from, unsigned to)
{
	return (~UINT64_C(0) << from) & (~UINT64_C(0) >> (WORD_BITS - to));
}

static void change(struct pageset *set, uint64_t first, uint64_t end, bool member)
{
	while (first < end) {
		const unsigned from = first % WORD_BITS;
		const unsigned to = (unsigned)MIN((uint64_t)WORD_BITS, from + (end - first));
		uint64_t *word = &set->words[first / WORD_BITS];

		if (member)
			*word |= mask(from, to);
		else if (*word) /* a word that was never written to stays so, and costs no memory */
			*word &= ~mask(from, to);
		first += to - from;
	}
}

void pageset_add(struct pageset *set, uint64_t first, uint64_t end)
{
	change(set, first, end, true);
}

void pageset_remove(struct pageset *set, uint64_t first, uint64_t end)
{
	change(set, first, end, false);
}

void pageset_remove_bits(struct pageset *set, uint64_t first, const uint64_t *words, size_t count)
{
	uint64_t *to = &set->words[first / WORD_BITS];

	for (size_t i = 0; i < count; i++)
		if (words[i])
			to[i] &= ~words[i];
}

void pageset_subtract(struct pageset *set, const struct pageset *other)
{
	uint64_t end;

	for (uint64_t pfn = pageset_next(other, 0); pfn < other->mapnr;
	     pfn = pageset_next(other, end)) {
		end = pageset_next_gap(other, pfn);
		pageset_remove(set, pfn, end);
	}
}

void pageset_fill_gaps(struct pageset *set, uint64_t pages)
{
	uint64_t gap = pageset_next_gap(set, pageset_next(set, 0));

	while (gap < set->mapnr) {
		const uint64_t next = pageset_next(set, gap);

		if (next < set->mapnr && next - gap <= pages)
			pageset_add(set, gap, next);
		gap = pageset_next_gap(set, next);
	}
}

bool pageset_has(const struct pageset *set, uint64_t pfn)
{
	return pfn < set->mapnr && (set->words[pfn / WORD_BITS] >> (pfn % WORD_BITS) & 1);
}

/* The first pfn in [pfn, end) whose bit, after `flip` was applied to its word, is set, or end. */
static uint64_t next_bit(const struct pageset *set, uint64_t pfn, uint64_t end, uint64_t flip)
{
	size_t w = (size_t)(pfn / WORD_BITS);
	uint64_t word;

	if (pfn >= end)
		return end;
	word = (set->words[w] ^ flip) & mask(pfn % WORD_BITS, WORD_BITS);
	while (!word && (uint64_t)(w + 1) * WORD_BITS < end)
		word = set->words[++w] ^ flip;
	if (!word)
		return end;
	pfn = (uint64_t)w * WORD_BITS + (unsigned)__builtin_ctzll(word);
	return MIN(pfn, end);
}

uint64_t pageset_next(const struct pageset *set, uint64_t pfn)
{
	return next_bit(set, pfn, set->mapnr, 0);
}

uint64_t pageset_next_gap(const struct pageset *set, uint64_t pfn)
{
	return next_bit(set, pfn, set->mapnr, ~UINT64_C(0));
}

uint64_t pageset_run(const struct pageset *set, uint64_t pfn, uint64_t max)
{
	return next_bit(set, pfn, pfn + MIN(max, set->mapnr - pfn), ~UINT64_C(0)) - pfn;
}

const uint8_t *pageset_bytes(const struct pageset *set)
{
	return (const uint8_t *)set->words;
}

uint64_t pageset_mapnr(const struct pageset *set)
{
	return set->mapnr;
}

void pageset_index(struct pageset *set)
{
	uint64_t count = 0;

	for (size_t b = 0; b < set->block_count; b++) {
		const size_t end = MIN((b + 1) * BLOCK_WORDS, set->word_count);

		set->block_ranks[b] = count;
		for (size_t w = b * BLOCK_WORDS; w < end; w++)
			count += (unsigned)__builtin_popcountll(set->words[w]);
	}
	set->block_ranks[set->block_count] = count;
}

uint64_t pageset_count(const struct pageset *set)
{
	return set->block_ranks[set->block_count];
}

uint64_t pageset_rank(const struct pageset *set, uint64_t pfn)
{
	const size_t block = (size_t)(pfn / BLOCK_BITS), word = (size_t)(pfn / WORD_BITS);
	uint64_t rank;

	if (pfn >= set->mapnr)
		return pageset_count(set);
	rank = set->block_ranks[block];
	for (size_t w = block * BLOCK_WORDS; w < word; w++)
		rank += (unsigned)__builtin_popcountll(set->words[w]);
	if (pfn % WORD_BITS)
		rank += (unsigned)__builtin_popcountll(set->words[word] & mask(0, pfn % WORD_BITS));
	return rank;
}

uint64_t pageset_select(const struct pageset *set, uint64_t n)
{
	size_t low = 0, high = set->block_count, w;
	uint64_t word;

	/* The last block whose rank is at most n. */
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (set->block_ranks[middle] <= n)
			low = middle;
		else
			high = middle;
	}
	n -= set->block_ranks[low];
	for (w = low * BLOCK_WORDS;; w++) {
		const unsigned here = (unsigned)__builtin_popcountll(set->words[w]);

		if (n < here)
			break;
		n -= here;
	}
	for (word = set->words[w]; n; n--)
		word &= word - 1;
	return (uint64_t)w * WORD_BITS + (unsigned)__builtin_ctzll(word);
}
