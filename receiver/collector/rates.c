/* Limits of how often an event may happen.
 * Doesn't know what the event is. */
#include "receiver/collector/rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ONE = 1000 }; /* an event, in units of `credit` */

int rates_init(struct rates *r, size_t room, unsigned burst, unsigned per_kilosecond,
	       struct error *err)
{
	*r = (struct rates){.room = room, .burst = burst, .per_kilosecond = per_kilosecond};
	r->items = calloc(room, sizeof(*r->items));
	return r->items ? 0 : error_set(err, -ENOMEM, "out of memory for limits");
}

void rates_deinit(struct rates *r)
{
	free(r->items);
	*r = (struct rates){0};
}

/* The key's rate, or else a free one, or the one that was asked for longest ago. */
static struct rate *find(struct rates *r, const char *key, uint64_t now_ms)
{
	struct rate *other = &r->items[0];

	for (size_t i = 0; i < r->room; i++) {
		struct rate *rate = &r->items[i];

		if (strcmp(rate->key, key) == 0)
			return rate;
		if (*other->key && (!*rate->key || rate->asked_ms < other->asked_ms))
			other = rate;
	}
	*other = (struct rate){.credit = (uint64_t)r->burst * ONE, .at_ms = now_ms};
	snprintf(other->key, sizeof(other->key), "%s", key);
	return other;
}

bool rates_take(struct rates *r, const char *key, uint64_t now_ms, unsigned *left_out_ret)
{
	struct rate *rate = find(r, key, now_ms);
	const uint64_t most = (uint64_t)r->burst * ONE;
	const uint64_t ms = MIN(now_ms - rate->at_ms, (uint64_t)1000000000);

	rate->asked_ms = now_ms;
	/* N events in 1000 s are N thousandths of an event in a second. */
	rate->credit = MIN(most, rate->credit + ms * r->per_kilosecond / 1000);
	/* The time for less than a thousandth isn't lost. */
	rate->at_ms += ms * r->per_kilosecond >= 1000 || rate->credit == most ? ms : 0;
	if (rate->credit < ONE) {
		rate->left_ms = rate->left_out ? rate->left_ms : now_ms;
		rate->left_out++;
		return false;
	}
	rate->credit -= ONE;
	*left_out_ret = rate->left_out;
	rate->left_out = 0;
	return true;
}

const char *rates_owed(struct rates *r, uint64_t now_ms, uint64_t age_ms, unsigned *left_out_ret)
{
	for (size_t i = 0; i < r->room; i++) {
		struct rate *rate = &r->items[i];

		if (!rate->left_out || now_ms - rate->left_ms < age_ms)
			continue;
		*left_out_ret = rate->left_out;
		rate->left_out = 0;
		return rate->key;
	}
	return NULL;
}
