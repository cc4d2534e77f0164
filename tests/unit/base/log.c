/* include/base/log.h: standard error is never waited for, where that was asked for, and what it
 * can't take is neither torn nor out of order. The test is its own child: log_never_wait() can't be
 * taken back. */
#include "tests/lib/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

/* What standard error is: the end to write to, and the one to read from. */
struct stream {
	const char *name;
	void (*open)(int *in, int *out);
};

static void open_pipe(int *in, int *out)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	*in = fds[0];
	*out = fds[1];
}

static void open_socket(int *in, int *out)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*in = fds[0];
	*out = fds[1];
}

static void open_terminal(int *in, int *out)
{
	struct termios mode;

	assert_int_equal(openpty(in, out, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(*out, &mode), 0);
	cfmakeraw(&mode);
	assert_int_equal(tcsetattr(*out, TCSANOW, &mode), 0);
}

static const struct stream streams[] = {
	{"log: waits for no pipe", open_pipe},
	{"log: waits for no socket", open_socket},
	{"log: waits for no terminal", open_terminal},
};

enum { LINES = 20000, LIMIT_S = 60 };

/* Until it would block. The mode is left as it was. */
static void fill(int fd)
{
	const int mode = fcntl(fd, F_GETFL);
	static char x[4096];

	memset(x, 'x', sizeof(x));
	fcntl(fd, F_SETFL, mode | O_NONBLOCK);
	while (write(fd, x, sizeof(x)) > 0)
		;
	while (write(fd, x, 1) > 0)
		;
	fcntl(fd, F_SETFL, mode);
}

/* The child: says more than there is room for, and again once there is. */
static int talk(int out, int go)
{
	char c;

	dup2(out, STDERR_FILENO);
	alarm(LIMIT_S);
	log_init("vmsend", LOG_NOTE);
	log_never_wait();
	for (int i = 0; i < LINES; i++)
		log_note("line %d of %d", i, LINES);
	if (fcntl(out, F_GETFL) & O_NONBLOCK)
		return 2;
	if (write(go, "1", 1) != 1 || read(go, &c, 1) != 1) /* now it is read from */
		return 3;
	log_drain();
	log_note("the last");
	log_drain();
	return 0;
}

/* All that comes until the child has ended and nothing more is there. */
static char *read_all(int in, pid_t child, int *status_ret)
{
	static char text[8 << 20];
	size_t count = 0;
	bool ended = false;

	for (;;) {
		struct pollfd pfd = {.fd = in, .events = POLLIN};
		ssize_t n;

		if (poll(&pfd, 1, 10) > 0 && (pfd.revents & POLLIN)) {
			n = read(in, text + count, sizeof(text) - 1 - count);
			if (n <= 0)
				break;
			count += (size_t)n;
		} else if (ended) {
			break;
		} else {
			ended = waitpid(child, status_ret, WNOHANG) == child;
		}
	}
	if (!ended)
		assert_int_equal(waitpid(child, status_ret, 0), child);
	text[count] = '\0';
	return text;
}

static void test_stream(void **state)
{
	const struct stream *row = *state;
	int in, out, go[2], status, said = 0, next = 0, lost;
	char *text, *line, *rest;
	bool last = false;
	pid_t child;

	row->open(&in, &out);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, go), 0);
	fill(out);
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(talk(out, go[1]));
	close(out);
	close(go[1]);
	assert_int_equal(read(go[0], &status, 1), 1); /* it has said all, and nobody has read */
	assert_int_equal(write(go[0], "1", 1), 1);
	text = read_all(in, child, &status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	text += strspn(text, "x");
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char want[64];

		assert_false(last);
		if (sscanf(line, "vmsend: %d lines were left out: standard error", &lost) == 1) {
			/* Not only in the end: a terminal that was full takes more once the kernel
			 * has come to move what it has on. */
			next += lost;
			continue;
		}
		last = next == LINES;
		snprintf(want, sizeof(want), "vmsend: line %d of %d", next, LINES);
		assert_string_equal(line, last ? "vmsend: the last" : want);
		next++;
		said++;
	}
	assert_true(last);
	assert_in_range(said, 500, 1000); /* 16 KiB of them */
	close(in);
	close(go[0]);
}

/* Opened again, a file would be written from its beginning. */
static void test_file(void **state UNUSED)
{
	char text[256] = "";
	FILE *file = tmpfile();
	const int fd = fileno(file);
	pid_t child;
	int status;

	fputs("before\n", file);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		dup2(fd, STDERR_FILENO);
		log_init("vmsend", LOG_NOTE);
		log_never_wait();
		log_note("behind");
		log_drain();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "before\nvmsend: behind\n");
	fclose(file);
}

/* Nobody will ever read it: that holds nothing up, and ends nothing. */
static void test_gone(void **state UNUSED)
{
	int in, out, status;
	pid_t child;

	open_pipe(&in, &out);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		struct timespec begin, end;

		close(in);
		dup2(out, STDERR_FILENO);
		signal(SIGPIPE, SIG_IGN);
		clock_gettime(CLOCK_MONOTONIC, &begin);
		log_init("vmsend", LOG_NOTE);
		log_never_wait();
		for (int i = 0; i < LINES; i++)
			log_note("line %d", i);
		log_drain();
		clock_gettime(CLOCK_MONOTONIC, &end);
		_exit(end.tv_sec - begin.tv_sec > LIMIT_S / 2); /* of a busy machine */
	}
	close(in);
	close(out);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static const struct clean_row {
	const char *name, *text, *shown;
} clean_rows[] = {
	{"log: shows ASCII", "a ~", "a ~"},
	{"log: shows no control characters", "a\033[31m\tb\x7f\nc", "a?[31m?b??c"},
	{"log: shows letters of UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7",
	 "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7"},
	{"log: shows a letter whose second byte alone is a control", "\xc3\x9b", "\xc3\x9b"},
	{"log: shows no control of eight bits",
	 "\x9b"
	 "31m",
	 "?31m"},
	{"log: shows none as UTF-8",
	 "\xc2\x9b"
	 "31m\xc2\xa0",
	 "??31m\xc2\xa0"},
	{"log: shows no UTF-8 that is longer than it has to be", "\xc1\x9b\xe0\x82\x9b", "?????"},
	{"log: shows no UTF-8 that is cut", "\xc3", "?"},
	{"log: shows no UTF-8 of four bytes that is cut", "\xf0\x9f\x90", "???"},
	{"log: shows no surrogates", "\xed\xa0\x80", "???"},
	{"log: shows nothing past Unicode", "\xf4\x90\x80\x80\xff", "?????"},
};

static void test_clean(void **state)
{
	const struct clean_row *row = *state;
	char line[64], want[64];
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	log_init("test", LOG_NOTE);
	log_note("%s", row->text);
	dup2(saved, STDERR_FILENO);
	n = read(fds[0], line, sizeof(line) - 1);
	line[MAX(n, 0)] = '\0';
	snprintf(want, sizeof(want), "test: %s\n", row->shown);
	assert_string_equal(line, want);
	close(fds[0]);
	close(fds[1]);
	close(saved);
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, streams, test_stream);
	UNIT_ADD_ROWS(&u, clean_rows, test_clean);
	unit_add(&u, "log: goes on where a file is", test_file, NULL);
	unit_add(&u, "log: doesn't mind a reader that is gone", test_gone, NULL);
	return unit_run(&u, "log", argc, argv);
}
