/* vmsend's command line. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "format/codec.h"
#include "format/sums.h"
#include "sender/output/codec_ladder.h"
#include "sender/vmcore/vmcore.h"
#include "wire/transport.h"
#include "wire/url.h"

#define CONFIG_PATH "/etc/vmsend.conf"

enum { LEVELS_MAX = 8, TO_MAX = 16 };

struct options {
	const char *config; /* NULL: CONFIG_PATH, if it is there */
	char *text;	    /* of that file; strings here are borrowed from it and from argv */

	const char *vmcore;
	const char *dumpfile; /* NULL: the flattened stream on standard output */

	unsigned levels[LEVELS_MAX]; /* the first that can be served */
	size_t level_count;
	enum codec_id codec; /* that was named; else the usual one */
	int codec_level;
	bool codec_is_named, mix_codecs; /* mix: --compress=auto was */
	unsigned codecs;		 /* that may be mixed, a bit each */
	struct codec_ladder ladder;	 /* what comes of these */
	unsigned threads;		 /* 0: in line */
	enum vmcore_access access;
	uint64_t memory_bytes; /* 0: a share of what is available */

	/* Destinations of a session; none: DUMPFILE or standard output. */
	struct url to[TO_MAX];
	size_t to_count;
	bool to_from_file;     /* they are the file's, which the command line may replace */
	bool oneway;	       /* a session into standard output */
	bool stream_from_file; /* this, or `flattened`, is the file's */
	struct connect_setup connect;
	bool host_keys_from_file; /* the file's, too */
	uint32_t timeout_ms;
	uint64_t retry_ms;    /* 0: not given */
	uint64_t queue_ms;    /* of a server's queue; 0: not given */
	uint64_t deadline_ms; /* of it all; 0: none */
	uint64_t bytes_per_s; /* 0: not limited */
	const char *watchdog; /* a device; NULL: none */
	bool probe;

	/* A dump of /proc/vmcore: this is the crash kernel, and nothing else here matters as much.
	 */
	bool in_crash_kernel;

	enum sums_kind sums; /* beside DUMPFILE, or a file: */
	bool flattened, force, strict, json;
	bool may_be_volatile;	    /* files may be in memory */
	bool dump_dmesg, mem_usage; /* instead of a dump */
	bool help, version;
	enum progress_mode progress;
	enum log_level log_level;
};

/*
 * The configuration file, then the command line, which wins. Fails -EINVAL, -ENOTSUP (something
 * that isn't part of this build), or with why the file can't be read; then nothing is to be freed.
 */
NODISCARD int options_parse(struct options *o, int argc, char **argv, struct error *err);

void options_deinit(struct options *o);

/* --help and --version, on standard output. */
void options_print_help(void);
void options_print_version(void);

#endif
