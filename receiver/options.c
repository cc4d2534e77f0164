/* vmrecv's command line: one sorted table that both getopt_long and --help are made from.
 * Doesn't act on anything. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

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
	LONG_ONLY = 256, /* getopt's value of option i is LONG_ONLY + i, above any short one */
	THREADS_MAX = 256,
};

static const struct option_info {
	char letter; /* 0: none */
	const char *name, *argument, *help;
} table[OPT_COUNT] = {
	[OPT_CHECK] = {0, "check", NULL, "verify each FILE to the last page"},
	[OPT_FORCE] = {'f', "force", NULL, "replace FILE and FILE.part if they exist"},
	[OPT_HELP] = {'h', "help", NULL, "show this text"},
	[OPT_INFO] = {0, "info", NULL, "say what each FILE is"},
	[OPT_JSON] = {0, "json", NULL, "with --info: a JSON array, an object per FILE"},
	[OPT_MAX_SIZE] = {0, "max-size", "SIZE",
			  "FILE may not get longer (default: by its header)"},
	[OPT_NUM_THREADS] = {0, "num-threads", "N", "threads of --check (default: one per CPU)"},
	[OPT_PROGRESS] = {0, "progress", "MODE", "auto, tty, json or none (default auto)"},
	[OPT_QUIET] = {'q', "quiet", NULL, "only errors and warnings"},
	[OPT_VERBOSE] = {'v', "verbose", NULL, "details as well"},
	[OPT_VERSION] = {'V', "version", NULL, "show the version"},
};

void options_print_help(void)
{
	puts("Usage: vmrecv [OPTIONS] FILE < STREAM\n"
	     "       vmrecv --check FILE...\n"
	     "       vmrecv --info [--json] FILE...\n"
	     "\n"
	     "Put the flattened kernel dump on standard input together as FILE, which is\n"
	     "FILE.part until it is complete; or verify or describe dumps.\n");
	for (size_t i = 0; i < OPT_COUNT; i++) {
		char names[40], letter[8] = "    ";

		if (table[i].letter)
			snprintf(letter, sizeof(letter), "-%c, ", table[i].letter);
		snprintf(names, sizeof(names), "%s--%s%s%s", letter, table[i].name,
			 table[i].argument ? "=" : "", table[i].argument ? table[i].argument : "");
		printf("  %-24s %s\n", names, table[i].help);
	}
	puts("\nSIZE takes K, M, G or T. Exit status: 0 complete, 1 failed, 2 usage, 3 nothing\n"
	     "usable arrived, 4 incomplete, 5 refused or no space. See vmrecv(8).");
}

static int apply(struct options *o, enum option_id id, const char *value, struct error *err)
{
	long long n;
	int r = 0;

	switch (id) {
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
	return r < 0 ? error_prefix(err, "--%s", table[id].name) : r;
}

/* The table in getopt_long's form. */
static void fill_getopt(struct option longs[static OPT_COUNT + 1],
			char letters[static 2 * OPT_COUNT + 2])
{
	size_t n = 0;

	letters[n++] = ':'; /* a missing argument comes as ':' */
	for (int i = 0; i < OPT_COUNT; i++) {
		longs[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].argument ? required_argument : no_argument,
			.val = LONG_ONLY + i,
		};
		if (table[i].letter)
			letters[n++] = table[i].letter;
		if (table[i].letter && table[i].argument)
			letters[n++] = ':';
	}
	longs[OPT_COUNT] = (struct option){0};
	letters[n] = '\0';
}

static enum option_id by_getopt_value(int value)
{
	size_t i = 0;

	if (value >= LONG_ONLY)
		return (enum option_id)(value - LONG_ONLY);
	while (table[i].letter != value)
		i++;
	return (enum option_id)i;
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
	struct option longs[OPT_COUNT + 1];
	char letters[2 * OPT_COUNT + 2];
	struct options o = {.mode = MODE_RECEIVE, .progress = PROGRESS_AUTO, .shown = LOG_NOTE};
	int value, r;

	fill_getopt(longs, letters);
	opterr = 0;
	optind = 0; /* from the beginning, whoever called before */
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (value == ':')
			return error_set(err, -EINVAL, "%s needs a value; see --help",
					 argv[optind - 1]);
		if (value == '?' && optopt && optopt < LONG_ONLY)
			return error_set(err, -EINVAL, "there is no option -%c; see --help",
					 optopt);
		if (value == '?' && optopt)
			return error_set(err, -EINVAL, "%s takes no value; see --help",
					 argv[optind - 1]);
		if (value == '?')
			return error_set(err, -EINVAL, "there is no option %s; see --help",
					 argv[optind - 1]);
		r = apply(&o, by_getopt_value(value), optarg, err);
		if (r < 0)
			return r;
	}
	o.files = argv + optind;
	o.file_count = argc - optind;
	r = judge_files(&o, err);
	if (r < 0)
		return r;
	*options_ret = o;
	return 0;
}
