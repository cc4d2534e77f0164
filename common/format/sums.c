/* CRC-32C of the chunks of a file.
 * Doesn't know the file, nor how sums are written down. */
#include "format/sums.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

struct sums {
	uint64_t chunk_bytes;

	/* Bare, of whole chunks: what a file lacks at its end counts as zeros. */
	uint32_t chunks[SUMS_CHUNKS_MAX];
};

const char *const sums_kind_names[] = {
	[SUMS_NONE] = "none",
	[SUMS_CRC32C] = "crc32c",
	[SUMS_SHA256] = "sha256",
	NULL,
};

int sums_new(struct sums **s_ret, struct error *err)
{
	struct sums *s = calloc(1, sizeof(*s));

	if (!s)
		return error_set(err, -ENOMEM, "out of memory for sums");
	s->chunk_bytes = SUMS_CHUNK_BYTES;
	*s_ret = s;
	return 0;
}

void sums_free(struct sums *s)
{
	free(s);
}

uint64_t sums_chunk_bytes(const struct sums *s)
{
	return s->chunk_bytes;
}

/* Each two chunks become one. */
static void make_chunks_longer(struct sums *s)
{
	for (size_t i = 0; i < SUMS_CHUNKS_MAX / 2; i++)
		s->chunks[i] = crc32c_shift(s->chunks[2 * i], (int64_t)s->chunk_bytes) ^
			       s->chunks[2 * i + 1];
	memset(s->chunks + SUMS_CHUNKS_MAX / 2, 0, sizeof(s->chunks) / 2);
	s->chunk_bytes *= 2;
}

void sums_reach(struct sums *s, uint64_t end)
{
	while (end && (end - 1) / s->chunk_bytes >= SUMS_CHUNKS_MAX)
		make_chunks_longer(s);
}

void sums_turn(struct sums *s, uint64_t off, const void *bytes, size_t size_bytes)
{
	const uint8_t *p = bytes;

	assert(off >= SUMS_HEAD_BYTES);
	sums_reach(s, off + size_bytes);
	while (size_bytes) {
		const uint64_t left = s->chunk_bytes - off % s->chunk_bytes;
		const size_t n = (size_t)MIN(size_bytes, left);

		s->chunks[off / s->chunk_bytes] ^=
			crc32c_shift(crc32c_bare(p, n), (int64_t)(left - n));
		off += n;
		p += n;
		size_bytes -= n;
	}
}

uint32_t sums_of(const struct sums *s, uint64_t begin, uint64_t end)
{
	const uint64_t i = begin / s->chunk_bytes, chunk_end = (i + 1) * s->chunk_bytes;

	assert(i < SUMS_CHUNKS_MAX);
	end = MIN(end, chunk_end);
	return crc32c_of_bare(crc32c_shift(s->chunks[i], -(int64_t)(chunk_end - end)), end - begin);
}
