/* Progress: rate, share done, time left.
 * Doesn't know what is counted. */
#include "base/progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if WITH_JANSSON
#include <jansson.h>
#endif

#include "base/log.h"
#include "base/parse.h"

enum {
	LINE_BYTES = 160,
};

static const int interval_ms[] = {
	[PROGRESS_TTY] = 250,
	[PROGRESS_LINES] = 10000, /* a serial console shows 960 characters a second at best */
	[PROGRESS_JSON] = 1000,
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

const char *const progress_mode_names[] = {
	[PROGRESS_AUTO] = "auto", [PROGRESS_TTY] = "tty",   [PROGRESS_LINES] = "lines",
	[PROGRESS_JSON] = "json", [PROGRESS_NONE] = "none", NULL,
};

int progress_mode_by_name(const char *name, enum progress_mode *mode_ret, struct error *err)
{
	unsigned mode;
	const int r = parse_choice(name, progress_mode_names, &mode, err);

	if (r < 0)
		return r;
	if (mode == PROGRESS_JSON && !WITH_JANSSON)
		return error_set(err, -ENOTSUP, "JSON is not part of this build (jansson)");
	*mode_ret = (enum progress_mode)mode;
	return 0;
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

static double seconds_left(const struct progress_state *s, double seconds)
{
	if (s->done == 0 || s->total < s->done)
		return 0;
	return seconds * (double)(s->total - s->done) / (double)s->done;
}

/* "1.0 MiB in, 512 KiB out, 10.2 MiB/s,  50.0 %, 3 min 20 s left": at most 72 characters. */
static void describe(const struct progress_state *s, double seconds, char line[static LINE_BYTES])
{
	const double rate = seconds > 0 ? (double)s->bytes_in / seconds : 0;
	char in[16], out[16], per_second[16], left[24], share[48] = "";

	if (s->total)
		snprintf(share, sizeof(share), ", %5.1f %%, %s left",
			 100.0 * (double)s->done / (double)s->total,
			 format_duration(left, sizeof(left), seconds_left(s, seconds)));
	snprintf(line, LINE_BYTES, "%s in, %s out, %s/s%s",
		 format_size(in, sizeof(in), s->bytes_in),
		 format_size(out, sizeof(out), s->bytes_out),
		 format_size(per_second, sizeof(per_second), (uint64_t)rate), share);
}

static void show_tty(const struct progress_state *s, double seconds)
{
	char text[LINE_BYTES], line[LINE_BYTES + 8];

	describe(s, seconds, text);
	log_raw(line, (size_t)snprintf(line, sizeof(line), "\r\033[K%s", text));
	log_line_open(true);
}

static void show_line(const struct progress_state *s, double seconds)
{
	char text[LINE_BYTES];

	describe(s, seconds, text);
	log_say(LOG_PROGRESS, "%s", text);
}

static void show_json(const struct progress_state *s UNUSED, double seconds UNUSED,
		      bool last UNUSED)
{
#if WITH_JANSSON
	json_t *o = json_pack("{s:f, s:I, s:I, s:I, s:I, s:f, s:b}", "seconds", seconds, "done",
			      (json_int_t)s->done, "total", (json_int_t)s->total, "bytes_in",
			      (json_int_t)s->bytes_in, "bytes_out", (json_int_t)s->bytes_out,
			      "seconds_left", seconds_left(s, seconds), "last", last);
	AUTO_FREE char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(6));
	AUTO_FREE char *line = NULL;
	const int len = text ? asprintf(&line, "%s\n", text) : -1;

	if (len >= 0)
		log_raw(line, (size_t)len);
	json_decref(o);
#endif
}

static void show(const struct progress *p, const struct progress_state *s, double seconds)
{
	if (p->mode == PROGRESS_TTY)
		show_tty(s, seconds);
	else if (p->mode == PROGRESS_LINES)
		show_line(s, seconds);
	else
		show_json(s, seconds, false);
}

void progress_update(struct progress *p, const struct progress_state *state)
{
	long long now;

	if (p->mode == PROGRESS_NONE)
		return;
	now = elapsed_ms(p);
	if (now - p->shown_ms < interval_ms[p->mode])
		return;
	p->shown_ms = now;
	/* A console may be slow or held (Ctrl-S): what can't be shown now is not shown. */
	if (log_takes_more())
		show(p, state, (double)now / 1000);
}

void progress_end(struct progress *p, const struct progress_state *state)
{
	if (p->mode == PROGRESS_JSON)
		show_json(state, progress_seconds(p), true);
	else if (p->mode == PROGRESS_TTY)
		log_raw("\r\033[K", 4);
	log_line_open(false);
	p->mode = PROGRESS_NONE;
}
