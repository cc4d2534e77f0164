/*
 * FILE.sums, a text: what the bytes of FILE are, chunk by chunk. docs/FORMAT.md, "Sums beside a
 * dump".
 */
#ifndef SUMS_TEXT_H
#define SUMS_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/digest.h"
#include "base/error.h"

#define SUMS_TEXT_FIRST_LINE "vmsend sums 1\n"

/* A chunk, and its sums. */
struct sums_line {
	uint64_t off, size_bytes; /* > 0 */
	uint32_t crc32c;
	bool has_sha256;
	uint8_t sha256[DIGEST_BYTES];
};

/* A text that is being written. */
struct sums_text {
	FILE *to; /* borrowed */
	uint32_t crc32c;
};

/* The order of calls is begin, line …, end. The caller finds failures to write by ferror(). */
void sums_text_begin(struct sums_text *text, FILE *to, uint64_t file_bytes);
void sums_text_line(struct sums_text *text, const struct sums_line *line);
void sums_text_end(struct sums_text *text);

/* Called for each line in turn. A failure, with *err set, ends the reading. */
typedef int sums_line_fn(void *ctx, const struct sums_line *line, struct error *err);

/*
 * Read a text from its beginning. `fn` may be NULL; then the text is only checked. It is right if
 * its lines have every byte of a file of *file_bytes_ret bytes, in order, and its last line has
 * their CRC. Fails -EBADMSG, saying which line is wrong, or with the error of the system or of
 * `fn`.
 */
NODISCARD int sums_text_read(FILE *from, sums_line_fn *fn, void *ctx, uint64_t *file_bytes_ret,
			     struct error *err);

#endif
