/* sender/machine/entropy.h: random numbers are waited for as long as was asked, while a thread
 * makes the kernel gather them. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/random.h>
#include <unistd.h>

#include "sender/machine/entropy.h"

/* Ours takes the place of the library's: there are none until so many have asked without waiting.
 */
static atomic_int missing, waiting;

ssize_t getrandom(void *buf, size_t size_bytes, unsigned flags)
{
	if (!(flags & GRND_NONBLOCK)) {
		atomic_fetch_add(&waiting, 1);
		while (atomic_load(&missing) > 0)
			usleep(1000);
		atomic_fetch_sub(&waiting, 1);
	} else if (atomic_load(&missing) > 0) {
		atomic_fetch_sub(&missing, 1);
		errno = EAGAIN;
		return -1;
	}
	for (size_t i = 0; i < size_bytes; i++)
		((char *)buf)[i] = 1;
	return (ssize_t)size_bytes;
}

static int asked;

static bool yes_the_third_time(void)
{
	return ++asked == 3;
}

static void test_there(void **state UNUSED)
{
	struct error err;

	assert_int_equal(entropy_await(0, &(struct stop){0}, &err), 0);
	assert_int_equal(waiting, 0);
}

static void test_later(void **state UNUSED)
{
	struct error err;

	missing = 4;
	assert_false(entropy_is_there());
	assert_int_equal(entropy_await(60000, &(struct stop){0}, &err), 0);
}

static void test_never(void **state UNUSED)
{
	struct error err;

	missing = 1000000;
	assert_int_equal(entropy_await(300, &(struct stop){0}, &err), -ETIMEDOUT);
	assert_string_equal(err.msg, "the kernel has no random numbers so far");
	asked = 0;
	assert_int_equal(
		entropy_await(60000, &(struct stop){.signalled = yes_the_third_time}, &err),
		-ECANCELED);
	for (int i = 0; i < 60000 && !waiting; i++)
		usleep(1000);
	assert_int_equal(waiting, 1); /* of two calls */
	missing = 0;
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "entropy_await: waits for nothing that is there", test_there, NULL);
	unit_add(&u, "entropy_await: waits for what comes", test_later, NULL);
	unit_add(&u, "entropy_await: ends by time and by signal, with one thread", test_never,
		 NULL);
	return unit_run(&u, "entropy", argc, argv);
}
