/* Command lines and configuration files by table.
 * Doesn't know what any option means. */
#include "base/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/nearest.h"

enum {
	OPTIONS_MAX = 96,
	FIRST_ID = 256,	     /* getopt's value of option i is FIRST_ID + i: never a letter */
	HELP_COLUMN = 32,    /* two blanks after the longest names */
	FILE_MAX = 64 << 10, /* a configuration is a page or two */
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

/* The option that `word`, without dashes, is near to, or NULL. */
static const char *meant(const struct cli_option *options, size_t count, const char *word)
{
	const char *names[OPTIONS_MAX] = {0};
	size_t i;

	count = MIN(count, (size_t)OPTIONS_MAX);
	for (i = 0; i < count; i++)
		names[i] = options[i].help ? options[i].name : NULL;
	i = nearest_name(word, strcspn(word, "="), names, count);
	return i < count ? names[i] : NULL;
}

static int bad_option(const struct cli_option *options, size_t count, int value, char **argv,
		      struct error *err)
{
	const char *word = argv[optind - 1], *other;

	if (value == ':')
		return error_set(err, -EINVAL, "option %s needs an argument; try --help", word);
	if (optopt && optopt < FIRST_ID)
		return error_set(err, -EINVAL, "unknown option -%c; try --help", optopt);
	if (optopt)
		return error_set(err, -EINVAL, "option %s takes no argument; try --help", word);
	other = meant(options, count, word + strspn(word, "-"));
	if (other)
		return error_set(err, -EINVAL, "unknown option %s; did you mean --%s?", word,
				 other);
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
			return bad_option(options, count, value, argv, err);
		i = option_index(options, count, value);
		r = apply(ctx, i, options[i].arg ? optarg : NULL, err);
		if (r < 0)
			return error_prefix(err, "-%s%s", options[i].name[1] ? "-" : "",
					    options[i].name);
	}
	return optind;
}

/* All of a file, ended by a NUL; NULL where it isn't there and needn't be. */
static int read_text(const char *path, bool must_exist, char **text_ret, struct error *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *text = NULL;
	ssize_t n;

	*text_ret = NULL;
	if (fd < 0)
		return errno == ENOENT && !must_exist ? 0 : error_sys(err, "%s", path);
	text = malloc(FILE_MAX + 1);
	if (!text)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	n = io_read_full(fd, text, FILE_MAX + 1);
	if (n < 0)
		return error_set(err, (int)n, "%s: %s", path, strerror((int)-n));
	if (n > FILE_MAX)
		return error_set(err, -EFBIG, "%s: longer than %d KiB", path, FILE_MAX >> 10);
	text[n] = '\0';
	if (strlen(text) < (size_t)n)
		return error_set(err, -EINVAL, "%s: not a text file", path);
	*text_ret = TAKE_PTR(text);
	return 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks around it; cut in place. */
static char *trim(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	end = text + strlen(text);
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

static void cut_comment(char *line)
{
	for (char *c = line; *c; c++)
		if (*c == '#' && (c == line || is_blank(c[-1]))) {
			*c = '\0';
			return;
		}
}

static int apply_line(const struct cli_option *options, size_t count, char *line,
		      int (*apply)(void *ctx, size_t option, const char *arg, struct error *err),
		      void *ctx, struct error *err)
{
	char *value = strchr(line, '=');
	const char *other;
	size_t i = 0;

	if (value)
		*value++ = '\0';
	line = trim(line);
	while (i < count && strcmp(line, options[i].name) != 0)
		i++;
	if (i == count) {
		other = meant(options, count, line);
		return error_set(err, -EINVAL,
				 "unknown option \"%s\"%s%s%s: a line is NAME or NAME = VALUE, "
				 "as in --help",
				 line, other ? " (did you mean " : "", other ? other : "",
				 other ? "?)" : "");
	}
	if (options[i].arg && !value)
		return error_set(err, -EINVAL, "%s needs a value: \"%s = %s\"", line, line,
				 options[i].arg);
	if (!options[i].arg && value)
		return error_set(err, -EINVAL, "%s takes no value: let it stand alone", line);
	if (apply(ctx, i, value ? trim(value) : NULL, err) < 0)
		return error_prefix(err, "%s", line);
	return 0;
}

int cli_parse_file(const struct cli_option *options, size_t count, const char *path,
		   const char *usual,
		   int (*apply)(void *ctx, size_t option, const char *arg, struct error *err),
		   void *ctx, char **text_ret, struct error *err)
{
	AUTO_FREE char *text = NULL;
	char *line, *rest;
	int r = read_text(path ? path : usual, path, &text, err);

	rest = text;
	for (size_t number = 1; r == 0 && (line = strsep(&rest, "\n")); number++) {
		cut_comment(line);
		line = trim(line);
		if (!*line)
			continue;
		r = apply_line(options, count, line, apply, ctx, err);
		if (r < 0)
			error_prefix(err, "%s:%zu", path ? path : usual, number);
	}
	if (r < 0)
		return r;
	*text_ret = TAKE_PTR(text);
	return 0;
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
