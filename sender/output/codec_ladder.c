/* Which codecs are mixed, and in which order.
 * Doesn't know when which of them is chosen. */
#include "sender/output/codec_ladder.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum {
	/* The memory that a codec takes, rounded up. Pages of 4 KiB: zlib 268 KiB, zstd 71 KiB at
	 * level 1 and 269 KiB at level 12. Of 64 KiB: zstd 1.8 MiB at level 19. */
	SMALL_CODEC_BYTES = 256 << 10,
	LARGE_CODEC_BYTES = 2 << 20,
	LEAST_CODEC_BYTES = 1 << 20,
	SMALL_PAGE_BYTES = 4096,
};

struct codec_ladder codec_ladder_fixed(enum codec_id codec, int level)
{
	return (struct codec_ladder){.rung = {{codec, level}}, .count = 1};
}

static bool has(unsigned codecs, enum codec_id codec)
{
	return codecs >> codec & 1 && codec_is_built(codec);
}

static void add(struct codec_ladder *ladder, enum codec_id codec, int level)
{
	ladder->rung[ladder->count++] = (struct rung){codec, level};
}

/*
 * Each step costs several times the CPU of the one before it, and makes a smaller dump: for a page
 * pass at level 31 (docs/PERFORMANCE.md), lzo 0.11 s and 26.7 MB, zstd:1 0.39 s and 18.4 MB, zstd:4
 * 0.7 s and 17.7 MB; zlib:1 0.58 s and 19.4 MB, zlib:6 1.1 s and 17.7 MB. A codec between two of
 * these is no better than a mix of them. zstd:12 (6 s, 16.4 MB) would hold up the chunks behind it
 * for as long as fifty of them take with lzo.
 */
struct codec_ladder codec_ladder_auto(unsigned codecs)
{
	struct codec_ladder ladder = {.codecs = codecs};

	if (has(codecs, CODEC_NONE))
		add(&ladder, CODEC_NONE, 0);
	else if (has(codecs, CODEC_LZO))
		add(&ladder, CODEC_LZO, 1);
	else if (has(codecs, CODEC_SNAPPY))
		add(&ladder, CODEC_SNAPPY, 1);
	else if (has(codecs, CODEC_ZSTD))
		add(&ladder, CODEC_ZSTD, -3);
	if (has(codecs, CODEC_ZSTD)) {
		add(&ladder, CODEC_ZSTD, 1);
		add(&ladder, CODEC_ZSTD, 4);
	} else if (has(codecs, CODEC_ZLIB) || ladder.count == 0) {
		add(&ladder, CODEC_ZLIB, 1);
		add(&ladder, CODEC_ZLIB, 6);
	}
	return ladder;
}

int codec_ladder_parse_codecs(const char *list, unsigned *codecs_ret, struct error *err)
{
	unsigned codecs = 0;

	for (const char *word = list;; word++) {
		const size_t len = strcspn(word, ",");
		enum codec_id id;

		if (!codec_by_text(word, len, &id))
			return error_set(err, -EINVAL,
					 "\"%s\" isn't a list of none, zlib, lzo, snappy, zstd",
					 list);
		codecs |= 1U << id;
		word += len;
		if (!*word)
			break;
	}
	*codecs_ret = codecs;
	return 0;
}

const char *codec_ladder_name(const struct codec_ladder *ladder)
{
	return ladder->codecs ? "auto" : codec_name(ladder->rung[0].codec);
}

int codec_ladder_level(const struct codec_ladder *ladder)
{
	return ladder->codecs ? 0 : ladder->rung[0].level;
}

uint32_t codec_ladder_kdump_flags(const struct codec_ladder *ladder)
{
	uint32_t flags = 0;

	for (unsigned i = 0; i < ladder->count; i++)
		flags |= codec_kdump_flag(ladder->rung[i].codec);
	return flags;
}

uint64_t codec_ladder_memory_bytes(const struct codec_ladder *ladder, uint64_t page_bytes)
{
	const uint64_t each = page_bytes > SMALL_PAGE_BYTES ? LARGE_CODEC_BYTES : SMALL_CODEC_BYTES;

	if (ladder->count == 1 && ladder->rung[0].codec == CODEC_NONE)
		return 0;
	return MAX(ladder->count * each, (uint64_t)LEAST_CODEC_BYTES);
}
