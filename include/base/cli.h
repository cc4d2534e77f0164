/*
 * Command lines and configuration files: one table drives both, and --help. A row says what the
 * option's argument is, and which field of the program's options it goes to.
 */
#ifndef CLI_H
#define CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* What an option's argument is, and the type of its field. */
enum cli_kind {
	CLI_SET,      /* set() of the row reads the argument; no field is needed */
	CLI_FLAG,     /* no argument: a bool becomes true */
	CLI_CONSTANT, /* no argument: an integer or an enum becomes `value` */
	CLI_TEXT,     /* any text: a const char *, borrowed from argv or from the file */
	CLI_PATH,     /* the same, but the text names a file or a directory */
	CLI_CONFIG,   /* the same, but it names the configuration file, and can't stand in one */
	CLI_NUMBER,   /* a decimal number from `min` to `max`: an integer */
	CLI_SIZE,     /* parse_size(), from `min` to `max` bytes: a uint64_t */
	CLI_DURATION, /* parse_duration(), from `min` to `max` milliseconds: an integer */
	CLI_CHOICE,   /* one of `names`: an enum, which becomes the name's index */
	CLI_LIST,     /* repeats, and set() puts an item into an array: its count, a size_t */
};

struct cli_option;

/* An option as it was given. */
struct cli_word {
	const struct cli_option *option;
	const char *arg; /* NULL: it takes none */
	bool from_file;	 /* the configuration file has it; else the command line */
};

struct cli_option {
	const char *name; /* long name */
	char letter;	  /* short one, or 0 */
	const char *arg;  /* the name of its argument; NULL: it takes none */
	const char *help; /* one line of at most 48 characters; NULL: not shown, not suggested */

	enum cli_kind kind;
	unsigned offset, size_bytes; /* of the field, by CLI_FIELD(); of a list: of its count */
	unsigned from_file; /* of a list: offset of a bool, whether the items are the file's */
	unsigned value;	    /* of a constant; else for set() */
	uint64_t min, max;  /* max 0: no bounds; of a list: the most items */
	const char *const *names; /* ended by NULL; a row of CLI_SET may have them, too */
	const char *text;	  /* of a list: the noun for its items; else for set() */

	/* Of CLI_SET and CLI_LIST: take the word into `values`, the program's options. A list has
	 * room for an item, and its count grows after this. The error says what is wrong with the
	 * argument; cli_read() names the option. */
	int (*set)(void *values, const struct cli_word *word, struct error *err);
};

#define CLI_FIELD(type, member)                                                                    \
	.offset = offsetof(type, member), .size_bytes = sizeof(((type *)0)->member)

/* A program's options. */
struct cli_table {
	const struct cli_option *options;
	size_t count;
	const char *config;	     /* the file that is read where none is named, if it is there */
	void (*reset)(void *values); /* set the defaults */
	bool (*needs_no_file)(const void *values); /* such as for --help */
};

/*
 * All of a program's options: defaults, then the configuration file, then the command line, which
 * wins. The command line is read before the file, too: for the file's name, and so that its
 * mistakes are told first. A list on the command line takes the place of the file's list. Returns
 * the index in argv of the first operand (argv is permuted). Gives the file's text, which values
 * point into, as *text_ret (NULL: there is none). Fails as cli_parse() and cli_parse_file() do.
 */
NODISCARD int cli_read(const struct cli_table *table, void *values, int argc, char **argv,
		       char **text_ret, struct error *err);

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
