/* vmsend: arguments to a dump to an exit status.
 * Doesn't know formats, pages or threads. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dump.h"
#include "dumpfile.h"
#include "filter.h"
#include "log.h"
#include "options.h"
#include "parse.h"
#include "sink.h"

static volatile sig_atomic_t stop_signal;

static void on_signal(int signal_number)
{
	stop_signal = signal_number;
}

static bool cancelled(void)
{
	return stop_signal != 0;
}

/* A signal ends the dump at the next chunk, so that what there is stays usable; a broken pipe is a
 * write error. */
static void set_signals(void)
{
	const struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* The first level that can be served as it was asked for; else what can be served of the first. */
static unsigned choose_level(const struct options *o, bool *lower_ret)
{
	*lower_ret = false;
	for (size_t i = 0; i < o->level_count; i++)
		if ((o->levels[i] & ~(unsigned)LEVEL_SERVED) == 0)
			return o->levels[i];
	*lower_ret = true;
	log_warning("dump level %u: this version can leave out zero pages only; level %u is served",
		    o->levels[0], o->levels[0] & LEVEL_SERVED);
	return o->levels[0] & LEVEL_SERVED;
}

static void warn_of_input(const struct vmcore *core)
{
	char size[16];

	if (core->map.lost_bytes)
		log_warning("%s of memory are missing: the vmcore is cut short at byte %" PRIu64,
			    format_size(size, sizeof(size), core->map.lost_bytes),
			    core->file_bytes);
	if (!core->info)
		log_warning(
			"no usable VMCOREINFO in the vmcore: crash may need help to open the dump");
}

static void say_summary(const struct dump_result *res, double seconds)
{
	const struct writer_counts *c = &res->counts;
	char in[16], out[16], time[24], lost[48] = "";

	if (c->unreadable)
		snprintf(lost, sizeof(lost), ", %" PRIu64 " unreadable", c->unreadable);
	log_note("%" PRIu64 " pages: %" PRIu64 " excluded, %" PRIu64 " zero, %" PRIu64
		 " compressed, %" PRIu64 " raw%s; %s in, %s out (%.1f %%) in %s",
		 res->ram_pages, res->ram_pages - res->pages, c->zero, c->compressed, c->raw, lost,
		 format_size(in, sizeof(in), res->bytes_in),
		 format_size(out, sizeof(out), res->bytes_out),
		 res->bytes_in ? 100.0 * (double)res->bytes_out / (double)res->bytes_in : 0.0,
		 format_duration(time, sizeof(time), seconds));
}

/* Warnings about what was delivered; the exit status that they make. */
static enum exit_status judge(const struct options *o, const struct vmcore *core,
			      const struct dump_result *res, bool lower_level)
{
	if (res->counts.unreadable)
		log_warning("%" PRIu64 " pages could not be read: the dump is marked incomplete",
			    res->counts.unreadable);
	if (!res->uname_known)
		log_warning("the kernel's name wasn't found in its memory: the dump has what "
			    "VMCOREINFO says");
	/* A cut vmcore is bad input; a bad page in a good one is what crashed machines have. */
	if (core->map.lost_bytes)
		return EXIT_INCOMPLETE;
	if (o->strict && (res->counts.unreadable || lower_level))
		return EXIT_INCOMPLETE;
	return EXIT_COMPLETE;
}

/* Run the dump into `sink`, and tell of it. */
static int dump_into(const struct options *o, const struct vmcore *core, unsigned level,
		     struct sink *sink, struct dump_result *res, struct error *err)
{
	AUTO(progress_free) struct progress *progress = NULL;
	struct dump_setup setup = {
		.core = core,
		.level = level,
		.codec = o->codec,
		.codec_level = o->codec_level,
		.threads = o->threads,
		.memory_bytes = o->memory_bytes,
		.sink = sink,
		.cancelled = cancelled,
	};
	char size[16];
	int r = progress_new(o->progress, &progress, err);

	if (r < 0)
		return r;
	setup.progress = progress;
	log_detail("%u workers, at most %s of memory", o->threads,
		   format_size(size, sizeof(size), dump_memory_bytes(core, o->codec, o->threads)));
	r = dump_run(&setup, res, err);
	if (r == 0)
		say_summary(res, progress_seconds(progress));
	return r;
}

static int dump_to_stream(const struct options *o, const struct vmcore *core, unsigned level,
			  struct dump_result *res, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r;

	if (isatty(STDOUT_FILENO))
		return error_set(err, -EINVAL,
				 "standard output is a terminal: name a DUMPFILE, or use a pipe");
	r = sink_new_flat(STDOUT_FILENO, &sink, err);
	if (r == 0)
		r = dump_into(o, core, level, sink, res, err);
	/* A full disk may say so only now. */
	if (r == 0 && close(STDOUT_FILENO) < 0)
		r = error_sys(err, "writing the stream");
	return r;
}

static int dump_to_file(const struct options *o, const struct vmcore *core, unsigned level,
			struct dump_result *res, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(sink_free) struct sink *sink = NULL;
	struct error unused;
	int r = dumpfile_create(o->dumpfile, o->force, &df, err);

	if (r == 0)
		r = sink_new_file(df, &sink, err);
	if (r == 0)
		r = dump_into(o, core, level, sink, res, err);
	if (r == 0)
		return dumpfile_publish(df, err);
	/* Records go out data first, so what is there is a dump that is right as far as it goes. */
	if (df && dumpfile_size(df)) {
		if (dumpfile_keep_part(df, res->table_end, &unused) == 0)
			log_note("what was written is in %s", dumpfile_part_path(df));
	}
	return r;
}

static int run(const struct options *o, enum exit_status *status_ret, struct error *err)
{
	AUTO(vmcore_free) struct vmcore *core = NULL;
	struct dump_result res = {0};
	bool lower_level;
	unsigned level;
	int r = vmcore_open(o->vmcore, o->access, &core, err);

	if (r < 0)
		return r;
	level = choose_level(o, &lower_level);
	warn_of_input(core);
	if (o->dumpfile)
		r = dump_to_file(o, core, level, &res, err);
	else
		r = dump_to_stream(o, core, level, &res, err);
	if (r == 0)
		*status_ret = judge(o, core, &res, lower_level);
	return r;
}

int main(int argc, char **argv)
{
	enum exit_status status = EXIT_FAILED;
	struct options o;
	struct error err;

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
	set_signals();
	if (run(&o, &status, &err) < 0) {
		log_error("%s", err.msg);
		return (int)error_exit_status(err.code);
	}
	return (int)status;
}
