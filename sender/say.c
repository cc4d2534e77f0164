/* Lines for the operator about a run.
 * Doesn't decide anything. */
#include "sender/say.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/parse.h"
#include "sender/delivery/delivery.h"
#include "sender/dump.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"

void say_warnings(const struct warnings *warnings, size_t *said)
{
	for (; *said < warnings->count; (*said)++)
		log_warning("%s", warnings->line[*said]);
}

void say_input(const struct vmcore *core)
{
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

void say_summary(const struct dump_result *res, bool live, double seconds)
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

void say_essential(const struct dump_result *res, uint64_t page_bytes)
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

void say_delivered(const struct dump_result *res, const struct delivery_result *d, bool oneway)
{
	char sent[16];

	if (res->was_there)
		log_note("%s: has the dump already", d->where);
	else if (res->log_only)
		log_warning("%s: wants the kernel log only, and has it", d->where);
	else if (oneway || d->in_file)
		log_note("%s: complete", d->where);
	else
		log_note("%s: complete and verified; %s sent over %u link%s", d->where,
			 format_size(sent, sizeof(sent), d->sent_bytes), d->links,
			 d->links == 1 ? "" : "s");
}

void say_threads(const struct dump_result *res, unsigned threads)
{
	if (res->crew.workers < threads)
		log_note("%u of %u threads: %s", res->crew.workers, threads,
			 res->crew.refused == -EAGAIN
				 ? "a limit (ulimit -u, pids.max) allows no more"
				 : "there is no memory for more");
}

void say_search(uint64_t bytes)
{
	char size[16];

	log_note("no note of VMCOREINFO is right: looking for it in %s of memory",
		 format_size(size, sizeof(size), bytes));
}
