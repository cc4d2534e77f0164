/* Progress: rate, share done, time left.
 * Doesn't know what is counted. */
#include "progress.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if WITH_JANSSON
#include <jansson.h>
#endif

#include "log.h"
#include "parse.h"

enum {
	TTY_INTERVAL_MS = 250,
	JSON_INTERVAL_MS = 1000,
};

struct progress {
	enum progress_mode mode;
	struct timespec start;
	long long shown_ms; /* when something was last shown */
};

static long long elapsed_ms(const struct progress *p)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - p->start.tv_sec) * 1000LL + (now.tv_nsec - p->start.tv_nsec) / 1000000;
}

int progress_mode_by_name(const char *name, enum progress_mode *mode_ret, struct error *err)
{
	static const char *const names[] = {
		[PROGRESS_AUTO] = "auto",
		[PROGRESS_TTY] = "tty",
		[PROGRESS_JSON] = "json",
		[PROGRESS_NONE] = "none",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		if (i == PROGRESS_JSON && !WITH_JANSSON)
			return error_set(err, -ENOTSUP, "JSON is not part of this build (jansson)");
		*mode_ret = (enum progress_mode)i;
		return 0;
	}
	return error_set(err, -EINVAL, "\"%s\" is none of auto, tty, json, none", name);
}

int progress_new(enum progress_mode mode, struct progress **p_ret, struct error *err)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (!p)
		return error_set(err, -ENOMEM, "out of memory for the progress line");
	if (mode == PROGRESS_AUTO)
		mode = isatty(STDERR_FILENO) ? PROGRESS_TTY : PROGRESS_NONE;
	p->mode = mode;
	clock_gettime(CLOCK_MONOTONIC, &p->start);
	*p_ret = p;
	return 0;
}

void progress_free(struct progress *p)
{
	free(p);
}

double progress_seconds(const struct progress *p)
{
	return (double)elapsed_ms(p) / 1000;
}

/* A console may be slow or held (Ctrl-S): what can't be shown now is not shown. */
static bool stderr_takes_more(void)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT);
}

static double seconds_left(const struct progress_state *s, double seconds)
{
	if (s->done == 0 || s->total < s->done)
		return 0;
	return seconds * (double)(s->total - s->done) / (double)s->done;
}

static void show_tty(const struct progress_state *s, double seconds)
{
	const double rate = seconds > 0 ? (double)s->bytes_in / seconds : 0;
	char in[16], out[16], per_second[16], left[24], share[80] = "";

	if (s->total)
		snprintf(share, sizeof(share), " %5.1f %%, %s left",
			 100.0 * (double)s->done / (double)s->total,
			 format_duration(left, sizeof(left), seconds_left(s, seconds)));
	fprintf(stderr, "\r\033[K%s in, %s out, %s/s%s%s", format_size(in, sizeof(in), s->bytes_in),
		format_size(out, sizeof(out), s->bytes_out),
		format_size(per_second, sizeof(per_second), (uint64_t)rate), *share ? "," : "",
		share);
	fflush(stderr);
	log_line_open(true);
}

static void show_json(const struct progress_state *s UNUSED, double seconds UNUSED,
		      bool last UNUSED)
{
#if WITH_JANSSON
	json_t *o = json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:b}", "seconds", seconds, "done",
			      (json_int_t)s->done, "total", (json_int_t)s->total, "bytes_in",
			      (json_int_t)s->bytes_in, "bytes_out", (json_int_t)s->bytes_out,
			      "seconds_left", seconds_left(s, seconds), "last", last);

	if (!o)
		return;
	json_dumpf(o, stderr, JSON_COMPACT | JSON_REAL_PRECISION(6));
	fputc('\n', stderr);
	json_decref(o);
#endif
}

void progress_update(struct progress *p, const struct progress_state *state)
{
	long long now;

	if (p->mode == PROGRESS_NONE)
		return;
	now = elapsed_ms(p);
	if (now - p->shown_ms < (p->mode == PROGRESS_TTY ? TTY_INTERVAL_MS : JSON_INTERVAL_MS))
		return;
	p->shown_ms = now;
	if (!stderr_takes_more())
		return;
	if (p->mode == PROGRESS_TTY)
		show_tty(state, (double)now / 1000);
	else
		show_json(state, (double)now / 1000, false);
}

void progress_end(struct progress *p, const struct progress_state *state)
{
	if (p->mode == PROGRESS_JSON)
		show_json(state, progress_seconds(p), true);
	else if (p->mode == PROGRESS_TTY)
		fputs("\r\033[K", stderr);
	log_line_open(false);
	p->mode = PROGRESS_NONE;
}
