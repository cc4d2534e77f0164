/* The file of file:, or DUMPFILE.
 * Doesn't know what is in a dump. */
#include "sender/delivery/local_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/inmemory.h"
#include "base/log.h"
#include "format/dumpfile.h"
#include "sender/delivery/destination.h"
#include "sender/kernel/crashlog.h"

static bool is_directory(const struct url *url)
{
	return url->path[strlen(url->path) - 1] == '/';
}

/* A directory gets a file of its own for each crash. */
char *local_file_path(const struct url *url, const struct hello *hello)
{
	const char *path = url->path;
	const time_t crash_time = (time_t)hello->crash_time_s;
	struct tm tm;
	char time[32], *result, host[sizeof(hello->host)];

	if (!is_directory(url))
		return strdup(path);
	/* The name comes from the crashed kernel's memory. */
	snprintf(host, sizeof(host), "%s", *hello->host ? hello->host : "unknown");
	for (char *c = host; *c; c++)
		if (*c == '/')
			*c = '_';
	if (!gmtime_r(&crash_time, &tm)) /* so does this: it need not be a time */
		gmtime_r(&(time_t){0}, &tm);
	strftime(time, sizeof(time), "%Y-%m-%dT%H-%M-%SZ", &tm);
	return asprintf(&result, "%s%s-%s.vmcore", path, host, time) < 0 ? NULL : result;
}

/* Where the name is this crash's alone, a part there is what a vmsend has left that was killed, and
 * is no reason to do without the dump. */
static enum dumpfile_replace what_may_go(const struct url *url,
					 const struct destination_setup *setup)
{
	const time_t crash_time = (time_t)setup->hello.crash_time_s;
	struct tm unused;

	if (!setup->force && is_directory(url) && crash_time && gmtime_r(&crash_time, &unused))
		return DUMPFILE_REPLACE_PART;
	return dumpfile_replace_if(setup->force);
}

/* The log's file, and what was written to it. */
struct log_file {
	struct dumpfile *df;
	uint64_t bytes;
};

static int write_log_piece(void *ctx, const char *text, size_t bytes, struct error *err)
{
	struct log_file *file = ctx;
	const uint64_t off = file->bytes;

	file->bytes += bytes;
	return dumpfile_write(file->df, off, text, bytes, err);
}

/* The log, beside the dump. */
static int write_dmesg(const struct destination_setup *setup, const char *dump_path,
		       struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO_FREE char *path = NULL;
	struct log_file file = {0};
	int r;

	if (!setup->log || asprintf(&path, "%s-dmesg.txt", dump_path) < 0)
		return 0;
	r = dumpfile_create(path, DUMPFILE_REPLACE_ALL, &df, err);
	file.df = df;
	if (r == 0)
		r = crashlog_write(setup->log, write_log_piece, &file, err);
	return r < 0 ? r : dumpfile_publish(df, err);
}

int local_file_open(const struct url *url, const struct destination_setup *setup, char **path_ret,
		    struct dumpfile **df_ret, struct error *err)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	AUTO_FREE char *path = local_file_path(url, &setup->hello);
	struct error log_err;
	int r;

	if (!path)
		return error_set(err, -ENOMEM, "out of memory");
	r = setup->may_be_volatile ? 0 : in_memory_check(path, err);
	if (r == 0)
		r = dumpfile_create(path, what_may_go(url, setup), &df, err);
	if (r == 0)
		r = dumpfile_keep_sums(df, setup->sums, &setup->alive, err);
	if (r < 0)
		return r;
	/* The dump has it, too. */
	if (write_dmesg(setup, path, &log_err) < 0)
		log_warning("the kernel log isn't beside it: %s", log_err.msg);
	*path_ret = TAKE_PTR(path);
	*df_ret = TAKE_PTR(df);
	return 0;
}

int local_file_publish(struct dumpfile *df, const char *path, struct error *err)
{
	const int r = dumpfile_publish(df, err);
	const struct error no_sums = dumpfile_sums_failure(df);

	if (r == 0 && no_sums.code < 0)
		log_warning("there are no sums beside %s: %s", path, no_sums.msg);
	if (dumpfile_name_is_unsure(df))
		log_warning(DUMPFILE_NAME_UNSURE, path);
	return r;
}

bool local_file_keep(struct dumpfile *df, uint64_t table_end)
{
	struct error err;

	if (!df || dumpfile_size(df) == 0)
		return false;
	/* Records go out data first, so what is there is a dump that is right as far as it goes. */
	if (dumpfile_keep_part(df, table_end, &err) == 0)
		log_note("what was written is in %s", dumpfile_where(df));
	else
		log_warning("what was written is in %s, and may not be on the disk: %s",
			    dumpfile_where(df), err.msg);
	return true;
}
