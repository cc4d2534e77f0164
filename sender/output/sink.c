/* The outputs of a dump.
 * Doesn't know what the bytes are. */
#include "sender/output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "base/digest.h"
#include "base/io.h"
#include "format/dumpfile.h"
#include "format/flat.h"
#include "format/segment.h"

enum {
	/* With a pipe's own 64 KiB both sides sleep once or more per record; an ordinary user may
	   have 1 MiB. */
	PIPE_BYTES = 1 << 20,
};

struct sink {
	struct dumpfile *df;   /* NULL: a stream */
	sink_stream_fn *write; /* of a stream; NULL: nowhere */
	void *ctx;
	int fd;
	uint64_t stream_bytes;

	struct digester *digester; /* NULL: no table is kept */
	struct segment segment;
};

static int write_fd(void *ctx, struct iovec *iov, int count, struct error *err)
{
	const struct sink *sink = ctx;
	const int r = io_writev_full(sink->fd, iov, count);

	return r < 0 ? error_set(err, r, "writing the stream: %s", strerror(-r)) : 0;
}

static int put(struct sink *sink, struct iovec *iov, int count, struct error *err)
{
	for (int i = 0; i < count; i++)
		sink->stream_bytes += iov[i].iov_len;
	return sink->write ? sink->write(sink->ctx, iov, count, err) : 0;
}

static int put_header(struct sink *sink, struct error *err)
{
	uint8_t header[FLAT_HEADER_BYTES];

	flat_put_header(header);
	return put(sink, &(struct iovec){header, sizeof(header)}, 1, err);
}

static int make(const struct sink *as, struct sink **sink_ret, struct error *err)
{
	struct sink *sink = malloc(sizeof(*sink));

	if (!sink)
		return error_set(err, -ENOMEM, "out of memory for the output");
	*sink = *as;
	*sink_ret = sink;
	return 0;
}

int sink_new_flat(int fd, struct sink **sink_ret, struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r = make(&(struct sink){.write = write_fd, .fd = fd}, &sink, err);

	if (r < 0)
		return r;
	sink->ctx = sink;
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* a failure (no pipe, or not allowed) doesn't
						      matter */
	r = put_header(sink, err);
	if (r < 0)
		return r;
	*sink_ret = TAKE_PTR(sink);
	return 0;
}

int sink_new_file(struct dumpfile *df, struct sink **sink_ret, struct error *err)
{
	return make(&(struct sink){.df = df, .stream_bytes = FLAT_HEADER_BYTES}, sink_ret, err);
}

int sink_new_stream(sink_stream_fn *write, void *ctx, bool resumed, struct sink **sink_ret,
		    struct error *err)
{
	AUTO(sink_free) struct sink *sink = NULL;
	int r = make(&(struct sink){.write = write, .ctx = ctx}, &sink, err);

	if (r == 0 && !resumed)
		r = put_header(sink, err);
	if (r < 0)
		return r;
	*sink_ret = TAKE_PTR(sink);
	return 0;
}

int sink_new_null(struct sink **sink_ret, struct error *err)
{
	return make(&(struct sink){.stream_bytes = FLAT_HEADER_BYTES}, sink_ret, err);
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	digester_free(sink->digester);
	segment_deinit(&sink->segment);
	free(sink);
}

int sink_keep_segment(struct sink *sink, struct error *err)
{
	return digester_new(&sink->digester, err);
}

const struct segment *sink_segment(const struct sink *sink)
{
	return &sink->segment;
}

void sink_next_segment(struct sink *sink)
{
	segment_clear(&sink->segment);
}

int sink_note(struct sink *sink, uint64_t off, uint32_t size_bytes,
	      const uint8_t sha256[static DIGEST_BYTES], struct error *err)
{
	struct extent extent = {.off = off, .size_bytes = size_bytes};

	if (!sink->digester)
		return 0;
	memcpy(extent.sha256, sha256, DIGEST_BYTES);
	return segment_add(&sink->segment, &extent, err);
}

/* An extent's size is 32 bits on the wire; larger writes (notes with devices' dumps) become several
 * extents. */
static int note_all(struct sink *sink, uint64_t off, const uint8_t *bytes, size_t size_bytes,
		    struct error *err)
{
	int r = 0;

	while (r == 0 && size_bytes) {
		const size_t n = MIN(size_bytes, (size_t)FLAT_RUN_BYTES);
		uint8_t sha256[DIGEST_BYTES];

		digester_begin(sink->digester);
		digester_add(sink->digester, bytes, n);
		r = digester_end(sink->digester, sha256, err);
		if (r == 0)
			r = sink_note(sink, off, (uint32_t)n, sha256, err);
		off += n;
		bytes += n;
		size_bytes -= n;
	}
	return r;
}

int sink_write(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
	       struct error *err)
{
	const int r = sink->digester ? note_all(sink, off, bytes, size_bytes, err) : 0;

	return r < 0 ? r : sink_write_told(sink, off, bytes, size_bytes, err);
}

int sink_write_told(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
		    struct error *err)
{
	uint8_t header[FLAT_RECORD_BYTES];
	struct iovec iov[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)bytes, size_bytes}};

	if (sink->df) {
		sink->stream_bytes += sizeof(header) + size_bytes;
		return dumpfile_write(sink->df, off, bytes, size_bytes, err);
	}
	flat_put_record(header, off, size_bytes);
	return put(sink, iov, 2, err);
}

int sink_finish(struct sink *sink, struct error *err)
{
	uint8_t end[FLAT_RECORD_BYTES];

	if (sink->df) {
		sink->stream_bytes += sizeof(end);
		return 0;
	}
	flat_put_end(end);
	return put(sink, &(struct iovec){end, sizeof(end)}, 1, err);
}

uint64_t sink_stream_bytes(const struct sink *sink)
{
	return sink->stream_bytes;
}
