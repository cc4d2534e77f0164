/*
 * The time by which ages are reckoned. A clock that steps by a year must not make all dumps old. So
 * the time of each look at the store is kept in DIR/.vmrecv/clock: where the clock has stepped back
 * since, or forward by more than a collector ever rests, the days of all dumps begin anew.
 */
#ifndef RECKONING_H
#define RECKONING_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds since 1970. */
struct reckoning {
	int64_t seen_s; /* the last look at the store; 0: none is known */
	int64_t even_s; /* since then the clock has gone on evenly; 0: as far as is known */
};

/*
 * Another look. Returns whether the clock has stepped. A step counts if it is longer than two days
 * and than a quarter of `keep_days` (0: no rule goes by days), or goes back by more than an hour.
 */
bool reckoning_look(struct reckoning *r, int64_t now_s, unsigned keep_days);

/* Read it: all 0 where nothing is there, or nothing that can be right. `dir_fd` is DIR/.vmrecv. */
void reckoning_read(int dir_fd, struct reckoning *r_ret);

/* Write it, whole or not at all: 0 or -errno. */
int reckoning_write(int dir_fd, const struct reckoning *r);

#endif
