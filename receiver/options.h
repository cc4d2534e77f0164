/* What the command line of vmrecv asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "log.h"
#include "networks.h"
#include "progress.h"

enum {
	LISTEN_MAX = 16,
	SESSIONS_MAX = 4096,
};

enum mode {
	MODE_RECEIVE, /* standard input into the one file, or below the directory */
	MODE_STDIO,   /* a session over standard input and output */
	MODE_LISTEN,  /* sessions over the network */
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

	const char *dir;  /* where dumps go that have no FILE */
	const char *host; /* whose dump it is; NULL: not given */
	const char *listen[LISTEN_MAX];
	size_t listen_count;
	struct network plain_from[NETWORKS_MAX];
	size_t plain_from_count;
	const char *tls_cert, *tls_key, *tls_ca, *tls_psk; /* files; NULL: not given */
	unsigned max_sessions;
	uint32_t timeout_ms;
	int threads; /* 0: the CPUs at hand */
	enum progress_mode progress;
	enum log_level shown;
};

/* Fails -EINVAL (the text names option, value and what is accepted) or -ENOTSUP (not in this
 * build). */
NODISCARD int options_parse(int argc, char **argv, struct options *options_ret, struct error *err);

/* --help, to standard output. */
void options_print_help(void);

#endif
