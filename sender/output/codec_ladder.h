/* The codecs for chunks, from the fastest to the strongest. Where there are several, codec_pace.h
 * chooses one for each chunk as it is made. */
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
	unsigned codecs; /* the allowed ones, a bit for each enum codec_id; 0: one codec is fixed */
};

/* A ladder of one codec. */
struct codec_ladder codec_ladder_fixed(enum codec_id codec, int level);

/* A ladder of the codecs that are both in `codecs` and in the build; zlib where there are none. */
struct codec_ladder codec_ladder_auto(unsigned codecs);

/* "zlib,lzo": a bit for each. Fails -EINVAL. */
NODISCARD int codec_ladder_parse_codecs(const char *list, unsigned *codecs_ret, struct error *err);

/* The ladder's name, as in --compress, and the level of the one codec (0 if there are several). */
const char *codec_ladder_name(const struct codec_ladder *ladder);
int codec_ladder_level(const struct codec_ladder *ladder);

/* The bits of all the codecs, for the header's status. */
uint32_t codec_ladder_kdump_flags(const struct codec_ladder *ladder);

/* The most memory that one thread's compressors take. */
uint64_t codec_ladder_memory_bytes(const struct codec_ladder *ladder, uint64_t page_bytes);

#endif
