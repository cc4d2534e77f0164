/* zlib's format by zlib itself, for builds without libdeflate. */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/format/codec_ops.h"

static int deflate_new(int level, size_t page_bytes, void **state_ret, size_t *bound_ret,
		       struct error *err)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (!z || deflateInit(z, level) != Z_OK) {
		free(z);
		return error_set(err, -ENOMEM, "out of memory for zlib");
	}
	*bound_ret = deflateBound(z, page_bytes);
	*state_ret = z;
	return 0;
}

static void deflate_free(void *state)
{
	deflateEnd(state);
	free(state);
}

static size_t deflate_page(void *state, const uint8_t *page, size_t page_bytes, uint8_t *out,
			   size_t out_bytes UNUSED)
{
	z_stream *z = state;

	deflateReset(z);
	z->next_in = (Bytef *)(uintptr_t)page;
	z->avail_in = (uInt)page_bytes;
	z->next_out = out;
	z->avail_out = (uInt)page_bytes - 1;
	return deflate(z, Z_FINISH) == Z_STREAM_END ? z->total_out : 0;
}

static bool inflate_page(void *state UNUSED, const uint8_t *in, size_t in_bytes, uint8_t *page,
			 size_t page_bytes)
{
	uLongf size = page_bytes;

	return uncompress(page, &size, in, in_bytes) == Z_OK && size == page_bytes;
}

const struct codec_ops codec_zlib = {
	.compress_new = deflate_new,
	.compress_free = deflate_free,
	.compress = deflate_page,
	.decompress = inflate_page,
};
