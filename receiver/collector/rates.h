/*
 * How often something may happen for each of many: so many at once, and then so many a second.
 * Does no input or output.
 */
#ifndef RATES_H
#define RATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hostname.h"

struct rate {
	char key[HOST_NAME_ROOM]; /* "": free */
	uint64_t credit;	  /* thousandths of one that may happen */
	uint64_t at_ms;		  /* when that was so */
	uint64_t asked_ms;	  /* last */
	unsigned left_out;	  /* that were refused, and that nobody has told of so far */
	uint64_t left_ms;	  /* when the first of them was */
};

struct rates {
	struct rate *items;
	size_t room;
	unsigned burst;		 /* at once */
	unsigned per_kilosecond; /* and then */
};

/* For `room` keys at a time: of more, who was asked for longest ago is forgotten. */
NODISCARD int rates_init(struct rates *r, size_t room, unsigned burst, unsigned per_kilosecond,
			 struct error *err);
void rates_deinit(struct rates *r);

/* Whether it may happen once more for `key`. If so, *left_out_ret is how often it didn't, if that
 * was not told before. */
bool rates_take(struct rates *r, const char *key, uint64_t now_ms, unsigned *left_out_ret);

/* Somebody for whom things were left out `age_ms` ago, which nobody was told: its key (good until
 * the next call) and how many, which are told now; NULL: nobody. */
const char *rates_owed(struct rates *r, uint64_t now_ms, uint64_t age_ms, unsigned *left_out_ret);

#endif
