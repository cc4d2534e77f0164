/* Why work ends before it is done, in words.
 * Doesn't know signals, nor who set the deadline. */
#include "base/stop.h"

#include <errno.h>

int stop_check(const struct stop *stop, struct error *err)
{
	if (stop->signalled && stop->signalled())
		return error_set(err, -ECANCELED, "stopped by a signal");
	if (stop->deadline_ms && clock_ms() >= stop->deadline_ms)
		return error_set(err, -ETIME, "the deadline is over");
	return 0;
}
