/*
 * For LD_PRELOAD: the time of day as a crash kernel without a clock has it. CLOCK_NOW: seconds
 * since 1970, where it stands still. Other clocks go on.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static time_t now(void)
{
	const char *text = getenv("CLOCK_NOW");

	return text ? (time_t)strtoll(text, NULL, 10) : 0;
}

time_t time(time_t *t_ret)
{
	if (t_ret)
		*t_ret = now();
	return now();
}

int clock_gettime(clockid_t id, struct timespec *t_ret)
{
	if (id != CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, t_ret);
	*t_ret = (struct timespec){.tv_sec = now()};
	return 0;
}

int gettimeofday(struct timeval *restrict t_ret, void *restrict zone __attribute__((unused)))
{
	*t_ret = (struct timeval){.tv_sec = now()};
	return 0;
}
