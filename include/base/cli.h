/* Command lines and configuration files: one table drives both, and --help. */
#ifndef CLI_H
#define CLI_H

#include <stddef.h>

#include "base/error.h"

struct cli_option {
	const char *name; /* long name */
	char letter;	  /* short one, or 0 */
	const char *arg;  /* the name of its argument; NULL: it takes none */
	const char *help; /* one line of at most 48 characters; NULL: not shown, not suggested */
};

/*
 * Parse argv[1…] with getopt_long, GNU-style. For each option `apply(ctx, index into options,
 * argument or NULL, err)` is called in order; a failure of it ends the parsing, and the error is
 * prefixed with the option's name. Returns the index in argv of the first operand (argv is
 * permuted), or -EINVAL with a message that says what to do, such as the option that was likely
 * meant.
 */
NODISCARD int cli_parse(const struct cli_option *options, size_t count, int argc, char **argv,
			int (*apply)(void *ctx, size_t option, const char *arg, struct error *err),
			void *ctx, struct error *err);

/*
 * The same from a file. Each line is "name = value" with a long name, or "name" alone for an option
 * that takes no argument; a # at the beginning of a line or after a blank begins a comment. Where
 * `path` is NULL the file is `usual`, and its absence is no failure. The text that arguments point
 * into is given as *text_ret (NULL: there is none). Fails as cli_parse(), naming file and line, or
 * with why the file can't be read.
 */
NODISCARD int
cli_parse_file(const struct cli_option *options, size_t count, const char *path, const char *usual,
	       int (*apply)(void *ctx, size_t option, const char *arg, struct error *err),
	       void *ctx, char **text_ret, struct error *err);

/* The options' part of --help, on standard output, at most 80 columns. */
void cli_help(const struct cli_option *options, size_t count);

#endif
