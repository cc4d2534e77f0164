/* vmrecv's command line and configuration file: words to struct options.
 * Doesn't act on anything. */
#include "receiver/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cli.h"
#include "base/hostname.h"
#include "base/parse.h"
#include "format/codec.h"
#include "wire/message.h"

enum option_id {
	OPT_CHECK,
	OPT_CONFIG,
	OPT_DIR,
	OPT_FORCE,
	OPT_HELP,
	OPT_HOST,
	OPT_INFO,
	OPT_JSON,
	OPT_LISTEN,
	OPT_MAX_SESSIONS,
	OPT_MAX_SIZE,
	OPT_NUM_THREADS,
	OPT_PLAIN_FROM,
	OPT_PROGRESS,
	OPT_QUIET,
	OPT_STDIO,
	OPT_SUMS,
	OPT_TIMEOUT,
	OPT_TLS_CA,
	OPT_TLS_CERT,
	OPT_TLS_CRL,
	OPT_TLS_KEY,
	OPT_TLS_PSK,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_COUNT,
};

enum {
	THREADS_MAX = 256,
	SESSIONS = 256,

	TIMEOUT_MIN_MS = 2000,
	TIMEOUT_MS = 30000,
};

/* Sorted as --help shows them. */
static const struct cli_option table[OPT_COUNT] = {
	[OPT_CHECK] = {"check", 0, NULL, "verify each FILE, or all below a DIR"},
	[OPT_CONFIG] = {"config", 0, "FILE", "options, one a line (" CONFIG_PATH ")"},
	[OPT_DIR] = {"dir", 0, "DIR", "dumps go to DIR/HOST/TIME (default /var/crash)"},
	[OPT_FORCE] = {"force", 'f', NULL, "replace FILE and FILE.part if they exist"},
	[OPT_HELP] = {"help", 'h', NULL, "show this text"},
	[OPT_HOST] = {"host", 0, "NAME", "whose dump it is, whatever the sender says"},
	[OPT_INFO] = {"info", 0, NULL, "say what each FILE is, or all below a DIR"},
	[OPT_JSON] = {"json", 0, NULL, "with --info: a JSON array, an object per dump"},
	[OPT_LISTEN] = {"listen", 0, "ADDR:PORT", "take dumps from the network; repeats"},
	[OPT_MAX_SESSIONS] = {"max-sessions", 0, "N", "at once, with --listen (default 256)"},
	[OPT_MAX_SIZE] = {"max-size", 0, "SIZE",
			  "FILE may not get longer (default: by its header)"},
	[OPT_NUM_THREADS] = {"num-threads", 0, "N", "threads of --check (default: one per CPU)"},
	[OPT_PLAIN_FROM] = {"plain-from", 0, "NETWORK", "may send without TLS; repeats"},
	[OPT_PROGRESS] = {"progress", 0, "MODE", "auto, tty, lines, json or none (auto)"},
	[OPT_QUIET] = {"quiet", 'q', NULL, "only errors and warnings"},
	[OPT_STDIO] = {"stdio", 0, NULL, "a session, as the far end of ssh"},
	[OPT_SUMS] = {"sums", 0, "KIND", "FILE.sums: none, crc32c (default) or sha256"},
	[OPT_TIMEOUT] = {"timeout", 0, "TIME", "silence that breaks a link (default 30s)"},
	[OPT_TLS_CA] = {"tls-ca", 0, "FILE", "who signs certificates of senders"},
	[OPT_TLS_CERT] = {"tls-cert", 0, "FILE", "this server's certificate"},
	[OPT_TLS_CRL] = {"tls-crl", 0, "FILE", "certificates that their CAs have revoked"},
	[OPT_TLS_KEY] = {"tls-key", 0, "FILE", "its private key"},
	[OPT_TLS_PSK] = {"tls-psk", 0, "FILE", "keys shared with senders, a line each"},
	[OPT_VERBOSE] = {"verbose", 'v', NULL, "details as well"},
	[OPT_VERSION] = {"version", 'V', NULL, "show version and what was built in"},
};

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
	cli_help(table, OPT_COUNT);
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

static int add_network(struct options *o, const char *value, struct error *err)
{
	int r;

	/* A list on the command line is in place of the file's, not behind it. */
	if (o->plain_from_from_file)
		o->plain_from_count = 0;
	o->plain_from_from_file = false;
	if (o->plain_from_count == NETWORKS_MAX)
		return error_set(err, -EINVAL, "more than %d networks", NETWORKS_MAX);
	r = network_parse(value, &o->plain_from[o->plain_from_count], err);
	if (r == 0)
		o->plain_from_count++;
	return r;
}

static int add_listen(struct options *o, const char *value, struct error *err)
{
	if (o->listen_from_file)
		o->listen_count = 0;
	o->listen_from_file = false;
	if (o->listen_count == LISTEN_MAX)
		return error_set(err, -EINVAL, "more than %d addresses", LISTEN_MAX);
	if (tcp_check_address(value, err) < 0)
		return -EINVAL;
	o->listen[o->listen_count++] = value;
	o->mode = MODE_LISTEN;
	return 0;
}

static int parse_timeout(struct options *o, const char *value, struct error *err)
{
	uint64_t ms;
	const int r = parse_duration(value, &ms, err);

	if (r < 0)
		return r;
	if (ms < TIMEOUT_MIN_MS || ms > SILENCE_MAX_MS)
		return error_set(err, -EINVAL, "\"%s\" isn't from %ds to %dm", value,
				 TIMEOUT_MIN_MS / 1000, SILENCE_MAX_MS / 60000);
	o->timeout_ms = (uint32_t)ms;
	return 0;
}

static int parse_sessions(struct options *o, const char *value, struct error *err)
{
	long long n;
	const int r = parse_number(value, 1, SESSIONS_MAX, &n, err);

	if (r == 0)
		o->max_sessions = (unsigned)n;
	return r;
}

static int parse_max_size(struct options *o, const char *value, struct error *err)
{
	const int r = parse_size(value, &o->max_size_bytes, err);

	if (r == 0 && (o->max_size_bytes == 0 || o->max_size_bytes > INT64_MAX))
		return error_set(err, -EINVAL, "\"%s\" isn't from 1 to 8388607T", value);
	return r;
}

/* An option whose text is kept as it is; false if it is none of these. */
static bool keep_text(struct options *o, enum option_id option, const char *value)
{
	const char **const to = option == OPT_DIR	 ? &o->dir
				: option == OPT_HOST	 ? &o->host
				: option == OPT_TLS_CA	 ? &o->tls.ca
				: option == OPT_TLS_CERT ? &o->tls.cert
				: option == OPT_TLS_CRL	 ? &o->tls.crl
				: option == OPT_TLS_KEY	 ? &o->tls.key
				: option == OPT_TLS_PSK	 ? &o->tls.psk
							 : NULL;

	if (to)
		*to = value;
	return to;
}

static int apply(void *ctx, size_t option, const char *value, struct error *err)
{
	struct options *o = ctx;
	long long n;
	int r = 0;

	if (keep_text(o, (enum option_id)option, value))
		return 0;
	switch ((enum option_id)option) {
	case OPT_CHECK:
		o->mode = MODE_CHECK;
		break;
	case OPT_CONFIG:
		if (o->reading_file)
			return error_set(err, -EINVAL, "a file can't name another");
		o->config = value;
		break;
	case OPT_STDIO:
		o->mode = MODE_STDIO;
		break;
	case OPT_LISTEN:
		return add_listen(o, value, err);
	case OPT_PLAIN_FROM:
		return add_network(o, value, err);
	case OPT_TIMEOUT:
		return parse_timeout(o, value, err);
	case OPT_MAX_SESSIONS:
		return parse_sessions(o, value, err);
	case OPT_FORCE:
		o->force = true;
		break;
	case OPT_HELP:
		o->mode = MODE_HELP;
		break;
	case OPT_INFO:
		o->mode = MODE_INFO;
		break;
	case OPT_JSON:
		o->json = true;
		break;
	case OPT_MAX_SIZE:
		return parse_max_size(o, value, err);
	case OPT_NUM_THREADS:
		r = parse_number(value, 0, THREADS_MAX, &n, err);
		if (r == 0)
			o->threads = (int)n;
		break;
	case OPT_PROGRESS:
		r = progress_mode_by_name(value, &o->progress, err);
		break;
	case OPT_QUIET:
		o->shown = LOG_WARNING;
		break;
	case OPT_SUMS:
		return sums_kind_by_name(value, &o->sums, err);
	case OPT_VERBOSE:
		o->shown = LOG_DETAIL;
		break;
	case OPT_VERSION:
		o->mode = MODE_VERSION;
		break;
	default:
		break;
	}
	return r;
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

static const struct options defaults = {.mode = MODE_RECEIVE,
					.progress = PROGRESS_AUTO,
					.sums = SUMS_CRC32C,
					.shown = LOG_NOTE,
					.max_sessions = SESSIONS,
					.timeout_ms = TIMEOUT_MS};

/*
 * The command line is read twice: for the file's name, and, after the file, to win over it. Returns
 * the index of the first operand.
 */
static int parse_all(struct options *o, int argc, char **argv, struct error *err)
{
	const char *config;
	int r;

	*o = defaults;
	r = cli_parse(table, OPT_COUNT, argc, argv, apply, o, err);
	if (r < 0 || o->mode == MODE_HELP || o->mode == MODE_VERSION)
		return r;
	config = o->config;
	*o = defaults;
	o->reading_file = true;
	r = cli_parse_file(table, OPT_COUNT, config, CONFIG_PATH, apply, o, &o->text, err);
	o->reading_file = false;
	o->listen_from_file = o->listen_count > 0;
	o->plain_from_from_file = o->plain_from_count > 0;
	return r < 0 ? r : cli_parse(table, OPT_COUNT, argc, argv, apply, o, err);
}

int options_parse(int argc, char **argv, struct options *options_ret, struct error *err)
{
	struct options o;
	const int first = parse_all(&o, argc, argv, err);
	int r = MIN(first, 0);

	if (r == 0) {
		o.files = argv + first;
		o.file_count = argc - first;
		/* A FILE on a collector's command line is what is wanted now. */
		if (o.mode == MODE_LISTEN && o.listen_from_file && o.file_count)
			o.mode = MODE_RECEIVE;
		r = check_files(&o, err);
	}
	if (r < 0) {
		options_deinit(&o);
		return r;
	}
	*options_ret = o;
	return 0;
}

void options_deinit(struct options *o)
{
	free(o->text);
	o->text = NULL;
}
