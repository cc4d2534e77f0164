/* What the command line asks for, from beginning to end.
 * Doesn't know formats, pages or threads. */
#include "sender/job.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/inmemory.h"
#include "base/log.h"
#include "format/dumpfile.h"
#include "sender/allowance.h"
#include "sender/delivery/delivery.h"
#include "sender/delivery/identity.h"
#include "sender/delivery/local_file.h"
#include "sender/delivery/probe.h"
#include "sender/dump.h"
#include "sender/estimate.h"
#include "sender/kernel/crashlog.h"
#include "sender/kernel/find_info.h"
#include "sender/kernel/kmodel.h"
#include "sender/kernel/warnings.h"
#include "sender/lifetime.h"
#include "sender/options.h"
#include "sender/output/sink.h"
#include "sender/pages/budget.h"
#include "sender/report.h"
#include "sender/say.h"

/* What is to be dumped, and what came of it. */
struct job {
	const struct options *o;
	struct vmcore *core;
	struct kmodel km;
	unsigned level;
	bool lower_level; /* than was asked for */
	struct warnings warnings;
	size_t said; /* of the warnings */
	struct dump_result res;
	bool kept_part;	     /* of a dump that failed or was stopped */
	uint64_t more_bytes; /* that a dump takes in line beside what there is; 0: it was said */
	struct delivery_result delivered;
};

/*
 * Make the kernel model and take the first level that it serves; where it serves none of them, what
 * it can of the first.
 */
static void choose_level(struct job *job)
{
	const struct options *o = job->o;
	unsigned wanted = 0;

	for (size_t i = 0; i < o->level_count; i++)
		wanted |= page_classes_of_level(o->levels[i]);
	kmodel_init(&job->km, job->core, wanted, &job->warnings);
	for (size_t i = 0; i < o->level_count; i++) {
		job->level = o->levels[i];
		if (kmodel_served_level(&job->km, job->level) == job->level)
			return;
	}
	job->lower_level = true;
	job->level = kmodel_served_level(&job->km, o->levels[0]);
	warn_also(&job->warnings, "dump level %u is served in place of %u", job->level,
		  o->levels[0]);
}

/* Warnings about what was delivered; the exit status that they make. */
static enum exit_status check(const struct job *job)
{
	const uint64_t unreadable = job->res.counts.unreadable;

	/* Of a cut vmcore it was said already, and the summary has the number. */
	if (unreadable && !job->core->map.lost_bytes)
		log_warning("%" PRIu64 " pages could not be read: the dump is marked incomplete",
			    unreadable);
	if (!job->res.uname_known && !job->res.was_there)
		log_warning("the kernel's name wasn't found in its memory: %s",
			    job->core->info ? "the dump has what VMCOREINFO says"
					    : "there is no usable VMCOREINFO to find it by");
	/* A cut vmcore is bad input; a bad page in a good one is what crashed machines have. */
	if (job->core->map.lost_bytes)
		return EXIT_INCOMPLETE;
	if (job->res.log_only)
		return EXIT_INCOMPLETE;
	if (job->o->strict && (unreadable || job->lower_level))
		return EXIT_INCOMPLETE;
	return EXIT_COMPLETE;
}

/* Run the dump into `sink`, or where `delivery` brings it, and tell of it. */
static int dump_into(struct job *job, struct sink *sink, struct delivery *delivery,
		     struct error *err)
{
	AUTO(progress_free) struct progress *progress = NULL;
	const struct options *o = job->o;
	const struct budget budget = allowance_budget(job->o, job->core);
	struct dump_setup setup = {
		.core = job->core,
		.km = &job->km,
		.level = job->level,
		.ladder = o->ladder,
		.budget = &budget,
		.sink = sink,
		.delivery = delivery,
		.warnings = &job->warnings,
		.stop = lifetime_stop(),
	};
	/* What a crash kernel has for a terminal is a console. */
	const bool lines = o->progress == PROGRESS_AUTO && o->in_crash_kernel;
	int r = progress_new(lines ? PROGRESS_LINES : o->progress, &progress, err);

	if (r < 0)
		return r;
	setup.progress = progress;
	r = dump_run(&setup, &job->res, err);
	say_warnings(&job->warnings, &job->said);
	if (r < 0)
		job->more_bytes = allowance_suggest(o, &budget, job->res.filter.pages_bytes, err);
	if (r < 0 || job->res.was_there || job->res.log_only || job->res.other_level)
		return r;
	say_threads(&job->res, budget.threads);
	say_essential(&job->res, job->core->page_bytes);
	say_summary(&job->res, job->core->live, progress_seconds(progress));
	return 0;
}

static int dump_to_stream(struct job *job, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r;

	if (isatty(STDOUT_FILENO))
		return error_set(err, -EINVAL,
				 "standard output is a terminal: name a DUMPFILE, or use a pipe");
	r = sink_new_flat(STDOUT_FILENO, &sink, err);
	if (r == 0)
		r = dump_into(job, sink, NULL, err);
	/* A full disk may say so only now. */
	if (r == 0 && close(STDOUT_FILENO) < 0)
		r = error_sys(err, "writing the stream");
	return r;
}

/* Called while a dump is read back for its sums. */
static int stop_if_over(void *ctx UNUSED, struct error *err)
{
	const struct stop stop = lifetime_stop();

	return stop_check(&stop, err);
}

static int dump_to_file(struct job *job, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO(sink_free) struct sink *sink = NULL;
	const struct options *o = job->o;
	const struct keepalive alive = {stop_if_over, NULL};
	int r = 0;

	/* Elsewhere there is somebody who knows what a tmpfs is. */
	if (o->in_crash_kernel && !o->may_be_volatile)
		r = in_memory_check(o->dumpfile, err);
	if (r == 0)
		r = dumpfile_create(o->dumpfile, dumpfile_replace_if(o->force), &df, err);
	if (r == 0)
		r = dumpfile_keep_sums(df, job->o->sums, &alive, err);
	if (r == 0)
		r = sink_new_file(df, &sink, err);
	if (r == 0)
		r = dump_into(job, sink, NULL, err);
	if (r == 0)
		r = local_file_publish(df, job->o->dumpfile, err);
	if (r < 0)
		job->kept_part = local_file_keep(df, job->res.table_end);
	return r;
}

/* One delivery at job->level: 0, also where the receiver asks for another level. */
static int deliver_at_level(struct job *job, const struct crashlog *log, struct error *err)
{
	AUTO(delivery_free) struct delivery *delivery = NULL;
	const struct options *o = job->o;
	const struct identity_options identity = {job->level, &o->ladder};
	struct delivery_setup setup = {
		.to = o->to,
		.to_count = o->to_count,
		.each =
			{
				.connect = o->connect,
				.log = log,
				.timeout_ms = o->timeout_ms,
				.retry_ms = o->retry_ms,
				.queue_ms = o->queue_ms,
				.bytes_per_s = o->bytes_per_s,
				.force = o->force,
				.may_be_volatile = o->may_be_volatile,
				.sums = o->sums,
				.alive = {stop_if_over, NULL},
				.stop = lifetime_stop(),
			},
	};
	int r = identity_hello(&job->km, &identity, log ? log->panic : "", &setup.each.hello, err);

	if (r == 0)
		r = delivery_new(&setup, &delivery, err);
	if (r < 0)
		return r;
	delivery_open(delivery);
	r = dump_into(job, NULL, delivery, err);
	if (r < 0)
		delivery_give_up(delivery, err, job->res.table_end);
	delivery_result(delivery, &job->delivered);
	return r;
}

/*
 * The receiver's operator rules how large a dump may be; once. What this side's operator has left
 * out stays out, whatever a receiver asks for.
 */
static int lower_level(struct job *job, struct error *err)
{
	const unsigned wanted = job->res.wanted_level;
	const unsigned level = job->level | kmodel_served_level(&job->km, wanted);

	if (level == job->level)
		return error_set(err, -EACCES,
				 "the receiver wants a dump of level %u, which isn't to be had with"
				 " level %u",
				 wanted, job->level);
	log_warning("the receiver wants a dump of level %u: this is one of level %u", wanted,
		    level);
	job->level = level;
	job->lower_level = true;
	return 0;
}

/* --to, or --stream=session: the log first, then the dump. */
static int dump_by_delivery(struct job *job, struct error *err)
{
	struct crashlog crashlog;
	const struct crashlog *log = &crashlog;
	struct error log_err;
	int r;

	if (job->o->oneway && isatty(STDOUT_FILENO))
		return error_set(err, -EINVAL, "standard output is a terminal: use a pipe");
	if (crashlog_init(&crashlog, job->core, ATTACH_BYTES_MAX, &log_err) < 0) {
		log_warning("the kernel log can't be had: %s", log_err.msg);
		log = NULL;
	} else if (log->left_out_bytes) {
		log_warning("the kernel log is longer than %d MiB: its oldest %" PRIu64
			    " bytes are left out",
			    ATTACH_BYTES_MAX >> 20, log->left_out_bytes);
	}
	r = deliver_at_level(job, log, err);
	if (r == 0 && job->res.other_level) {
		r = lower_level(job, err);
		if (r == 0)
			r = deliver_at_level(job, log, err);
		if (r == 0 && job->res.other_level)
			return error_set(err, -EACCES,
					 "the receiver takes no level that is served");
	}
	if (r == 0)
		say_delivered(&job->res, &job->delivered, job->o->oneway);
	else if (job->delivered.partial)
		job->kept_part = true;
	return r;
}

/* --probe: no vmcore is needed. What fails is told for each destination. */
static enum exit_status probe(const struct options *o)
{
	/* Where there is no crashed kernel, the one that runs is what there will be a dump of. */
	const char *core = access(o->vmcore, F_OK) == 0 ? o->vmcore : "/proc/kcore";
	struct destination_setup setup = {
		.connect = o->connect,
		.hello = {.level = o->levels[0]},
		.timeout_ms = o->timeout_ms,
		.bytes_per_s = o->bytes_per_s,
		.force = o->force,
		.may_be_volatile = o->may_be_volatile,
		.stop = lifetime_stop(),
	};

	const struct estimate_setup estimate = {
		.core = core,
		.meminfo = "/proc/meminfo",
		.level = o->levels[0],
		.compressed = strcmp(codec_ladder_name(&o->ladder), "none") != 0,
		.threads = o->threads,
		.access = o->access,
		.stop = lifetime_stop(),
	};
	const struct probe_need need = estimate_dump(&estimate);

	snprintf(setup.hello.codec, sizeof(setup.hello.codec), "%s", codec_ladder_name(&o->ladder));
	gethostname(setup.hello.host, sizeof(setup.hello.host) - 1);
	return error_exit_status(probe_destinations(o->to, o->to_count, &setup, &need));
}

/* --dump-dmesg: to DUMPFILE, or to standard output. */
static int dump_dmesg(const struct job *job, struct error *err)
{
	const struct options *o = job->o;

	if (!o->dumpfile)
		return report_dmesg(job->core, stdout, err);
	return report_dmesg_to_file(job->core, o->dumpfile, o->force, err);
}

static bool is_input(const struct job *job, const char *path)
{
	struct stat in, st;

	return stat(path, &st) == 0 && fstat(job->core->fd, &in) == 0 && in.st_dev == st.st_dev &&
	       in.st_ino == st.st_ino;
}

/* A file that is made here takes the place of PATH, and of PATH.part: not where one of them is what
 * is read, whatever --force says. */
static int check_file(const struct job *job, const char *path, struct error *err)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s.part", path); /* one that is longer can't be opened */
	if (!is_input(job, path) && !is_input(job, part))
		return 0;
	return error_set(err, -EINVAL, "%s would take the place of the vmcore: name another file",
			 path);
}

static int check_files(const struct job *job, struct error *err)
{
	const struct options *o = job->o;
	int r = o->dumpfile ? check_file(job, o->dumpfile, err) : 0;

	for (size_t i = 0; i < o->to_count && r == 0; i++)
		if (o->to[i].scheme == URL_FILE)
			r = check_file(job, o->to[i].path, err);
	return r;
}

static int dump(struct job *job, struct error *err)
{
	int r;

	choose_level(job);
	r = stop_check(&job->core->stop, err);
	if (r < 0)
		return r;
	say_warnings(&job->warnings, &job->said);
	if (job->o->to_count || job->o->oneway)
		return dump_by_delivery(job, err);
	return job->o->dumpfile ? dump_to_file(job, err) : dump_to_stream(job, err);
}

static int run(struct job *job, enum exit_status *status_ret, struct error *err)
{
	int r;

	*status_ret = EXIT_COMPLETE;
	if (job->o->probe) {
		*status_ret = probe(job->o);
		return 0;
	}
	r = vmcore_open(job->o->vmcore, job->o->access, &job->core, err);
	if (r == -ENOMEM)
		job->more_bytes = allowance_unopened(job->o);
	if (r < 0)
		return r;
	if (!job->o->dump_dmesg && !job->o->mem_usage) /* these a signal ends at once */
		job->core->stop = lifetime_stop();
	r = find_info(job->core, say_search, &job->warnings, err);
	if (r < 0)
		return r;
	say_warnings(&job->warnings, &job->said);
	say_input(job->core);
	r = check_files(job, err);
	if (r < 0)
		return r;
	if (job->o->dump_dmesg)
		return dump_dmesg(job, err);
	if (job->o->mem_usage) {
		r = report_mem_usage(job->core, allowance_budget(job->o, job->core).threads,
				     job->o->json, stdout, &job->warnings, err);
		say_warnings(&job->warnings, &job->said);
		return r;
	}
	r = dump(job, err);
	if (r == 0)
		*status_ret = check(job);
	return r;
}

/* What there is of a dump counts more than why there is no more, but for a lack of space, which
 * somebody has to see to. */
static enum exit_status status_of_failure(const struct job *job, int r)
{
	const enum exit_status status = error_exit_status(r);

	if (!job->kept_part || (status == EXIT_REFUSED && !job->o->to_count))
		return status;
	return EXIT_INCOMPLETE;
}

int job_run(const struct options *o, enum exit_status *status_ret, struct error *err)
{
	struct job job = {.o = o, .more_bytes = ALLOWANCE_EARLY_BYTES};
	const int r = run(&job, status_ret, err);

	if (r < 0) {
		*status_ret = status_of_failure(&job, r);
		allowance_suggest_space(job.more_bytes, err);
	}
	kmodel_deinit(&job.km);
	vmcore_free(job.core);
	return r;
}
