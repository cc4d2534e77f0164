/* vmrecv's command line: arguments to struct options.
 * Doesn't act on anything. */
#include "options.h"

#include <errno.h>
#include <stdio.h>

#include "cli.h"
#include "parse.h"

enum option_id {
	OPT_CHECK,
	OPT_FORCE,
	OPT_HELP,
	OPT_INFO,
	OPT_JSON,
	OPT_MAX_SIZE,
	OPT_NUM_THREADS,
	OPT_PROGRESS,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_COUNT,
};

enum {
	THREADS_MAX = 256,
};

/* Sorted as --help shows them. */
static const struct cli_option table[OPT_COUNT] = {
	[OPT_CHECK] = {"check", 0, NULL, "verify each FILE to the last page"},
	[OPT_FORCE] = {"force", 'f', NULL, "replace FILE and FILE.part if they exist"},
	[OPT_HELP] = {"help", 'h', NULL, "show this text"},
	[OPT_INFO] = {"info", 0, NULL, "say what each FILE is"},
	[OPT_JSON] = {"json", 0, NULL, "with --info: a JSON array, an object per FILE"},
	[OPT_MAX_SIZE] = {"max-size", 0, "SIZE",
			  "FILE may not get longer (default: by its header)"},
	[OPT_NUM_THREADS] = {"num-threads", 0, "N", "threads of --check (default: one per CPU)"},
	[OPT_PROGRESS] = {"progress", 0, "MODE", "auto, tty, json or none (default auto)"},
	[OPT_QUIET] = {"quiet", 'q', NULL, "only errors and warnings"},
	[OPT_VERBOSE] = {"verbose", 'v', NULL, "details as well"},
	[OPT_VERSION] = {"version", 'V', NULL, "show the version"},
};

void options_print_help(void)
{
	puts("Usage: vmrecv [OPTIONS] FILE < STREAM\n"
	     "       vmrecv --check FILE...\n"
	     "       vmrecv --info [--json] FILE...\n"
	     "\n"
	     "Put the flattened kernel dump on standard input together as FILE, which is\n"
	     "FILE.part until it is complete; or verify or describe dumps.\n");
	cli_help(table, OPT_COUNT);
	puts("\nSIZE takes K, M, G or T. Exit status: 0 complete, 1 failed, 2 usage, 3 nothing\n"
	     "usable arrived, 4 incomplete, 5 refused or no space. See vmrecv(8).");
}

static int apply(void *ctx, size_t option, const char *value, struct error *err)
{
	struct options *o = ctx;
	long long n;
	int r = 0;

	switch ((enum option_id)option) {
	case OPT_CHECK:
		o->mode = MODE_CHECK;
		break;
	case OPT_FORCE:
		o->force = true;
		break;
	case OPT_HELP:
		o->mode = MODE_HELP;
		break;
	case OPT_INFO:
		o->mode = MODE_INFO;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_MAX_SIZE:
		r = parse_size(value, &o->max_size_bytes, err);
		if (r == 0 && (o->max_size_bytes == 0 || o->max_size_bytes > INT64_MAX))
			r = error_set(err, -EINVAL, "\"%s\" isn't from 1 to 8388607T", value);
		break;
	case OPT_NUM_THREADS:
		r = parse_number(value, 0, THREADS_MAX, &n, err);
		if (r == 0)
			o->threads = (int)n;
		break;
	case OPT_PROGRESS:
		r = progress_mode_by_name(value, &o->progress, err);
		break;
	case OPT_QUIET:
		o->shown = LOG_WARNING;
		break;
	case OPT_VERBOSE:
		o->shown = LOG_DETAIL;
		break;
	case OPT_VERSION:
		o->mode = MODE_VERSION;
		break;
	case OPT_COUNT:
		break;
	}
	return r;
}

static int judge_files(const struct options *o, struct error *err)
{
	if (o->mode == MODE_HELP || o->mode == MODE_VERSION)
		return 0;
	if (o->json && o->mode != MODE_INFO)
		return error_set(err, -EINVAL, "--json goes with --info");
	if (o->json && !WITH_JANSSON)
		return error_set(err, -ENOTSUP, "--json is not part of this build (jansson)");
	if (o->file_count == 0)
		return error_set(err, -EINVAL,
				 o->mode == MODE_RECEIVE ? "name the FILE to write; see --help"
							 : "name a FILE to look at; see --help");
	if (o->mode == MODE_RECEIVE && o->file_count > 1)
		return error_set(err, -EINVAL, "one FILE at a time, not also \"%s\"", o->files[1]);
	for (int i = 0; i < o->file_count; i++)
		if (!*o->files[i])
			return error_set(err, -EINVAL, "FILE is an empty name");
	return 0;
}

int options_parse(int argc, char **argv, struct options *options_ret, struct error *err)
{
	struct options o = {.mode = MODE_RECEIVE, .progress = PROGRESS_AUTO, .shown = LOG_NOTE};
	const int first = cli_parse(table, OPT_COUNT, argc, argv, apply, &o, err);
	int r;

	if (first < 0)
		return first;
	o.files = argv + first;
	o.file_count = argc - first;
	r = judge_files(&o, err);
	if (r < 0)
		return r;
	*options_ret = o;
	return 0;
}
