/* The codecs that chunks may be compressed with, from the fastest to the strongest: one, or several
 * of which each chunk's is chosen as it is made (codec_pace.h). */
#ifndef CODEC_LADDER_H
#define CODEC_LADDER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/codec.h"

enum { LADDER_MAX = 3 };

struct rung {
	enum codec_id codec;
	int level;
};

struct codec_ladder {
	struct rung rung[LADDER_MAX];
	unsigned count;	 /* at least one */
	unsigned codecs; /* that were allowed, a bit for each enum codec_id; 0: the one is fixed */
};

/* One codec. */
struct codec_ladder codec_ladder_fixed(enum codec_id codec, int level);

/* What `codecs` and the build have to offer; zlib where that is nothing. */
struct codec_ladder codec_ladder_auto(unsigned codecs);

/* "zlib,lzo": a bit for each. Fails -EINVAL. */
NODISCARD int codec_ladder_parse_codecs(const char *list, unsigned *codecs_ret, struct error *err);

/* What it is called, as in --compress, and the level of the one codec (of several: 0). */
const char *codec_ladder_name(const struct codec_ladder *ladder);
int codec_ladder_level(const struct codec_ladder *ladder);

/* What the header's status says of the codecs: the bits of all. */
uint32_t codec_ladder_kdump_flags(const struct codec_ladder *ladder);

/* The most memory that the compressors of one thread take. */
uint64_t codec_ladder_memory_bytes(const struct codec_ladder *ladder, uint64_t page_bytes);

#endif
