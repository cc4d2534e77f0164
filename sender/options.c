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

/* Where nothing is known of what takes the dump: the fastest that every common reader has. */
static enum codec_id usual_codec(void)
{
	return codec_is_built(CODEC_LZO) ? CODEC_LZO : CODEC_ZLIB;
}

static int choose_codec(struct options *o, enum codec_id id, struct error *err)
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

static int set_codec(void *values, const struct cli_word *w, struct error *err)
{
	return choose_codec(values, (enum codec_id)w->option->value, err);
}

static int set_codecs(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;

	return codec_ladder_parse_codecs(w->arg, &o->codecs, err);
}

/* CODEC, CODEC:LEVEL or auto. */
static int set_compress(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;
	const char *arg = w->arg;
	const size_t len = strcspn(arg, ":");
	enum codec_id id;
	int min, max, unused, r;
	long long level;

	if (strcmp(arg, "auto") == 0) {
		r = choose_codec(o, usual_codec(), err);
		o->mix_codecs = true;
		return r;
	}
	if (!codec_by_text(arg, len, &id))
		return error_set(err, -EINVAL,
				 "\"%s\" is none of auto, none, zlib, lzo, snappy, zstd", arg);
	r = choose_codec(o, id, err);
	if (r < 0 || !arg[len])
		return r;
	codec_levels(id, &min, &max, &unused);
	r = parse_number(arg + len + 1, min, max, &level, err);
	if (r == 0)
		o->codec_level = (int)level;
	return r;
}

/* A list of levels, each tried where the one before can't be served. */
static int set_levels(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;
	AUTO_FREE char *copy = strdup(w->arg);
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
			return error_set(err, -EINVAL, "\"%s\" has more than %d levels", w->arg,
					 LEVELS_MAX);
		o->levels[o->level_count++] = (unsigned)level;
	}
	if (o->level_count == 0)
		return error_set(err, -EINVAL, "\"%s\" isn't a number from 0 to %d", w->arg,
				 LEVEL_MAX);
	return 0;
}

static const char *const access_names[] = {
	[VMCORE_ACCESS_AUTO] = "auto",
	[VMCORE_ACCESS_MMAP] = "mmap",
	[VMCORE_ACCESS_READ] = "read",
	NULL,
};

static int set_message_level(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;
	long long bits;
	const int r = parse_number(w->arg, 0, MESSAGE_MAX, &bits, err);

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

static int set_quiet(void *values, const struct cli_word *w UNUSED, struct error *err UNUSED)
{
	struct options *o = values;

	o->log_level = LOG_WARNING;
	o->progress = PROGRESS_NONE;
	return 0;
}

static int set_progress(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;

	return progress_mode_by_name(w->arg, &o->progress, err);
}

static int add_destination(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;
	const int r = url_parse(w->arg, &o->to[o->to_count], err);

	if (r == 0 && !WITH_LIBSSH2 && o->to[o->to_count].scheme == URL_SSH)
		return error_set(err, -ENOTSUP,
				 "ssh:// is not part of this build: exec:ssh HOST vmrecv --stdio");
	return r;
}

/* A fingerprint as ssh-keygen shows it; a padding is no matter. */
static int add_host_key(void *values, const struct cli_word *w, struct error *err)
{
	static const char kind[] = "SHA256:", digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "abcdefghijklmnopqrstuvwxyz0123456789+/";
	struct connect_setup *c = &((struct options *)values)->connect;
	const char *arg = w->arg;
	const char *text = strncmp(arg, kind, strlen(kind)) == 0 ? arg + strlen(kind) : "";

	if (strspn(text, digits) != HOST_KEY_DIGITS ||
	    (text[HOST_KEY_DIGITS] && strcmp(text + HOST_KEY_DIGITS, "=") != 0))
		return error_set(
			err, -EINVAL,
			"\"%s\" isn't SHA256: and %d characters, as ssh-keygen -l shows it", arg,
			HOST_KEY_DIGITS);
	c->host_keys[c->host_key_count] = arg;
	return 0;
}

/* The command line's stream takes the place of the file's. */
static void drop_usual_stream(struct options *o)
{
	if (o->stream_from_file)
		o->oneway = o->flattened = false;
	o->stream_from_file = false;
}

/* For --flattened and --stream. Two lines of the file are both kept: they contradict each other. */
static struct options *begin_stream(void *values, const struct cli_word *w)
{
	struct options *o = values;

	if (!w->from_file)
		drop_usual_stream(o);
	o->stream_from_file = w->from_file;
	return o;
}

static int set_flattened(void *values, const struct cli_word *w, struct error *err UNUSED)
{
	begin_stream(values, w)->flattened = true;
	return 0;
}

static const char *const stream_names[] = {"flattened", "session", NULL};

static int set_stream(void *values, const struct cli_word *w, struct error *err)
{
	unsigned i;
	const int r = parse_choice(w->arg, stream_names, &i, err);

	if (r == 0)
		begin_stream(values, w)->oneway = i == 1;
	return r;
}

/* A time limit: a field of 0 means that none was given, so 0 s is the shortest time. */
static int set_limit(void *values, const struct cli_word *w, struct error *err)
{
	uint64_t ms = 0;
	const int r = parse_duration(w->arg, &ms, err);

	ms = MAX(ms, UINT64_C(1));
	memcpy((char *)values + w->option->offset, &ms, sizeof(ms));
	return r;
}

static int refuse_theirs(void *values UNUSED, const struct cli_word *w, struct error *err)
{
	return error_set(err, -EINVAL, "vmsend doesn't have this option of makedumpfile; %s",
			 w->option->text);
}

/* clang-format off */
#define AT(member) CLI_FIELD(struct options, member)
#define FLAG(member) .kind = CLI_FLAG, AT(member)
#define PATH(member) .kind = CLI_PATH, AT(member)
#define SIZE(member) .kind = CLI_SIZE, AT(member)
#define SET(function) .kind = CLI_SET, .set = function
#define LIST(member, from_file_, items, max_, add) .kind = CLI_LIST, AT(member), \
	.from_file = offsetof(struct options, from_file_), .max = max_, .text = items, .set = add
#define THEIRS(name_, letter_, arg_, instead) {name_, letter_, arg_, NULL, SET(refuse_theirs), .text = instead}

static const struct cli_option options[] = {
	/* Sorted as --help shows them. */
	{"access", 0, "HOW", "read VMCORE by: auto, mmap, read", .kind = CLI_CHOICE, AT(access), .names = access_names},
	{"bwlimit", 0, "RATE", "bytes per second to send at most, such as 10M", SIZE(bytes_per_s)},
	{"codecs", 0, "LIST", "what auto may mix (default zlib,lzo,zstd)", SET(set_codecs)},
	{"compress", 0, "CODEC[:LEVEL]", "auto, none, zlib, lzo, snappy or zstd", SET(set_compress)},
	{"config", 0, "FILE", "options, one a line (" CONFIG_PATH ")", .kind = CLI_CONFIG, AT(config)},
	{"deadline", 0, "TIME", "the most that it all may take, such as 30m", .kind = CLI_DURATION, AT(deadline_ms)},
	{"dump-dmesg", 0, NULL, "only the kernel log, as text", FLAG(dump_dmesg)},
	{"dump-level", 'd', "N[,N...]", "pages to leave out, 0 to 31 (default 31)", SET(set_levels)},
	{"flattened", 'F', NULL, "the flattened stream on standard output", SET(set_flattened)},
	{"force", 'f', NULL, "replace DUMPFILE if it exists", FLAG(force)},
	{"help", 'h', NULL, "show this", FLAG(help)},
	{"host-key", 0, "SHA256:...", "a fingerprint of an SSH server; repeats",
	 LIST(connect.host_key_count, host_keys_from_file, "keys", HOST_KEYS_MAX, add_host_key)},
	{"identity", 0, "FILE", "the private key for ssh://", PATH(connect.identity)},
	{"json", 0, NULL, "--mem-usage as JSON", FLAG(json)},
	{"known-hosts", 0, "FILE", "the keys of SSH servers", PATH(connect.known_hosts)},
	{"lzo", 'l', NULL, "compress with LZO", SET(set_codec), .value = CODEC_LZO},
	{"mem-usage", 0, NULL, "only what each level would leave out", FLAG(mem_usage)},
	{"memory", 0, "SIZE", "take no more memory; fewer threads if need be", SIZE(memory_bytes)},
	{"message-level", 0, "N", "makedumpfile's: 1 progress, 2 common, 4 errors", SET(set_message_level)},
	{"num-threads", 0, "N", "workers; 0: in line (default: the CPUs)",
	 .kind = CLI_NUMBER, AT(threads), .max = PIPELINE_WORKERS_MAX},
	{"probe", 0, NULL, "only try each --to, and tell what works", FLAG(probe)},
	{"progress", 0, "HOW", "auto, tty, lines, json or none, on stderr",
	 SET(set_progress), .names = progress_mode_names},
	{"queue-time", 0, "TIME", "how long a server's queue may take (1h)", SET(set_limit), AT(queue_ms)},
	{"quiet", 'q', NULL, "errors and warnings only", SET(set_quiet)},
	{"remote-command", 0, "CMD", "at the far end (default vmrecv --stdio)",
	 .kind = CLI_TEXT, AT(connect.remote_command)},
	{"retry", 0, "TIME", "how long servers are tried in vain (10m)", SET(set_limit), AT(retry_ms)},
	{"snappy", 'p', NULL, "compress with snappy", SET(set_codec), .value = CODEC_SNAPPY},
	{"stream", 0, "KIND", "to standard output: flattened or session", SET(set_stream), .names = stream_names},
	{"strict", 0, NULL, "exit 4 where a warning would do", FLAG(strict)},
	{"sums", 0, "KIND", "DUMPFILE.sums: none, crc32c (default) or sha256",
	 .kind = CLI_CHOICE, AT(sums), .names = sums_kind_names},
	{"timeout", 0, "TIME", "silence that breaks a link (default 30s)",
	 .kind = CLI_DURATION, AT(timeout_ms), .min = TIMEOUT_MIN_MS, .max = TIMEOUT_MAX_MS},
	{"tls-ca", 0, "FILE", "who signs certificates of servers, for tls://", PATH(connect.tls.ca)},
	{"tls-cert", 0, "FILE", "this host's certificate", PATH(connect.tls.cert)},
	{"tls-crl", 0, "FILE", "certificates that their CAs have revoked", PATH(connect.tls.crl)},
	{"tls-key", 0, "FILE", "its private key", PATH(connect.tls.key)},
	{"tls-psk", 0, "FILE", "a shared key, in place of certificates", PATH(connect.tls.psk)},
	{"to", 0, "URL", "ssh: tls: tcp: exec: file:, more as fallbacks",
	 LIST(to_count, to_from_file, "destinations", TO_MAX, add_destination)},
	{"verbose", 'v', NULL, "say more", .kind = CLI_CONSTANT, AT(log_level), .value = LOG_DETAIL},
	{"version", 'V', NULL, "show version and what was built in", FLAG(version)},
	{"volatile", 0, NULL, "file: may be in memory, where a reboot loses it", FLAG(may_be_volatile)},
	{"watchdog", 0, "DEVICE", "feed it while a dump of /proc/vmcore goes on", PATH(watchdog)},
	{"zlib", 'c', NULL, "compress with zlib", SET(set_codec), .value = CODEC_ZLIB},
	{"zstd", 'z', NULL, "compress with zstd", SET(set_codec), .value = CODEC_ZSTD},

	/*
	 * Options of makedumpfile that aren't here, and what to use in their place.
	 * Source: makedumpfile(8), 1.7.9.
	 */
	THEIRS("D", 'D', NULL, "--verbose says more"),
	THEIRS("E", 'E', NULL, "a dump is kdump-compressed, which crash and drgn open; for no compression --compress=none"),
	THEIRS("L", 'L', "SIZE", "a file keeps to \"ulimit -f\", a server to vmrecv --max-size"),
	THEIRS("R", 'R', NULL, "the other end puts a stream together: vmrecv FILE < STREAM"),
	THEIRS("X", 'X', NULL, "dumps of Xen are for makedumpfile"),
	THEIRS("b", 'b', "N", "struct pages are read in blocks as they come"),
	THEIRS("e", 'e', NULL, "struct pages of left out memory stay in the dump"),
	THEIRS("g", 'g', "FILE", "VMCORE has its own VMCOREINFO"),
	THEIRS("i", 'i', "FILE", "VMCORE has its own VMCOREINFO"),
	THEIRS("x", 'x', "FILE", "no vmlinux is needed: the kernel says what it is in VMCOREINFO"),
	THEIRS("check-params", 0, NULL, "wrong options are told at once; --probe tries the destinations"),
	THEIRS("cyclic-buffer", 0, "SIZE", "--memory SIZE holds all of vmsend to a size"),
	THEIRS("diskset", 0, "NAME", "one dump goes to one destination"),
	THEIRS("dry-run", 0, NULL, "--mem-usage says what each level leaves, --probe tries the destinations"),
	THEIRS("eppic", 0, "FILE", "content isn't erased; level 31 leaves user pages out"),
	THEIRS("exclude-xen-user-domain", 0, NULL, "dumps of Xen are for makedumpfile"),
	THEIRS("non-cyclic", 0, NULL, "the page bitmap is kept packed in memory, all of it"),
	THEIRS("non-mmap", 0, NULL, "--access=read"),
	THEIRS("partial-dmesg", 0, NULL, "--dump-dmesg has the whole log"),
	THEIRS("reassemble", 0, NULL, "a dump is never in parts; makedumpfile puts its own together"),
	THEIRS("show-stats", 0, NULL, "--verbose says what was read, left out and written"),
	THEIRS("split", 0, NULL, "one dump is one file; --num-threads shares the work"),
	THEIRS("splitblock-size", 0, "SIZE", "one dump is one file; --num-threads shares the work"),
	THEIRS("vtop", 0, "ADDRESS", "crash translates addresses"),
	THEIRS("work-dir", 0, "DIR", "nothing is put aside on a disk"),
	THEIRS("xen-syms", 0, "FILE", "dumps of Xen are for makedumpfile"),
	THEIRS("xen-vmcoreinfo", 0, "FILE", "dumps of Xen are for makedumpfile"),
};
/* clang-format on */

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

static void set_defaults(void *values)
{
	struct options *o = values;
	int min, max;

	*o = (struct options){
		.vmcore = "/proc/vmcore",
		.levels = {LEVEL_MAX},
		.level_count = 1,
		.codec = usual_codec(),
		.sums = SUMS_CRC32C,
		.codecs = 1U << CODEC_ZLIB | 1U << CODEC_LZO | 1U << CODEC_ZSTD,
		.threads = default_threads(),
		.log_level = LOG_NOTE,
		.timeout_ms = TIMEOUT_MS,
		.connect = {.remote_command = "vmrecv --stdio"},
	};
	codec_levels(o->codec, &min, &max, &o->codec_level);
}

static bool needs_no_file(const void *values)
{
	const struct options *o = values;

	return o->help || o->version;
}

static const struct cli_table table = {options, ARRAY_LEN(options), CONFIG_PATH, set_defaults,
				       needs_no_file};

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
	int i = cli_read(&table, o, argc, argv, &o->text, err), r = MIN(i, 0);

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
	cli_help(options, ARRAY_LEN(options));
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
