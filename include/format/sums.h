/*
 * Sums of a file that is being written: CRC-32C of each chunk of it. Bytes may come in any order,
 * and may be taken out again when others replace them; bytes that never came count as zeros. The
 * sums take 256 KiB of memory, however long the file is: where there would be too many chunks, each
 * two become one.
 *
 * The file's first SUMS_HEAD_BYTES are a chunk of their own. They aren't in here: sums_file.c sums
 * them when they are final.
 */
#ifndef SUMS_H
#define SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum sums_kind {
	SUMS_NONE,
	SUMS_CRC32C,
	SUMS_SHA256, /* both */
};

enum {
	SUMS_HEAD_BYTES = 4096,
	SUMS_CHUNK_BYTES = 1 << 20, /* of a file up to 64 GiB */
	SUMS_CHUNKS_MAX = 65536,
};

/* As --sums names them: "none", "crc32c", "sha256", and NULL. */
extern const char *const sums_kind_names[];

struct sums;

/* Gives the sums of a file of zeros. Fails -ENOMEM. Takes all memory that the sums will need. */
NODISCARD int sums_new(struct sums **s_ret, struct error *err);
void sums_free(struct sums *s);
DEFINE_AUTO(struct sums, sums_free)

/*
 * Bytes of the file that are zeros become `bytes`; or the reverse, which is the same operation:
 * bytes that are `bytes` become zeros. `off` is SUMS_HEAD_BYTES or more, the end is below 2^63.
 */
void sums_turn(struct sums *s, uint64_t off, const void *bytes, size_t size_bytes);

/* The file may become `end` bytes long: its chunks are made long enough for it. */
void sums_reach(struct sums *s, uint64_t end);

/* The present length of a chunk: a power of two. */
uint64_t sums_chunk_bytes(const struct sums *s);

/* The CRC-32C of the part of a file that begins at `begin`, a multiple of sums_chunk_bytes() or
 * SUMS_HEAD_BYTES, and goes to the chunk's end or to `end`, where the file ends. Bytes beyond
 * sums_reach() can't be asked for. */
uint32_t sums_of(const struct sums *s, uint64_t begin, uint64_t end);

#endif
