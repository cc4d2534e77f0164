/* Whether a dump file is what was written, by the sums beside it. docs/FORMAT.md, "Sums beside a
 * dump". */
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
	SUMS_DIFFER,   /* the file isn't what was written: `bad` */
	SUMS_UNUSABLE, /* they are damaged, or of another file: `why`. That says nothing of this one
			*/
};

struct sums_check {
	enum sums_state state;
	char *path;			 /* of the sums; NULL: there are none */
	bool sha256;			 /* else CRC-32C alone */
	uint64_t file_bytes, sums_bytes; /* how long the file is, and was when it was summed */

	/* Chunks that differ: how many, and the first of them, in order. */
	uint64_t bad_count;
	struct sums_chunk {
		uint64_t off, size_bytes;
	} bad[SUMS_CHECK_KEPT];
	struct error why;
};

/*
 * Look for the sums of `path` and hold them against it: PATH.sums, or PATH.part.sums where neither
 * that nor PATH.part is there (their writer was stopped between the two names). The incomplete bit
 * of a PATH.part may be there or not. Fails with what the system says of either file.
 */
NODISCARD int sums_check_file(const char *path, struct sums_check *check_ret, struct error *err);
void sums_check_deinit(struct sums_check *check);

#endif
