/* Signals.
 * Doesn't know what they end. */
#include "receiver/intake/stop.h"

#include <stdbool.h>

#include "base/compiler.h"

static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
static volatile sig_atomic_t received, reload;
static bool hangup_reloads;

static void on_stop(int number)
{
	received = number;
}

static void on_reload(int number UNUSED)
{
	reload = 1;
}

void stop_catch(sigset_t *while_waiting_ret)
{
	struct sigaction action = {.sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND};
	sigset_t blocked;

	sigemptyset(&blocked);
	sigprocmask(SIG_BLOCK, NULL, while_waiting_ret);
	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		struct sigaction old;

		/* nohup's ignored SIGHUP stays ignored. */
		if (sigaction(stops[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(stops[i], &action, NULL);
		sigaddset(&blocked, stops[i]);
		sigdelset(while_waiting_ret, stops[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), not our end */
	signal(SIGPIPE, SIG_IGN); /* and so is a link that is gone */
}

void stop_catch_reload(sigset_t *while_waiting)
{
	struct sigaction action = {.sa_handler = on_reload};
	sigset_t blocked;

	hangup_reloads = true;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigdelset(while_waiting, SIGHUP);
}

bool stop_reload_came(void)
{
	const bool came = reload;

	reload = 0;
	return came;
}

int stop_signal(void)
{
	sigset_t pending;

	/* One that waits for us to wait. */
	if (!received && sigpending(&pending) == 0)
		for (size_t i = 0; i < ARRAY_LEN(stops) && !received; i++)
			if (sigismember(&pending, stops[i]) &&
			    !(hangup_reloads && stops[i] == SIGHUP))
				received = stops[i];
	return received;
}
