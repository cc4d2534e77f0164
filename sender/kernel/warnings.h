/* Lines for the operator from code that doesn't print itself: what it found odd, and what it did
 * instead. */
#ifndef WARNINGS_H
#define WARNINGS_H

#include <stddef.h>

#include "base/compiler.h"

enum {
	REMARKS_MAX =
		16, /* more are not kept: what is odd in so many ways has been said enough of */
	REMARK_BYTES = 240,
};

struct warnings {
	char line[REMARKS_MAX][REMARK_BYTES];
	size_t count;
};

/* Add a line, without the final newline. */
void remark(struct warnings *warnings, const char *fmt, ...) PRINTF(2, 3);

/* Add to the last line what follows from it; a line of its own where there is none, or no room. */
void warn_also(struct warnings *warnings, const char *fmt, ...) PRINTF(2, 3);

#endif
