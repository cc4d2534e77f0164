/* The sink for what a program says.
 * Doesn't know why it is said, and never ends the program. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/printable.h"

enum {
	LINE_BYTES = PATH_MAX + 512, /* a path of any length, and what there is to say of it */
	PENDING_BYTES = 16 << 10,    /* bytes that wait for a slow console: 17 s at 9600 baud */

	/* Where standard error couldn't be opened anew, lines are written in pieces for which there
	 * is room. */
	PIECE_BYTES = 512,

	/* A console of 9600 baud asks for more when it has shown 4 KiB: after 4 s. */
	DRAIN_MS = 5000,
	DRAIN_ALL_MS = 20000,
};

static const char *program = "";
static enum log_level shown_level = LOG_NOTE;
static bool line_open;
static struct {
	log_take_fn *take;
	void *ctx;
} diverted;

/* --- writing without waiting ---------------------------------------------------------------- */

static struct {
	bool on;
	int fd; /* a descriptor of our own, or standard error's */
	bool is_socket;
	char bytes[PENDING_BYTES];
	size_t count;
	unsigned lost; /* lines that found no room */
} pending = {.fd = STDERR_FILENO};

/*
 * O_NONBLOCK belongs to what was opened, which the processes share that have it as standard error:
 * a shell's next prompt would fail. So a terminal or a pipe is opened once more. Where that can't
 * be, we look before we write.
 */
void log_never_wait(void)
{
	struct stat st;

	if (pending.on || fstat(STDERR_FILENO, &st) < 0 || S_ISREG(st.st_mode))
		return; /* a file takes all, and opened again it would begin anew */
	pending.on = true;
	pending.is_socket = S_ISSOCK(st.st_mode);
	if (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)) {
		const int fd =
			open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		pending.fd = fd < 0 ? STDERR_FILENO : fd;
	}
}

static bool has_room(int timeout_ms)
{
	struct pollfd pfd = {.fd = pending.fd, .events = POLLOUT};

	return poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & POLLOUT);
}

/* Write as many bytes as possible without waiting. Returns how many. */
static size_t give(const char *bytes, size_t size_bytes)
{
	ssize_t n;

	if (pending.is_socket)
		n = send(pending.fd, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (pending.fd != STDERR_FILENO)
		n = write(pending.fd, bytes, size_bytes);
	else if (has_room(0))
		n = write(pending.fd, bytes, MIN(size_bytes, (size_t)PIECE_BYTES));
	else
		return 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return size_bytes; /* nobody will ever see it */
	return n < 0 ? 0 : (size_t)n;
}

static void give_pending(void)
{
	const size_t n = give(pending.bytes, pending.count);

	pending.count -= n;
	memmove(pending.bytes, pending.bytes + n, pending.count);
}

/* All of it, or nothing. */
static bool keep(const char *bytes, size_t size_bytes)
{
	if (size_bytes > sizeof(pending.bytes) - pending.count)
		return false;
	memcpy(pending.bytes + pending.count, bytes, size_bytes);
	pending.count += size_bytes;
	return true;
}

static void say_lost(void)
{
	char line[128];
	const int len = snprintf(line, sizeof(line),
				 "%s: %u lines were left out: standard error took none\n", program,
				 pending.lost);

	if (keep(line, (size_t)len))
		pending.lost = 0;
}

static void put(const char *bytes, size_t size_bytes)
{
	if (!pending.on) {
		(void)!io_write_full(STDERR_FILENO, bytes, size_bytes);
		return;
	}
	if (pending.count)
		give_pending();
	if (pending.lost)
		say_lost();
	if (!keep(bytes, size_bytes))
		pending.lost++;
	give_pending();
}

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void log_drain(void)
{
	const long long until_ms = now_ms() + DRAIN_ALL_MS;

	while (pending.count && has_room(DRAIN_MS) && now_ms() < until_ms) {
		give_pending();
		if (pending.lost)
			say_lost();
	}
}

/* --- lines ---------------------------------------------------------------------------------- */

void log_init(const char *name, enum log_level shown)
{
	program = name;
	shown_level = shown;
}

void log_divert(log_take_fn *take, void *ctx)
{
	diverted.take = take;
	diverted.ctx = ctx;
}

void log_line_open(bool open)
{
	line_open = open;
}

/* The length of a character of UTF-8 beyond ASCII, but for controls; 0 if none is there. */
static size_t utf8_length(const unsigned char *p)
{
	/* RFC 3629, 4: the first byte's range, and the second's. U+0080 to U+009F are controls. */
	static const struct {
		unsigned char first, last, low, high, length;
	} kinds[] = {
		{0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		size_t n = 2;

		if (p[0] < kinds[i].first || p[0] > kinds[i].last)
			continue;
		if (p[1] < kinds[i].low || p[1] > kinds[i].high)
			return 0;
		while (n < kinds[i].length && (p[n] & 0xc0) == 0x80)
			n++;
		return n == kinds[i].length ? n : 0;
	}
	return 0;
}

/* Names of files may be in any language; a terminal isn't to be told what to do. */
static void clean(char *text)
{
	for (size_t n; *text; text += n) {
		n = is_printable((unsigned char)*text) ? 1 : utf8_length((unsigned char *)text);
		if (n == 0) {
			*text = '?';
			n = 1;
		}
	}
}

void log_say(enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = {[LOG_PROGRESS] = "",
					     [LOG_ERROR] = "",
					     [LOG_WARNING] = "warning: ",
					     [LOG_NOTE] = "",
					     [LOG_DETAIL] = ""};
	char line[LINE_BYTES + 1]; /* and the end of the line */
	size_t head, len;
	va_list ap;

	if (level > shown_level)
		return;
	head = (size_t)snprintf(line, LINE_BYTES, "%s%s: %s", line_open ? "\r\033[K" : "", program,
				prefix[level]);
	va_start(ap, fmt);
	vsnprintf(line + head, LINE_BYTES - head, fmt, ap);
	va_end(ap);
	clean(line + head);
	if (diverted.take && diverted.take(diverted.ctx, level, line + head))
		return;
	len = strlen(line);
	line[len] = '\n';
	line_open = false;
	put(line, len + 1);
}

void log_in_handler(const char *line, size_t size_bytes)
{
	(void)!give(line, size_bytes);
}

void log_raw(const char *text, size_t size_bytes)
{
	put(text, size_bytes);
}

bool log_takes_more(void)
{
	if (pending.on && pending.count)
		give_pending();
	return pending.count == 0 && has_room(0);
}
