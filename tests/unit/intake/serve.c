/* receiver/intake/serve.h: a disk that takes longer than the sender waits. */
#include "tests/lib/unit.h"

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

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "receiver/intake/serve.h"
#include "tests/lib/dialogue.h"
#include "tests/lib/scratch.h"
#include "tests/lib/tinysession.h"
#include "wire/frame.h"
#include "wire/transport.h"

enum {
	TIMEOUT_MS = 2000, /* so a heartbeat is due every 500 */
	PATIENCE_MS = 10000,
	ANSWER_MS = 700,
};

static int sender = -1; /* the sender's end of the link */
static struct frame_reader reader;
static unsigned heard; /* heartbeats */
static bool done, aborted;
static struct farewell farewell;
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
			aborted |= f.type == FRAME_ABORT || f.type == FRAME_REFUSE;
			if (aborted && farewell.retry_after_s == 0)
				assert_int_equal(farewell_get(&f, &farewell, &err), 0);
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

static void leave(void)
{
	const struct timespec noticed = {.tv_nsec = 700000000}; /* a heartbeat is sent in vain */

	close(sender);
	nanosleep(&noticed, NULL);
}

static bool leaves_at_end; /* the sender, while END becomes durable */
static unsigned journal_syncs;

/* That of HELLO comes first, then the last acknowledgement's, then END's. */
static void leave_if_end(const char *path)
{
	if (!leaves_at_end || !strstr(path, "/vmcore.segments") || ++journal_syncs < 3)
		return;
	leaves_at_end = false;
	leave();
}

static bool hangs; /* the disk, where the dump begins, until the sender is told to go */

static void hang_if_begins(const char *path)
{
	if (!hangs || !strstr(path, "vmcore.segments"))
		return;
	hangs = false;
	while (!aborted && !unheard)
		unheard |= !hear(false);
	shutdown(sender, SHUT_WR);
}

/* In place of the C library's. */
int fdatasync(int fd)
{
	int (*real)(int);
	char path[PATH_MAX];

	*(void **)&real = dlsym(RTLD_NEXT, "fdatasync");
	wait_if_dump(path_of(fd, path), &slow_data);
	leave_if_end(path);
	hang_if_begins(path);
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

static struct stream said; /* all that the sender says */
static size_t held_bytes;  /* of it, that it says while data is written: the last of them */
static bool slow_write, leaves_at_write;

/* Takes longer than either side waits in silence, and the sender says the rest meanwhile. */
static void wait_if_data(const char *path)
{
	const uint64_t begun_ms = clock_ms();

	if (!held_bytes || !strstr(path, "/vmcore.part"))
		return;
	unheard |= io_write_full(sender, said.bytes + said.size_bytes - held_bytes, held_bytes) < 0;
	held_bytes = 0;
	/* Kept from a CPU, it says fewer heartbeats in the same time. */
	while (slow_write && !unheard &&
	       (heard < 4 || clock_ms() < begun_ms + TIMEOUT_MS + TIMEOUT_MS / 4))
		unheard |= !hear(false);
	if (leaves_at_write)
		leave();
}

ssize_t pwrite(int fd, const void *bytes, size_t size_bytes, off_t off)
{
	ssize_t (*real)(int, const void *, size_t, off_t);
	char path[PATH_MAX];

	*(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
	wait_if_data(path_of(fd, path));
	return real(fd, bytes, size_bytes, off);
}

/* A session that the sender says without waiting: all but the last `hold` bytes at once. */
static enum exit_status serve_all(size_t hold)
{
	struct tinysession t = tinysession_make(&(struct tinysession_shape){.small = true});
	const struct serve_setup setup = {
		.store = {.dir = scratch_path("dir"), .host = "tiny", .proof = "test"},
		.timeout_ms = TIMEOUT_MS,
		.answer_ms = hangs ? ANSWER_MS : 0,
	};
	struct transport *transport;
	enum exit_status status;
	struct error err;
	int fds[2];

	said = tinysession_frames(&t, false, 4096);
	assert_true(hold < said.size_bytes);
	held_bytes = hold;
	dialogue_clear();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	sender = fds[1];
	assert_int_equal(transport_new_fds(fds[0], dup(fds[0]), "tiny", &transport, &err), 0);
	assert_int_equal(io_write_full(sender, said.bytes, said.size_bytes - hold), 0);
	tinysession_free(&t);
	status = serve(transport, &setup);
	assert_int_equal(held_bytes, 0);
	stream_free(&said);
	assert_false(unheard);
	return status;
}

static void test_slow_disk(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	slow_data = slow_all = true;
	assert_int_equal(serve_all(0), EXIT_COMPLETE);
	assert_true(hear(true));
	assert_true(done);
	assert_false(slow_data || slow_all);
	assert_in_range(heard, 2, 100);
	close(sender);
	frame_reader_deinit(&reader);
	dialogue_clear();
}

/* The last bytes of what the sender says: END, and some of what is before it. */
enum { HELD_BYTES = 600 };

/* Its silence is none while nobody listens. */
static void test_slow_write(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	heard = 0;
	done = false;
	slow_write = true;
	assert_int_equal(serve_all(HELD_BYTES), EXIT_COMPLETE);
	slow_write = false;
	assert_true(hear(true));
	assert_true(done);
	assert_in_range(heard, 4, 100);
	close(sender);
	frame_reader_deinit(&reader);
	dialogue_clear();
}

/* What wasn't read when the sender went is read all the same. */
static void test_gone_at_write(void **state UNUSED)
{
	leaves_at_write = true;
	assert_int_equal(serve_all(HELD_BYTES), EXIT_COMPLETE);
	leaves_at_write = false;
	assert_true(file_exists(dialogue_path("vmcore")));
	dialogue_clear();
}

/* What the sender has said is enough. */
static void test_gone_at_end(void **state UNUSED)
{
	leaves_at_end = true;
	assert_int_equal(serve_all(0), EXIT_COMPLETE);
	assert_false(leaves_at_end);
	assert_true(file_exists(dialogue_path("vmcore")));
	dialogue_clear();
}

/* Heartbeats from a disk that hangs would keep the sender for as long as it does. */
static void test_hangs(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	heard = 0;
	aborted = false;
	hangs = true;
	assert_int_equal(serve_all(0), EXIT_FAILED);
	assert_false(hangs);
	assert_true(aborted); /* while the disk hung */
	assert_int_equal(farewell.reason, REASON_NO_SPACE);
	assert_int_equal(farewell.retry_after_s, 30);
	assert_string_equal(farewell.text, "the disk has not answered for 0 s");
	aborted = false;
	close(sender);
	frame_reader_deinit(&reader);
	dialogue_clear();
}

/* Goes last: it stays stopped. */
static void test_stopped(void **state UNUSED)
{
	frame_reader_init(&reader, false);
	slow_data = is_stopped = true;
	assert_int_equal(serve_all(0), EXIT_INCOMPLETE);
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
	unit_add(&u, "serve: doesn't take its own slowness for silence", test_slow_write, NULL);
	unit_add(&u, "serve: publishes a dump whose sender has gone, END unread",
		 test_gone_at_write, NULL);
	unit_add(&u, "serve: publishes a dump whose sender has gone behind END", test_gone_at_end,
		 NULL);
	unit_add(&u, "serve: sends away who waits for a disk that hangs", test_hangs, NULL);
	unit_add(&u, "serve: says at once that it is stopped", test_stopped, NULL);
	return unit_run(&u, "serve", argc, argv);
}
