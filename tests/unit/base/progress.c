/* include/base/progress.h and log.h: what is shown, and when nothing is. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <limits.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/progress.h"

/* Standard error into memory, and what came there. */
static int caught = -1, saved = -1;
static char text[65536];

static void catch_stderr(void)
{
	fflush(stderr);
	caught = memfd_create("stderr", MFD_CLOEXEC);
	saved = dup(STDERR_FILENO);
	dup2(caught, STDERR_FILENO);
}

static const char *caught_stderr(void)
{
	ssize_t n;

	fflush(stderr);
	n = pread(caught, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(caught);
	return text;
}

/* Ours takes the place of the library's: time passes when a test says so, on a busy machine, too.
 */
static long long clock_ms = 1000000;

int clock_gettime(clockid_t clock UNUSED, struct timespec *now)
{
	now->tv_sec = clock_ms / 1000;
	now->tv_nsec = clock_ms % 1000 * 1000000;
	return 0;
}

static const struct progress_state half = {
	.done = 50, .total = 100, .bytes_in = 1 << 20, .bytes_out = 1 << 19};

static struct progress *start(enum progress_mode mode)
{
	struct progress *p = NULL;
	struct error err;

	assert_int_equal(progress_new(mode, &p, &err), 0);
	return p;
}

static size_t count(const char *in, const char *what)
{
	size_t n = 0;

	for (; (in = strstr(in, what)); in++)
		n++;
	return n;
}

static void test_none(void **state UNUSED)
{
	struct progress *p;

	catch_stderr();
	p = start(PROGRESS_AUTO); /* standard error is no terminal here */
	clock_ms += 300;
	progress_update(p, &half);
	progress_end(p, &half);
	progress_free(p);
	p = start(PROGRESS_NONE);
	clock_ms += 300;
	progress_update(p, &half);
	progress_end(p, &half);
	progress_free(p);
	assert_string_equal(caught_stderr(), "");
}

static void test_tty(void **state UNUSED)
{
	struct progress *p;

	catch_stderr();
	p = start(PROGRESS_TTY);
	clock_ms += 249;
	progress_update(p, &half); /* too early */
	clock_ms += 1;
	for (int i = 0; i < 100; i++)
		progress_update(p, &half);
	progress_end(p, &half);
	progress_update(p, &half); /* over */
	progress_free(p);
	caught_stderr();
	assert_int_equal(count(text, "1.0 MiB in, 512 KiB out, "), 1);
	assert_non_null(strstr(text, "50.0 %"));
	assert_int_equal(count(text, "\n"), 0);
	assert_true(strlen(text) > 4 && strcmp(text + strlen(text) - 4, "\r\033[K") == 0);
}

static void test_lines(void **state UNUSED)
{
	struct progress *p;

	log_init("vmsend", LOG_ERROR);
	catch_stderr();
	p = start(PROGRESS_LINES);
	clock_ms += 9999;
	progress_update(p, &half); /* too early */
	clock_ms += 1;
	for (int i = 0; i < 3; i++) {
		for (int k = 0; k < 100; k++)
			progress_update(p, &half);
		clock_ms += 10000;
	}
	progress_end(p, &half);
	progress_free(p);
	caught_stderr();
	assert_int_equal(count(text, "\n"), 3);
	assert_int_equal(count(text, "vmsend: 1.0 MiB in, 512 KiB out, "), 3);
	assert_null(strchr(text, '\033'));
}

/* 9600 baud are 960 characters a second: the longest line is a tenth of that. */
static void test_line_length(void **state UNUSED)
{
	const struct progress_state large = {.done = 999,
					     .total = 1000,
					     .bytes_in = UINT64_C(1023) << 30,
					     .bytes_out = UINT64_C(1023) << 30};
	struct progress *p;

	log_init("vmsend", LOG_ERROR);
	catch_stderr();
	p = start(PROGRESS_LINES);
	clock_ms += (59 * 60 + 59) * 1000;
	progress_update(p, &large);
	progress_free(p);
	assert_in_range(strlen(caught_stderr()), 60, 81);
}

static void test_total_unknown(void **state UNUSED)
{
	const struct progress_state s = {.done = 5, .bytes_in = 100};
	struct progress *p;

	catch_stderr();
	p = start(PROGRESS_TTY);
	clock_ms += 260;
	progress_update(p, &s);
	progress_free(p);
	log_line_open(false);
	assert_null(strchr(caught_stderr(), '%'));
}

static void test_line_is_cleared(void **state UNUSED)
{
	struct progress *p;

	log_init("name", LOG_NOTE);
	catch_stderr();
	p = start(PROGRESS_TTY);
	clock_ms += 260;
	progress_update(p, &half);
	log_warning("odd");
	log_warning("again");
	progress_end(p, &half);
	progress_free(p);
	assert_non_null(
		strstr(caught_stderr(), "\r\033[Kname: warning: odd\nname: warning: again\n"));
}

static void test_json(void **state UNUSED)
{
	struct progress *p;

	catch_stderr();
	p = start(PROGRESS_JSON);
	clock_ms += 999;
	progress_update(p, &half); /* not yet a second */
	progress_end(p, &half);
	progress_free(p);
	caught_stderr();
	assert_int_equal(count(text, "\n"), 1);
	assert_int_equal(text[0], '{');
	assert_non_null(strstr(text, "\"done\":50"));
	assert_non_null(strstr(text, "\"total\":100"));
	assert_non_null(strstr(text, "\"bytes_in\":1048576"));
	assert_non_null(strstr(text, "\"bytes_out\":524288"));
	assert_non_null(strstr(text, "\"last\":true"));
}

/* A terminal that takes nothing (Ctrl-S) holds nothing up. */
static void test_stuck(void **state UNUSED)
{
	struct progress *p;
	char fill[4096];
	int fds[2], was;

	assert_int_equal(pipe(fds), 0);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	memset(fill, 'x', sizeof(fill));
	while (write(fds[1], fill, sizeof(fill)) > 0)
		;
	fcntl(fds[1], F_SETFL, 0); /* from now on a write would wait for ever */
	fflush(stderr);
	was = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	alarm(30);
	p = start(PROGRESS_TTY);
	clock_ms += 260;
	progress_update(p, &half);
	alarm(0);
	progress_free(p);
	dup2(was, STDERR_FILENO);
	close(was);
	close(fds[0]);
	close(fds[1]);
	log_line_open(false);
}

static void test_names(void **state UNUSED)
{
	enum progress_mode mode;
	struct error err;

	assert_int_equal(progress_mode_by_name("auto", &mode, &err), 0);
	assert_int_equal(mode, PROGRESS_AUTO);
	assert_int_equal(progress_mode_by_name("tty", &mode, &err), 0);
	assert_int_equal(mode, PROGRESS_TTY);
	assert_int_equal(progress_mode_by_name("lines", &mode, &err), 0);
	assert_int_equal(mode, PROGRESS_LINES);
	assert_int_equal(progress_mode_by_name("none", &mode, &err), 0);
	assert_int_equal(mode, PROGRESS_NONE);
	assert_int_equal(progress_mode_by_name("json", &mode, &err), WITH_JANSSON ? 0 : -ENOTSUP);
	assert_int_equal(progress_mode_by_name("", &mode, &err), -EINVAL);
	assert_int_equal(progress_mode_by_name("TTY", &mode, &err), -EINVAL);
}

static void test_log(void **state UNUSED)
{
	log_init("vm", LOG_WARNING);
	catch_stderr();
	log_error("a %d", 1);
	log_warning("b");
	log_note("c");
	log_detail("d");
	log_init("vm", LOG_DETAIL);
	log_detail("e\n\033[2Jf\tg\177");
	assert_string_equal(caught_stderr(), "vm: a 1\nvm: warning: b\nvm: e??[2Jf?g?\n");
}

static void test_long_log(void **state UNUSED)
{
	char line[3 * PATH_MAX];

	/* A path of any length, and what is said of it, is not. */
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	log_init("vm", LOG_NOTE);
	catch_stderr();
	log_note("%s", line);
	caught_stderr();
	assert_in_range(strlen(text), PATH_MAX + 400, PATH_MAX + 520);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "progress: shows nothing where there is no terminal", test_none, NULL);
	unit_add(&u, "progress: shows a line a few times a second, and clears it", test_tty, NULL);
	unit_add(&u, "progress: says a line every ten seconds", test_lines, NULL);
	unit_add(&u, "progress: says lines of 80 characters at most", test_line_length, NULL);
	unit_add(&u, "progress: shows no share where the total isn't known", test_total_unknown,
		 NULL);
	unit_add(&u, "progress: has its line cleared by what is said", test_line_is_cleared, NULL);
	if (WITH_JANSSON)
		unit_add(&u, "progress: writes a JSON object at the end", test_json, NULL);
	else
		unit_skip(&u, "progress: writes a JSON object at the end", "built without jansson");
	unit_add(&u, "progress: waits for no terminal that takes nothing", test_stuck, NULL);
	unit_add(&u, "progress_mode_by_name: knows the modes", test_names, NULL);
	unit_add(&u, "log: shows what is wanted, without control characters", test_log, NULL);
	unit_add(&u, "log: cuts a line that is too long", test_long_log, NULL);
	return unit_run(&u, "progress", argc, argv);
}
