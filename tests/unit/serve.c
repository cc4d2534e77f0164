/* receiver/serve.h: a disk that takes longer than the sender waits. */
#include "../lib/unit.h"

#include <dlfcn.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../receiver/serve.h"
#include "../lib/dialogue.h"
#include "../lib/scratch.h"
#include "../lib/tinysession.h"
#include "clock.h"
#include "frame.h"
#include "io.h"
#include "log.h"
#include "transport.h"

enum {
	TIMEOUT_MS = 2000, /* so a heartbeat is due every 500 */
	PATIENCE_MS = 10000,
};

static int sender = -1; /* the sender's end of the link */
static struct frame_reader reader;
static unsigned heard; /* heartbeats */
static bool done, aborted;
static bool unheard; /* nothing came: told by the test, for here it may be another thread */

/* Read what the receiver says until a heartbeat or ABORT or, if `all`, its end: whether it came in
 * time. */
static bool hear(bool all)
{
	const uint64_t until_ms = clock_ms() + PATIENCE_MS;
	const unsigned before = heard;
	uint8_t input[4096];

	while (all || (heard == before && !aborted)) {
		struct pollfd pfd = {.fd = sender, .events = POLLIN};
		const uint8_t *p = input;
		struct frame f;
		struct error err;
		size_t left;
		ssize_t n;

		if (poll(&pfd, 1, clock_left_ms(until_ms, PATIENCE_MS)) <= 0)
			return false;
		n = read(sender, input, sizeof(input));
		if (n <= 0)
			return all && n == 0;
		left = (size_t)n;
		while (frame_reader_feed(&reader, &p, &left, &f, &err) > 0) {
			heard += f.type == FRAME_HEARTBEAT;
			done |= f.type == FRAME_DONE;
			aborted |= f.type == FRAME_ABORT;
		}
	}
	return true;
}

static bool slow_data, slow_all; /* so far */
static bool is_stopped;		 /* by its operator, meanwhile */

static const char *path_of(int fd, char path[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX - 1);
	path[MAX(n, 0)] = '\0';
	return path;
}

/* Takes until the sender has heard of us, the first time that it is one of the dump. */
static void wait_if_dump(const char *path, bool *slow)
{
	if (!*slow || !strstr(path, "/vmcore.part"))
		return;
	*slow = false;
	if (is_stopped)
		kill(getpid(), SIGTERM);
	unheard |= !hear(false);
	/* What is left is DONE, for which nobody has to stay. */
	if (!slow_data && !slow_all)
		shutdown(sender, SHUT_WR);
}

static bool leaves_at_end; /* the sender, while END becomes durable */
static unsigned journal_syncs;

/* That of HELLO comes first, then the last acknowledgement's, then END's. */
static void leave_if_end(const char *path)
{
	const struct timespec noticed = {.tv_nsec = 300000000}; /* an answer is sent in vain */

	if (!leaves_at_end || !strstr(path, "/vmcore.segments") || ++journal_syncs < 3)
		return;
	leaves_at_end = false;
	close(sender);
	nanosleep(&noticed, NULL);
}

/* In place of the C library's. */
int fdatasync(int fd)
{
	int (*real)(int);
	char path[PATH_MAX];

	*(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
	wait_if_dump(path_of(fd, path), &slow_data);
	leave_if_end(path);
	return real(fd);
}

int fsync(int fd)
{
	int (*real)(int);
	char path[PATH_MAX];

	*(void **)&real = dlsym(RTLD_NEXT, "fsync");
	wait_if_dump(path_of(fd, path), &slow_all);
	return real(fd);
}

/* A session, all of which the sender says at once: it waits in the socket. */
static enum exit_status serve_all(void)
{
	struct tinysession t = tinysession_make(&(struct tinysession_shape){.small = true});
	struct stream said = tinysession_frames(&t, false, 4096);
	const struct serve_setup setup = {
		.store = {.dir = scratch_path("dir"), .host = "tiny", .proof = "test"},
		.timeout_ms = TIMEOUT_MS,
	};
	struct transport *transport;
	enum exit_status status;
	struct error err;
	int fds[2];

	dialogue_clear();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	sender = fds[1];
	assert_int_equal(transport_new_fds(fds[0], dup(fds[0]), "tiny", &transport, &err), 0);
	assert_int_equal(io_write_full(sender, said.bytes, said.size_bytes), 0);
	stream_free(&said);
	tinysession_free(&t);
	status = serve(transport, &setup);
	assert_false(unheard);
	return status;
}

static void test_slow_disk(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	slow_data = slow_all = true;
	assert_int_equal(serve_all(), EXIT_COMPLETE);
	assert_true(hear(true));
	assert_true(done);
	assert_false(slow_data || slow_all);
	assert_in_range(heard, 2, 100);
	close(sender);
	frame_reader_deinit(&reader);
	dialogue_clear();
}

/* What the sender has said is enough. */
static void test_gone_at_end(void **state UNUSED)
{
	leaves_at_end = true;
	assert_int_equal(serve_all(), EXIT_COMPLETE);
	assert_false(leaves_at_end);
	assert_true(file_exists(dialogue_path("vmcore")));
	dialogue_clear();
}

/* Goes last: it stays stopped. */
static void test_stopped(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	slow_data = is_stopped = true;
	assert_int_equal(serve_all(), EXIT_INCOMPLETE);
	assert_false(slow_data);
	assert_true(aborted); /* while the disk was waited for: hear() has come back */
	close(sender);
	frame_reader_deinit(&reader);
	dialogue_clear();
}

int main(int argc, char **argv)
{
	static struct unit u;

	log_init("test", LOG_ERROR);
	unit_add(&u, "serve: is heard of while a disk takes long", test_slow_disk, NULL);
	unit_add(&u, "serve: publishes a dump whose sender has gone behind END", test_gone_at_end,
		 NULL);
	unit_add(&u, "serve: says at once that it is stopped", test_stopped, NULL);
	return unit_run(&u, "serve", argc, argv);
}
