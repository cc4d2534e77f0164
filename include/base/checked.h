/*
 * Arithmetic on values that nobody vouches for: ckd_add(&sum, a, b) stores the wrapped result and
 * says whether it overflowed. The names are C23's. Header-only.
 */
#ifndef CHECKED_H
#define CHECKED_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include(<stdckdint.h>)
#include <stdckdint.h>
#endif
#endif
#ifndef ckd_add
#define ckd_add(r, a, b) __builtin_add_overflow((a), (b), (r))
#define ckd_sub(r, a, b) __builtin_sub_overflow((a), (b), (r))
#define ckd_mul(r, a, b) __builtin_mul_overflow((a), (b), (r))
#endif

/* n units of `unit`, rounded up; never overflows. `unit` is not 0. */
static inline uint64_t div_round_up(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit != 0);
}

/* Round up to a multiple of `unit`: false if the result doesn't fit 64 bits. `unit` is not 0. */
static inline bool round_up_checked(uint64_t n, uint64_t unit, uint64_t *result_ret)
{
	return !ckd_mul(result_ret, div_round_up(n, unit), unit);
}

#endif
