/* Feeding a watchdog. Source: Linux Documentation/watchdog/watchdog-api.rst.
 * Doesn't know what counts as progress. */
#include "sender/machine/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	/* Feed it four times within the time-out, and at least every five seconds. */
	FEEDS = 4,
	INTERVAL_MAX_MS = 5000,
};

struct watchdog {
	int fd, timeout_s;
	int64_t interval_ms;
	pthread_mutex_t lock; /* guards fed_ms */
	int64_t fed_ms;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Any byte will do except 'V', which would stop it. */
static void feed(const struct watchdog *w)
{
	(void)!write(w->fd, "", 1);
}

int watchdog_check(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0 || access(path, W_OK) < 0)
		return error_sys(err, "watchdog %s", path);
	if (!S_ISCHR(st.st_mode))
		return error_set(err, -EINVAL, "watchdog %s: not a device", path);
	return 0;
}

int watchdog_new(const char *path, struct watchdog **w_ret, struct error *err)
{
	struct watchdog *w;
	int r = watchdog_check(path, err);

	if (r < 0)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return error_set(err, -ENOMEM, "watchdog %s: out of memory", path);
	w->fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (w->fd < 0) {
		r = error_sys(err, "watchdog %s", path);
		free(w);
		return r;
	}
	if (ioctl(w->fd, WDIOC_GETTIMEOUT, &w->timeout_s) < 0 || w->timeout_s < 0)
		w->timeout_s = 0;
	w->interval_ms =
		w->timeout_s ? MIN(w->timeout_s * INT64_C(1000) / FEEDS, (int64_t)INTERVAL_MAX_MS)
			     : INTERVAL_MAX_MS;
	pthread_mutex_init(&w->lock, NULL);
	w->fed_ms = now_ms();
	feed(w);
	*w_ret = w;
	return 0;
}

void watchdog_free(struct watchdog *w)
{
	if (!w)
		return;
	feed(w);
	close(w->fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void watchdog_feed(struct watchdog *w)
{
	int64_t now;

	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	now = now_ms();
	if (now - w->fed_ms >= w->interval_ms) {
		w->fed_ms = now;
		feed(w);
	}
	pthread_mutex_unlock(&w->lock);
}

int watchdog_timeout_s(const struct watchdog *w)
{
	return w->timeout_s;
}
