/* sender/machine/watchdog.h: a watchdog is fed in time, not more often, by any thread, and never
 * stopped. A terminal takes the place of the device. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "sender/machine/watchdog.h"

/* Ours takes the place of the library's: time passes when a test says so, on a busy machine, too.
 */
static _Atomic time_t clock_s = 1000;

int clock_gettime(clockid_t clock UNUSED, struct timespec *now)
{
	*now = (struct timespec){.tv_sec = atomic_load(&clock_s)};
	return 0;
}

static int device = -1; /* what was written comes out here */
static char path[64];

static void open_device(void)
{
	struct termios mode;
	int end;

	assert_int_equal(openpty(&device, &end, path, NULL, NULL), 0);
	assert_int_equal(tcgetattr(end, &mode), 0);
	cfmakeraw(&mode);
	assert_int_equal(tcsetattr(end, TCSANOW, &mode), 0);
	assert_int_equal(fcntl(device, F_SETFL, O_NONBLOCK), 0);
	/* `end` stays open: without it what was written is gone. */
}

static size_t feeds(void)
{
	char bytes[256];
	const ssize_t n = read(device, bytes, sizeof(bytes));

	if (n <= 0)
		return 0;
	assert_null(memchr(bytes, 'V', (size_t)n));
	return (size_t)n;
}

static struct watchdog *open_watchdog(void)
{
	struct watchdog *w;
	struct error err;

	open_device();
	assert_int_equal(watchdog_new(path, &w, &err), 0);
	assert_int_equal(feeds(), 1);
	return w;
}

static void test_interval(void **state UNUSED)
{
	struct watchdog *w = open_watchdog();

	for (int i = 0; i < 1000; i++)
		watchdog_feed(w);
	assert_int_equal(feeds(), 0);
	for (size_t i = 0; i < 3; i++) {
		clock_s += 5;
		for (int k = 0; k < 1000; k++)
			watchdog_feed(w);
		assert_int_equal(feeds(), 1);
	}
	assert_int_equal(watchdog_timeout_s(w), 0); /* a terminal doesn't say */
	watchdog_free(w);
	assert_int_equal(feeds(), 1);
}

static void *feed_often(void *w)
{
	for (int i = 0; i < 10000; i++)
		watchdog_feed(w);
	return NULL;
}

static void test_threads(void **state UNUSED)
{
	struct watchdog *w = open_watchdog();
	pthread_t threads[4];

	clock_s += 5;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, feed_often, w), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(feeds(), 1);
	watchdog_free(w);
}

static void test_none(void **state UNUSED)
{
	watchdog_feed(NULL);
	watchdog_free(NULL);
}

static void test_refused(void **state UNUSED)
{
	struct watchdog *w;
	struct error err;

	assert_int_equal(watchdog_new("/nonexistent/watchdog", &w, &err), -ENOENT);
	assert_string_equal(err.msg, "watchdog /nonexistent/watchdog: No such file or directory");
	assert_int_equal(watchdog_new("/proc/self/stat", &w, &err),
			 getuid() == 0 ? -EINVAL : -EACCES);
}

static void test_check(void **state UNUSED)
{
	struct error err;

	open_device();
	assert_int_equal(watchdog_check(path, &err), 0);
	assert_int_equal(feeds(), 0);
	assert_int_equal(watchdog_check("/", &err), -EINVAL);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "watchdog_feed: feeds when it is due", test_interval, NULL);
	unit_add(&u, "watchdog_feed: feeds once, whatever threads there are", test_threads, NULL);
	unit_add(&u, "watchdog_feed: minds no watchdog", test_none, NULL);
	unit_add(&u, "watchdog_new: refuses what is no device", test_refused, NULL);
	unit_add(&u, "watchdog_check: looks, and starts nothing", test_check, NULL);
	return unit_run(&u, "watchdog", argc, argv);
}
