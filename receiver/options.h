/* What the command line of vmrecv asks for. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "format/sums.h"
#include "receiver/collector/listen.h"
#include "receiver/collector/networks.h"
#include "receiver/retention/space.h"
#include "wire/transport.h"

enum { SESSIONS_MAX = 4096 };

enum mode {
	MODE_RECEIVE, /* standard input into the one file, or below the directory */
	MODE_STDIO,   /* a session over standard input and output */
	MODE_LISTEN,  /* sessions over the network */
	MODE_CHECK,
	MODE_INFO,
	MODE_HELP,
	MODE_VERSION,
};

#define CONFIG_PATH "/etc/vmrecv.conf"

struct options {
	const char *config; /* NULL: CONFIG_PATH, if it is there */
	char *text;	    /* of that file; strings here are borrowed from it and from argv */

	enum mode mode;
	char *const *files; /* of argv */
	int file_count;
	bool force, json, check_config;
	uint64_t max_size_bytes; /* 0: by the dump's header */
	enum sums_kind sums;	 /* beside a dump that came as a stream */

	const char *dir;  /* where dumps go that have no FILE */
	const char *host; /* whose dump it is; NULL: not given */
	const char *listen[LISTEN_MAX];
	size_t listen_count;
	struct network plain_from[NETWORKS_MAX];
	size_t plain_from_count;
	/* These are the file's, which the command line may replace. */
	bool listen_from_file, plain_from_from_file;
	struct tls_files tls;
	unsigned max_sessions, host_sessions, max_waiting;
	struct space_limits limits;
	uint32_t timeout_ms;
	int threads; /* 0: the CPUs at hand */
	enum progress_mode progress;
	enum log_level shown;
};

/*
 * The configuration file, then the command line, which wins. Fails -EINVAL (the text names option,
 * value and what is accepted), -ENOTSUP (not in this build), or with why the file can't be read;
 * then nothing is to be freed.
 */
NODISCARD int options_parse(int argc, char **argv, struct options *options_ret, struct error *err);
void options_deinit(struct options *o);

/* The configuration file alone, for another program; `path` NULL: CONFIG_PATH, if it is there.
 * Rules that hold between options aren't checked. Fails as options_parse(). */
NODISCARD int options_read_file(const char *path, struct options *options_ret, struct error *err);

/* --help and --version, to standard output. */
void options_print_help(void);
void options_print_version(void);

#endif
