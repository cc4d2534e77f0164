/* sender/output/codec_ladder.h: which codecs are mixed. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>

#include "format/kdump.h"
#include "sender/output/codec_ladder.h"

static void test_fixed(void **state UNUSED)
{
	const struct codec_ladder ladder = codec_ladder_fixed(CODEC_ZLIB, 6);

	assert_int_equal(ladder.count, 1);
	assert_string_equal(codec_ladder_name(&ladder), "zlib");
	assert_int_equal(codec_ladder_level(&ladder), 6);
	assert_int_equal(codec_ladder_kdump_flags(&ladder), KDUMP_ZLIB);
}

/* Any set of codecs makes a ladder of which each rung can be had, in this build. */
static void test_sets(void **state UNUSED)
{
	for (unsigned codecs = 1; codecs < 1U << CODEC_COUNT; codecs++) {
		const struct codec_ladder ladder = codec_ladder_auto(codecs);

		assert_in_range(ladder.count, 1, LADDER_MAX);
		assert_int_equal(ladder.codecs, codecs);
		assert_string_equal(codec_ladder_name(&ladder), "auto");
		assert_int_equal(codec_ladder_level(&ladder), 0);
		for (unsigned i = 0; i < ladder.count; i++) {
			const struct rung *rung = &ladder.rung[i];
			struct compressor *c;
			struct error err;

			/* zlib also where nothing else is there. */
			assert_true(codecs >> rung->codec & 1 || rung->codec == CODEC_ZLIB);
			assert_int_equal(compressor_new(rung->codec, rung->level, 4096, &c, &err),
					 0);
			compressor_free(c);
			assert_int_equal(codec_ladder_kdump_flags(&ladder) &
						 codec_kdump_flag(rung->codec),
					 codec_kdump_flag(rung->codec));
		}
	}
}

static void test_usual(void **state UNUSED)
{
	const struct codec_ladder ladder =
		codec_ladder_auto(1U << CODEC_ZLIB | 1U << CODEC_LZO | 1U << CODEC_ZSTD);

	if (!codec_is_built(CODEC_LZO) || !codec_is_built(CODEC_ZSTD))
		return;
	assert_int_equal(ladder.rung[0].codec, CODEC_LZO);
	assert_int_equal(ladder.rung[ladder.count - 1].codec, CODEC_ZSTD);
	assert_int_equal(codec_ladder_kdump_flags(&ladder), KDUMP_LZO | KDUMP_ZSTD);
	/* What docs/ARCHITECTURE.md says of memory holds for it as for one codec. */
	assert_int_equal(codec_ladder_memory_bytes(&ladder, 4096), 1 << 20);
	assert_int_equal(codec_ladder_memory_bytes(&(struct codec_ladder){.count = 1}, 4096), 0);
}

static void test_list(void **state UNUSED)
{
	static const char *const bad[] = {"",	",",	"lzo,",	    ",lzo",
					  "lz", "lzoo", "lzo zstd", "auto"};
	unsigned codecs = 0;
	struct error err;

	assert_int_equal(codec_ladder_parse_codecs("zstd", &codecs, &err), 0);
	assert_int_equal(codecs, 1U << CODEC_ZSTD);
	assert_int_equal(codec_ladder_parse_codecs("none,lzo,zlib,lzo", &codecs, &err), 0);
	assert_int_equal(codecs, 1U << CODEC_NONE | 1U << CODEC_LZO | 1U << CODEC_ZLIB);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(codec_ladder_parse_codecs(bad[i], &codecs, &err), -EINVAL);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "ladder: may have one rung", test_fixed, NULL);
	unit_add(&u, "ladder: is made of what there is", test_sets, NULL);
	unit_add(&u, "ladder: goes from lzo to zstd", test_usual, NULL);
	unit_add(&u, "ladder: reads a list of codecs", test_list, NULL);
	return unit_run(&u, "ladder", argc, argv);
}
