/* The kernel log as text.
 * Doesn't know how the kernel keeps it (dmesg_ring.c, dmesg_records.c). */
#include "sender/kernel/dmesg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sender/kernel/paging.h"
#include "sender/vmcore/vmcore.h"

enum {
	PIECE_BYTES = 1024, /* text is given in pieces of that at most */
	CALLER_IS_CPU = 31, /* bit */
};

/* The prefix of a record, into `out`: its length. Source: Linux printk.c, print_time(),
 * print_caller(). */
static size_t format_prefix(char *out, size_t room, const struct dmesg_sink *sink,
			    const struct dmesg_record *r)
{
	const uint64_t us = r->time_ns / 1000;
	char caller[24] = "", number[16];

	if (sink->has_caller) {
		snprintf(number, sizeof(number), "%c%" PRIu32,
			 r->caller >> CALLER_IS_CPU ? 'C' : 'T', r->caller & INT32_MAX);
		snprintf(caller, sizeof(caller), "[%6s]", number);
	}
	return (size_t)snprintf(out, room, "[%5" PRIu64 ".%06" PRIu64 "]%s ", us / 1000000,
				us % 1000000, caller);
}

/* Gathers text into pieces. */
struct piece {
	struct dmesg_sink *sink;
	char text[PIECE_BYTES];
	size_t used;
};

static int flush(struct piece *p, struct error *err)
{
	const size_t n = p->used;

	p->used = 0;
	return n ? p->sink->emit(p->sink->ctx, p->text, n, err) : 0;
}

static int add(struct piece *p, const char *text, size_t n, struct error *err)
{
	if (p->used + n > sizeof(p->text)) {
		const int r = flush(p, err);

		if (r < 0)
			return r;
	}
	memcpy(p->text + p->used, text, n);
	p->used += n;
	return 0;
}

int dmesg_put(struct dmesg_sink *sink, const struct dmesg_record *record, struct error *err)
{
	static const char indent[64] =
		"                                                               ";
	struct piece piece = {.sink = sink};
	char prefix[64];
	const size_t prefix_bytes = format_prefix(prefix, sizeof(prefix), sink, record);
	int r = add(&piece, prefix, prefix_bytes, err);

	for (size_t i = 0; i < record->text_bytes && r == 0; i++) {
		const unsigned char c = (unsigned char)record->text[i];
		char escaped[8] = {(char)c};
		size_t n = 1;

		if (c != '\n' && c != '\t' && (c < ' ' || c > '~'))
			n = (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", c);
		r = add(&piece, escaped, n, err);
		if (r == 0 && c == '\n')
			r = add(&piece, indent, prefix_bytes, err);
	}
	if (r == 0)
		r = add(&piece, "\n", 1, err);
	if (r == 0)
		r = flush(&piece, err);
	if (r == 0)
		sink->records++;
	return r;
}

int64_t dmesg_read(const struct paging *paging, dmesg_emit_fn *emit, void *ctx, struct error *err)
{
	struct dmesg_sink sink = {.emit = emit, .ctx = ctx};
	int r = dmesg_read_ring(paging, &sink, err);

	if (r == -ENODATA)
		r = dmesg_read_records(paging, &sink, err);
	return r < 0 ? r : sink.records;
}

int dmesg_of(const struct vmcore *core, dmesg_emit_fn *emit, void *ctx, struct error *err)
{
	struct paging paging;
	int64_t n;
	int r;

	if (!core->info)
		return error_set(err, -ENODATA,
				 "the vmcore has no usable VMCOREINFO to find the log by");
	r = paging_init(&paging, core, err);
	if (r < 0)
		return r;
	n = dmesg_read(&paging, emit, ctx, err);
	if (n == 0)
		return error_set(err, -ENODATA, "no message of the kernel log could be read");
	return (int)MIN(n, INT64_C(0));
}
