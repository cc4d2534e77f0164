/*
 * The interface between codec.c and a codec. A codec is one file (codec_NAME.c), which fills struct
 * codec_ops and includes the library, and a row in codec.c. The Makefile leaves out the files of
 * codecs that the build goes without.
 */
#ifndef CODEC_OPS_H
#define CODEC_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct codec_ops {
	/*
	 * Take all memory that compressing pages of page_bytes at `level` needs: *state_ret (the
	 * caller gives it back by compress_free; may stay NULL), and *bound_ret, the room that
	 * compress() wants at `out`. Fails -ENOMEM, -ENOTSUP.
	 */
	int (*compress_new)(int level, size_t page_bytes, void **state_ret, size_t *bound_ret,
			    struct error *err);
	void (*compress_free)(void *state);
	/* The payload's size, or 0 where it isn't less than the page or fails. `out_bytes`: the
	   bound. */
	size_t (*compress)(void *state, const uint8_t *page, size_t page_bytes, uint8_t *out,
			   size_t out_bytes);

	/* The same for decompressing; both NULL: there is no state. */
	int (*decompress_new)(void **state_ret, struct error *err);
	void (*decompress_free)(void *state);
	/* Whether the payload gives exactly page_bytes. Any input is safe. */
	bool (*decompress)(void *state, const uint8_t *in, size_t in_bytes, uint8_t *page,
			   size_t page_bytes);
};

/* zlib's format by zlib or by libdeflate: the build has one of the two files. */
extern const struct codec_ops codec_zlib, codec_lzo, codec_snappy, codec_zstd;

#endif
