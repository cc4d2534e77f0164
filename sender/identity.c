/* Which crash it is.
 * Doesn't know sessions. */
#include "identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "digest.h"
#include "kernel.h"
#include "ladder.h"
#include "report.h"
#include "vmcore.h"
#include "vmcoreinfo.h"

enum {
	/* In place of a codec, where several are mixed; the set of those that may be follows. */
	MIXED_CODECS = 5,
};

_Static_assert((int)MIXED_CODECS == (int)CODEC_COUNT, "a codec more needs another number");

/* Other senders' ids, and those of other versions of ours, are others. */
static const char ID_TAG[] = "vmsend dump 1";

static void add_number(struct digester *d, uint64_t number)
{
	uint8_t bytes[8];

	le64_put(bytes, number);
	digester_add(d, bytes, sizeof(bytes));
}

static void add_codec(struct digester *d, const struct ladder *ladder)
{
	add_number(d, ladder->codecs ? MIXED_CODECS : (uint64_t)ladder->rung[0].codec);
	add_number(d, ladder->codecs ? ladder->codecs : (uint64_t)ladder->rung[0].level);
}

static int make_dump_id(const struct vmcore *core, const struct identity_options *o,
			uint8_t id_ret[static DIGEST_BYTES], struct error *err)
{
	AUTO(digester_free) struct digester *d = NULL;
	const int r = digester_new(&d, err);

	if (r < 0)
		return r;
	digester_begin(d);
	digester_add(d, ID_TAG, sizeof(ID_TAG));
	add_number(d, o->level);
	add_codec(d, o->ladder);
	add_number(d, core->page_bytes);
	add_number(d, core->elf.load_count);
	for (size_t i = 0; i < core->elf.load_count; i++) {
		add_number(d, core->elf.loads[i].paddr);
		add_number(d, core->elf.loads[i].mem_bytes);
		add_number(d, core->elf.loads[i].file_bytes);
	}
	add_number(d, core->elf.notes_bytes);
	digester_add(d, core->elf.notes, core->elf.notes_bytes);
	return digester_end(d, id_ret, err);
}

/* What a line of the log has behind `mark`, the last one that has it. */
static bool find_line(const uint8_t *log, size_t log_bytes, const char *mark, char *out,
		      size_t room)
{
	const size_t mark_bytes = strlen(mark);
	const uint8_t *found = NULL, *p = log, *end;

	while (log_bytes - (size_t)(p - log) >= mark_bytes &&
	       (p = memmem(p, log_bytes - (size_t)(p - log), mark, mark_bytes))) {
		found = p;
		p += mark_bytes;
	}
	if (!found)
		return false;
	end = memchr(found, '\n', log_bytes - (size_t)(found - log));
	snprintf(out, room, "%.*s", (int)((end ? end : log + log_bytes) - found),
		 (const char *)found);
	return true;
}

/* Source: Linux kernel/panic.c, vpanic(); arch/x86/mm/fault.c; lib/bug.c. */
static void find_panic(const uint8_t *log, size_t log_bytes, char *out, size_t room)
{
	static const char *const marks[] = {
		"Kernel panic - not syncing: ", "BUG: ", "Oops: ", "sysrq: Trigger a crash"};

	*out = '\0';
	for (size_t i = 0; log && i < ARRAY_LEN(marks); i++)
		if (find_line(log, log_bytes, marks[i], out, room))
			return;
}

int identity_hello(const struct vmcore *core, const struct identity_options *options,
		   const uint8_t *log, size_t log_bytes, struct hello *hello_ret, struct error *err)
{
	struct hello h = {
		.level = options->level,
		.page_bytes = (uint32_t)core->page_bytes,
		.codec_level = ladder_level(options->ladder),
	};
	struct kdump_utsname uts;
	uint64_t crash_time;
	const int r = make_dump_id(core, options, h.dump_id, err);

	if (r < 0)
		return r;
	/* What of it isn't known is empty. */
	(void)!kernel_utsname(core, &uts);
	snprintf(h.host, sizeof(h.host), "%.64s", uts.nodename);
	snprintf(h.osrelease, sizeof(h.osrelease), "%.64s", uts.release);
	snprintf(h.arch, sizeof(h.arch), "%.15s", uts.machine);
	snprintf(h.codec, sizeof(h.codec), "%s", ladder_name(options->ladder));
	if (vmcoreinfo_decimal(core->info, "CRASHTIME", &crash_time))
		h.crash_time_s = (int64_t)crash_time;
	find_panic(log, log_bytes, h.panic, sizeof(h.panic));
	*hello_ret = h;
	return 0;
}

int identity_log(const struct vmcore *core, uint8_t **log_ret, size_t *log_bytes_ret,
		 struct error *err)
{
	char *text = NULL;
	size_t text_bytes = 0;
	FILE *out = open_memstream(&text, &text_bytes);
	int r;

	if (!out)
		return error_set(err, -ENOMEM, "out of memory for the kernel log");
	r = report_dmesg(core, out, err);
	if (fclose(out) != 0 && r == 0)
		r = error_set(err, -ENOMEM, "out of memory for the kernel log");
	if (r < 0) {
		free(text);
		return r;
	}
	*log_ret = (uint8_t *)text;
	*log_bytes_ret = MIN(text_bytes, (size_t)ATTACH_BYTES_MAX);
	return 0;
}
