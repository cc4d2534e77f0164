/* What the command line of vmrecv asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "log.h"
#include "progress.h"

enum mode {
	MODE_RECEIVE, /* standard input into the one file */
	MODE_CHECK,
	MODE_INFO,
	MODE_HELP,
	MODE_VERSION,
};

struct options {
	enum mode mode;
	char *const *files; /* of argv */
	int file_count;
	bool force, json;
	uint64_t max_size_bytes; /* 0: by the dump's header */
	int threads;		 /* 0: the CPUs at hand */
	enum progress_mode progress;
	enum log_level shown;
};

/* Fails -EINVAL (the text names option, value and what is accepted) or -ENOTSUP (not in this
 * build). */
NODISCARD int options_parse(int argc, char **argv, struct options *options_ret, struct error *err);

/* --help, to standard output. */
void options_print_help(void);

#endif
