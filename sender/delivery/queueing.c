/* Waiting in a server's queue.
 * Doesn't know the server, nor who is told. */
#include "sender/delivery/queueing.h"

#include <errno.h>
#include <inttypes.h>

enum {
	TELL_AGAIN_MS = 60000, /* doubled each time */
	LAST_PLACES = 3,
};

void queueing_begin(struct queueing *q, uint64_t stall_ms, uint64_t total_ms, uint64_t now_ms)
{
	*q = (struct queueing){
		.stall_ms = stall_ms,
		.total_ms = total_ms,
		.begun_ms = now_ms,
		.moved_ms = now_ms,
		.best = UINT32_MAX,
		.tell_again_ms = TELL_AGAIN_MS,
	};
}

bool queueing_tells(struct queueing *q, uint32_t place, uint64_t now_ms)
{
	const bool due = now_ms - q->told_ms >= q->tell_again_ms;

	if (place < q->best) {
		q->best = place;
		q->moved_ms = now_ms;
	}
	if (q->has_told && !due &&
	    (place >= q->told || (place > q->told / 2 && place > LAST_PLACES)))
		return false;
	if (q->has_told && due)
		q->tell_again_ms *= 2;
	q->has_told = true;
	q->told = place;
	q->told_ms = now_ms;
	return true;
}

int queueing_check(const struct queueing *q, uint64_t now_ms, bool *over_ret, struct error *err)
{
	*over_ret = q->total_ms && now_ms - q->begun_ms >= q->total_ms;
	if (*over_ret)
		return error_set(err, -ETIMEDOUT, "no place in it within --queue-time");
	if (q->stall_ms && now_ms - q->moved_ms >= q->stall_ms)
		return error_set(err, -ETIMEDOUT, "its queue didn't get shorter for %" PRIu64 " s",
				 q->stall_ms / 1000);
	return 0;
}
