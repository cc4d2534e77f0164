/* What the assembler makes of a stream, in the scratch file "dump". */
#ifndef TESTS_OUTCOME_H
#define TESTS_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "receiver/assemble/assemble.h"
#include "tests/lib/tinydump.h"

extern const struct assemble_limits no_limits;

struct outcome {
	int code;
	struct error err;
	struct assemble_result res;
};

/* Feed the stream in pieces of `step` bytes (0: of all sizes), until it fails or ends. */
struct outcome outcome_of(const struct stream *s, size_t step,
			  const struct assemble_limits *limits);

void assert_published(const struct outcome *out, const struct tinydump *t);

/*
 * FILE.part alone is left, and marked; if its bitmaps came, every descriptor either leads to a
 * right page or is zero, and the result counts them.
 */
void assert_mended(const struct outcome *out, const struct tinydump *t);

#endif
