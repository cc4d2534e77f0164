/* Command lines by table.
 * Doesn't know what any option means. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	OPTIONS_MAX = 64,
	FIRST_ID = 256,	  /* getopt's value of option i is FIRST_ID + i: never a letter */
	HELP_COLUMN = 32, /* two blanks behind the longest names that there are */
};

/* Fill getopt's two tables; `letters` begins with ":" so that getopt stays silent. */
static void make_tables(const struct cli_option *options, size_t count, struct option *longs,
			char *letters)
{
	*letters++ = ':';
	for (size_t i = 0; i < count; i++) {
		longs[i] = (struct option){
			.name = options[i].name,
			.has_arg = options[i].arg ? required_argument : no_argument,
			.val = FIRST_ID + (int)i,
		};
		if (options[i].letter) {
			*letters++ = options[i].letter;
			if (options[i].arg)
				*letters++ = ':';
		}
	}
	longs[count] = (struct option){0};
	*letters = '\0';
}

static size_t option_index(const struct cli_option *options, size_t count, int value)
{
	if (value >= FIRST_ID)
		return (size_t)(value - FIRST_ID);
	for (size_t i = 0; i < count; i++)
		if (options[i].letter == value)
			return i;
	return count;
}

static int bad_option(int value, char **argv, struct error *err)
{
	const char *word = argv[optind - 1];

	if (value == ':')
		return error_set(err, -EINVAL, "option %s needs an argument; try --help", word);
	if (optopt && optopt < FIRST_ID)
		return error_set(err, -EINVAL, "unknown option -%c; try --help", optopt);
	if (optopt)
		return error_set(err, -EINVAL, "option %s takes no argument; try --help", word);
	return error_set(err, -EINVAL, "unknown option %s; try --help", word);
}

int cli_parse(const struct cli_option *options, size_t count, int argc, char **argv,
	      int (*apply)(void *ctx, size_t option, const char *arg, struct error *err), void *ctx,
	      struct error *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	int value;

	make_tables(options, MIN(count, (size_t)OPTIONS_MAX), longs, letters);
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		size_t i;
		int r;

		if (value == ':' || value == '?')
			return bad_option(value, argv, err);
		i = option_index(options, count, value);
		r = apply(ctx, i, options[i].arg ? optarg : NULL, err);
		if (r < 0)
			return error_prefix(err, "--%s", options[i].name);
	}
	return optind;
}

void cli_help(const struct cli_option *options, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct cli_option *o = &options[i];
		char left[64];

		if (!o->help)
			continue;
		if (o->letter)
			snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name,
				 o->arg ? "=" : "", o->arg ? o->arg : "");
		else
			snprintf(left, sizeof(left), "    --%s%s%s", o->name, o->arg ? "=" : "",
				 o->arg ? o->arg : "");
		printf("  %-*s%s\n", HELP_COLUMN - 2, left, o->help);
	}
}
