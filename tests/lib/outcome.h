/* What the assembler makes of a stream, in the scratch file "dump". */
#ifndef TESTS_OUTCOME_H
#define TESTS_OUTCOME_H

#include <stddef.h>
#include <stdint.h>

#include "../../receiver/assemble.h"
#include "error.h"
#include "tinydump.h"

extern const struct assemble_limits no_limits;

struct outcome {
	int code;
	struct error err;
	struct assemble_result res;
};

/*
 * Take the stream in pieces of `step` bytes (0: of all sizes), until it fails or ends: what can be
 * moved by moving, then all by feeding, with the same result.
 */
struct outcome outcome_of(const struct stream *s, size_t step,
			  const struct assemble_limits *limits);

/* All by feeding, once. */
struct outcome outcome_of_feeding(const struct stream *s, size_t step,
				  const struct assemble_limits *limits);

/* How many bytes were moved so far, in all. */
extern uint64_t moved_bytes;

void assert_published(const struct outcome *out, const struct tinydump *t);

/*
 * FILE.part alone is left, and marked; if its bitmaps came, every descriptor either leads to a
 * right page or is zero, and the result counts them.
 */
void assert_mended(const struct outcome *out, const struct tinydump *t);

#endif
