/* Page codecs: the only file that includes the compression libraries.
 * Doesn't know of files, threads or options. */
#include "format/codec.h"

#include <errno.h>
#include <string.h>
#include <snappy-c.h>
#include <zlib.h>
#if WITH_LIBDEFLATE
#include <libdeflate.h>
#endif
#if WITH_LZO
#include <lzo/lzo1x.h>
#endif
#if WITH_ZSTD
#include <zstd.h>
#endif

#include "format/kdump.h"

static const struct codec_info {
	const char *name;
	uint32_t kdump_flag;
	bool built;
	int level_min, level_max, level_default;
} codecs[CODEC_COUNT] = {
	[CODEC_NONE] = {"none", 0, true, 0, 0, 0},
	/* Level 1, as makedumpfile: each further one costs more time than it saves on any link. */
	[CODEC_ZLIB] = {"zlib", KDUMP_ZLIB, true, 1, 9, 1},
	[CODEC_LZO] = {"lzo", KDUMP_LZO, WITH_LZO, 1, 1, 1},
	[CODEC_SNAPPY] = {"snappy", KDUMP_SNAPPY, true, 1, 1, 1},
	/* Below -7 zstd is larger and slower than lzo; the highest ones take 100 MB a thread. */
	[CODEC_ZSTD] = {"zstd", KDUMP_ZSTD, WITH_ZSTD, -7, 19, 1},
};

struct compressor {
	enum codec_id id;
	int level;
	size_t page_bytes, bound;
#if WITH_LIBDEFLATE
	struct libdeflate_compressor *deflate;
#else
	z_stream zlib;
	bool zlib_ready;
#endif
#if WITH_LZO
	void *lzo_memory;
#endif
#if WITH_ZSTD
	ZSTD_CCtx *zstd;
#endif
};

struct decompressor {
#if WITH_LIBDEFLATE
	struct libdeflate_decompressor *deflate;
#endif
#if WITH_ZSTD
	ZSTD_DCtx *zstd;
#endif
	int unused; /* a struct can't be empty */
};

const char *codec_name(enum codec_id id)
{
	return codecs[id].name;
}

bool codec_by_text(const char *text, size_t len, enum codec_id *id_ret)
{
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		if (strlen(codecs[id].name) == len && memcmp(codecs[id].name, text, len) == 0) {
			*id_ret = id;
			return true;
		}
	}
	return false;
}

bool codec_by_name(const char *name, enum codec_id *id_ret)
{
	return codec_by_text(name, strlen(name), id_ret);
}

bool codec_is_built(enum codec_id id)
{
	return codecs[id].built;
}

uint32_t codec_kdump_flag(enum codec_id id)
{
	return codecs[id].kdump_flag;
}

bool codec_by_kdump_flag(uint32_t flag, enum codec_id *id_ret)
{
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		if (codecs[id].kdump_flag == flag) {
			*id_ret = id;
			return true;
		}
	}
	return false;
}

void codec_levels(enum codec_id id, int *min_ret, int *max_ret, int *default_ret)
{
	*min_ret = codecs[id].level_min;
	*max_ret = codecs[id].level_max;
	*default_ret = codecs[id].level_default;
}

static int no_memory(enum codec_id id, struct error *err)
{
	return error_set(err, -ENOMEM, "out of memory for %s", codecs[id].name);
}

static int not_built(enum codec_id id, struct error *err)
{
	return error_set(err, -ENOTSUP, "%s is not part of this build", codecs[id].name);
}

static int zlib_setup(struct compressor *c, struct error *err)
{
#if WITH_LIBDEFLATE
	c->deflate = libdeflate_alloc_compressor(c->level);
	if (!c->deflate)
		return no_memory(c->id, err);
	c->bound = libdeflate_zlib_compress_bound(c->deflate, c->page_bytes);
#else
	if (deflateInit(&c->zlib, c->level) != Z_OK)
		return no_memory(c->id, err);
	c->zlib_ready = true;
	c->bound = deflateBound(&c->zlib, c->page_bytes);
#endif
	return 0;
}

static size_t zlib_run(struct compressor *c, const uint8_t *page, uint8_t *out)
{
#if WITH_LIBDEFLATE
	/* Less room than a page: it gives up early, with 0, where the page doesn't get smaller. */
	return libdeflate_zlib_compress(c->deflate, page, c->page_bytes, out, c->page_bytes - 1);
#else
	deflateReset(&c->zlib);
	c->zlib.next_in = (Bytef *)(uintptr_t)page;
	c->zlib.avail_in = (uInt)c->page_bytes;
	c->zlib.next_out = out;
	c->zlib.avail_out = (uInt)c->page_bytes - 1;
	return deflate(&c->zlib, Z_FINISH) == Z_STREAM_END ? c->zlib.total_out : 0;
#endif
}

static int lzo_setup(struct compressor *c UNUSED, struct error *err)
{
#if WITH_LZO
	if (lzo_init() != LZO_E_OK)
		return error_set(err, -ENOTSUP, "lzo: the library doesn't fit its header");
	/*
	 * lzo1x_1_11: its 2048-entry table stays in the L1 cache, which makes it a tenth faster
	 * than makedumpfile's lzo1x_1 at the same size. It writes the table before it reads it.
	 */
	c->lzo_memory = calloc(1, LZO1X_1_11_MEM_COMPRESS);
	if (!c->lzo_memory)
		return no_memory(c->id, err);
	c->bound =
		c->page_bytes + c->page_bytes / 16 + 64 + 3; /* LZO.FAQ, "worst case expansion" */
#else
	(void)err;
#endif
	return 0;
}

static size_t lzo_run(struct compressor *c UNUSED, const uint8_t *page UNUSED, uint8_t *out UNUSED)
{
#if WITH_LZO
	lzo_uint size = 0;

	if (lzo1x_1_11_compress(page, c->page_bytes, out, &size, c->lzo_memory) == LZO_E_OK)
		return size;
#endif
	return 0;
}

static size_t snappy_run(struct compressor *c, const uint8_t *page, uint8_t *out)
{
	size_t size = c->bound;

	/* The C interface takes its scratch memory (about 20 KB) itself; there is no public way to
	 * keep it. */
	if (snappy_compress((const char *)page, c->page_bytes, (char *)out, &size) != SNAPPY_OK)
		return 0;
	return size;
}

static int zstd_setup(struct compressor *c UNUSED, struct error *err)
{
#if WITH_ZSTD
	c->zstd = ZSTD_createCCtx();
	if (!c->zstd)
		return no_memory(c->id, err);
	c->bound = ZSTD_compressBound(c->page_bytes);
#else
	(void)err;
#endif
	return 0;
}

static size_t zstd_run(struct compressor *c UNUSED, const uint8_t *page UNUSED, uint8_t *out UNUSED)
{
#if WITH_ZSTD
	const size_t size =
		ZSTD_compressCCtx(c->zstd, out, c->bound, page, c->page_bytes, c->level);

	return ZSTD_isError(size) ? 0 : size;
#else
	return 0;
#endif
}

int compressor_new(enum codec_id id, int level, size_t page_bytes, struct compressor **c_ret,
		   struct error *err)
{
	AUTO(compressor_free) struct compressor *c = NULL;
	AUTO_FREE uint8_t *page = NULL, *out = NULL;
	int r = 0;

	if (!codecs[id].built)
		return not_built(id, err);
	if (level < codecs[id].level_min || level > codecs[id].level_max)
		return error_set(err, -EINVAL, "%s has levels %d to %d, not %d", codecs[id].name,
				 codecs[id].level_min, codecs[id].level_max, level);
	c = calloc(1, sizeof(*c));
	if (!c)
		return no_memory(id, err);
	c->id = id;
	c->level = level;
	c->page_bytes = page_bytes;
	c->bound = page_bytes;
	switch (id) {
	case CODEC_ZLIB:
		r = zlib_setup(c, err);
		break;
	case CODEC_LZO:
		r = lzo_setup(c, err);
		break;
	case CODEC_SNAPPY:
		c->bound = snappy_max_compressed_length(page_bytes);
		break;
	case CODEC_ZSTD:
		r = zstd_setup(c, err);
		break;
	case CODEC_NONE:
	case CODEC_COUNT:
		break;
	}
	if (r < 0)
		return r;
	/* zstd takes its tables at the first page: take them now, so that the page loop never
	 * fails. */
	page = calloc(1, page_bytes);
	out = malloc(c->bound);
	if (!page || !out || (id != CODEC_NONE && compressor_run(c, page, out) == 0))
		return no_memory(id, err);
	*c_ret = TAKE_PTR(c);
	return 0;
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
#if WITH_LIBDEFLATE
	libdeflate_free_compressor(c->deflate);
#else
	if (c->zlib_ready)
		deflateEnd(&c->zlib);
#endif
#if WITH_LZO
	free(c->lzo_memory);
#endif
#if WITH_ZSTD
	ZSTD_freeCCtx(c->zstd);
#endif
	free(c);
}

size_t compressor_bound(const struct compressor *c)
{
	return c->bound;
}

size_t compressor_run(struct compressor *c, const uint8_t *page, uint8_t *out)
{
	size_t size = 0;

	switch (c->id) {
	case CODEC_ZLIB:
		size = zlib_run(c, page, out);
		break;
	case CODEC_LZO:
		size = lzo_run(c, page, out);
		break;
	case CODEC_SNAPPY:
		size = snappy_run(c, page, out);
		break;
	case CODEC_ZSTD:
		size = zstd_run(c, page, out);
		break;
	case CODEC_NONE:
	case CODEC_COUNT:
		break;
	}
	return size < c->page_bytes ? size : 0;
}

int decompressor_new(struct decompressor **d_ret, struct error *err)
{
	AUTO(decompressor_free) struct decompressor *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(err, -ENOMEM, "out of memory for the decompressor");
#if WITH_LIBDEFLATE
	d->deflate = libdeflate_alloc_decompressor();
	if (!d->deflate)
		return no_memory(CODEC_ZLIB, err);
#endif
#if WITH_ZSTD
	d->zstd = ZSTD_createDCtx();
	if (!d->zstd)
		return no_memory(CODEC_ZSTD, err);
#endif
#if WITH_LZO
	if (lzo_init() != LZO_E_OK)
		return error_set(err, -ENOTSUP, "lzo: the library doesn't fit its header");
#endif
	*d_ret = TAKE_PTR(d);
	return 0;
}

void decompressor_free(struct decompressor *d)
{
	if (!d)
		return;
#if WITH_LIBDEFLATE
	libdeflate_free_decompressor(d->deflate);
#endif
#if WITH_ZSTD
	ZSTD_freeDCtx(d->zstd);
#endif
	free(d);
}

static bool unzlib(struct decompressor *d UNUSED, const uint8_t *in, size_t in_bytes, uint8_t *page,
		   size_t page_bytes)
{
#if WITH_LIBDEFLATE
	return libdeflate_zlib_decompress(d->deflate, in, in_bytes, page, page_bytes, NULL) ==
	       LIBDEFLATE_SUCCESS;
#else
	uLongf size = page_bytes;

	return uncompress(page, &size, in, in_bytes) == Z_OK && size == page_bytes;
#endif
}

static bool unlzo(const uint8_t *in UNUSED, size_t in_bytes UNUSED, uint8_t *page UNUSED,
		  size_t page_bytes UNUSED)
{
#if WITH_LZO
	lzo_uint size = page_bytes;

	return lzo1x_decompress_safe(in, in_bytes, page, &size, NULL) == LZO_E_OK &&
	       size == page_bytes;
#else
	return false;
#endif
}

static bool unsnappy(const uint8_t *in, size_t in_bytes, uint8_t *page, size_t page_bytes)
{
	size_t size = 0;

	return snappy_uncompressed_length((const char *)in, in_bytes, &size) == SNAPPY_OK &&
	       size == page_bytes &&
	       snappy_uncompress((const char *)in, in_bytes, (char *)page, &size) == SNAPPY_OK;
}

static bool unzstd(struct decompressor *d UNUSED, const uint8_t *in UNUSED, size_t in_bytes UNUSED,
		   uint8_t *page UNUSED, size_t page_bytes UNUSED)
{
#if WITH_ZSTD
	return ZSTD_decompressDCtx(d->zstd, page, page_bytes, in, in_bytes) == page_bytes;
#else
	return false;
#endif
}

int decompressor_run(struct decompressor *d, enum codec_id id, const uint8_t *payload,
		     size_t payload_bytes, uint8_t *page_ret, size_t page_bytes, struct error *err)
{
	bool ok = false;

	if (!codecs[id].built)
		return not_built(id, err);
	switch (id) {
	case CODEC_ZLIB:
		ok = unzlib(d, payload, payload_bytes, page_ret, page_bytes);
		break;
	case CODEC_LZO:
		ok = unlzo(payload, payload_bytes, page_ret, page_bytes);
		break;
	case CODEC_SNAPPY:
		ok = unsnappy(payload, payload_bytes, page_ret, page_bytes);
		break;
	case CODEC_ZSTD:
		ok = unzstd(d, payload, payload_bytes, page_ret, page_bytes);
		break;
	case CODEC_NONE:
		ok = payload_bytes == page_bytes;
		if (ok)
			memcpy(page_ret, payload, page_bytes);
		break;
	case CODEC_COUNT:
		break;
	}
	if (!ok)
		return error_set(err, -EBADMSG, "%s payload of %zu bytes is corrupt",
				 codecs[id].name, payload_bytes);
	return 0;
}
