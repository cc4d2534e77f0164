/* sender/transport/command.h: bytes to and from a command, what it says, and how it ends. */
#include "tests/lib/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sender/transport/command.h"
#include "tests/lib/scratch.h"

enum { LONG_MS = 60000, MUCH = 3 << 20 };

/* Ours takes the place of the library's: no program may be there, or no memory. */
static int spawn_fails;

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
	int (*real)(pid_t *, const char *, const posix_spawn_file_actions_t *,
		    const posix_spawnattr_t *, char *const[], char *const[]);

	*(void **)&real = dlsym(RTLD_NEXT, "posix_spawn");
	return spawn_fails ? spawn_fails : real(pid, path, actions, attr, argv, envp);
}

/* What was told, line by line. */
static char told[1000];

static void keep_line(void *ctx UNUSED, const char *line)
{
	const size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%s|", line);
}

static struct transport *start(const char *command)
{
	const struct connect_setup setup = {.said = keep_line};
	struct url url = {.scheme = URL_EXEC};
	struct transport *t;
	struct error err;

	*told = '\0';
	snprintf(url.path, sizeof(url.path), "%s", command);
	snprintf(url.text, sizeof(url.text), "exec:%.500s", command);
	assert_int_equal(transport_command_start(&url, &setup, &t, &err), 0);
	return t;
}

/* More than the sockets hold, so that neither end may wait for the other. */
static void test_both_ways(void **state UNUSED)
{
	AUTO(transport_free) struct transport *t = start("exec cat");
	AUTO_FREE uint8_t *out = malloc(MUCH), *in = malloc(MUCH);
	size_t sent = 0, got = 0;
	struct error err;

	assert_non_null(out);
	assert_non_null(in);
	for (size_t i = 0; i < MUCH; i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	while (got < MUCH) {
		ssize_t n = transport_send(t, out + sent, MUCH - sent, &err);

		assert_true(n >= 0);
		sent += (size_t)n;
		n = transport_recv(t, in + got, MUCH - got, &err);
		assert_true(n >= 0);
		got += (size_t)n;
		if (n == 0)
			assert_int_equal(transport_wait(t, sent < MUCH, LONG_MS, NULL, &err), 1);
	}
	assert_memory_equal(in, out, MUCH);
	assert_int_equal(transport_finish(t, LONG_MS, &err), 0);
	assert_int_equal(transport_recv(t, in, 1, &err), -ENODATA);
	assert_string_equal(err.msg, "the command has ended");
}

struct end {
	const char *name, *command;
	int code;
	const char *error, *lines;
};

static const struct end ends[] = {
	{"command: tells that it has ended", "exit 0", -ENODATA, "the command has ended", ""},
	{"command: tells its status, and what it said", "echo one >&2; echo two >&2; exit 3",
	 -ENODATA, "the command ended with status 3: two", "one|two|"},
	{"command: shows nothing that a terminal would do", "printf 'a\\033[2Jb\\n' >&2; exit 1",
	 -ENODATA, "the command ended with status 1: a?[2Jb", "a?[2Jb|"},
	{"command: takes for final that there is no such program", "exit 127", -ENOTSUP,
	 "the command ended with status 127", ""},
	{"command: takes for final that it can't be run", "exit 126", -ENOTSUP,
	 "the command ended with status 126", ""},
	{"command: tells the signal that ended it", "kill -11 $$", -ENODATA,
	 "the command was killed by signal 11", ""},
};

static void test_end(void **state)
{
	const struct end *row = *state;
	AUTO(transport_free) struct transport *t = start(row->command);
	struct error err;
	char byte;
	ssize_t n;

	while ((n = transport_recv(t, &byte, 1, &err)) == 0)
		assert_true(transport_wait(t, false, LONG_MS, NULL, &err) >= 0);
	assert_int_equal(n, row->code);
	assert_string_equal(err.msg, row->error);
	assert_string_equal(told, row->lines);
	/* Once more, and what is sent: the same. */
	assert_int_equal(transport_recv(t, &byte, 1, &err), row->code);
	assert_int_equal(transport_send(t, "x", 1, &err), row->code);
	assert_string_equal(err.msg, row->error);
}

/* Without a shell, now is as good as later. */
static void test_no_shell(void **state UNUSED)
{
	static const struct {
		int fails, code;
		const char *error;
	} rows[] = {
		{ENOENT, -ENOTSUP, "/bin/sh: No such file or directory"},
		{EACCES, -EACCES, "/bin/sh: Permission denied"},
		{ENOMEM, -ENOMEM, "/bin/sh: Cannot allocate memory"},
		{EAGAIN, -EAGAIN, "/bin/sh: Resource temporarily unavailable"},
	};
	const struct connect_setup setup = {0};
	const struct url url = {.scheme = URL_EXEC, .path = "exit 0"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct transport *t;
		struct error err;

		spawn_fails = rows[i].fails;
		assert_int_equal(transport_command_start(&url, &setup, &t, &err), rows[i].code);
		assert_string_equal(err.msg, rows[i].error);
	}
	spawn_fails = 0;
}

/* Whether a process has ended, though nobody may have taken its status. */
static bool has_ended(int pid)
{
	const char state = unit_task_state(pid);

	return state == 0 || state == 'Z';
}

struct going {
	const char *name, *first, *then;
	enum {
		STAYS,
		ENDS,	   /* by itself; what it has started doesn't */
		ENDS_TOLD, /* and we have been told so */
	} how;
};

static const struct going goings[] = {
	{"command: ends with the transport", "", "exec sleep 10000", STAYS},
	{"command: ends with the transport even if it doesn't want to", "trap '' TERM;",
	 "while :; do sleep 1; done", STAYS},
	{"command: leaves nobody behind", "sleep 10000 &", "exit 0", ENDS},
	{"command: leaves nobody behind when its output has ended", "sleep 10000 >&- 2>&- <&- &",
	 "exit 0", ENDS_TOLD},
	{"command: leaves nobody behind who doesn't want to end",
	 "(trap '' TERM; while :; do sleep 1; done) &", "exit 0", ENDS},
};

static void test_goes(void **state)
{
	const struct going *row = *state;
	const char *path = scratch_path("pids");
	int pid, started = 0;
	char command[400];
	struct transport *t;
	struct error err;
	char byte;
	FILE *f;

	scratch_clear();
	snprintf(command, sizeof(command), "%s echo $$ $! >%s.new; mv %s.new %s; %s", row->first,
		 path, path, path, row->then);
	t = start(command);
	while (!file_exists(path))
		usleep(1000);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(fscanf(f, "%d %d", &pid, &started) >= 1);
	fclose(f);
	while (row->how == ENDS && !has_ended(pid))
		usleep(1000);
	while (row->how == ENDS_TOLD && transport_recv(t, &byte, 1, &err) == 0)
		assert_true(transport_wait(t, false, LONG_MS, NULL, &err) >= 0);
	transport_free(t);
	assert_int_equal(kill(pid, 0), -1);
	/* That one isn't our child: it is asked to go. */
	for (int ms = 0; ms < LONG_MS && started && !has_ended(started); ms++)
		usleep(1000);
	assert_true(!started || has_ended(started));
}

int main(int argc, char **argv)
{
	struct unit u = {0};

	unit_add(&u, "command: carries bytes both ways", test_both_ways, NULL);
	UNIT_ADD_ROWS(&u, ends, test_end);
	unit_add(&u, "command: takes for final that there is no shell", test_no_shell, NULL);
	UNIT_ADD_ROWS(&u, goings, test_goes);
	return unit_run(&u, "command", argc, argv);
}
