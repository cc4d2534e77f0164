/* Waiting for random numbers with a limit.
 * Doesn't know what they are for. */
#include "sender/machine/entropy.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>

enum { STEP_MS = 100 }; /* how long a signal may go unnoticed */

bool entropy_is_there(void)
{
	char byte;

	return getrandom(&byte, 1, GRND_NONBLOCK) == 1;
}

/*
 * Since Linux 5.4 a call that waits makes the kernel gather randomness by timing itself: a poll()
 * would wait for nothing to happen. Source: drivers/char/random.c, try_to_generate_entropy().
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool running; /* a thread is: guarded by the lock */

static void *gather(void *unused UNUSED)
{
	char byte;

	(void)!getrandom(&byte, 1, 0);
	pthread_mutex_lock(&lock);
	running = false;
	pthread_mutex_unlock(&lock);
	return NULL;
}

/* Start a thread that nobody waits for. Without it only the kernel's interrupts gather
 * randomness. */
static void start_gathering(void)
{
	pthread_t thread;

	pthread_mutex_lock(&lock);
	if (!running && pthread_create(&thread, NULL, gather, NULL) == 0) {
		pthread_detach(thread);
		running = true;
	}
	pthread_mutex_unlock(&lock);
}

int entropy_await(int timeout_ms, const struct stop *stop, struct error *err)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000};

	if (entropy_is_there())
		return 0;
	start_gathering();
	for (int ms = 0; ms < timeout_ms; ms += STEP_MS) {
		if (stop_check(stop, err) < 0)
			return err->code;
		nanosleep(&step, NULL);
		if (entropy_is_there())
			return 0;
	}
	return error_set(err, -ETIMEDOUT, "the kernel has no random numbers so far");
}
