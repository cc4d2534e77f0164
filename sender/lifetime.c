/* Signals, the deadline, the watchdog, the OOM killer.
 * Doesn't know what is being done meanwhile. */
#include "sender/lifetime.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "sender/machine/watchdog.h"
#include "sender/options.h"

enum { GRACE_S = 30 }; /* after the deadline: the time for ending the session in order */

static volatile sig_atomic_t stop_signal;
static uint64_t deadline_ms;
static struct watchdog *watchdog;

static void on_signal(int signal_number)
{
	stop_signal = signal_number;
}

/* Stuck where nobody asks about the deadline: in a write to a pipe that nobody reads, say. */
static void on_alarm(int signal_number UNUSED)
{
	static const char line[] = "vmsend: stuck, and the deadline is long over\n";

	log_in_handler(line, sizeof(line) - 1);
	_exit(EXIT_TRANSPORT);
}

/* A report asks nobody whether it is time to stop. */
static void on_report_alarm(int signal_number UNUSED)
{
	static const char line[] = "vmsend: the deadline is over\n";

	log_in_handler(line, sizeof(line) - 1);
	_exit(EXIT_FAILED);
}

static void set_deadline(uint64_t ms, bool keeps_something)
{
	const struct sigaction late = {.sa_handler = keeps_something ? on_alarm : on_report_alarm};
	const uint64_t s = ms / 1000 + (keeps_something ? GRACE_S : 0);

	deadline_ms = clock_ms() + ms;
	sigaction(SIGALRM, &late, NULL);
	alarm((unsigned)MIN(s, (uint64_t)INT_MAX));
}

/* A signal ends the dump at the next chunk, so that what there is stays usable; a broken pipe and a
 * file size limit are write errors. */
static void set_signals(bool keeps_something)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	/* A report has nothing to be kept: there they end the program as ever. */
	if (keeps_something) {
		sigaction(SIGINT, &stop, NULL);
		sigaction(SIGTERM, &stop, NULL);
	}
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	/* Who started us may ignore it, and no command's end could be told. */
	signal(SIGCHLD, SIG_DFL);
}

/* In a crash kernel nothing else matters: memory that is short is to be taken from others. It is
 * root's to ask for that; without it, it is as it is. */
static void survive_oom(void)
{
	AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)!write(fd, "-1000", 5);
}

/* A healthy machine's watchdog is not for us to start. */
static void use_watchdog(const struct options *o)
{
	struct error err;
	int r;

	if (o->probe)
		r = watchdog_check(o->watchdog, &err);
	else if (!o->in_crash_kernel)
		return;
	else
		r = watchdog_new(o->watchdog, &watchdog, &err);
	if (r < 0)
		log_warning("%s", err.msg);
	else if (o->probe)
		log_note("watchdog %s: is there", o->watchdog);
	else
		log_note("watchdog %s: resets the machine %d s after we get stuck", o->watchdog,
			 watchdog_timeout_s(watchdog));
}

void lifetime_begin(const struct options *o)
{
	const bool keeps_something = !o->mem_usage && !o->dump_dmesg;

	set_signals(keeps_something);
	if (o->deadline_ms)
		set_deadline(o->deadline_ms, keeps_something);
	if (o->in_crash_kernel)
		survive_oom();
	if (o->watchdog)
		use_watchdog(o);
}

void lifetime_end(void)
{
	watchdog_free(watchdog);
	watchdog = NULL;
}

static bool is_signalled(void)
{
	watchdog_feed(watchdog);
	return stop_signal != 0;
}

struct stop lifetime_stop(void)
{
	return (struct stop){is_signalled, deadline_ms};
}
