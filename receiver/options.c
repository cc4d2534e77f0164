/* vmrecv's command line and configuration file: words to struct options.
 * Doesn't act on anything. */
#include "receiver/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/hostname.h"
#include "format/codec.h"
#include "wire/message.h"

enum {
	THREADS_MAX = 256,
	/* By its own, a dump has its share of the server's disk, and the first one is home early.
	 */
	SESSIONS = 8,
	HOST_SESSIONS = 4,
	WAITING = 64,

	DAYS_MAX = 36500,
	DUMPS_MAX = 10000000,

	TIMEOUT_MIN_MS = 2000,
	TIMEOUT_MS = 30000,
};

static int add_listen(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;

	if (tcp_check_address(w->arg, err) < 0)
		return -EINVAL;
	o->listen[o->listen_count] = w->arg;
	o->mode = MODE_LISTEN;
	return 0;
}

static int add_network(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;

	return network_parse(w->arg, &o->plain_from[o->plain_from_count], err);
}

static int set_progress(void *values, const struct cli_word *w, struct error *err)
{
	struct options *o = values;

	return progress_mode_by_name(w->arg, &o->progress, err);
}

/* clang-format off */
#define AT(member) CLI_FIELD(struct options, member)
#define FLAG(member) .kind = CLI_FLAG, AT(member)
#define MODE(mode_) .kind = CLI_CONSTANT, AT(mode), .value = mode_
#define SHOWN(level) .kind = CLI_CONSTANT, AT(shown), .value = level
#define TEXT(member) .kind = CLI_TEXT, AT(member)
#define PATH(member) .kind = CLI_PATH, AT(member)
#define NUMBER(member, min_, max_) .kind = CLI_NUMBER, AT(member), .min = min_, .max = max_
#define SIZE(member) .kind = CLI_SIZE, AT(member), .min = 1, .max = INT64_MAX
#define LIST(member, items, max_, add) .kind = CLI_LIST, AT(member##_count), \
	.from_file = offsetof(struct options, member##_from_file), .max = max_, .text = items, .set = add

/* Sorted as --help shows them. */
static const struct cli_option options[] = {
	{"check", 0, NULL, "verify each FILE, or all below a DIR", MODE(MODE_CHECK)},
	{"check-config", 0, NULL, "only look for mistakes in the options' file", FLAG(check_config)},
	{"config", 0, "FILE", "options, one a line (" CONFIG_PATH ")", .kind = CLI_CONFIG, AT(config)},
	{"dir", 0, "DIR", "dumps go to DIR/HOST/TIME (default /var/crash)", PATH(dir)},
	{"force", 'f', NULL, "replace FILE and FILE.part if they exist", FLAG(force)},
	{"help", 'h', NULL, "show this text", MODE(MODE_HELP)},
	{"host", 0, "NAME", "whose dump it is, whatever the sender says", TEXT(host)},
	{"host-dumps", 0, "N", "of a host; the oldest go, with --dir",
	 NUMBER(limits.rules.host_dumps, 1, DUMPS_MAX)},
	{"host-quota", 0, "SIZE", "of a host's dumps; the oldest go", SIZE(limits.rules.host_quota_bytes)},
	{"host-sessions", 0, "N", "of a host, while others wait (default 4)",
	 NUMBER(host_sessions, 1, SESSIONS_MAX)},
	{"info", 0, NULL, "say what each FILE is, or all below a DIR", MODE(MODE_INFO)},
	{"json", 0, NULL, "with --info: a JSON array, an object per dump", FLAG(json)},
	{"keep-days", 0, "N", "days after which dumps go, with --listen",
	 NUMBER(limits.rules.keep_days, 1, DAYS_MAX)},
	{"keep-dumps", 0, "N", "complete dumps of a host that stay",
	 NUMBER(limits.rules.keep_dumps, 1, DUMPS_MAX)},
	{"keep-incomplete-days", 0, "N", "the same of incomplete dumps",
	 NUMBER(limits.rules.keep_incomplete_days, 1, DAYS_MAX)},
	{"listen", 0, "ADDR:PORT", "take dumps from the network; repeats",
	 LIST(listen, "addresses", LISTEN_MAX, add_listen)},
	{"max-sessions", 0, "N", "at once, with --listen (default 8)", NUMBER(max_sessions, 1, SESSIONS_MAX)},
	{"max-size", 0, "SIZE", "FILE may not get longer (default: by its header)", SIZE(max_size_bytes)},
	{"max-waiting", 0, "N", "that wait, with --listen (default 64)", NUMBER(max_waiting, 1, SESSIONS_MAX)},
	{"min-free", 0, "SIZE", "space that stays free (default 5%, 10G at most)",
	 .kind = CLI_SIZE, AT(limits.min_free_bytes), .min = 0, .max = INT64_MAX},
	{"num-threads", 0, "N", "threads of --check (default: one per CPU)", NUMBER(threads, 0, THREADS_MAX)},
	{"plain-from", 0, "NETWORK", "may send without TLS; repeats",
	 LIST(plain_from, "networks", NETWORKS_MAX, add_network)},
	{"progress", 0, "MODE", "auto, tty, lines, json or none (auto)",
	 .kind = CLI_SET, .names = progress_mode_names, .set = set_progress},
	{"quiet", 'q', NULL, "only errors and warnings", SHOWN(LOG_WARNING)},
	{"quota", 0, "SIZE", "of all dumps; the oldest go", SIZE(limits.rules.quota_bytes)},
	{"stdio", 0, NULL, "a session, as the far end of ssh", MODE(MODE_STDIO)},
	{"sums", 0, "KIND", "FILE.sums: none, crc32c (default) or sha256",
	 .kind = CLI_CHOICE, AT(sums), .names = sums_kind_names},
	{"timeout", 0, "TIME", "silence that breaks a link (default 30s)",
	 .kind = CLI_DURATION, AT(timeout_ms), .min = TIMEOUT_MIN_MS, .max = SILENCE_MAX_MS},
	{"tls-ca", 0, "FILE", "who signs certificates of senders", PATH(tls.ca)},
	{"tls-cert", 0, "FILE", "this server's certificate", PATH(tls.cert)},
	{"tls-crl", 0, "FILE", "certificates that their CAs have revoked", PATH(tls.crl)},
	{"tls-key", 0, "FILE", "its private key", PATH(tls.key)},
	{"tls-psk", 0, "FILE", "keys shared with senders, a line each", PATH(tls.psk)},
	{"total-dumps", 0, "N", "of all hosts; the oldest go",
	 NUMBER(limits.rules.total_dumps, 1, DUMPS_MAX)},
	{"verbose", 'v', NULL, "details as well", SHOWN(LOG_DETAIL)},
	{"version", 'V', NULL, "show version and what was built in", MODE(MODE_VERSION)},
};
/* clang-format on */

void options_print_help(void)
{
	puts("Usage: vmrecv [OPTIONS] [FILE] < STREAM\n"
	     "       vmrecv --stdio [--dir DIR] [--host NAME]\n"
	     "       vmrecv --listen ADDR:PORT [--dir DIR] [OPTIONS]\n"
	     "       vmrecv --check FILE|DIR...\n"
	     "       vmrecv --info [--json] FILE|DIR...\n"
	     "\n"
	     "Put the kernel dump on standard input together as FILE, which is FILE.part until\n"
	     "it is complete; take dumps from senders, which go on with one that broke off;\n"
	     "or verify or describe dumps.\n");
	cli_help(options, ARRAY_LEN(options));
	puts("\nSIZE takes K, M, G or T. Exit status: 0 complete, 1 failed, 2 usage, 3 nothing\n"
	     "usable arrived, 4 incomplete, 5 refused or no space. See vmrecv(8).");
}

void options_print_version(void)
{
	fputs("vmrecv " VERSION "\ncodecs:", stdout);
	for (enum codec_id id = CODEC_ZLIB; id < CODEC_COUNT; id++)
		printf(" %s%s", codec_is_built(id) ? "" : "no-", codec_name(id));
	printf("\njson: %s\n", WITH_JANSSON ? "yes" : "no");
}

/* --stdio and --listen. */
static int check_collector(struct options *o, struct error *err)
{
	const bool certificates = o->tls.cert || o->tls.key || o->tls.ca;

	if (o->file_count)
		return error_set(err, -EINVAL, "\"%s\": dumps go to --dir, not to a FILE",
				 o->files[0]);
	if (!o->dir)
		o->dir = "/var/crash";
	if (o->mode == MODE_STDIO)
		return 0;
	if (o->host)
		return error_set(err, -EINVAL, "--host is for one dump, not for --listen");
	if (o->plain_from_count && (certificates || o->tls.psk))
		return error_set(err, -EINVAL,
				 "--plain-from is for a --listen without TLS: run another vmrecv "
				 "for it, with a --dir of its own");
	if (certificates && !(o->tls.cert && o->tls.key && o->tls.ca))
		return error_set(err, -EINVAL, "--tls-cert, --tls-key and --tls-ca go together");
	if (o->tls.crl && !certificates)
		return error_set(err, -EINVAL, "--tls-crl goes with --tls-ca");
	if (!certificates && !o->tls.psk && !o->plain_from_count)
		return error_set(err, -EINVAL,
				 "--listen needs --tls-cert, --tls-psk, or --plain-from for the "
				 "networks to be trusted");
	return 0;
}

/* --check-config, where the file isn't a collector's: there need be no FILE. */
static int check_the_file(const struct options *o, struct error *err)
{
	if (o->mode != MODE_RECEIVE || o->file_count)
		return error_set(err, -EINVAL,
				 "--check-config goes with no FILE, --check or --info");
	return 0;
}

static int check_files(struct options *o, struct error *err)
{
	if (o->mode == MODE_HELP || o->mode == MODE_VERSION)
		return 0;
	if (o->host && !host_name_is_good(o->host))
		return error_set(err, -EINVAL,
				 "--host: \"%.60s\" isn't a name of letters, digits and \"._:-\"",
				 o->host);
	if (o->json && o->mode != MODE_INFO)
		return error_set(err, -EINVAL, "--json goes with --info");
	if (o->json && !WITH_JANSSON)
		return error_set(err, -ENOTSUP, "--json is not part of this build (jansson)");
	if (o->mode == MODE_STDIO || o->mode == MODE_LISTEN)
		return check_collector(o, err);
	if (o->check_config)
		return check_the_file(o, err);
	if (o->mode == MODE_RECEIVE && o->file_count == 0 && !o->dir)
		return error_set(err, -EINVAL, "name the FILE to write, or a --dir; see --help");
	if (o->mode != MODE_RECEIVE && o->file_count == 0)
		return error_set(err, -EINVAL, "name a FILE or DIR to look at; see --help");
	if (o->mode == MODE_RECEIVE && o->file_count > 1)
		return error_set(err, -EINVAL, "one FILE at a time, not also \"%s\"", o->files[1]);
	for (int i = 0; i < o->file_count; i++)
		if (!*o->files[i])
			return error_set(err, -EINVAL, "FILE is an empty name");
	return 0;
}

static void set_defaults(void *values)
{
	*(struct options *)values =
		(struct options){.mode = MODE_RECEIVE,
				 .progress = PROGRESS_AUTO,
				 .sums = SUMS_CRC32C,
				 .shown = LOG_NOTE,
				 .max_sessions = SESSIONS,
				 .host_sessions = HOST_SESSIONS,
				 .max_waiting = WAITING,
				 .timeout_ms = TIMEOUT_MS,
				 .limits.min_free_bytes = SPACE_MIN_FREE_DEFAULT};
}

static bool needs_no_file(const void *values)
{
	const struct options *o = values;

	return o->mode == MODE_HELP || o->mode == MODE_VERSION;
}

static const struct cli_table table = {options, ARRAY_LEN(options), CONFIG_PATH, set_defaults,
				       needs_no_file};

int options_parse(int argc, char **argv, struct options *options_ret, struct error *err)
{
	struct options o;
	const int first = cli_read(&table, &o, argc, argv, &o.text, err);
	int r = MIN(first, 0);

	if (r == 0) {
		o.files = argv + first;
		o.file_count = argc - first;
		/* A FILE on a collector's command line is what is wanted now. */
		if (o.mode == MODE_LISTEN && o.listen_from_file && o.file_count)
			o.mode = MODE_RECEIVE;
		r = check_files(&o, err);
		if (r == 0 && o.check_config && !o.text)
			r = error_set(err, -ENOENT, "--check-config: there is no " CONFIG_PATH);
		else if (r < 0 && o.check_config && o.text)
			error_prefix(err, "%s", o.config ? o.config : CONFIG_PATH);
	}
	if (r < 0) {
		options_deinit(&o);
		return r;
	}
	*options_ret = o;
	return 0;
}

int options_read_file(const char *path, struct options *options_ret, struct error *err)
{
	char program[] = "vmrecv", option[] = "--config";
	AUTO_FREE char *name = path ? strdup(path) : NULL;
	char *argv[] = {program, option, name, NULL};
	struct options o;
	int r;

	if (path && !name)
		return error_set(err, -ENOMEM, "out of memory for %s", path);
	r = cli_read(&table, &o, path ? 3 : 1, argv, &o.text, err);
	if (r < 0) {
		options_deinit(&o);
		return r;
	}
	o.config = path;
	*options_ret = o;
	return 0;
}

void options_deinit(struct options *o)
{
	free(o->text);
	o->text = NULL;
}
