/* vmsend: arguments to a dump to an exit status.
 * Doesn't know formats, pages or threads. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/inmemory.h"
#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
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
#include "sender/machine/cgroup.h"
#include "sender/machine/meminfo.h"
#include "sender/options.h"
#include "sender/output/sink.h"
#include "sender/pages/budget.h"
#include "sender/pages/pageset.h"
#include "sender/report.h"

/* What a session takes besides: its output, TLS or SSH, their libraries' tables. Measured
 * (tests/guest/transports.t; 5.7 MiB by SSH), and rounded up. */
enum { SESSION_MEMORY_BYTES = 6 << 20 };

enum {
	/* What a dump takes beside all that the budget counts, and rounded up. */
	UNCOUNTED_BYTES = 1 << 20,
	/* What is enough where nothing is known of the vmcore. */
	EARLY_BYTES = 10 << 20,
	/* Of a vmcore that isn't open: for what codecs take. */
	PAGE_BYTES = 4096,
};

enum {
	/* A codec and a transport that sends, many times over. What is usual (8 MiB) is much where
	   the address space is limited. */
	STACK_BYTES = 512 << 10,
	/* The C library's own, until it sees such a piece given back. */
	LARGE_BYTES = 128 << 10,
};

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

/* Say the warnings that came since the last call. */
static void say_warnings(struct job *job)
{
	for (; job->said < job->warnings.count; job->said++)
		log_warning("%s", job->warnings.line[job->said]);
}

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

static void warn_of_input(const struct job *job)
{
	const struct vmcore *core = job->core;
	char size[16];

	if (core->map.lost_bytes)
		log_warning("%s of memory are missing: the vmcore is cut short at byte %" PRIu64
			    "; the dump is marked incomplete",
			    format_size(size, sizeof(size), core->map.lost_bytes),
			    core->file_bytes);
}

/* " (38 % lzo, 62 % zstd)", where there is more than one codec. */
static const char *mix_text(char *out, size_t out_bytes, const struct writer_counts *counts)
{
	const uint64_t pages = writer_counts_compressed(counts);
	size_t n = 0;

	*out = '\0';
	for (enum codec_id id = CODEC_NONE + 1; id < CODEC_COUNT && n < out_bytes; id++) {
		if (counts->by_codec[id] == pages)
			return "";
		if (counts->by_codec[id])
			n += (size_t)snprintf(out + n, out_bytes - n, "%s%.0f %% %s",
					      n ? ", " : " (",
					      100.0 * (double)counts->by_codec[id] / (double)pages,
					      codec_name(id));
	}
	if (n && n < out_bytes)
		snprintf(out + n, out_bytes - n, ")");
	return out;
}

static void say_summary(const struct dump_result *res, bool live, double seconds)
{
	const struct writer_counts *c = &res->counts;
	char in[16], out[16], time[24], lost[48] = "", mix[80];

	if (c->unreadable)
		snprintf(lost, sizeof(lost), ", %" PRIu64 " unreadable", c->unreadable);
	log_note("%" PRIu64 " pages: %" PRIu64 " excluded, %" PRIu64 " zero, %" PRIu64
		 " compressed%s, %" PRIu64 " raw%s; %s in, %s out (%.1f %%) in %s%s",
		 res->ram_pages, res->ram_pages - res->pages, c->zero, writer_counts_compressed(c),
		 mix_text(mix, sizeof(mix), c), c->by_codec[CODEC_NONE], lost,
		 format_size(in, sizeof(in), res->bytes_in),
		 format_size(out, sizeof(out), res->bytes_out),
		 res->bytes_in ? 100.0 * (double)res->bytes_out / (double)res->bytes_in : 0.0,
		 format_duration(time, sizeof(time), seconds),
		 live ? ", of a kernel that runs on" : "");
}

/* What has to arrive for a dump that is cut short to be of use. */
static void say_essential(const struct dump_result *res, uint64_t page_bytes)
{
	char memory[16], data[16], stream[16];

	if (res->essential_end)
		log_detail("essential: %" PRIu64
			   " pages, %s, in the first %s of the stream; without the "
			   "kernel's code in the first %s",
			   res->essential_pages,
			   format_size(memory, sizeof(memory), res->essential_pages * page_bytes),
			   format_size(stream, sizeof(stream), res->essential_end),
			   format_size(data, sizeof(data), res->data_end));
	else
		log_detail("essential: no page is known to be");
}

static uint64_t session_bytes(const struct options *o)
{
	return o->to_count || o->oneway ? SESSION_MEMORY_BYTES : 0;
}

/* What the system has to give, or the memory cgroups that it has put us in; 0: not known. */
static uint64_t available_memory(bool *by_cgroup_ret)
{
	const uint64_t system = meminfo_available("/proc/meminfo");
	const uint64_t cgroup = cgroup_available("/proc/self/cgroup", "/sys/fs/cgroup");

	*by_cgroup_ret = cgroup != CGROUP_UNLIMITED && (!system || cgroup < system);
	return *by_cgroup_ret ? MAX(cgroup, UINT64_C(1)) : system;
}

/* What the dump may take of memory; told where that makes the threads fewer. */
static struct budget make_budget(const struct job *job)
{
	const struct options *o = job->o;
	bool by_cgroup;
	const struct budget_setup setup = {
		.core = job->core,
		.codec_bytes = codec_ladder_memory_bytes(&o->ladder, job->core->page_bytes),
		.threads = o->threads,
		.memory_bytes = o->memory_bytes,
		.available_bytes = available_memory(&by_cgroup),
		.session_bytes = session_bytes(o),
	};
	const struct budget b = budget_make(&setup);
	const uint64_t available = setup.available_bytes;
	const char *where = by_cgroup ? " in this memory cgroup" : "";
	char least[16], most[16], free[16];

	format_size(least, sizeof(least), b.least_bytes);
	format_size(most, sizeof(most), b.most_bytes);
	format_size(free, sizeof(free), available);
	if (o->memory_bytes && b.least_bytes > o->memory_bytes)
		log_warning("--memory: %s is the least that this dump takes", least);
	else if (!o->memory_bytes && available && b.least_bytes > available)
		log_warning("%s of memory are available%s, and this dump may take %s", free, where,
			    least);
	if (b.threads == o->threads)
		log_detail("%u workers, at most %s of memory", b.threads, most);
	else if (o->memory_bytes)
		log_note("%u of %u threads, at most %s of memory", MAX(b.threads, 1U), o->threads,
			 most);
	else
		log_note("%u of %u threads, at most %s of memory: %s are available%s; --memory "
			 "allows more",
			 MAX(b.threads, 1U), o->threads, most, free, where);
	return b;
}

/* There was no room for the bitmap, or for other things in a limited address space: what would do.
 */
static void suggest_memory(struct job *job, const struct budget *budget, struct error *err)
{
	const uint64_t needed = job->res.filter.pages_bytes;

	if (err->code == -ENOMEM && budget->pages_bytes && needed > budget->pages_bytes) {
		error_prefix(err, "%s%" PRIu64 " MiB would do",
			     job->o->memory_bytes ? "--memory: " : "too little memory: ",
			     budget_mib_for(budget, needed));
		job->more_bytes = 0;
	} else {
		job->more_bytes = budget->dump_bytes + budget->setup.session_bytes +
				  UNCOUNTED_BYTES +
				  (needed ? needed : pageset_memory_max(job->core->map.max_mapnr));
	}
}

/* There was no room to open the vmcore: what it and the dump take by its headers. */
static void suggest_opening(struct job *job)
{
	const struct options *o = job->o;
	struct elf_extent extent;
	struct error unused;

	if (vmcore_measure(o->vmcore, &extent, &unused) == 0)
		job->more_bytes =
			budget_bytes_unopened(&extent,
					      codec_ladder_memory_bytes(&o->ladder, PAGE_BYTES)) +
			session_bytes(o) + UNCOUNTED_BYTES;
}

/* The same of the address space, where it is limited. */
static void suggest_space(const struct job *job, struct error *err)
{
	const uint64_t taken = err->code == -ENOMEM ? meminfo_limited_space() : 0;

	if (taken && job->more_bytes)
		error_prefix(err, "address space (ulimit -v): %" PRIu64 " MiB would do",
			     ((taken + job->more_bytes) >> 20) + 1);
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
	const struct budget budget = make_budget(job);
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
	say_warnings(job);
	if (r < 0)
		suggest_memory(job, &budget, err);
	if (r < 0 || job->res.was_there || job->res.log_only || job->res.other_level)
		return r;
	if (job->res.crew.workers < budget.threads)
		log_note("%u of %u threads: %s", job->res.crew.workers, budget.threads,
			 job->res.crew.refused == -EAGAIN
				 ? "a limit (ulimit -u, pids.max) allows no more"
				 : "there is no memory for more");
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

/* What came of a delivery, for the operator. */
static void say_delivered(const struct job *job)
{
	const struct delivery_result *d = &job->delivered;
	const struct dump_result *res = &job->res;
	char sent[16];

	if (res->was_there)
		log_note("%s: has the dump already", d->where);
	else if (res->log_only)
		log_warning("%s: wants the kernel log only, and has it", d->where);
	else if (job->o->oneway || d->in_file)
		log_note("%s: complete", d->where);
	else
		log_note("%s: complete and verified; %s sent over %u link%s", d->where,
			 format_size(sent, sizeof(sent), d->sent_bytes), d->links,
			 d->links == 1 ? "" : "s");
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
		say_delivered(job);
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
	say_warnings(job);
	if (job->o->to_count || job->o->oneway)
		return dump_by_delivery(job, err);
	return job->o->dumpfile ? dump_to_file(job, err) : dump_to_stream(job, err);
}

/* Of a crash kernel nobody sees why it takes so long. */
static void say_search(uint64_t bytes)
{
	char size[16];

	log_note("no note of VMCOREINFO is right: looking for it in %s of memory",
		 format_size(size, sizeof(size), bytes));
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
		suggest_opening(job);
	if (r < 0)
		return r;
	if (!job->o->dump_dmesg && !job->o->mem_usage) /* these a signal ends at once */
		job->core->stop = lifetime_stop();
	r = find_info(job->core, say_search, &job->warnings, err);
	if (r < 0)
		return r;
	say_warnings(job);
	warn_of_input(job);
	r = check_files(job, err);
	if (r < 0)
		return r;
	if (job->o->dump_dmesg)
		return dump_dmesg(job, err);
	if (job->o->mem_usage) {
		r = report_mem_usage(job->core, make_budget(job).threads, job->o->json, stdout,
				     &job->warnings, err);
		say_warnings(job);
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

/* What each thread takes of it, and what isn't given back. All of this may fail. */
static void save_address_space(void)
{
	pthread_attr_t attr;

	if (pthread_attr_init(&attr) == 0) {
		(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
		(void)pthread_setattr_default_np(&attr);
		pthread_attr_destroy(&attr);
	}
	/* One heap for all threads; and large pieces go back to the system, whatever lies above
	   them, for other large ones to be taken. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

int main(int argc, char **argv)
{
	enum exit_status status = EXIT_FAILED;
	struct options o;
	struct job job = {.o = &o, .more_bytes = EARLY_BYTES};
	struct error err;
	int r;

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
	save_address_space();
	r = run(&job, &status, &err);
	if (r < 0) {
		suggest_space(&job, &err);
		log_error("%s", err.msg);
	}
	kmodel_deinit(&job.km);
	vmcore_free(job.core);
	options_deinit(&o);
	log_drain();
	lifetime_end();
	return r < 0 ? (int)status_of_failure(&job, r) : (int)status;
}
