/* zlib's format by libdeflate, at twice zlib's speed. */
#include <errno.h>
#include <libdeflate.h>

#include "common/format/codec_ops.h"

static int deflate_new(int level, size_t page_bytes, void **state_ret, size_t *bound_ret,
		       struct error *err)
{
	*state_ret = libdeflate_alloc_compressor(level);
	if (!*state_ret)
		return error_set(err, -ENOMEM, "out of memory for zlib");
	*bound_ret = libdeflate_zlib_compress_bound(*state_ret, page_bytes);
	return 0;
}

static void deflate_free(void *state)
{
	libdeflate_free_compressor(state);
}

static size_t deflate_page(void *state, const uint8_t *page, size_t page_bytes, uint8_t *out,
			   size_t out_bytes UNUSED)
{
	/* Less room than a page: it gives up early, with 0, where the page doesn't get smaller. */
	return libdeflate_zlib_compress(state, page, page_bytes, out, page_bytes - 1);
}

static int inflate_new(void **state_ret, struct error *err)
{
	*state_ret = libdeflate_alloc_decompressor();
	return *state_ret ? 0 : error_set(err, -ENOMEM, "out of memory for zlib");
}

static void inflate_free(void *state)
{
	libdeflate_free_decompressor(state);
}

static bool inflate_page(void *state, const uint8_t *in, size_t in_bytes, uint8_t *page,
			 size_t page_bytes)
{
	return libdeflate_zlib_decompress(state, in, in_bytes, page, page_bytes, NULL) ==
	       LIBDEFLATE_SUCCESS;
}

const struct codec_ops codec_zlib = {
	.compress_new = deflate_new,
	.compress_free = deflate_free,
	.compress = deflate_page,
	.decompress_new = inflate_new,
	.decompress_free = inflate_free,
	.decompress = inflate_page,
};
