/* vmsend: arguments to a job to an exit status.
 * Doesn't know what a job does. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "sender/allowance.h"
#include "sender/job.h"
#include "sender/lifetime.h"
#include "sender/options.h"

int main(int argc, char **argv)
{
	enum exit_status status = EXIT_FAILED;
	struct options o;
	struct error err;

	io_fill_standard_streams();
	umask(077); /* files are the owner's alone, and the owner's in any case */
	log_init("vmsend", LOG_NOTE);
	if (options_parse(&o, argc, argv, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_USAGE;
	}
	if (o.help || o.version) {
		if (o.help)
			options_print_help();
		else
			options_print_version();
		return fflush(stdout) == 0 ? EXIT_COMPLETE : EXIT_FAILED;
	}
	log_init("vmsend", o.log_level);
	if (!o.mem_usage && !o.dump_dmesg)
		log_never_wait();
	lifetime_begin(&o);
	allowance_save_space();
	if (job_run(&o, &status, &err) < 0)
		log_error("%s", err.msg);
	options_deinit(&o);
	log_drain();
	lifetime_end();
	return status;
}
