/* A set of pfns with rank and select, packed block by block.
 * Doesn't know why a page is in it, nor how a block is packed (pageblock.c). */
#include "sender/pages/pageset.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/parse.h"
#include "sender/pages/pageblock.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words of the set are bytes of the file");

enum {
	WORD_BITS = 64,
	BLOCK_BYTES = PAGEBLOCK_BITS / 8, /* of the file's bitmap */
};

#define NO_BLOCK UINT64_MAX

struct block {
	uint64_t rank; /* members below it, once counted; of the last entry, all members */
	struct pageblock *packed;
};

struct pageset {
	uint64_t mapnr;

	/* Mapped, block_count + 1 of them, so that untouched ones cost nothing. */
	struct block *blocks;
	uint64_t block_count;

	/* The block that was changed last; what is packed of it is out of date. */
	uint64_t open;
	uint64_t words[PAGEBLOCK_WORDS];

	uint64_t limit_bytes, packed_bytes;
	bool failed;
};

static uint64_t blocks_of(uint64_t mapnr)
{
	return div_round_up(mapnr, PAGEBLOCK_BITS);
}

static size_t blocks_bytes(uint64_t count)
{
	return (size_t)(count + 1) * sizeof(struct block);
}

int pageset_new(uint64_t mapnr, struct pageset **set_ret, struct error *err)
{
	AUTO(pageset_free) struct pageset *set = calloc(1, sizeof(*set));

	if (!set)
		return error_set(err, -ENOMEM, "out of memory for the page bitmap");
	set->mapnr = mapnr;
	set->open = NO_BLOCK;
	set->block_count = blocks_of(mapnr);
	set->blocks = mmap(NULL, blocks_bytes(set->block_count), PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (set->blocks == MAP_FAILED) {
		set->blocks = NULL;
		return error_set(err, -ENOMEM,
				 "out of memory for the page bitmap of %" PRIu64 " pages", mapnr);
	}
	/* A page must not cost 2 MiB where the system likes huge pages. Kernels without them
	 * refuse. */
	(void)madvise(set->blocks, blocks_bytes(set->block_count), MADV_NOHUGEPAGE);
	*set_ret = TAKE_PTR(set);
	return 0;
}

void pageset_free(struct pageset *set)
{
	if (!set)
		return;
	for (uint64_t b = 0; set->blocks && b < set->block_count; b++)
		pageblock_free(set->blocks[b].packed);
	if (set->blocks)
		munmap(set->blocks, blocks_bytes(set->block_count));
	free(set);
}

/* --- memory --- */

void pageset_limit(struct pageset *set, uint64_t memory_bytes)
{
	set->limit_bytes = memory_bytes;
}

uint64_t pageset_memory(const struct pageset *set)
{
	return sizeof(*set) + blocks_bytes(set->block_count) + set->packed_bytes;
}

uint64_t pageset_memory_max(uint64_t mapnr)
{
	const uint64_t count = blocks_of(mapnr);

	return sizeof(struct pageset) + blocks_bytes(count) + count * PAGEBLOCK_BYTES_MAX;
}

int pageset_check(const struct pageset *set, struct error *err)
{
	char takes[16], limit[16];

	if (!set->failed)
		return 0;
	format_size(takes, sizeof(takes), pageset_memory(set));
	if (set->limit_bytes && pageset_memory(set) > set->limit_bytes)
		return error_set(err, -ENOMEM, "the page bitmap takes %s, and %s are left for it",
				 takes, format_size(limit, sizeof(limit), set->limit_bytes));
	return error_set(err, -ENOMEM, "out of memory for the page bitmap: it takes %s", takes);
}

/* --- the open block --- */

static size_t bytes_of(const struct pageblock *packed)
{
	return pageblock_is_full(packed) ? 0 : pageblock_bytes(pageblock_changes_of(packed));
}

static void close_block(struct pageset *set)
{
	struct pageblock **packed;
	unsigned changes;

	if (set->open == NO_BLOCK)
		return;
	packed = &set->blocks[set->open].packed;
	set->open = NO_BLOCK;
	set->packed_bytes -= bytes_of(*packed);
	pageblock_free(*packed);
	*packed = NULL;
	changes = pageblock_changes(set->words);
	if (changes > 1 || !(set->words[0] & 1))
		set->packed_bytes += pageblock_bytes(changes);
	if (set->limit_bytes && pageset_memory(set) > set->limit_bytes)
		set->failed = true;
	if (!set->failed && !pageblock_pack(set->words, changes, packed))
		set->failed = true;
}

static uint64_t *open_block(struct pageset *set, uint64_t b)
{
	if (set->open != b) {
		close_block(set);
		pageblock_unpack(set->blocks[b].packed, set->words);
		set->open = b;
	}
	return set->words;
}

/* Whether a block has members; the open one may have none, and this be true. */
static bool may_have(const struct pageset *set, uint64_t b)
{
	return set->open == b || set->blocks[b].packed;
}

static void replace_block(struct pageset *set, uint64_t b, struct pageblock *packed)
{
	struct block *block = &set->blocks[b];

	if (set->open == b)
		set->open = NO_BLOCK;
	if (block->packed == packed)
		return; /* untouched, it costs nothing */
	set->packed_bytes -= bytes_of(block->packed);
	pageblock_free(block->packed);
	block->packed = packed;
}

/* --- changes --- */

static void change(struct pageset *set, uint64_t first, uint64_t end, bool member)
{
	while (first < end) {
		const uint64_t b = first / PAGEBLOCK_BITS;
		const unsigned from = first % PAGEBLOCK_BITS;
		const unsigned to = (unsigned)MIN((uint64_t)PAGEBLOCK_BITS, from + (end - first));

		if (to - from == PAGEBLOCK_BITS)
			replace_block(set, b, member ? pageblock_full() : NULL);
		else if (member || may_have(set, b))
			pageblock_words_change(open_block(set, b), from, to, member);
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

static bool has_bits(const uint64_t *words, size_t count)
{
	uint64_t any = 0;

	for (size_t i = 0; i < count; i++)
		any |= words[i];
	return any != 0;
}

void pageset_remove_bits(struct pageset *set, uint64_t first, const uint64_t *words, size_t count)
{
	size_t n;

	for (; count; count -= n, words += n, first += n * WORD_BITS) {
		const uint64_t b = first / PAGEBLOCK_BITS;
		const size_t from = first % PAGEBLOCK_BITS / WORD_BITS;
		uint64_t *to;

		n = MIN(count, PAGEBLOCK_WORDS - from);
		if (!may_have(set, b) || !has_bits(words, n))
			continue;
		to = open_block(set, b) + from;
		for (size_t i = 0; i < n; i++)
			to[i] &= ~words[i];
	}
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

/* --- questions --- */

/* The first pfn in [pfn, end) that is a member (or isn't), or end. */
static uint64_t seek(const struct pageset *set, uint64_t pfn, uint64_t end, bool member)
{
	while (pfn < end) {
		const uint64_t b = pfn / PAGEBLOCK_BITS;
		const unsigned at = pfn % PAGEBLOCK_BITS;
		const unsigned found = set->open == b
					       ? pageblock_words_seek(set->words, at, member)
					       : pageblock_seek(set->blocks[b].packed, at, member);

		if (found < PAGEBLOCK_BITS)
			return MIN(b * PAGEBLOCK_BITS + found, end);
		pfn = (b + 1) * PAGEBLOCK_BITS;
	}
	return end;
}

bool pageset_has(const struct pageset *set, uint64_t pfn)
{
	return pfn < set->mapnr && seek(set, pfn, pfn + 1, true) == pfn;
}

uint64_t pageset_next(const struct pageset *set, uint64_t pfn)
{
	return seek(set, pfn, set->mapnr, true);
}

uint64_t pageset_next_gap(const struct pageset *set, uint64_t pfn)
{
	return seek(set, pfn, set->mapnr, false);
}

uint64_t pageset_run(const struct pageset *set, uint64_t pfn, uint64_t max)
{
	return seek(set, pfn, pfn + MIN(max, set->mapnr - pfn), false) - pfn;
}

void pageset_read(const struct pageset *set, uint64_t at, uint8_t *out, size_t bytes)
{
	uint64_t words[PAGEBLOCK_WORDS];
	size_t n;

	for (; bytes; bytes -= n, out += n, at += n) {
		const uint64_t b = at / BLOCK_BYTES;
		const size_t from = at % BLOCK_BYTES;

		n = MIN(bytes, BLOCK_BYTES - from);
		if (b < set->block_count && set->open == b)
			memcpy(words, set->words, sizeof(words));
		else
			pageblock_unpack(b < set->block_count ? set->blocks[b].packed : NULL,
					 words);
		memcpy(out, (const uint8_t *)words + from, n);
	}
}

uint64_t pageset_mapnr(const struct pageset *set)
{
	return set->mapnr;
}

/* --- counting --- */

void pageset_index(struct pageset *set)
{
	uint64_t count = 0;

	close_block(set);
	for (uint64_t b = 0; b < set->block_count; b++) {
		set->blocks[b].rank = count;
		count += pageblock_count(set->blocks[b].packed, PAGEBLOCK_BITS);
	}
	set->blocks[set->block_count].rank = count;
}

uint64_t pageset_count(const struct pageset *set)
{
	return set->blocks[set->block_count].rank;
}

uint64_t pageset_rank(const struct pageset *set, uint64_t pfn)
{
	const struct block *block;

	if (pfn >= set->mapnr)
		return pageset_count(set);
	block = &set->blocks[pfn / PAGEBLOCK_BITS];
	return block->rank + pageblock_count(block->packed, pfn % PAGEBLOCK_BITS);
}

uint64_t pageset_select(const struct pageset *set, uint64_t n)
{
	uint64_t low = 0, high = set->block_count;

	/* The last block whose rank is at most n. */
	while (high - low > 1) {
		const uint64_t middle = low + (high - low) / 2;

		if (set->blocks[middle].rank <= n)
			low = middle;
		else
			high = middle;
	}
	return low * PAGEBLOCK_BITS +
	       pageblock_select(set->blocks[low].packed, (unsigned)(n - set->blocks[low].rank));
}
