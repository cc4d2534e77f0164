/* Reports about a vmcore in place of a dump: --mem-usage and --dump-dmesg. The progress of a dump
 * is in base/progress.h, its summary in say.h. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct vmcore;
struct warnings;

/*
 * Write the table of page classes and what each dump level leaves of them to `out`, as text or
 * JSON. Zero pages are looked for in what the classes leave over only, as that is what level 31
 * leaves. Fails -ENOTSUP (JSON isn't built), or with what filter_run() or the writing says. What
 * can't be told of the kernel comes in `warnings`.
 */
NODISCARD int report_mem_usage(const struct vmcore *core, unsigned threads, bool json, FILE *out,
			       struct warnings *warnings, struct error *err);

/* Write the kernel log to `out`. Fails as dmesg_read(), or with what the writing says. */
NODISCARD int report_dmesg(const struct vmcore *core, FILE *out, struct error *err);

/* The same into the file `path`, made as a dump is: with its name only once it is whole. Fails as
 * dumpfile_create() and dumpfile_publish(), too. */
NODISCARD int report_dmesg_to_file(const struct vmcore *core, const char *path, bool force,
				   struct error *err);

#endif
