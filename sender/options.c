/* vmsend's command line and configuration file: words to struct options.
 * Doesn't open what they name. */
#include "sender/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/cpus.h"
#include "base/parse.h"
#include "sender/pages/filter.h"
#include "sender/threads/pipeline.h"
#include "sender/transport/ssh.h"

enum {
	/* makedumpfile's --message-level bits. Source: makedumpfile(8). */
	MESSAGE_PROGRESS = 1,
	MESSAGE_COMMON = 2,
	MESSAGE_ERROR = 4,
	MESSAGE_DEBUG = 8,
	MESSAGE_REPORT = 16,
	MESSAGE_MAX = 31,

	HOST_KEY_DIGITS = 43, /* of SHA-256 in Base64 */

	TIMEOUT_MIN_MS = 2000,
	TIMEOUT_MAX_MS = 3600000,
	TIMEOUT_MS = 30000,
};

/* Sorted as --help shows them. */
enum option_id {
	OPT_ACCESS,
	OPT_BWLIMIT,
	OPT_CODECS,
	OPT_COMPRESS,
	OPT_CONFIG,
	OPT_DEADLINE,
	OPT_DUMP_DMESG,
	OPT_DUMP_LEVEL,
	OPT_FLATTENED,
	OPT_FORCE,
	OPT_HELP,
	OPT_HOST_KEY,
	OPT_IDENTITY,
	OPT_JSON,
	OPT_KNOWN_HOSTS,
	OPT_LZO,
	OPT_MEM_USAGE,
	OPT_MEMORY,
	OPT_MESSAGE_LEVEL,
	OPT_NUM_THREADS,
	OPT_PROBE,
	OPT_PROGRESS,
	OPT_QUEUE_TIME,
	OPT_QUIET,
	OPT_REMOTE_COMMAND,
	OPT_RETRY,
	OPT_SNAPPY,
	OPT_STREAM,
	OPT_STRICT,
	OPT_SUMS,
	OPT_TIMEOUT,
	OPT_TLS_CA,
	OPT_TLS_CERT,
	OPT_TLS_CRL,
	OPT_TLS_KEY,
	OPT_TLS_PSK,
	OPT_TO,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_VOLATILE,
	OPT_WATCHDOG,
	OPT_ZLIB,
	OPT_ZSTD,
	OPT_COUNT, /* THEIR_OPTIONS follow */
};

/* clang-format off */
/*
 * Options of makedumpfile that aren't here: name, letter, argument, and what to use in their place.
 * Source: makedumpfile(8), 1.7.9.
 */
#define THEIR_OPTIONS(X) \
	X("D", 'D', NULL, "--verbose says more") \
	X("E", 'E', NULL, "a dump is kdump-compressed, which crash and drgn open; for no compression --compress=none") \
	X("L", 'L', "SIZE", "a file keeps to \"ulimit -f\", a server to vmrecv --max-size") \
	X("R", 'R', NULL, "the other end puts a stream together: vmrecv FILE < STREAM") \
	X("X", 'X', NULL, "dumps of Xen are for makedumpfile") \
	X("b", 'b', "N", "struct pages are read in blocks as they come") \
	X("e", 'e', NULL, "struct pages of left out memory stay in the dump") \
	X("g", 'g', "FILE", "VMCORE has its own VMCOREINFO") \
	X("i", 'i', "FILE", "VMCORE has its own VMCOREINFO") \
	X("x", 'x', "FILE", "no vmlinux is needed: the kernel says what it is in VMCOREINFO") \
	X("check-params", 0, NULL, "wrong options are told at once; --probe tries the destinations") \
	X("cyclic-buffer", 0, "SIZE", "--memory SIZE holds all of vmsend to a size") \
	X("diskset", 0, "NAME", "one dump goes to one destination") \
	X("dry-run", 0, NULL, "--mem-usage says what each level leaves, --probe tries the destinations") \
	X("eppic", 0, "FILE", "content isn't erased; level 31 leaves user pages out") \
	X("exclude-xen-user-domain", 0, NULL, "dumps of Xen are for makedumpfile") \
	X("non-cyclic", 0, NULL, "the page bitmap is kept packed in memory, all of it") \
	X("non-mmap", 0, NULL, "--access=read") \
	X("partial-dmesg", 0, NULL, "--dump-dmesg has the whole log") \
	X("reassemble", 0, NULL, "a dump is never in parts; makedumpfile puts its own together") \
	X("show-stats", 0, NULL, "--verbose says what was read, left out and written") \
	X("split", 0, NULL, "one dump is one file; --num-threads shares the work") \
	X("splitblock-size", 0, "SIZE", "one dump is one file; --num-threads shares the work") \
	X("vtop", 0, "ADDRESS", "crash translates addresses") \
	X("work-dir", 0, "DIR", "nothing is put aside on a disk") \
	X("xen-syms", 0, "FILE", "dumps of Xen are for makedumpfile") \
	X("xen-vmcoreinfo", 0, "FILE", "dumps of Xen are for makedumpfile")
#define THEIR_ROW(name, letter, arg, use) {name, letter, arg, NULL},
#define THEIR_USE(name, letter, arg, use) use,
/* clang-format on */

static const struct cli_option table[] = {
	[OPT_ACCESS] = {"access", 0, "HOW", "read VMCORE by: auto, mmap, read"},
	[OPT_BWLIMIT] = {"bwlimit", 0, "RATE", "bytes per second to send at most, such as 10M"},
	[OPT_CODECS] = {"codecs", 0, "LIST", "what auto may mix (default zlib,lzo,zstd)"},
	[OPT_COMPRESS] = {"compress", 0, "CODEC[:LEVEL]", "auto, none, zlib, lzo, snappy or zstd"},
	[OPT_CONFIG] = {"config", 0, "FILE", "options, one a line (" CONFIG_PATH ")"},
	[OPT_DEADLINE] = {"deadline", 0, "TIME", "the most that it all may take, such as 30m"},
	[OPT_DUMP_DMESG] = {"dump-dmesg", 0, NULL, "only the kernel log, as text"},
	[OPT_DUMP_LEVEL] = {"dump-level", 'd', "N[,N...]",
			    "pages to leave out, 0 to 31 (default 31)"},
	[OPT_FLATTENED] = {"flattened", 'F', NULL, "the flattened stream on standard output"},
	[OPT_FORCE] = {"force", 'f', NULL, "replace DUMPFILE if it exists"},
	[OPT_HELP] = {"help", 'h', NULL, "show this"},
	[OPT_HOST_KEY] = {"host-key", 0, "SHA256:...", "a fingerprint of an SSH server; repeats"},
	[OPT_IDENTITY] = {"identity", 0, "FILE", "the private key for ssh://"},
	[OPT_JSON] = {"json", 0, NULL, "--mem-usage as JSON"},
	[OPT_KNOWN_HOSTS] = {"known-hosts", 0, "FILE", "the keys of SSH servers"},
	[OPT_LZO] = {"lzo", 'l', NULL, "compress with LZO"},
	[OPT_MEM_USAGE] = {"mem-usage", 0, NULL, "only what each level would leave out"},
	[OPT_MEMORY] = {"memory", 0, "SIZE", "take no more memory; fewer threads if need be"},
	[OPT_MESSAGE_LEVEL] = {"message-level", 0, "N",
			       "makedumpfile's: 1 progress, 2 common, 4 errors"},
	[OPT_NUM_THREADS] = {"num-threads", 0, "N", "workers; 0: in line (default: the CPUs)"},
	[OPT_PROBE] = {"probe", 0, NULL, "only try each --to, and tell what works"},
	[OPT_PROGRESS] = {"progress", 0, "HOW", "auto, tty, lines, json or none, on stderr"},
	[OPT_QUEUE_TIME] = {"queue-time", 0, "TIME", "how long a server's queue may take (1h)"},
	[OPT_QUIET] = {"quiet", 'q', NULL, "errors and warnings only"},
	[OPT_REMOTE_COMMAND] = {"remote-command", 0, "CMD",
				"at the far end (default vmrecv --stdio)"},
	[OPT_RETRY] = {"retry", 0, "TIME", "how long servers are tried in vain (10m)"},
	[OPT_SNAPPY] = {"snappy", 'p', NULL, "compress with snappy"},
	[OPT_STREAM] = {"stream", 0, "KIND", "to standard output: flattened or session"},
	[OPT_STRICT] = {"strict", 0, NULL, "exit 4 where a warning would do"},
	[OPT_SUMS] = {"sums", 0, "KIND", "DUMPFILE.sums: none, crc32c (default) or sha256"},
	[OPT_TIMEOUT] = {"timeout", 0, "TIME", "silence that breaks a link (default 30s)"},
	[OPT_TLS_CA] = {"tls-ca", 0, "FILE", "who signs certificates of servers, for tls://"},
	[OPT_TLS_CERT] = {"tls-cert", 0, "FILE", "this host's certificate"},
	[OPT_TLS_CRL] = {"tls-crl", 0, "FILE", "certificates that their CAs have revoked"},
	[OPT_TLS_KEY] = {"tls-key", 0, "FILE", "its private key"},
	[OPT_TLS_PSK] = {"tls-psk", 0, "FILE", "a shared key, in place of certificates"},
	[OPT_TO] = {"to", 0, "URL", "ssh: tls: tcp: exec: file:, more as fallbacks"},
	[OPT_VERBOSE] = {"verbose", 'v', NULL, "say more"},
	[OPT_VERSION] = {"version", 'V', NULL, "show version and what was built in"},
	[OPT_VOLATILE] = {"volatile", 0, NULL, "file: may be in memory, where a reboot loses it"},
	[OPT_WATCHDOG] = {"watchdog", 0, "DEVICE", "feed it while a dump of /proc/vmcore goes on"},
	[OPT_ZLIB] = {"zlib", 'c', NULL, "compress with zlib"},
	[OPT_ZSTD] = {"zstd", 'z', NULL, "compress with zstd"},
	THEIR_OPTIONS(THEIR_ROW)};

static const char *const instead[] = {THEIR_OPTIONS(THEIR_USE)};

/* Where nothing is known of what takes the dump: the fastest that every common reader has. */
static enum codec_id usual_codec(void)
{
	return codec_is_built(CODEC_LZO) ? CODEC_LZO : CODEC_ZLIB;
}

static int set_codec(struct options *o, enum codec_id id, struct error *err)
{
	int min, max;

	if (!codec_is_built(id))
		return error_set(err, -ENOTSUP, "%s is not part of this build", codec_name(id));
	o->codec = id;
	o->codec_is_named = true;
	o->mix_codecs = false;
	codec_levels(id, &min, &max, &o->codec_level);
	return 0;
}

/* CODEC, CODEC:LEVEL or auto. */
static int parse_compress(struct options *o, const char *arg, struct error *err)
{
	const size_t len = strcspn(arg, ":");
	enum codec_id id;
	int min, max, unused, r;
	long long level;

	if (strcmp(arg, "auto") == 0) {
		r = set_codec(o, usual_codec(), err);
		o->mix_codecs = true;
		return r;
	}
	if (!codec_by_text(arg, len, &id))
		return error_set(err, -EINVAL,
				 "\"%s\" is none of auto, none, zlib, lzo, snappy, zstd", arg);
	r = set_codec(o, id, err);
	if (r < 0 || !arg[len])
		return r;
	codec_levels(id, &min, &max, &unused);
	r = parse_number(arg + len + 1, min, max, &level, err);
	if (r == 0)
		o->codec_level = (int)level;
	return r;
}

/* A list of levels, each tried where the one before can't be served. */
static int parse_levels(struct options *o, const char *arg, struct error *err)
{
	AUTO_FREE char *copy = strdup(arg);
	char *rest = NULL;

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	o->level_count = 0;
	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		long long level;
		const int r = parse_number(word, 0, LEVEL_MAX, &level, err);

		if (r < 0)
			return r;
		if (o->level_count == LEVELS_MAX)
			return error_set(err, -EINVAL, "\"%s\" has more than %d levels", arg,
					 LEVELS_MAX);
		o->levels[o->level_count++] = (unsigned)level;
	}
	if (o->level_count == 0)
		return error_set(err, -EINVAL, "\"%s\" isn't a number from 0 to %d", arg,
				 LEVEL_MAX);
	return 0;
}

static int parse_access(struct options *o, const char *arg, struct error *err)
{
	static const char *const names[] = {
		[VMCORE_ACCESS_AUTO] = "auto",
		[VMCORE_ACCESS_MMAP] = "mmap",
		[VMCORE_ACCESS_READ] = "read",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(arg, names[i]) == 0) {
			o->access = (enum vmcore_access)i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "\"%s\" is none of auto, mmap, read", arg);
}

static int parse_message_level(struct options *o, const char *arg, struct error *err)
{
	long long bits;
	const int r = parse_number(arg, 0, MESSAGE_MAX, &bits, err);

	if (r < 0)
		return r;
	if (!(bits & MESSAGE_PROGRESS))
		o->progress = PROGRESS_NONE;
	else if (o->progress == PROGRESS_NONE) /* an earlier option's */
		o->progress = PROGRESS_AUTO;
	if (bits & MESSAGE_DEBUG)
		o->log_level = LOG_DETAIL;
	else if (bits & (MESSAGE_COMMON | MESSAGE_REPORT))
		o->log_level = LOG_NOTE;
	else
		o->log_level = bits & MESSAGE_ERROR ? LOG_WARNING : LOG_ERROR;
	return 0;
}

static int parse_threads(struct options *o, const char *arg, struct error *err)
{
	long long n;
	const int r = parse_number(arg, 0, PIPELINE_WORKERS_MAX, &n, err);

	if (r == 0)
		o->threads = (unsigned)n;
	return r;
}

static int parse_to(struct options *o, const char *arg, struct error *err)
{
	int r;

	/* A list on the command line is in place of the file's, not behind it. */
	if (o->to_from_file)
		o->to_count = 0;
	o->to_from_file = false;
	r = o->to_count < TO_MAX ? url_parse(arg, &o->to[o->to_count], err)
				 : error_set(err, -EINVAL, "more than %d destinations", TO_MAX);
	if (r == 0 && !WITH_LIBSSH2 && o->to[o->to_count].scheme == URL_SSH)
		return error_set(err, -ENOTSUP,
				 "ssh:// is not part of this build: exec:ssh HOST vmrecv --stdio");
	if (r == 0)
		o->to_count++;
	return r;
}

/* A fingerprint as ssh-keygen shows it; a padding is no matter. */
static int parse_host_key(struct options *o, const char *arg, struct error *err)
{
	static const char kind[] = "SHA256:", digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *text = strncmp(arg, kind, strlen(kind)) == 0 ? arg + strlen(kind) : "";
	struct connect_setup *c = &o->connect;

	if (strspn(text, digits) != HOST_KEY_DIGITS ||
	    (text[HOST_KEY_DIGITS] && strcmp(text + HOST_KEY_DIGITS, "=") != 0))
		return error_set(
			err, -EINVAL,
			"\"%s\" isn't SHA256: and %d characters, as ssh-keygen -l shows it", arg,
			HOST_KEY_DIGITS);
	if (o->host_keys_from_file)
		c->host_key_count = 0;
	o->host_keys_from_file = false;
	if (c->host_key_count == HOST_KEYS_MAX)
		return error_set(err, -EINVAL, "more than %d keys", HOST_KEYS_MAX);
	c->host_keys[c->host_key_count++] = arg;
	return 0;
}

/* What the file says of standard output is for nothing where the command line says it. */
static void drop_usual_stream(struct options *o)
{
	if (o->stream_from_file)
		o->oneway = o->flattened = false;
	o->stream_from_file = false;
}

static int set_flattened(struct options *o)
{
	drop_usual_stream(o);
	o->flattened = true;
	return 0;
}

static int parse_stream(struct options *o, const char *arg, struct error *err)
{
	drop_usual_stream(o);
	if (strcmp(arg, "flattened") != 0 && strcmp(arg, "session") != 0)
		return error_set(err, -EINVAL, "\"%s\" is none of flattened, session", arg);
	o->oneway = *arg == 's';
	return 0;
}

/* 0 is kept for who says nothing: as long as seems right. */
static int parse_limit(const char *arg, uint64_t *ms_ret, struct error *err)
{
	const int r = parse_duration(arg, ms_ret, err);

	*ms_ret = MAX(*ms_ret, UINT64_C(1));
	return r;
}

static int parse_timeout(struct options *o, const char *arg, struct error *err)
{
	uint64_t ms;
	const int r = parse_duration(arg, &ms, err);

	if (r < 0)
		return r;
	if (ms < TIMEOUT_MIN_MS || ms > TIMEOUT_MAX_MS)
		return error_set(err, -EINVAL, "\"%s\" isn't from %ds to %dm", arg,
				 TIMEOUT_MIN_MS / 1000, TIMEOUT_MAX_MS / 60000);
	o->timeout_ms = (uint32_t)ms;
	return 0;
}

/* A key, a certificate, or what else makes a connection; false if it is none of these. */
static bool apply_connect(struct connect_setup *c, enum option_id option, const char *arg)
{
	const char **const to = option == OPT_IDENTITY	       ? &c->identity
				: option == OPT_KNOWN_HOSTS    ? &c->known_hosts
				: option == OPT_REMOTE_COMMAND ? &c->remote_command
				: option == OPT_TLS_CA	       ? &c->tls.ca
				: option == OPT_TLS_CERT       ? &c->tls.cert
				: option == OPT_TLS_CRL	       ? &c->tls.crl
				: option == OPT_TLS_KEY	       ? &c->tls.key
				: option == OPT_TLS_PSK	       ? &c->tls.psk
							       : NULL;

	if (to)
		*to = arg;
	return to;
}

static int apply(void *ctx, size_t option, const char *arg, struct error *err)
{
	struct options *o = ctx;

	if (apply_connect(&o->connect, (enum option_id)option, arg))
		return 0;
	switch ((enum option_id)option) {
	case OPT_ACCESS:
		return parse_access(o, arg, err);
	case OPT_BWLIMIT:
		return parse_size(arg, &o->bytes_per_s, err);
	case OPT_CODECS:
		return codec_ladder_parse_codecs(arg, &o->codecs, err);
	case OPT_CONFIG:
		if (o->reading_file)
			return error_set(err, -EINVAL, "a file can't name another");
		o->config = arg;
		return 0;
	case OPT_DEADLINE:
		return parse_duration(arg, &o->deadline_ms, err);
	case OPT_RETRY:
		return parse_limit(arg, &o->retry_ms, err);
	case OPT_QUEUE_TIME:
		return parse_limit(arg, &o->queue_ms, err);
	case OPT_STREAM:
		return parse_stream(o, arg, err);
	case OPT_TIMEOUT:
		return parse_timeout(o, arg, err);
	case OPT_TO:
		return parse_to(o, arg, err);
	case OPT_HOST_KEY:
		return parse_host_key(o, arg, err);
	case OPT_WATCHDOG:
		o->watchdog = arg;
		return 0;
	case OPT_PROBE:
		o->probe = true;
		return 0;
	case OPT_COMPRESS:
		return parse_compress(o, arg, err);
	case OPT_DUMP_LEVEL:
		return parse_levels(o, arg, err);
	case OPT_LZO:
		return set_codec(o, CODEC_LZO, err);
	case OPT_MEMORY:
		return parse_size(arg, &o->memory_bytes, err);
	case OPT_MESSAGE_LEVEL:
		return parse_message_level(o, arg, err);
	case OPT_NUM_THREADS:
		return parse_threads(o, arg, err);
	case OPT_PROGRESS:
		return progress_mode_by_name(arg, &o->progress, err);
	case OPT_SNAPPY:
		return set_codec(o, CODEC_SNAPPY, err);
	case OPT_ZLIB:
		return set_codec(o, CODEC_ZLIB, err);
	case OPT_ZSTD:
		return set_codec(o, CODEC_ZSTD, err);
	case OPT_FLATTENED:
		return set_flattened(o);
	case OPT_DUMP_DMESG:
		o->dump_dmesg = true;
		return 0;
	case OPT_MEM_USAGE:
		o->mem_usage = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case OPT_FORCE:
		o->force = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_QUIET:
		o->log_level = LOG_WARNING;
		o->progress = PROGRESS_NONE;
		return 0;
	case OPT_STRICT:
		o->strict = true;
		return 0;
	case OPT_SUMS:
		return sums_kind_by_name(arg, &o->sums, err);
	case OPT_VERBOSE:
		o->log_level = LOG_DETAIL;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	case OPT_VOLATILE:
		o->may_be_volatile = true;
		return 0;
	default:
		return error_set(err, -EINVAL,
				 "vmsend doesn't have this option of makedumpfile; %s",
				 instead[option - OPT_COUNT]);
	}
}

/* A worker for each CPU; in line where there is one. */
static unsigned default_threads(void)
{
	const unsigned n = cpus_at_hand();

	return n == 1 ? 0 : MIN(n, (unsigned)PIPELINE_WORKERS_MAX);
}

/* There is one way out; another one on the command line takes the place of the file's. */
static int check_destinations(struct options *o, struct error *err)
{
	const char *to;

	if (o->dumpfile || (o->to_count && !o->to_from_file) || o->dump_dmesg || o->mem_usage)
		drop_usual_stream(o);
	if (o->to_from_file &&
	    (o->oneway || o->dumpfile || o->flattened || o->dump_dmesg || o->mem_usage))
		o->to_count = 0;
	to = o->oneway ? "--stream=session" : o->to_count ? "--to" : NULL;

	if (o->probe && !o->to_count)
		return error_set(err, -EINVAL, "--probe needs a --to to try");
	if (o->oneway && o->to_count)
		return error_set(err, -EINVAL,
				 "--stream is about standard output, --to about other places");
	if (to && o->dumpfile)
		return error_set(err, -EINVAL, "%s and a DUMPFILE (\"%s\") are two destinations",
				 to, o->dumpfile);
	if (to && o->flattened)
		return error_set(err, -EINVAL, "%s and --flattened are two destinations", to);
	if (to && (o->dump_dmesg || o->mem_usage))
		return error_set(err, -EINVAL, "%s is for dumps; %s writes to standard output", to,
				 o->mem_usage ? "--mem-usage" : "--dump-dmesg");
	return 0;
}

static int set_defaults(struct options *o, struct error *err)
{
	int r;

	*o = (struct options){
		.vmcore = "/proc/vmcore",
		.levels = {LEVEL_MAX},
		.level_count = 1,
		.sums = SUMS_CRC32C,
		.codecs = 1U << CODEC_ZLIB | 1U << CODEC_LZO | 1U << CODEC_ZSTD,
		.threads = default_threads(),
		.log_level = LOG_NOTE,
		.timeout_ms = TIMEOUT_MS,
		.connect = {.remote_command = "vmrecv --stdio"},
	};
	r = set_codec(o, usual_codec(), err);
	o->codec_is_named = false;
	return r;
}

/*
 * The command line is read twice: for the file's name, and, after the file, to win over it. Returns
 * the index of the first operand.
 */
static int parse_all(struct options *o, int argc, char **argv, struct error *err)
{
	const char *config;
	int r = set_defaults(o, err);

	if (r == 0)
		r = cli_parse(table, ARRAY_LEN(table), argc, argv, apply, o, err);
	if (r < 0 || o->help || o->version)
		return r;
	config = o->config;
	r = set_defaults(o, err);
	o->reading_file = true;
	if (r == 0)
		r = cli_parse_file(table, ARRAY_LEN(table), config, CONFIG_PATH, apply, o, &o->text,
				   err);
	o->reading_file = false;
	o->to_from_file = o->to_count > 0;
	o->stream_from_file = o->oneway || o->flattened;
	o->host_keys_from_file = o->connect.host_key_count > 0;
	return r < 0 ? r : cli_parse(table, ARRAY_LEN(table), argc, argv, apply, o, err);
}

/*
 * What is sent to a server fits the link, unless a codec was named. What goes to a file or into a
 * pipe is the same every time, and so is of one codec.
 */
static void choose_ladder(struct options *o)
{
	bool server = false;

	for (size_t i = 0; i < o->to_count; i++)
		server |= o->to[i].scheme != URL_FILE;
	if (o->mix_codecs ? server || o->oneway : server && !o->codec_is_named)
		o->ladder = codec_ladder_auto(o->codecs);
	else
		o->ladder = codec_ladder_fixed(o->codec, o->codec_level);
}

static int check(struct options *o, struct error *err)
{
	const int r = check_destinations(o, err);

	if (r < 0)
		return r;
	if (o->connect.tls.crl && !o->connect.tls.ca)
		return error_set(err, -EINVAL, "--tls-crl goes with --tls-ca");
	if (o->json && !o->mem_usage)
		return error_set(err, -EINVAL, "--json goes with --mem-usage");
	if (o->json && !WITH_JANSSON)
		return error_set(err, -ENOTSUP, "--json is not part of this build (jansson)");
	if (o->dump_dmesg && o->mem_usage)
		return error_set(err, -EINVAL, "--dump-dmesg and --mem-usage are two commands");
	if (o->mem_usage && o->dumpfile)
		return error_set(err, -EINVAL,
				 "--mem-usage writes to standard output: leave out \"%s\"",
				 o->dumpfile);
	if (o->flattened && o->dumpfile)
		return error_set(err, -EINVAL,
				 "--flattened writes to standard output: leave out \"%s\"",
				 o->dumpfile);
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
	int i = parse_all(o, argc, argv, err), r = MIN(i, 0);

	if (r == 0 && i < argc)
		o->vmcore = argv[i++];
	if (r == 0 && i < argc)
		o->dumpfile = argv[i++];
	if (r == 0 && i < argc)
		r = error_set(err, -EINVAL, "\"%s\" is one argument too many; try --help", argv[i]);
	if (r == 0 && (!*o->vmcore || (o->dumpfile && !*o->dumpfile)))
		r = error_set(err, -EINVAL, "%s is an empty name",
			      *o->vmcore ? "DUMPFILE" : "VMCORE");
	if (r == 0)
		r = check(o, err);
	if (r < 0)
		options_deinit(o);
	choose_ladder(o);
	o->in_crash_kernel = strcmp(o->vmcore, "/proc/vmcore") == 0 && !o->probe &&
			     !o->dump_dmesg && !o->mem_usage;
	return r;
}

void options_deinit(struct options *o)
{
	free(o->text);
	o->text = NULL;
}

void options_print_help(void)
{
	puts("Usage: vmsend [OPTIONS] [VMCORE [DUMPFILE]]\n"
	     "Write the crash dump VMCORE (default /proc/vmcore) as kdump-compressed DUMPFILE,\n"
	     "as a flattened stream on standard output (vmsend | ssh HOST vmrecv FILE), or in\n"
	     "a session to the first --to URL that takes it.\n");
	cli_help(table, ARRAY_LEN(table));
	puts("\nDump levels add up: 1 zero pages, 2 cache, 4 cache with private data, 8 user,\n"
	     "16 free pages. Exit status: 0 complete, 1 failed, 2 usage, 3 transport failed,\n"
	     "4 delivered in part, 5 refused or no space. See vmsend(8).");
}

void options_print_version(void)
{
	printf("vmsend %s\ncodecs:", VERSION);
	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++)
		printf(" %s%s", codec_is_built(id) ? "" : "no-", codec_name(id));
	printf("\nzlib by: %s\njson: %s\nssh: %s\n", WITH_LIBDEFLATE ? "libdeflate" : "zlib",
	       WITH_JANSSON ? "yes" : "no", ssh_library());
}
