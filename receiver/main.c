/* vmrecv: arguments to exit status.
 * Doesn't do any of the work. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "receiver/collect.h"
#include "receiver/collector/connection.h"
#include "receiver/collector/launch.h"
#include "receiver/inspect/check.h"
#include "receiver/inspect/info.h"
#include "receiver/intake/claim.h"
#include "receiver/intake/receive.h"
#include "receiver/options.h"

static bool is_quiet(const struct options *o)
{
	return o->shown < LOG_NOTE;
}

static enum progress_mode progress_of(const struct options *o)
{
	return is_quiet(o) ? PROGRESS_NONE : o->progress;
}

static struct receive_setup receive_setup_of(const struct options *o, struct claim *claim)
{
	return (struct receive_setup){
		.file = o->file_count ? o->files[0] : NULL,
		.dir = o->dir,
		.host = o->host,
		.force = o->force,
		.max_size_bytes = o->max_size_bytes,
		.sums = o->sums,
		.progress = progress_of(o),
		.timeout_ms = o->timeout_ms,
		.reserve = o->dir ? claim_space : NULL,
		.reserve_ctx = claim,
	};
}

static enum exit_status run_receive(const struct options *o)
{
	struct claim claim = {.dir = o->dir, .limits = o->limits};
	const struct receive_setup setup = receive_setup_of(o, &claim);

	return o->mode == MODE_STDIO ? receive_stdio(&setup) : receive_file(&setup);
}

static enum exit_status run_check(const struct options *o)
{
	const struct check_setup setup = {
		.files = o->files,
		.file_count = o->file_count,
		.threads = o->threads,
		.progress = progress_of(o),
		.quiet = is_quiet(o),
	};

	return check_files(&setup);
}

static enum exit_status run_info(const struct options *o)
{
	const struct info_setup setup = {
		.files = o->files, .file_count = o->file_count, .json = o->json};

	return info_files(&setup);
}

static enum exit_status run(const struct options *options, int argc, char **argv)
{
	if (options->check_config && options->mode != MODE_HELP && options->mode != MODE_VERSION)
		return collect_check(options);
	switch (options->mode) {
	case MODE_RECEIVE:
	case MODE_STDIO:
		return run_receive(options);
	case MODE_LISTEN:
		return collect(options, argc, argv);
	case MODE_CHECK:
		return run_check(options);
	case MODE_INFO:
		return run_info(options);
	case MODE_VERSION:
		options_print_version();
		break;
	case MODE_HELP:
		options_print_help();
		break;
	}
	return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_COMPLETE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	enum exit_status status;
	struct error err;

	io_fill_standard_streams();
	umask(077); /* files are the owner's alone, and the owner's in any case */
	log_init("vmrecv", LOG_NOTE);
	if (argc > 2 && strcmp(argv[1], LAUNCH_WORD) == 0)
		return (int)connection_serve(argv[2]);
	if (options_parse(argc, argv, &options, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	log_init("vmrecv", options.shown);
	status = run(&options, argc, argv);
	options_deinit(&options);
	return status;
}
