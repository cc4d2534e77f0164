/* Page codecs by table: names, levels, flags, and who does the work.
 * Doesn't know the libraries (codec_NAME.c), nor of files, threads or options. */
#include "format/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/format/codec_ops.h"
#include "format/kdump.h"

/* IF(WITH_NAME, ops): a pointer to them, or NULL where the build leaves the library out. */
#define IF_1(ops)      &(ops)
#define IF_0(ops)      NULL
#define IF_(with, ops) IF_##with(ops)
#define IF(with, ops)  IF_(with, ops)

static const struct codec_info {
	const char *name;
	uint32_t kdump_flag;
	int level_min, level_max, level_default;
	const struct codec_ops *ops; /* NULL: not built, or pages stay raw */
} codecs[CODEC_COUNT] = {
	[CODEC_NONE] = {"none", 0, 0, 0, 0, NULL},
	/* Level 1, as makedumpfile: each further one costs more time than it saves on any link. */
	[CODEC_ZLIB] = {"zlib", KDUMP_ZLIB, 1, 9, 1, &codec_zlib},
	[CODEC_LZO] = {"lzo", KDUMP_LZO, 1, 1, 1, IF(WITH_LZO, codec_lzo)},
	[CODEC_SNAPPY] = {"snappy", KDUMP_SNAPPY, 1, 1, 1, &codec_snappy},
	/* Below -7 zstd is larger and slower than lzo; the highest ones take 100 MB a thread. */
	[CODEC_ZSTD] = {"zstd", KDUMP_ZSTD, -7, 19, 1, IF(WITH_ZSTD, codec_zstd)},
};

struct compressor {
	const struct codec_ops *ops; /* NULL: every page stays raw */
	void *state;
	size_t page_bytes, bound;
};

struct decompressor {
	void *state[CODEC_COUNT];
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

bool codec_is_built(enum codec_id id)
{
	return id == CODEC_NONE || codecs[id].ops;
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

int compressor_new(enum codec_id id, int level, size_t page_bytes, struct compressor **c_ret,
		   struct error *err)
{
	AUTO(compressor_free) struct compressor *c = NULL;
	AUTO_FREE uint8_t *page = NULL, *out = NULL;
	int r;

	if (!codec_is_built(id))
		return not_built(id, err);
	if (level < codecs[id].level_min || level > codecs[id].level_max)
		return error_set(err, -EINVAL, "%s has levels %d to %d, not %d", codecs[id].name,
				 codecs[id].level_min, codecs[id].level_max, level);
	c = calloc(1, sizeof(*c));
	if (!c)
		return no_memory(id, err);
	c->page_bytes = c->bound = page_bytes;
	if (codecs[id].ops) {
		r = codecs[id].ops->compress_new(level, page_bytes, &c->state, &c->bound, err);
		if (r < 0)
			return r;
		c->ops = codecs[id].ops;
	}
	/* zstd takes its tables at the first page: take them now, so that the page loop never
	 * fails. */
	page = calloc(1, page_bytes);
	out = malloc(c->bound);
	if (!page || !out || (c->ops && compressor_run(c, page, out) == 0))
		return no_memory(id, err);
	*c_ret = TAKE_PTR(c);
	return 0;
}

void compressor_free(struct compressor *c)
{
	if (c && c->state)
		c->ops->compress_free(c->state);
	free(c);
}

size_t compressor_bound(const struct compressor *c)
{
	return c->bound;
}

size_t compressor_run(struct compressor *c, const uint8_t *page, uint8_t *out)
{
	size_t size;

	if (!c->ops)
		return 0;
	size = c->ops->compress(c->state, page, c->page_bytes, out, c->bound);
	return size < c->page_bytes ? size : 0;
}

int decompressor_new(struct decompressor **d_ret, struct error *err)
{
	AUTO(decompressor_free) struct decompressor *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(err, -ENOMEM, "out of memory for the decompressor");
	for (enum codec_id id = 0; id < CODEC_COUNT; id++) {
		const struct codec_ops *ops = codecs[id].ops;
		const int r =
			ops && ops->decompress_new ? ops->decompress_new(&d->state[id], err) : 0;

		if (r < 0)
			return r;
	}
	*d_ret = TAKE_PTR(d);
	return 0;
}

void decompressor_free(struct decompressor *d)
{
	for (enum codec_id id = 0; d && id < CODEC_COUNT; id++)
		if (d->state[id])
			codecs[id].ops->decompress_free(d->state[id]);
	free(d);
}

int decompressor_run(struct decompressor *d, enum codec_id id, const uint8_t *payload,
		     size_t payload_bytes, uint8_t *page_ret, size_t page_bytes, struct error *err)
{
	const struct codec_ops *ops = codecs[id].ops;
	bool ok;

	if (!codec_is_built(id))
		return not_built(id, err);
	if (ops) {
		ok = ops->decompress(d->state[id], payload, payload_bytes, page_ret, page_bytes);
	} else {
		ok = payload_bytes == page_bytes;
		if (ok)
			memcpy(page_ret, payload, page_bytes);
	}
	if (!ok)
		return error_set(err, -EBADMSG, "%s payload of %zu bytes is corrupt",
				 codecs[id].name, payload_bytes);
	return 0;
}
