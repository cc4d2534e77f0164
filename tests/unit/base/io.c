/* include/base/io.h, error.h and zero.h. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/zero.h"

enum { MUCH = 3 << 20 };

/* --- pipes whose other end is slow, and signals all the time --- */

struct other_end {
	int fd;
	uint8_t *bytes;
	size_t room, done;
	pthread_t thread;
};

static void pause_sometimes(size_t done)
{
	if (done % 7 == 0)
		usleep(300);
}

static void *write_slowly(void *arg)
{
	struct other_end *o = arg;

	while (o->done < o->room) {
		const size_t part = 1 + o->done * 31 % 70000;
		const ssize_t n = write(o->fd, o->bytes + o->done, MIN(part, o->room - o->done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		o->done += (size_t)n;
		pause_sometimes(o->done);
	}
	close(o->fd);
	return NULL;
}

static void *read_slowly(void *arg)
{
	struct other_end *o = arg;

	for (;;) {
		const size_t part = 1 + o->done * 31 % 70000;
		const ssize_t n = read(o->fd, o->bytes + o->done, MIN(part, o->room - o->done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		o->done += (size_t)n;
		pause_sometimes(o->done);
	}
	close(o->fd);
	return NULL;
}

static void nothing(int signal_number UNUSED)
{
}

/* SIGALRM each millisecond, without SA_RESTART: calls are interrupted. */
static void interrupt(bool on)
{
	const struct sigaction act = {.sa_handler = nothing};
	const struct itimerval each = {{0, on ? 1000 : 0}, {0, on ? 1000 : 0}};

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &each, NULL);
}

static uint8_t *pattern(size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 ^ i >> 9);
	return p;
}

static void open_pipe(int fds[2])
{
	assert_int_equal(pipe(fds), 0);
}

static void test_read(void **state)
{
	const bool *nonblocking = *state;
	struct other_end o = {.room = MUCH, .bytes = pattern(MUCH)};
	uint8_t *got = malloc(MUCH + 1);
	int fds[2];

	assert_non_null(got);
	open_pipe(fds);
	if (*nonblocking)
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
	o.fd = fds[1];
	assert_int_equal(pthread_create(&o.thread, NULL, write_slowly, &o), 0);
	interrupt(true);
	assert_int_equal(io_read_full(fds[0], got, 0), 0);
	assert_int_equal(io_read_full(fds[0], got, 1000000), 1000000);
	assert_int_equal(io_read_full(fds[0], got + 1000000, MUCH + 1 - 1000000), MUCH - 1000000);
	assert_int_equal(io_read_full(fds[0], got, 1), 0);
	interrupt(false);
	assert_memory_equal(got, o.bytes, MUCH);
	pthread_join(o.thread, NULL);
	close(fds[0]);
	free(o.bytes);
	free(got);
}

static void test_write(void **state)
{
	const bool *nonblocking = *state;
	struct other_end o = {.room = 2 * MUCH, .bytes = malloc(2 * MUCH)};
	uint8_t *want = pattern(MUCH);
	struct iovec iov[5] = {{want, 0},
			       {want, 16},
			       {want + 16, 0},
			       {want + 16, MUCH - 1016},
			       {want + MUCH - 1000, 1000}};
	int fds[2];

	assert_non_null(o.bytes);
	open_pipe(fds);
	if (*nonblocking)
		fcntl(fds[1], F_SETFL, O_NONBLOCK);
	o.fd = fds[0];
	assert_int_equal(pthread_create(&o.thread, NULL, read_slowly, &o), 0);
	interrupt(true);
	assert_int_equal(io_write_full(fds[1], want, 0), 0);
	assert_int_equal(io_write_full(fds[1], want, 100), 0);
	assert_int_equal(io_writev_full(fds[1], iov, 5), 0);
	assert_int_equal(io_writev_full(fds[1], iov, 0), 0);
	interrupt(false);
	close(fds[1]);
	pthread_join(o.thread, NULL);
	assert_int_equal(o.done, MUCH + 100);
	assert_memory_equal(o.bytes, want, 100);
	assert_memory_equal(o.bytes + 100, want, MUCH);
	free(o.bytes);
	free(want);
}

static void *write_late(void *arg)
{
	const struct other_end *o = arg;

	usleep(200000);
	(void)!write(o->fd, "x", 1);
	return NULL;
}

/* Of this thread. */
static long long cpu_ns(void)
{
	struct timespec used;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used), 0);
	return used.tv_sec * 1000000000LL + used.tv_nsec;
}

static void test_waits_without_spinning(void **state UNUSED)
{
	struct other_end o = {0};
	long long before;
	int fds[2];
	char byte;

	open_pipe(fds);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	o.fd = fds[1];
	assert_int_equal(pthread_create(&o.thread, NULL, write_late, &o), 0);
	before = cpu_ns();
	assert_int_equal(io_read_full(fds[0], &byte, 1), 1);
	assert_true(cpu_ns() - before < 50000000); /* of 200 ms */
	pthread_join(o.thread, NULL);
	close(fds[0]);
	close(fds[1]);
}

static void test_at_offsets(void **state UNUSED)
{
	AUTO_CLOSE int fd = memfd_create("file", MFD_CLOEXEC);
	uint8_t got[16];

	assert_int_equal(io_pwrite_full(fd, "0123456789", 10, 5), 0);
	assert_int_equal(io_pwrite_full(fd, "ab", 2, 6), 0);
	assert_int_equal(io_pwrite_full(fd, "", 0, 1000), 0);
	memset(got, 'x', sizeof(got));
	assert_int_equal(io_pread_full(fd, got, 16, 0), 15);
	assert_memory_equal(got,
			    "\0\0\0\0\0"
			    "0ab3456789x",
			    16);
	assert_int_equal(io_pread_full(fd, got, 1, 14), 1);
	assert_int_equal(io_pread_full(fd, got, 1, 15), 0);
	assert_int_equal(io_pread_full(fd, got, 1, UINT64_C(1) << 40), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
}

static void test_errors(void **state UNUSED)
{
	AUTO_CLOSE int full = open("/dev/full", O_RDWR), dir = open("/", O_RDONLY);
	uint8_t byte = 0;
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(io_read_full(-1, &byte, 1), -EBADF);
	assert_int_equal(io_pread_full(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(io_write_full(-1, &byte, 1), -EBADF);
	assert_int_equal(io_pwrite_full(-1, &byte, 1, 0), -EBADF);
	assert_int_equal(io_read_full(dir, &byte, 1), -EISDIR);
	assert_int_equal(io_pread_full(dir, &byte, 1, 0), -EISDIR);
	assert_int_equal(io_write_full(full, &byte, 1), -ENOSPC);
	assert_int_equal(io_pwrite_full(full, &byte, 1, 0), -ENOSPC);
	open_pipe(fds);
	close(fds[0]);
	assert_int_equal(io_write_full(fds[1], &byte, 1), -EPIPE);
	close(fds[1]);
}

/* --- error.h --- */

static void test_error(void **state UNUSED)
{
	struct error err = {0};

	assert_int_equal(error_set(&err, -EBADMSG, "page %d is %s", 7, "odd"), -EBADMSG);
	assert_int_equal(err.code, -EBADMSG);
	assert_string_equal(err.msg, "page 7 is odd");
	assert_int_equal(error_prefix(&err, "chunk %d", 3), -EBADMSG);
	assert_int_equal(error_prefix(&err, "%s", "file"), -EBADMSG);
	assert_string_equal(err.msg, "file: chunk 3: page 7 is odd");
	errno = ENOENT;
	assert_int_equal(error_sys(&err, "%s", "/x"), -ENOENT);
	assert_string_equal(err.msg, "/x: No such file or directory");
	errno = 0; /* who forgot to set it still fails */
	assert_int_equal(error_sys(&err, "x"), -EIO);
}

static void test_long_error(void **state UNUSED)
{
	struct error err = {0};
	char text[1000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(error_set(&err, -EIO, "%s", text), -EIO);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	errno = ENOSPC;
	assert_int_equal(error_sys(&err, "%s", text), -ENOSPC);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(error_prefix(&err, "%s", "short"), -ENOSPC);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_int_equal(error_prefix(&err, "%s", text), -ENOSPC);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

static void test_exit_status(void **state UNUSED)
{
	static const struct {
		int code;
		enum exit_status want;
	} rows[] = {
		{0, EXIT_COMPLETE},
		{1, EXIT_COMPLETE},
		{-EIO, EXIT_FAILED},
		{-EBADMSG, EXIT_FAILED},
		{-ENOMEM, EXIT_FAILED},
		{-ECANCELED, EXIT_FAILED},
		{-EINVAL, EXIT_USAGE},
		{-EPIPE, EXIT_TRANSPORT},
		{-ECONNRESET, EXIT_TRANSPORT},
		{-ETIMEDOUT, EXIT_TRANSPORT},
		{-EACCES, EXIT_REFUSED},
		{-ENOSPC, EXIT_REFUSED},
		{-EDQUOT, EXIT_REFUSED},
		{-EROFS, EXIT_REFUSED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(error_exit_status(rows[i].code), rows[i].want);
}

/* --- zero.h --- */

static void test_is_zero(void **state UNUSED)
{
	enum { MOST = 1100 };
	uint8_t *bytes = calloc(1, MOST + 8);

	assert_non_null(bytes);
	for (size_t skip = 0; skip < 8; skip++) {
		for (size_t n = 0; n <= MOST; n += n < 520 ? 1 : 97) {
			uint8_t *p = bytes + skip;

			/* What lies before and behind isn't looked at. */
			if (skip)
				p[-1] = 1;
			p[n] = 1;
			assert_true(is_zero(p, n));
			for (size_t at = 0; at < n; at += at < 9 || n - at < 9 ? 1 : 31) {
				p[at] = 0x80;
				assert_false(is_zero(p, n));
				p[at] = 0;
			}
			if (skip)
				p[-1] = 0;
			p[n] = 0;
		}
	}
	free(bytes);
}

static void test_buffer(void **state UNUSED)
{
	static const size_t sizes[] = {1, 4096, 4097, MUCH};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO_FREE uint8_t *buf = io_buffer(sizes[i]);

		assert_non_null(buf);
		assert_int_equal((uintptr_t)buf % 4096, 0);
		memset(buf, 1, sizes[i]);
	}
}

/* A file of a MiB that has data at 256 KiB and at its end. */
static void test_next_data(void **state UNUSED)
{
	enum { K = 1024, END = 1 << 20 };
	static const struct {
		uint64_t off, end;
		int found;
		uint64_t begin;
	} rows[] = {
		{0, END, 1, 256 * K},
		{0, 256 * K, 0, 0},
		{0, 256 * K + 1, 1, 256 * K},
		{256 * K + 7, END, 1, 256 * K + 7},
		{512 * K, END, 1, END - 4 * K},
		{512 * K, 600 * K, 0, 0},
		{END, END + 1, 0, 0},
		{END + K, END * UINT64_C(2), 0, 0},
		{5, 5, 0, 0},
		{9, 5, 0, 0},
	};
	const int fd = memfd_create("holes", MFD_CLOEXEC);
	uint64_t begin, end;

	assert_int_equal(ftruncate(fd, END), 0);
	assert_int_equal(pwrite(fd, "x", 1, 256 * K), 1);
	assert_int_equal(pwrite(fd, "x", 1, END - 1), 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(io_next_data(fd, rows[i].off, rows[i].end, &begin, &end),
				 rows[i].found);
		if (!rows[i].found)
			continue;
		assert_int_equal(begin, rows[i].begin);
		assert_true(end > begin && end <= rows[i].end && end <= END);
	}
	close(fd);
	assert_int_equal(io_next_data(fd, 0, 1, &begin, &end), -EBADF);
}

int main(int argc, char **argv)
{
	static const bool no = false, yes = true;
	static struct unit u;

	unit_add(&u, "io_read_full: reads all of what comes in pieces", test_read, &no);
	unit_add(&u, "io_read_full: waits for a descriptor that doesn't block", test_read, &yes);
	unit_add(&u, "io_write_full, io_writev_full: write all to a slow reader", test_write, &no);
	unit_add(&u, "io_write_full, io_writev_full: wait for a descriptor that doesn't block",
		 test_write, &yes);
	unit_add(&u, "io_read_full: doesn't spin while it waits", test_waits_without_spinning,
		 NULL);
	unit_add(&u, "io_pread_full, io_pwrite_full: go by offsets", test_at_offsets, NULL);
	unit_add(&u, "io_next_data: finds what isn't a hole", test_next_data, NULL);
	unit_add(&u, "io_buffer: begins with a page", test_buffer, NULL);
	unit_add(&u, "io: returns the system's error", test_errors, NULL);
	unit_add(&u, "error: keeps code and text", test_error, NULL);
	unit_add(&u, "error: cuts a text that is too long", test_long_error, NULL);
	unit_add(&u, "error_exit_status: follows the table", test_exit_status, NULL);
	unit_add(&u, "is_zero: sees one bit anywhere, at any alignment", test_is_zero, NULL);
	return unit_run(&u, "io", argc, argv);
}
