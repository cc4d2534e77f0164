/* Reads standard input into the assembler, and tells the operator how it went.
 * Doesn't know the stream's format. */
#include "receive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "assemble.h"
#include "dumpfile.h"
#include "options.h"
#include "parse.h"

enum {
	/* What a pipe can be made to hold without privilege, so that the sender goes on while we
	   write. */
	INPUT_BYTES = 1 << 20,
};

static volatile sig_atomic_t stop_signal;

static void on_stop(int number)
{
	stop_signal = number;
}

/*
 * SIGINT, SIGTERM and SIGHUP end the stream, so that what came is mended and kept; they are let
 * through only while we wait for input, or one that comes just before would be slept over. The
 * second one kills.
 */
static void catch_signals(sigset_t *while_waiting_ret)
{
	static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
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
}

/* Some input: its size, 0 at the end, -ECANCELED if told to stop, or -errno. */
static ssize_t read_input(int fd, uint8_t *buf, const sigset_t *while_waiting)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (ppoll(&pfd, 1, NULL, while_waiting) < 0 && errno != EINTR)
			return -errno;
		if (stop_signal)
			return -ECANCELED;
		if (!pfd.revents)
			continue;
		n = read(fd, buf, INPUT_BYTES);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* Feed input until the end marker or the input's end: 0, else an error. */
static int feed_until_end(struct assemble *a, struct dumpfile *df, struct progress *progress,
			  const sigset_t *while_waiting, struct error *err)
{
	AUTO_FREE uint8_t *buf = malloc(INPUT_BYTES);
	int r = 0;

	if (!buf)
		return error_set(err, -ENOMEM, "out of memory");
	while (r == 0) {
		const ssize_t n = read_input(STDIN_FILENO, buf, while_waiting);
		const uint64_t received = assemble_received(a);

		if (n == -ECANCELED)
			return error_set(err, -ECANCELED,
					 "stopped by signal %d after %" PRIu64 " bytes",
					 (int)stop_signal, received);
		if (n < 0) {
			errno = (int)-n;
			return error_sys(err, "standard input, after %" PRIu64 " bytes", received);
		}
		if (n == 0)
			return 0;
		r = assemble_feed(a, buf, (size_t)n, err);
		progress_update(progress, &(struct progress_state){.bytes_in = assemble_received(a),
								   .bytes_out = dumpfile_size(df)});
	}
	return r < 0 ? r : 0;
}

static int feed_all(struct assemble *a, struct dumpfile *df, struct progress *progress,
		    struct error *err)
{
	sigset_t while_waiting;
	int r;

	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, INPUT_BYTES); /* helps where it is a pipe */
	catch_signals(&while_waiting);
	r = feed_until_end(a, df, progress, &while_waiting, err);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	return r;
}

static uint64_t free_bytes(const struct dumpfile *df)
{
	struct statvfs fs;

	if (statvfs(dumpfile_part_path(df), &fs) < 0)
		return INT64_MAX;
	return MIN((uint64_t)fs.f_bavail * fs.f_frsize, (uint64_t)INT64_MAX);
}

static enum exit_status status_of(int code, const struct assemble_result *res)
{
	enum exit_status status;

	switch (code) {
	case 0:
		return EXIT_COMPLETE;
	case -EFBIG: /* over --max-size, or over what we take for plausible: policy */
		return EXIT_REFUSED;
	case -ECANCELED:
	case -EBADMSG:
	case -ENODATA:
		if (res->arrived.usable)
			return EXIT_INCOMPLETE;
		return code == -EBADMSG ? EXIT_FAILED : EXIT_TRANSPORT;
	default: /* a socket on standard input may be reset, which cuts the stream short, too */
		status = error_exit_status(code);
		return status == EXIT_TRANSPORT && res->arrived.usable ? EXIT_INCOMPLETE : status;
	}
}

static void tell_complete(const char *path, const struct assemble_result *res, double seconds)
{
	const struct arrived *got = &res->arrived;
	char size[16], time[24], rate[16], pages[40] = "no kdump file, so gaps can't be judged";

	if (got->kind == ARRIVED_KDUMP)
		snprintf(pages, sizeof(pages), "%" PRIu64 " pages", got->pages);
	log_note("%s: complete, %s, %s in %s (%s/s)", path, pages,
		 format_size(size, sizeof(size), res->file_bytes),
		 format_duration(time, sizeof(time), seconds),
		 format_size(rate, sizeof(rate),
			     seconds > 0 ? (uint64_t)((double)res->received_bytes / seconds) : 0));
	log_detail("%s: %" PRIu64 " records, %" PRIu64 " bytes of stream", path, res->records,
		   res->received_bytes);
	if (got->pages_lost > 0)
		log_warning("%s: the sender could not read %" PRIu64 " of the pages", path,
			    got->pages_lost);
	else if (got->kind == ARRIVED_KDUMP && got->header.status & KDUMP_INCOMPLETE)
		log_warning("%s: the sender says that it is incomplete", path);
	if (res->trailing_bytes > 0)
		log_warning("what follows the end marker was ignored");
}

/* One line: what happened, and what there is for all that. */
static void tell_incomplete(const char *part_path, const struct assemble_result *res,
			    const struct error *err)
{
	const struct arrived *got = &res->arrived;

	if (res->file_bytes == 0)
		log_error("%s", err->msg);
	else if (got->usable)
		log_error("%s; %s has %" PRIu64 " of %" PRIu64 " pages", err->msg, part_path,
			  got->pages - got->pages_missing, got->pages);
	else
		log_error("%s; %s is kept, but no reader will open it", err->msg, part_path);
	if (res->mend.code < 0)
		log_warning("%s is as it was left: %s", part_path, res->mend.msg);
}

static enum exit_status receive(const struct options *o, struct dumpfile *df,
				struct progress *progress)
{
	const struct assemble_limits limits = {.max_size_bytes = o->max_size_bytes,
					       .free_bytes = free_bytes(df)};
	AUTO(assemble_free) struct assemble *a = NULL;
	struct assemble_result res = {0};
	struct error err = {0};
	int r = assemble_new(df, &limits, &a, &err);

	if (r == 0) {
		if (feed_all(a, df, progress, &err) < 0)
			assemble_stop(a, &err);
		r = assemble_end(a, &res, &err);
	}
	progress_end(progress, &(struct progress_state){.bytes_in = res.received_bytes,
							.bytes_out = res.file_bytes});
	if (r < 0)
		tell_incomplete(dumpfile_part_path(df), &res, &err);
	else
		tell_complete(o->files[0], &res, progress_seconds(progress));
	return status_of(r, &res);
}

enum exit_status receive_file(const struct options *o)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(progress_free) struct progress *progress = NULL;
	struct error err;
	int r;

	if (isatty(STDIN_FILENO)) {
		log_error("standard input is a terminal; pipe a flattened dump into it");
		return EXIT_USAGE;
	}
	r = progress_new(o->shown < LOG_NOTE ? PROGRESS_NONE : o->progress, &progress, &err);
	if (r == 0)
		r = dumpfile_create(o->files[0], o->force, &df, &err);
	if (r < 0) {
		log_error("%s", err.msg);
		return error_exit_status(r);
	}
	return receive(o, df, progress);
}
