/* zstd: a frame for each page, by a context that is used again. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/format/codec_ops.h"

struct compressing {
	ZSTD_CCtx *context;
	int level;
};

static void compress_free(void *state)
{
	struct compressing *c = state;

	ZSTD_freeCCtx(c->context);
	free(c);
}

static int compress_new(int level, size_t page_bytes, void **state_ret, size_t *bound_ret,
			struct error *err)
{
	struct compressing *c = calloc(1, sizeof(*c));

	if (c)
		c->context = ZSTD_createCCtx();
	if (!c || !c->context) {
		free(c);
		return error_set(err, -ENOMEM, "out of memory for zstd");
	}
	c->level = level;
	*bound_ret = ZSTD_compressBound(page_bytes);
	*state_ret = c;
	return 0;
}

static size_t compress(void *state, const uint8_t *page, size_t page_bytes, uint8_t *out,
		       size_t out_bytes)
{
	const struct compressing *c = state;
	const size_t size =
		ZSTD_compressCCtx(c->context, out, out_bytes, page, page_bytes, c->level);

	return ZSTD_isError(size) ? 0 : size;
}

static int decompress_new(void **state_ret, struct error *err)
{
	*state_ret = ZSTD_createDCtx();
	return *state_ret ? 0 : error_set(err, -ENOMEM, "out of memory for zstd");
}

static void decompress_free(void *state)
{
	ZSTD_freeDCtx(state);
}

static bool decompress(void *state, const uint8_t *in, size_t in_bytes, uint8_t *page,
		       size_t page_bytes)
{
	return ZSTD_decompressDCtx(state, page, page_bytes, in, in_bytes) == page_bytes;
}

const struct codec_ops codec_zstd = {
	.compress_new = compress_new,
	.compress_free = compress_free,
	.compress = compress,
	.decompress_new = decompress_new,
	.decompress_free = decompress_free,
	.decompress = decompress,
};
