/*
 * One page to and from its compressed payload, as readers of kdump-compressed files decode it.
 *
 * zlib and snappy are always there; LZO and zstd are options of the build (WITH_LZO, WITH_ZSTD),
 * and WITH_LIBDEFLATE makes zlib's format with libdeflate, at twice the speed.
 */
#ifndef CODEC_H
#define CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum codec_id {
	CODEC_NONE, /* every page raw */
	CODEC_ZLIB,
	CODEC_LZO,
	CODEC_SNAPPY,
	CODEC_ZSTD,
	CODEC_COUNT,
};

/* "none", "zlib", "lzo", "snappy", "zstd". */
const char *codec_name(enum codec_id id);

/* The codec whose name the first `len` bytes of a text are: true and *id_ret set. */
bool codec_by_text(const char *text, size_t len, enum codec_id *id_ret);

/* Whether this build can compress and decompress it. */
bool codec_is_built(enum codec_id id);

/* The codec's bit in kdump_desc.flags and kdump_header.status (0 for none), and the codec of a
 * bit. */
uint32_t codec_kdump_flag(enum codec_id id);
bool codec_by_kdump_flag(uint32_t flag, enum codec_id *id_ret);

/*
 * The lowest, highest and default level, equal where the codec has none. A codec that isn't built
 * has levels all the same.
 */
void codec_levels(enum codec_id id, int *min_ret, int *max_ret, int *default_ret);

/* A compressor for one thread. compressor_new() takes all memory that it will need. Opaque. */
struct compressor;

/* Fails -ENOTSUP (not built), -EINVAL (level), -ENOMEM. The caller frees it. */
NODISCARD int compressor_new(enum codec_id id, int level, size_t page_bytes,
			     struct compressor **c_ret, struct error *err);
void compressor_free(struct compressor *c);
DEFINE_AUTO(struct compressor, compressor_free)

/* Room that compressor_run() needs at `out`, more than a page. */
size_t compressor_bound(const struct compressor *c);

/*
 * Compress one page of page_bytes. Returns the payload's size, less than page_bytes; or 0 where
 * compressing doesn't make the page smaller, so that it is to be stored raw (`out` is garbage
 * then). The payload depends on nothing but page, codec and level.
 */
size_t compressor_run(struct compressor *c, const uint8_t *page, uint8_t *out);

/* A decompressor for one thread and all codecs. Opaque. */
struct decompressor;

NODISCARD int decompressor_new(struct decompressor **d_ret, struct error *err);
void decompressor_free(struct decompressor *d);
DEFINE_AUTO(struct decompressor, decompressor_free)

/*
 * Decode a payload that must give exactly page_bytes. Fails -EBADMSG (corrupt, or another length)
 * or -ENOTSUP (not built). Any input is safe.
 */
NODISCARD int decompressor_run(struct decompressor *d, enum codec_id id, const uint8_t *payload,
			       size_t payload_bytes, uint8_t *page_ret, size_t page_bytes,
			       struct error *err);

#endif
