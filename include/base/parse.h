/* Numbers as people write them on command lines. */
#ifndef PARSE_H
#define PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A decimal number from min to max, nothing around it. Fails -EINVAL, saying what is accepted. */
NODISCARD int parse_number(const char *text, long long min, long long max, long long *number_ret,
			   struct error *err);

/* A size in bytes: a decimal number and, if any, K, M, G or T (powers of 1024). Fails -EINVAL. */
NODISCARD int parse_size(const char *text, uint64_t *bytes_ret, struct error *err);

/* A duration in milliseconds: a decimal number and s, m or h; without one, seconds. It may be added
 * to clock_ms(), however long it is. Fails -EINVAL. */
NODISCARD int parse_duration(const char *text, uint64_t *ms_ret, struct error *err);

/* One of `names`, which end with NULL, by its index. Fails -EINVAL, saying what there is. */
NODISCARD int parse_choice(const char *text, const char *const *names, unsigned *index_ret,
			   struct error *err);

/* "1.5 GiB", "640 B": for people, at most 12 characters. Returns `out`. */
const char *format_size(char *out, size_t out_bytes, uint64_t bytes);

/* "45 s", "3 min 20 s", "2 h 05 min". Returns `out`. */
const char *format_duration(char *out, size_t out_bytes, double seconds);

#endif
