/* A clock that only goes forward. Header-only. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since some time in the past. */
static inline uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The milliseconds that are left until `until_ms`, but at most `most`; 0 once that time is over. */
static inline int clock_left_ms(uint64_t until_ms, int most)
{
	const uint64_t now_ms = clock_ms();

	if (now_ms >= until_ms)
		return 0;
	return until_ms - now_ms < (uint64_t)most ? (int)(until_ms - now_ms) : most;
}

#endif
