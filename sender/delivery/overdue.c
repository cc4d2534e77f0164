/* Answers that are owed, and bytes that are to be taken.
 * Doesn't know frames, nor the link. */
#include "sender/delivery/overdue.h"

#include <errno.h>
#include <inttypes.h>

void overdue_init(struct overdue *o, uint64_t limit_ms, uint64_t least_bytes_per_s)
{
	*o = (struct overdue){.limit_ms = limit_ms, .least_bytes_per_s = least_bytes_per_s};
}

static void look_whether_gone(struct overdue *o, uint64_t now_ms)
{
	if (o->owed && !o->owed_since_ms && o->sent_bytes >= o->owed_off)
		o->owed_since_ms = now_ms;
}

void overdue_owe(struct overdue *o, const char *what, size_t waiting_bytes, uint64_t more_ms)
{
	o->owed = what;
	o->owed_off = o->sent_bytes + waiting_bytes;
	o->owed_since_ms = 0;
	o->more_ms = more_ms;
}

void overdue_paid(struct overdue *o)
{
	o->owed = NULL;
	o->owed_since_ms = 0;
}

void overdue_sent(struct overdue *o, size_t size_bytes, size_t waiting_bytes, uint64_t now_ms)
{
	o->sent_bytes += size_bytes;
	o->window_bytes += size_bytes;
	if (!waiting_bytes)
		o->window_ms = 0;
	look_whether_gone(o, now_ms);
}

/*
 * In each window of the limit's length some bytes have to go out, or a receiver that takes one now
 * and then would be waited for as long as it likes. A window begins where something waits: a sender
 * that is slow itself isn't kept by anybody.
 */
static int check_taking(struct overdue *o, size_t waiting_bytes, uint64_t now_ms, struct error *err)
{
	if (!waiting_bytes) {
		o->window_ms = 0;
		return 0;
	}
	if (o->window_ms && now_ms - o->window_ms < o->limit_ms)
		return 0;
	if (o->window_ms && o->window_bytes < o->least_bytes_per_s * o->limit_ms / 1000)
		return error_set(err, -ETIMEDOUT,
				 "the receiver has taken %" PRIu64 " bytes in %" PRIu64 " s",
				 o->window_bytes, o->limit_ms / 1000);
	o->window_ms = now_ms;
	o->window_bytes = 0;
	return 0;
}

int overdue_check(struct overdue *o, size_t waiting_bytes, uint64_t now_ms, struct error *err)
{
	const uint64_t limit_ms = o->limit_ms + o->more_ms;

	if (!o->limit_ms)
		return 0;
	look_whether_gone(o, now_ms);
	if (o->owed_since_ms && now_ms - o->owed_since_ms >= limit_ms)
		return error_set(err, -ETIMEDOUT,
				 "the receiver shows signs of life, but no %s came for %" PRIu64
				 " s",
				 o->owed, limit_ms / 1000);
	return check_taking(o, waiting_bytes, now_ms, err);
}

uint64_t overdue_next_ms(const struct overdue *o)
{
	uint64_t next_ms = UINT64_MAX;

	if (o->limit_ms && o->owed_since_ms)
		next_ms = o->owed_since_ms + o->limit_ms + o->more_ms;
	if (o->limit_ms && o->window_ms && o->window_ms + o->limit_ms < next_ms)
		next_ms = o->window_ms + o->limit_ms;
	return next_ms;
}
