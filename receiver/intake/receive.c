/* Reads standard input into the assembler, and tells the operator how it went.
 * Doesn't know the stream's format. */
#include "receiver/intake/receive.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "format/dumpfile.h"
#include "format/flat.h"
#include "receiver/assemble/assemble.h"
#include "receiver/intake/serve.h"
#include "receiver/intake/stop.h"
#include "receiver/store/dumpdir.h"
#include "receiver/store/kernel_facts.h"
#include "receiver/store/meta.h"
#include "receiver/store/sidecars.h"
#include "wire/frame.h"
#include "wire/transport.h"

enum {
	/* What a pipe can be made to hold without privilege, so that the sender goes on while we
	   write. */
	INPUT_BYTES = 1 << 20,

	/* makedumpfile says nothing while it looks for the pages of a large machine. */
	CONNECTION_SILENCE_MS = 600000,
};

#define META_NAME "meta.json"

/* What is told of a dump in a directory of its own. */
struct telling {
	int dir_fd;
	struct meta meta;
	reserve_fn *reserve; /* NULL: there is no limit */
	void *reserve_ctx;
	struct reserve_want want;
	uint64_t granted_bytes; /* that the dump may become long */
};

/* A stream on its way in, and what the operator knows it as. */
struct input {
	int fd;
	const char *name; /* "standard input" */
	uint8_t *buf;	  /* INPUT_BYTES */
	size_t first;	  /* bytes in it that were read to see what they are */
	int timeout_ms;	  /* how long nothing may come; 0: for ever */
};

/* Some input: its size, 0 at the end, -ECANCELED if told to stop, -ETIMEDOUT, or -errno. */
static ssize_t read_input(const struct input *in, const sigset_t *while_waiting)
{
	const struct timespec limit = {.tv_sec = in->timeout_ms / 1000};

	for (;;) {
		struct pollfd pfd = {.fd = in->fd, .events = POLLIN};
		const int ready = ppoll(&pfd, 1, in->timeout_ms ? &limit : NULL, while_waiting);
		ssize_t n;

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (stop_signal())
			return -ECANCELED;
		if (ready == 0)
			return -ETIMEDOUT;
		if (ready < 0)
			continue;
		n = read(in->fd, in->buf, INPUT_BYTES);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

static int tell_input(const struct input *in, int code, uint64_t received, struct error *err)
{
	if (code == -ECANCELED)
		return error_set(err, -ECANCELED, "stopped by signal %d after %" PRIu64 " bytes",
				 stop_signal(), received);
	errno = -code;
	return error_sys(err, "%s, after %" PRIu64 " bytes", in->name, received);
}

static int stop_if_told(void *ctx UNUSED, struct error *err)
{
	return stop_signal() ? error_set(err, -ECANCELED, "stopped by signal %d", stop_signal())
			     : 0;
}

/* Nobody knows how long a stream gets, so its space grows with it. */
static int make_space(struct telling *t, uint64_t least_bytes, struct error *err)
{
	static const struct keepalive alive = {stop_if_told, NULL};

	if (!t || !t->reserve || least_bytes <= t->granted_bytes)
		return 0;
	t->want.least_bytes = least_bytes;
	return t->reserve(t->reserve_ctx, &t->want, &alive, &t->granted_bytes, err);
}

/* Take input until the end marker or the input's end: 0, else an error. */
static int take_until_end(const struct input *in, struct assemble *a, struct dumpfile *df,
			  struct progress *progress, struct telling *telling,
			  const sigset_t *while_waiting, struct error *err)
{
	int r = in->first ? assemble_feed(a, in->buf, in->first, err) : 0;

	while (r == 0) {
		const ssize_t n = read_input(in, while_waiting);

		if (n < 0)
			return tell_input(in, (int)n, assemble_received(a), err);
		if (n == 0)
			return 0;
		r = make_space(telling, dumpfile_size(df) + (uint64_t)n, err);
		if (r == 0)
			r = assemble_feed(a, in->buf, (size_t)n, err);
		progress_update(progress, &(struct progress_state){.bytes_in = assemble_received(a),
								   .bytes_out = dumpfile_size(df)});
		if (telling)
			meta_progress(&telling->meta, telling->dir_fd, META_NAME, df,
				      assemble_received(a));
	}
	return r < 0 ? r : 0;
}

static int take_all(const struct input *in, struct assemble *a, struct dumpfile *df,
		    struct progress *progress, struct telling *telling, struct error *err)
{
	sigset_t while_waiting;
	int r;

	stop_catch(&while_waiting);
	r = take_until_end(in, a, df, progress, telling, &while_waiting, err);
	sigprocmask(SIG_SETMASK, &while_waiting, NULL);
	return r;
}

static enum exit_status status_of(int code, const struct assemble_result *res)
{
	enum exit_status status;

	switch (code) {
	case 0:
		return EXIT_COMPLETE;
	case -EFBIG: /* over --max-size, or over what we take for plausible: policy */
		return EXIT_REFUSED;
	case -ECANCELED:
	case -EBADMSG:
	case -ENODATA:
		if (res->arrived.usable)
			return EXIT_INCOMPLETE;
		return code == -EBADMSG ? EXIT_FAILED : EXIT_TRANSPORT;
	default: /* a socket on standard input may be reset, which cuts the stream short, too */
		status = error_exit_status(code);
		return status == EXIT_TRANSPORT && res->arrived.usable ? EXIT_INCOMPLETE : status;
	}
}

static void tell_complete(const char *path, const struct assemble_result *res,
			  const struct error *no_sums, double seconds)
{
	const struct completeness *got = &res->arrived;
	char size[16], time[24], rate[16], pages[40] = "no kdump file, so gaps can't be judged";

	if (got->kind == ARRIVED_KDUMP)
		snprintf(pages, sizeof(pages), "%" PRIu64 " pages", got->pages);
	log_note("%s: complete, %s, %s in %s (%s/s)", path, pages,
		 format_size(size, sizeof(size), res->file_bytes),
		 format_duration(time, sizeof(time), seconds),
		 format_size(rate, sizeof(rate),
			     seconds > 0 ? (uint64_t)((double)res->received_bytes / seconds) : 0));
	log_detail("%s: %" PRIu64 " records, %" PRIu64 " bytes of stream", path, res->records,
		   res->received_bytes);
	if (no_sums->code < 0)
		log_warning("%s: there are no sums beside it: %s", path, no_sums->msg);
	if (got->pages_lost > 0)
		log_warning("%s: the sender could not read %" PRIu64 " of the pages", path,
			    got->pages_lost);
	else if (got->kind == ARRIVED_KDUMP && got->header.status & KDUMP_INCOMPLETE)
		log_warning("%s: the sender says that it is incomplete", path);
	if (res->trailing_bytes > 0)
		log_warning("what follows the end marker was ignored");
}

/* One line: what happened, and what there is for all that. */
static void tell_incomplete(const char *part_path, const struct assemble_result *res,
			    const struct error *err)
{
	const struct completeness *got = &res->arrived;

	if (res->file_bytes == 0)
		log_error("%s", err->msg);
	else if (got->usable)
		log_error("%s; %s has %" PRIu64 " of %" PRIu64 " pages", err->msg, part_path,
			  got->pages - got->pages_missing, got->pages);
	else
		log_error("%s; %s is kept, but no reader will open it", err->msg, part_path);
	if (res->mend.code < 0)
		log_warning("%s is as it was left: %s", part_path, res->mend.msg);
}

/* Called while a dump is read back for its sums. The dump is whole by then: a signal ends the
 * making of its sums, and nothing else. */
static const struct keepalive until_told = {stop_if_told, NULL};

/* What there is in the end, beside a dump in a place of its own. */
static void write_meta(struct telling *telling, struct dumpfile *df,
		       const struct assemble_result *res)
{
	struct meta *meta = &telling->meta;
	struct error err;

	if (res->file_bytes == 0)
		return;
	meta->status = res->published ? "complete" : "incomplete";
	meta->done_s = time(NULL);
	meta->file_bytes = res->file_bytes;
	meta->received_bytes = res->received_bytes;
	meta->totals.pages = res->arrived.pages;
	meta->end.unreadable = res->arrived.pages_lost;
	kernel_facts_read(df, &meta->kernel);
	if (meta_write(telling->dir_fd, META_NAME, meta, &err) < 0)
		log_warning("%s", err.msg);
}

/* A flattened stream into `df`, which the operator knows as `path`. */
static enum exit_status receive(const struct receive_setup *setup, struct input *in,
				struct dumpfile *df, const char *path, struct telling *telling)
{
	const struct assemble_limits limits = {.max_size_bytes = setup->max_size_bytes,
					       .free_bytes = dumpfile_free_bytes(df)};
	AUTO(assemble_free) struct assemble *a = NULL;
	AUTO(progress_free) struct progress *progress = NULL;
	struct assemble_result res = {0};
	struct error err = {0}, no_sums;
	int r = progress_new(setup->progress, &progress, &err);

	if (r == 0)
		r = assemble_new(df, &limits, &a, &err);
	if (r < 0) {
		log_error("%s", err.msg);
		return error_exit_status(r);
	}
	if (take_all(in, a, df, progress, telling, &err) < 0)
		assemble_stop(a, &err);
	r = assemble_end(a, &res, &err);
	no_sums = dumpfile_sums_failure(df);
	if (telling)
		write_meta(telling, df, &res);
	progress_end(progress, &(struct progress_state){.bytes_in = res.received_bytes,
							.bytes_out = res.file_bytes});
	if (r < 0)
		tell_incomplete(dumpfile_where(df), &res, &err);
	else
		tell_complete(path, &res, &no_sums, progress_seconds(progress));
	if (dumpfile_name_is_unsure(df))
		log_warning(DUMPFILE_NAME_UNSURE, path);
	return status_of(r, &res);
}

/* Read until it is clear what comes: 1 for a session, 0 for all else (or nothing). */
static int is_session(struct input *in, struct error *err)
{
	while (in->first < strlen(FRAME_MAGIC)) {
		const ssize_t n = read(in->fd, in->buf + in->first, INPUT_BYTES - in->first);

		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			struct pollfd pfd = {.fd = in->fd, .events = POLLIN};

			(void)!poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0)
			return error_sys(err, "%s", in->name);
		if (n == 0)
			return 0;
		in->first += (size_t)n;
	}
	return memcmp(in->buf, FRAME_MAGIC, strlen(FRAME_MAGIC)) == 0;
}

static enum exit_status receive_session(const struct receive_setup *setup, const struct input *in)
{
	const struct serve_setup serve_setup = {
		.store = {.file = setup->file,
			  .dir = setup->file ? NULL : setup->dir,
			  .host = setup->host,
			  .proof = setup->host ? "--host" : NULL,
			  .peer = in->name,
			  .force = setup->force,
			  .max_size_bytes = setup->max_size_bytes,
			  .reserve = setup->reserve,
			  .reserve_ctx = setup->reserve_ctx},
		.oneway = true,
		.timeout_ms = setup->timeout_ms,
		.first = in->buf,
		.first_bytes = in->first,
	};
	struct transport *transport;
	struct error err;

	if (transport_new_fds(dup(in->fd), -1, in->name, &transport, &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_FAILED;
	}
	return serve(transport, &serve_setup);
}

/* A flattened stream into a place of its own below --dir. */
static enum exit_status receive_in_place(const struct receive_setup *setup, struct input *in,
					 const char *host)
{
	struct dumpfile *df = NULL;
	char path[4096];
	enum exit_status status;
	struct dumpdir place = dumpdir_none();
	struct telling telling = {.meta = {.stream = true,
					   .host = host,
					   .proof = in->fd != STDIN_FILENO ? "address"
						    : setup->host	   ? "--host"
									   : NULL,
					   .peer = in->name,
					   .status = "receiving",
					   .begun_s = time(NULL)},
				  .reserve = setup->reserve,
				  .reserve_ctx = setup->reserve_ctx,
				  .want = {.raw = true}};
	struct error err;
	int r = store_check_host(host, &err);

	if (r == 0)
		r = dumpdir_make(&place, setup->dir, host, &err);
	if (r == 0)
		r = dumpfile_create_at(place.fd, "vmcore", DUMPFILE_REPLACE_NOTHING, &df, &err);
	if (r == 0)
		r = dumpfile_keep_sums(df, setup->sums, &until_told, &err);
	if (r == 0)
		r = dumpdir_settle(&place, &err);
	snprintf(path, sizeof(path), "%svmcore", place.path);
	if (r < 0) {
		log_error("%s", err.msg);
		status = error_exit_status(r);
	} else {
		telling.dir_fd = place.fd;
		snprintf(telling.want.host, sizeof(telling.want.host), "%s", host);
		snprintf(telling.want.name, sizeof(telling.want.name), "%.39s", place.name);
		status = receive(setup, in, df, path, &telling);
	}
	dumpfile_free(df); /* a place is left empty if nothing has come */
	dumpdir_deinit(&place);
	if (status == EXIT_COMPLETE && in->fd == STDIN_FILENO)
		puts(path);
	return status;
}

/* The dump that is to come, and nothing beside it that is of another one. */
static int create_file(const struct receive_setup *setup, struct dumpfile **df_ret,
		       struct error *err)
{
	const char *path = setup->file;
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	int r = dumpfile_create(path, dumpfile_replace_if(setup->force), &df, err);

	if (r == 0)
		r = setup->force ? sidecars_drop_part(path, err) : sidecars_check(path, false, err);
	if (r == 0)
		r = dumpfile_keep_sums(df, setup->sums, &until_told, err);
	if (r == 0)
		*df_ret = TAKE_PTR(df);
	return r;
}

static enum exit_status receive_stream(const struct receive_setup *setup, struct input *in)
{
	AUTO(dumpfile_free) struct dumpfile *df = NULL;
	enum exit_status status;
	struct error err;
	int r;

	if (!setup->file)
		return receive_in_place(setup, in, setup->host ? setup->host : "unknown");
	r = create_file(setup, &df, &err);
	if (r < 0) {
		log_error("%s", err.msg);
		return error_exit_status(r);
	}
	status = receive(setup, in, df, setup->file, NULL);
	if (status != EXIT_COMPLETE)
		return status;
	/* Without --force nothing of a session was there: what has such a name is somebody's own.
	 */
	if (setup->force && sidecars_settle(setup->file, &err) < 0)
		log_warning("%s", err.msg);
	/* What a power cut brings back beside it would be taken for its proof. */
	if (sidecars_sync(setup->file, &err) < 0)
		log_warning("%s", err.msg);
	return status;
}

enum exit_status receive_file(const struct receive_setup *setup)
{
	AUTO_FREE uint8_t *buf = io_buffer(INPUT_BYTES);
	struct input in = {.fd = STDIN_FILENO, .name = "standard input", .buf = buf};
	struct error err;
	int r;

	if (isatty(STDIN_FILENO)) {
		log_error("standard input is a terminal; pipe a dump into it");
		return EXIT_USAGE;
	}
	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, INPUT_BYTES); /* helps where it is a pipe */
	r = buf ? is_session(&in, &err) : error_set(&err, -ENOMEM, "out of memory");
	if (r < 0) {
		log_error("%s", err.msg);
		return error_exit_status(r);
	}
	return r ? receive_session(setup, &in) : receive_stream(setup, &in);
}

/* Where sshd says that the peer is: "ADDRESS PORT ..."; whoever runs us may say what he will. */
static const char *ssh_peer(char address[static INET6_ADDRSTRLEN])
{
	const char *text = getenv("SSH_CONNECTION");
	uint8_t bytes[16];

	if (!text)
		text = getenv("SSH_CLIENT");
	if (!text)
		return NULL;
	snprintf(address, INET6_ADDRSTRLEN, "%.*s", (int)strcspn(text, " %"), text);
	if (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1)
		return NULL;
	return address;
}

enum exit_status receive_stdio(const struct receive_setup *setup)
{
	char address[INET6_ADDRSTRLEN];
	const struct serve_setup serve_setup = {
		.store = {.dir = setup->dir,
			  .host = setup->host,
			  .proof = setup->host ? "--host" : NULL,
			  .peer = ssh_peer(address),
			  .max_size_bytes = setup->max_size_bytes,
			  .reserve = setup->reserve,
			  .reserve_ctx = setup->reserve_ctx},
		.timeout_ms = setup->timeout_ms,
	};
	struct transport *transport;
	struct error err;

	if (isatty(STDIN_FILENO)) {
		log_error("--stdio is for the far end of a connection, not for a terminal");
		return EXIT_USAGE;
	}
	if (transport_new_fds(dup(STDIN_FILENO), dup(STDOUT_FILENO), "standard input", &transport,
			      &err) < 0) {
		log_error("%s", err.msg);
		return EXIT_FAILED;
	}
	return serve(transport, &serve_setup);
}

enum exit_status receive_connection(const struct receive_setup *setup, int fd, const char *host)
{
	AUTO_FREE uint8_t *buf = io_buffer(INPUT_BYTES);
	struct input in = {.fd = fd, .name = host, .buf = buf, .timeout_ms = CONNECTION_SILENCE_MS};
	enum exit_status status = EXIT_FAILED;

	if (buf)
		status = receive_in_place(setup, &in, host);
	close(fd);
	return status;
}
