/* Whether a dump file still has the bytes that were written, by the sums beside it. docs/FORMAT.md,
 * "Sums beside a dump". */
#ifndef SUMS_CHECK_H
#define SUMS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { SUMS_CHECK_KEPT = 8 };

enum sums_state {
	SUMS_ABSENT,
	SUMS_FIT,
	SUMS_DIFFER,   /* the file has other bytes than were written: `bad` */
	SUMS_UNUSABLE, /* the sums are damaged, or of another file: `why`. They say nothing of this
			  file */
};

struct sums_check {
	enum sums_state state;
	char *path;			 /* of the sums; NULL: there are none */
	bool sha256;			 /* of all bytes; else CRC-32C alone */
	uint64_t file_bytes, sums_bytes; /* the file's length now, and its length when it was
					    summed */

	/* Chunks that differ: their number, and the first of them, in order. */
	uint64_t bad_count;
	struct sums_chunk {
		uint64_t off, size_bytes;
	} bad[SUMS_CHECK_KEPT];
	struct error why;
};

/*
 * Find the sums of `path` and compare them with it. They are PATH.sums, or PATH.part.sums where
 * neither PATH.sums nor PATH.part is there (their writer was stopped between the two renames). The
 * incomplete bit of a PATH.part may be set or not. The work depends on the bytes on the disk: where
 * a file has far more bytes of holes than of data, its holes are checked by their CRC alone. Fails
 * with the system's error for either file.
 */
NODISCARD int sums_check_file(const char *path, struct sums_check *check_ret, struct error *err);
void sums_check_deinit(struct sums_check *check);

#endif
