/*
 * Limits of how often an event may happen for each of many keys: so many at once, and then so many
 * in a time. Does no input or output.
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
	uint64_t credit;	  /* thousandths of an event that may happen */
	uint64_t at_ms;		  /* when `credit` was right */
	uint64_t asked_ms;	  /* when the key was last asked for */
	unsigned left_out;	  /* events that were refused and not yet told to the operator */
	uint64_t left_ms;	  /* when the first of these was */
};

struct rates {
	struct rate *items;
	size_t room;
	unsigned burst;		 /* events at once */
	unsigned per_kilosecond; /* after that, events in 1000 s */
};

/* For `room` keys at a time: where there are more, the key that was asked for longest ago is
 * forgotten. */
NODISCARD int rates_init(struct rates *r, size_t room, unsigned burst, unsigned per_kilosecond,
			 struct error *err);
void rates_deinit(struct rates *r);

/* Whether the event may happen once more for `key`. If so, *left_out_ret is the number of refused
 * events that weren't told before. */
bool rates_take(struct rates *r, const char *key, uint64_t now_ms, unsigned *left_out_ret);

/* A key whose refused events weren't told for `age_ms`: returns the key (good until the next call)
 * and how many they are, which count as told now. NULL: there is none. */
const char *rates_owed(struct rates *r, uint64_t now_ms, uint64_t age_ms, unsigned *left_out_ret);

#endif
