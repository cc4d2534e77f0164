/* Snappy, by its C interface, which takes its scratch memory (about 20 KB) itself for each page:
 * there is no public way to keep it. */
#include <snappy-c.h>

#include "common/format/codec_ops.h"

static int compress_new(int level UNUSED, size_t page_bytes, void **state_ret UNUSED,
			size_t *bound_ret, struct error *err UNUSED)
{
	*bound_ret = snappy_max_compressed_length(page_bytes);
	return 0;
}

static size_t compress(void *state UNUSED, const uint8_t *page, size_t page_bytes, uint8_t *out,
		       size_t out_bytes)
{
	size_t size = out_bytes;

	return snappy_compress((const char *)page, page_bytes, (char *)out, &size) == SNAPPY_OK
		       ? size
		       : 0;
}

static bool decompress(void *state UNUSED, const uint8_t *in, size_t in_bytes, uint8_t *page,
		       size_t page_bytes)
{
	size_t size = 0;

	return snappy_uncompressed_length((const char *)in, in_bytes, &size) == SNAPPY_OK &&
	       size == page_bytes &&
	       snappy_uncompress((const char *)in, in_bytes, (char *)page, &size) == SNAPPY_OK;
}

const struct codec_ops codec_snappy = {
	.compress_new = compress_new,
	.compress = compress,
	.decompress = decompress,
};
