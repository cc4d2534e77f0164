/* Where the dump goes.
 * Doesn't know what the bytes are. */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include "dumpfile.h"
#include "flat.h"
#include "io.h"

enum {
	/* A pipe's own 64 KiB make a record of 1 MiB 16 sleeps of both sides; an ordinary user may
	   have 1 MiB. */
	PIPE_BYTES = 1 << 20,
};

struct sink {
	int fd; /* -1: into df */
	struct dumpfile *df;
	uint64_t stream_bytes;
};

static int failed(int code, struct error *err)
{
	return error_set(err, code, "writing the stream: %s", strerror(-code));
}

int sink_new_flat(int fd, struct sink **sink_ret, struct error *err)
{
	AUTO(sink_free) struct sink *sink = calloc(1, sizeof(*sink));
	uint8_t header[FLAT_HEADER_BYTES];
	int r;

	if (!sink)
		return error_set(err, -ENOMEM, "out of memory for the output");
	sink->fd = fd;
	sink->stream_bytes = sizeof(header);
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* no pipe, or not allowed: as good as it is */
	flat_put_header(header);
	r = io_write_full(fd, header, sizeof(header));
	if (r < 0)
		return failed(r, err);
	*sink_ret = TAKE_PTR(sink);
	return 0;
}

int sink_new_file(struct dumpfile *df, struct sink **sink_ret, struct error *err)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return error_set(err, -ENOMEM, "out of memory for the output");
	*sink = (struct sink){.fd = -1, .df = df, .stream_bytes = FLAT_HEADER_BYTES};
	*sink_ret = sink;
	return 0;
}

void sink_free(struct sink *sink)
{
	free(sink);
}

int sink_write(struct sink *sink, uint64_t off, const void *bytes, size_t size_bytes,
	       struct error *err)
{
	uint8_t header[FLAT_RECORD_BYTES];
	struct iovec iov[2] = {{header, sizeof(header)}, {(void *)(uintptr_t)bytes, size_bytes}};
	int r;

	sink->stream_bytes += sizeof(header) + size_bytes;
	if (sink->df)
		return dumpfile_write(sink->df, off, bytes, size_bytes, err);
	flat_put_record(header, off, size_bytes);
	r = io_writev_full(sink->fd, iov, 2);
	return r < 0 ? failed(r, err) : 0;
}

int sink_finish(struct sink *sink, struct error *err)
{
	uint8_t end[FLAT_RECORD_BYTES];
	int r;

	sink->stream_bytes += sizeof(end);
	if (sink->df)
		return 0;
	flat_put_end(end);
	r = io_write_full(sink->fd, end, sizeof(end));
	return r < 0 ? failed(r, err) : 0;
}

uint64_t sink_stream_bytes(const struct sink *sink)
{
	return sink->stream_bytes;
}
