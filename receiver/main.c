/* vmrecv: arguments to exit status.
 * Doesn't do any of the work. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "receiver/collector/connection.h"
#include "receiver/collector/launch.h"
#include "receiver/collector/listen.h"
#include "receiver/inspect/check.h"
#include "receiver/inspect/info.h"
#include "receiver/intake/receive.h"
#include "receiver/options.h"

static enum exit_status run(const struct options *options)
{
	switch (options->mode) {
	case MODE_RECEIVE:
		return receive_file(options);
	case MODE_STDIO:
		return receive_stdio(options);
	case MODE_LISTEN:
		return listen_for_senders(options);
	case MODE_CHECK:
		return check_files(options);
	case MODE_INFO:
		return info_files(options);
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
	status = run(&options);
	options_deinit(&options);
	return status;
}
