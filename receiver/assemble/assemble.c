/* The step machine that takes a flattened stream apart and puts the file together.
 * Doesn't read input; completeness.c checks which parts of a kdump file are missing. */
#include "receiver/assemble/assemble.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/parse.h"
#include "base/sniff.h"
#include "format/dumpfile.h"
#include "format/flat.h"
#include "format/segment.h"
#include "receiver/assemble/ranges.h"

enum {
	/*
	 * Records smaller than this are collected into runs (QEMU's have 4 KiB, a pwrite each would
	 * cost more than the copy); larger ones go to the file from where they lie.
	 */
	SMALL_BYTES = 32 << 10,
	RUN_BYTES = 256 << 10,

	/* Bytes taken in beyond twice the limit: record headers, a sub header that is sent
	 * again. */
	RECEIVED_SLACK_BYTES = 64 << 20,
};

enum state {
	WANT_HEADER,
	WANT_RECORD,
	WANT_PAYLOAD,
	DONE,
};

struct assemble {
	struct dumpfile *df; /* borrowed */
	struct assemble_limits limits;
	enum state state;
	struct error failure; /* the first one; code 0: none */

	uint64_t received, records, trailing;
	struct ranges map;	     /* bytes of the file that were received and written */
	struct ranges fresh;	     /* since the last segment's end, if limits.once */
	struct completeness arrived; /* as far as the headers go */
	bool headers_touched;	     /* since `arrived` was last updated */
	uint64_t size_limit;	     /* of the file, as of now */

	uint8_t head[FLAT_HEADER_BYTES]; /* a stream or record header that isn't whole yet */
	size_t head_bytes;
	uint64_t payload_off, payload_left;

	uint8_t *run; /* small payloads in a row, not yet written */
	uint64_t run_off;
	size_t run_bytes;
};

static void set_size_limit(struct assemble *a)
{
	const struct assemble_limits *limits = &a->limits;

	if (limits->max_size_bytes) {
		a->size_limit = limits->max_size_bytes;
		return;
	}
	a->size_limit = limits->free_bytes;
	if (a->arrived.kind == ARRIVED_KDUMP)
		a->size_limit =
			MIN(a->size_limit, completeness_plausible_bytes(&a->arrived.header));
}

int assemble_new(struct dumpfile *df, const struct assemble_limits *limits, struct assemble **a_ret,
		 struct error *err)
{
	AUTO(assemble_free) struct assemble *a = calloc(1, sizeof(*a));

	if (!a)
		return error_set(err, -ENOMEM, "out of memory");
	a->df = df;
	a->limits = *limits;
	ranges_init(&a->map);
	ranges_init(&a->fresh);
	set_size_limit(a);
	a->run = io_buffer(RUN_BYTES);
	if (!a->run)
		return error_set(err, -ENOMEM, "out of memory");
	*a_ret = TAKE_PTR(a);
	return 0;
}

void assemble_free(struct assemble *a)
{
	if (!a)
		return;
	ranges_deinit(&a->map);
	ranges_deinit(&a->fresh);
	free(a->run);
	free(a);
}

/* The error names the limit, since that decides what the operator can do about it. */
static int over_limit(const struct assemble *a, uint64_t end, struct error *err)
{
	char has[16], limit[16];

	format_size(has, sizeof(has), end);
	format_size(limit, sizeof(limit), a->size_limit);
	if (a->limits.max_size_bytes)
		return error_set(err, -EFBIG, "the file would get %s long; --max-size is %s", has,
				 limit);
	if (a->size_limit == a->limits.free_bytes)
		return error_set(err, -ENOSPC, "the file would get %s long; %s are free", has,
				 limit);
	return error_set(err, -EFBIG,
			 "the file would get %s long; by its own header it can't be over %s"
			 " (--max-size overrides)",
			 has, limit);
}

/* The headers came, or came again: they set the limit. */
static int look_at_headers(struct assemble *a, struct error *err)
{
	struct error odd = {0};
	const int r = completeness_look(a->df, &a->map, &a->arrived, &odd);

	a->headers_touched = false;
	/* A header that we can't read is no reason to lose the rest: assemble_end() says so. */
	if (r < 0 && a->arrived.kind != ARRIVED_ODD) {
		*err = odd;
		return r;
	}
	set_size_limit(a);
	if (dumpfile_size(a->df) > a->size_limit)
		return over_limit(a, dumpfile_size(a->df), err);
	return 0;
}

static int write_bytes(struct assemble *a, uint64_t off, const uint8_t *bytes, size_t size_bytes,
		       struct error *err)
{
	int r = dumpfile_write(a->df, off, bytes, size_bytes, err);

	if (r < 0)
		return r;
	/* The sub header lies one block in, and no block is larger. */
	if (off < KDUMP_BLOCK_MAX + KDUMP_SUB_HEADER_BYTES)
		a->headers_touched = true;
	if (a->limits.once)
		r = ranges_add(&a->fresh, off, off + size_bytes, err);
	return r < 0 ? r : ranges_add(&a->map, off, off + size_bytes, err);
}

/* A second main header is the first one, but that pages may have turned out unreadable: any other
 * change would affect bytes that were checked already. */
static int check_header_again(struct assemble *a, const uint8_t *bytes, size_t size_bytes,
			      struct error *err)
{
	uint8_t first[KDUMP_HEADER_BYTES];
	int r;

	if (!ranges_cover(&a->map, 0, size_bytes))
		return 0;
	r = dumpfile_read(a->df, 0, first, size_bytes, err);
	if (r < 0)
		return r;
	if (size_bytes > KDUMP_STATUS_OFFSET)
		first[KDUMP_STATUS_OFFSET] |= bytes[KDUMP_STATUS_OFFSET] & KDUMP_INCOMPLETE;
	if (memcmp(first, bytes, size_bytes) == 0)
		return 0;
	return error_set(err, -EBADMSG, "a second main header isn't the first one");
}

static int flush_run(struct assemble *a, struct error *err)
{
	const size_t n = a->run_bytes;
	int r = 0;

	a->run_bytes = 0;
	if (n && a->limits.once && a->run_off == 0 && n <= KDUMP_HEADER_BYTES)
		r = check_header_again(a, a->run, n, err);
	if (n && r == 0)
		r = write_bytes(a, a->run_off, a->run, n, err);
	return r;
}

static int take_payload(struct assemble *a, const uint8_t *bytes, size_t size_bytes,
			struct error *err)
{
	const uint64_t off = a->payload_off;
	int r = 0;

	a->payload_off += size_bytes;
	a->payload_left -= size_bytes;
	/* The run is written first: where they overlap, the later record wins. */
	if (off != a->run_off + a->run_bytes || size_bytes > RUN_BYTES - a->run_bytes)
		r = flush_run(a, err);
	if (r < 0)
		return r;
	if (size_bytes >= SMALL_BYTES) {
		r = flush_run(a, err);
		return r < 0 ? r : write_bytes(a, off, bytes, size_bytes, err);
	}
	if (a->run_bytes == 0)
		a->run_off = off;
	memcpy(a->run + a->run_bytes, bytes, size_bytes);
	a->run_bytes += size_bytes;
	return 0;
}

static int take_stream_header(struct assemble *a, struct error *err)
{
	struct rd r = rd_init(a->head, a->head_bytes);
	int result;

	if (memcmp(a->head, FLAT_SIGNATURE, sizeof(FLAT_SIGNATURE)) != 0)
		return error_set(err, -EBADMSG, "standard input is no flattened stream%s",
				 sniff(a->head, a->head_bytes));
	result = flat_get_header(&r, err);
	if (result < 0)
		return result;
	a->state = WANT_RECORD;
	return 0;
}

/* Refuse a record that writes bytes that were written before. */
static int check_once(struct assemble *a, const struct flat_record *rec, struct error *err)
{
	const uint64_t end = rec->off + rec->size_bytes;
	struct range part = {.begin = MAX(rec->off, a->run_off)};

	/* The main header; flush_run() compares it with the first. */
	if (rec->off == 0 && rec->size_bytes == KDUMP_HEADER_BYTES &&
	    ranges_cover(&a->map, 0, KDUMP_HEADER_BYTES))
		return 0;
	if (!ranges_first_in(&a->map, rec->off, end, &part) &&
	    part.begin >= MIN(end, a->run_off + a->run_bytes))
		return 0;
	return error_set(err, -EBADMSG, "a record writes byte %" PRIu64 " of the file again",
			 part.begin);
}

static int take_record_header(struct assemble *a, struct error *err)
{
	struct rd r = rd_init(a->head, a->head_bytes);
	struct flat_record rec;
	int result;

	/* Between records, since a header may be spread over several; before the limit is needed.
	 */
	if (a->headers_touched || a->run_off < KDUMP_BLOCK_MAX + KDUMP_SUB_HEADER_BYTES) {
		result = flush_run(a, err);
		if (result == 0 && a->headers_touched)
			result = look_at_headers(a, err);
		if (result < 0)
			return result;
	}
	result = flat_get_record(&r, &rec, err);
	if (result < 0)
		return error_prefix(err, "byte %" PRIu64 " of the stream",
				    a->received - FLAT_RECORD_BYTES);
	if (result == 0) {
		a->state = DONE;
		return 0;
	}
	if (rec.off + rec.size_bytes > a->size_limit)
		return over_limit(a, rec.off + rec.size_bytes, err);
	result = a->limits.once ? check_once(a, &rec, err) : 0;
	if (result < 0)
		return result;
	a->records++;
	a->payload_off = rec.off;
	a->payload_left = rec.size_bytes;
	a->state = WANT_PAYLOAD;
	return 0;
}

/* Collect a header of `want` bytes: true once it is whole. */
static bool collect(struct assemble *a, size_t want, const uint8_t **p, size_t *left)
{
	const size_t n = MIN(want - a->head_bytes, *left);

	memcpy(a->head + a->head_bytes, *p, n);
	a->head_bytes += n;
	a->received += n;
	*p += n;
	*left -= n;
	return a->head_bytes == want;
}

static int feed_header(struct assemble *a, const uint8_t **p, size_t *left, struct error *err)
{
	const bool stream = a->state == WANT_HEADER;
	/* Check the signature as soon as it is there: an input of another kind may be shorter than
	 * a stream's header. */
	const size_t want = !stream				     ? FLAT_RECORD_BYTES
			    : a->head_bytes < sizeof(FLAT_SIGNATURE) ? sizeof(FLAT_SIGNATURE)
								     : FLAT_HEADER_BYTES;
	int r;

	if (!collect(a, want, p, left))
		return 0;
	if (stream && want < FLAT_HEADER_BYTES &&
	    memcmp(a->head, FLAT_SIGNATURE, sizeof(FLAT_SIGNATURE)) == 0)
		return 0;
	r = stream ? take_stream_header(a, err) : take_record_header(a, err);
	a->head_bytes = 0;
	return r;
}

static int feed(struct assemble *a, const uint8_t *p, size_t left, struct error *err)
{
	int r = 0;

	while (left > 0 && r == 0 && a->state != DONE) {
		if (a->state == WANT_PAYLOAD) {
			const size_t n = (size_t)MIN(left, a->payload_left);

			a->received += n;
			r = take_payload(a, p, n, err);
			p += n;
			left -= n;
			if (a->payload_left == 0)
				a->state = WANT_RECORD;
		} else {
			r = feed_header(a, &p, &left, err);
		}
	}
	if (a->state == DONE)
		a->trailing += left;
	return r;
}

/* Refuse a stream that writes the same place again and again. */
static int check_received(const struct assemble *a, struct error *err)
{
	char limit[16];

	if (a->received / 2 <= a->size_limit ||
	    a->received - a->size_limit <= a->size_limit + RECEIVED_SLACK_BYTES)
		return 0;
	format_size(limit, sizeof(limit), a->size_limit);
	return error_set(err, -EFBIG,
			 "%" PRIu64
			 " bytes came for a file of at most %s: it is written again and again",
			 a->received, limit);
}

int assemble_feed(struct assemble *a, const void *bytes, size_t size_bytes, struct error *err)
{
	int r;

	if (a->failure.code < 0) {
		*err = a->failure;
		return err->code;
	}
	r = feed(a, bytes, size_bytes, err);
	if (r == 0)
		r = check_received(a, err);
	if (r < 0) {
		a->failure = *err;
		return r;
	}
	return a->state == DONE;
}

int assemble_has(struct assemble *a, uint64_t off, uint64_t size_bytes, struct error *err)
{
	return ranges_add(&a->map, off, off + size_bytes, err);
}

void assemble_go_on(struct assemble *a, uint64_t stream_bytes)
{
	a->state = WANT_RECORD;
	a->received = stream_bytes;
	a->headers_touched = true;
}

/* Check that the extents are the ranges of `fresh`, each byte once. The extent at offset 0 is the
 * main header and nothing else: where it comes twice, only the last counts. */
static int compare_extents(const struct assemble *a, const struct segment *segment,
			   struct error *err)
{
	struct ranges told;
	struct range part;
	bool same = true;
	int r = 0;

	ranges_init(&told);
	for (size_t i = 0; i < segment->count && r == 0 && same; i++) {
		const struct extent *e = &segment->extents[i];

		same = (e->off || e->size_bytes == KDUMP_HEADER_BYTES) &&
		       !ranges_first_in(&told, e->off, e->off + e->size_bytes, &part);
		r = ranges_add(&told, e->off, e->off + e->size_bytes, err);
	}
	same = same && told.count == a->fresh.count &&
	       (told.count == 0 ||
		memcmp(told.items, a->fresh.items, told.count * sizeof(*told.items)) == 0);
	ranges_deinit(&told);
	if (r < 0)
		return r;
	return same ? 0 : error_set(err, -EBADMSG, "its table isn't what has come");
}

static int check_segment(struct assemble *a, const struct segment *segment, uint64_t data_off,
			 struct error *err)
{
	int r;

	if (a->state != DONE && (a->state != WANT_RECORD || a->head_bytes))
		return error_set(err, -EPROTO, "it ends inside of a record");
	r = flush_run(a, err);
	if (r == 0 && a->headers_touched)
		r = look_at_headers(a, err);
	if (r == 0)
		r = compare_extents(a, segment, err);
	if (r < 0)
		return r;
	if (data_off < dumpfile_size(a->df))
		return error_set(err, -EBADMSG,
				 "it goes on at byte %" PRIu64 " of the file, which has %" PRIu64,
				 data_off, dumpfile_size(a->df));
	if (data_off > a->size_limit)
		return over_limit(a, data_off, err);
	ranges_clear(&a->fresh);
	return 0;
}

int assemble_segment(struct assemble *a, const struct segment *segment, uint64_t data_off,
		     struct error *err)
{
	int r;

	if (a->failure.code < 0) {
		*err = a->failure;
		return err->code;
	}
	r = check_segment(a, segment, data_off, err);
	if (r < 0)
		a->failure = *err;
	return r;
}

void assemble_stop(struct assemble *a, const struct error *why)
{
	if (a->failure.code == 0)
		a->failure = *why;
}

uint64_t assemble_received(const struct assemble *a)
{
	return a->received;
}

/* Say why the stream isn't complete. */
static int cut_short(const struct assemble *a, struct error *err)
{
	if (a->received == 0)
		return error_set(err, -ENODATA, "nothing came: standard input is empty");
	if (a->state == WANT_HEADER &&
	    memcmp(a->head, FLAT_SIGNATURE, MIN(a->head_bytes, sizeof(FLAT_SIGNATURE))) != 0)
		return error_set(err, -EBADMSG, "standard input is no flattened stream%s",
				 sniff(a->head, a->head_bytes));
	return error_set(err, -ENODATA,
			 "the stream is cut short: it ends without its end marker, after %" PRIu64
			 " bytes",
			 a->received);
}

/* Keep the part, at the length that readers need. The added length is a hole, so free space doesn't
 * limit it. */
static int keep_part(struct assemble *a, uint64_t table_end, struct error *err)
{
	const uint64_t limit = a->limits.max_size_bytes
				       ? a->limits.max_size_bytes
				       : completeness_plausible_bytes(&a->arrived.header);

	/* No byte of the file has come: there is nothing to keep. */
	if (dumpfile_size(a->df) == 0)
		return 0;
	return dumpfile_keep_part(a->df, MIN(table_end, limit), err);
}

int assemble_end(struct assemble *a, struct assemble_result *result_ret, struct error *err)
{
	struct assemble_result *res = result_ret;
	struct error flushed = {0}, judged = {0};
	const struct keepalive *alive;
	int r;

	*res = (struct assemble_result){0};
	if (flush_run(a, &flushed) < 0)
		assemble_stop(a, &flushed);
	if (a->failure.code == 0 && a->state != DONE)
		cut_short(a, &a->failure);
	/* After a failure the file is mended even if nobody waits any more. */
	alive = a->failure.code == 0 ? a->limits.alive : NULL;
	r = completeness_check(a->df, &a->map, alive, &res->arrived, &judged);
	if (r == 0 && a->limits.once && a->failure.code == 0 && res->arrived.kind != ARRIVED_KDUMP)
		error_set(&judged, -EBADMSG,
			  "it is no kdump-compressed file: nothing tells whether"
			  " it is whole");
	/* After a failure it is no news that parts are missing; a failing disk is. */
	if (a->failure.code == 0)
		a->failure = judged;
	else if (r < 0 && r != -ENODATA && res->arrived.kind != ARRIVED_ODD)
		res->mend = judged;
	if (a->failure.code == 0)
		res->published = dumpfile_publish(a->df, &a->failure) == 0;
	if (!res->published && keep_part(a, res->arrived.table_end, &judged) < 0 && !res->mend.code)
		res->mend = judged;
	res->received_bytes = a->received;
	res->records = a->records;
	res->trailing_bytes = a->trailing;
	res->file_bytes = dumpfile_size(a->df);
	*err = a->failure;
	return a->failure.code;
}
