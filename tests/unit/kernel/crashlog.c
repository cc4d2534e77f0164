/* sender/kernel/crashlog.h: which end of the log goes, and what it says of the panic. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sender/kernel/crashlog.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/kernel.h"
#include "tests/lib/kernellog.h"

enum {
	COUNT_BITS = 12,
	BLOCK_BYTES = 64,
	SIZE_BITS = 18, /* as many blocks */
	MESSAGES = 1 << COUNT_BITS,
	ROOM = 1 << 19,
};

struct text {
	char bytes[ROOM];
	size_t used;
	size_t pieces, fails_at; /* fails_at: which piece is refused, from 1; 0: none */
};

static int take(void *ctx, const char *bytes, size_t size_bytes, struct error *err)
{
	struct text *t = ctx;

	if (++t->pieces == t->fails_at)
		return error_set(err, -EPIPE, "refused");
	assert_in_range(size_bytes, 1, CRASHLOG_PIECE_BYTES);
	assert_in_range(t->used + size_bytes, 1, sizeof(t->bytes) - 1);
	assert_int_equal(t->used % CRASHLOG_PIECE_BYTES, 0); /* all but the last are whole */
	memcpy(t->bytes + t->used, bytes, size_bytes);
	t->used += size_bytes;
	return 0;
}

/* A kernel with `count` messages; `say` has the text of each, or NULL: its number. */
static struct kernel *kernel_saying(size_t count, const char *const *say)
{
	struct kernel *k = kernel_new(&(struct kernel_setup){0});
	const struct kernellog log = kernellog_add(k, COUNT_BITS, SIZE_BITS);

	kernellog_set_ids(&log, 1, count);
	for (size_t i = 0; i < count; i++) {
		char number[16];

		snprintf(number, sizeof(number), "message %zu", i);
		kernellog_put(&log, &(struct kernellog_message){
					    .id = i + 1,
					    .state = KERNELLOG_FINALIZED,
					    .begin = i * BLOCK_BYTES,
					    .next = (i + 1) * BLOCK_BYTES,
					    .text = say ? say[i] : number,
				    });
	}
	return k;
}

static struct text *text_of(const struct crashlog *log)
{
	struct text *t = calloc(1, sizeof(*t));
	struct error err;

	assert_non_null(t);
	assert_int_equal(crashlog_write(log, take, t, &err), 0);
	assert_int_equal(t->used, log->bytes);
	return t;
}

static void test_whole(void **state UNUSED)
{
	struct kernel *k = kernel_saying(MESSAGES, NULL);
	struct vmcore *core = kernel_open(k);
	struct crashlog log;
	struct error err;
	struct text *all;

	assert_int_equal(crashlog_init(&log, core, ROOM, &err), 0);
	assert_int_equal(log.left_out_bytes, 0);
	assert_string_equal(log.panic, "");
	all = text_of(&log);
	assert_memory_equal(all->bytes, "[    0.000000] message 0\n", 25);
	assert_non_null(strstr(all->bytes, "\n[    0.000000] message 4095\n"));
	/* One that just fits. */
	assert_int_equal(crashlog_init(&log, core, all->used, &err), 0);
	assert_int_equal(log.left_out_bytes, 0);
	free(all);
	vmcore_free(core);
	kernel_free(k);
}

static void test_newest(void **state UNUSED)
{
	struct kernel *k = kernel_saying(MESSAGES, NULL);
	struct vmcore *core = kernel_open(k);
	struct crashlog log;
	struct error err;
	struct text *all;

	assert_int_equal(crashlog_init(&log, core, ROOM, &err), 0);
	all = text_of(&log);
	for (uint64_t max = all->used - 1; max > 200; max -= max / 3) {
		struct text *t;
		char *line;
		uint64_t n;

		assert_int_equal(crashlog_init(&log, core, max, &err), 0);
		assert_in_range(log.bytes, max - 120, max);
		t = text_of(&log);
		/* A notice; then whole lines, to the last. */
		assert_int_equal(
			sscanf(t->bytes, "[the oldest %lu bytes of the log are left out]\n", &n),
			1);
		assert_int_equal(n, log.left_out_bytes);
		assert_int_equal(all->bytes[n - 1], '\n');
		line = strchr(t->bytes, '\n') + 1;
		assert_string_equal(line, all->bytes + n);
		free(t);
	}
	free(all);
	vmcore_free(core);
	kernel_free(k);
}

static const struct panic {
	const char *name, *say[4], *want;
} panics[] = {
	{"crashlog_init: finds the panic",
	 {"a", "Kernel panic - not syncing: why", "b", "c"},
	 "Kernel panic - not syncing: why"},
	{"crashlog_init: takes the last panic",
	 {"Kernel panic - not syncing: 1", "b", "Kernel panic - not syncing: 2", "c"},
	 "Kernel panic - not syncing: 2"},
	{"crashlog_init: prefers the panic to what led to it",
	 {"BUG: a", "Oops: b", "Kernel panic - not syncing: c", "BUG: d"},
	 "Kernel panic - not syncing: c"},
	{"crashlog_init: takes an oops for want of a panic",
	 {"a", "x: Oops: 2 [#1]", "b", "c"},
	 "Oops: 2 [#1]"},
	{"crashlog_init: takes arm64's reason rather than that of the registers",
	 {"Unable to handle kernel paging request at ffff",
	  "Internal error: Oops: 0000000096000004 [#1] SMP", "b", "c"},
	 "Unable to handle kernel paging request at ffff"},
	{"crashlog_init: takes arm64's reason without an address",
	 {"a", "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP", "sysrq: Trigger a crash",
	  "b"},
	 "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP"},
	{"crashlog_init: takes no part of a line for one",
	 {"Kernel panic", " - not syncing: why", "b", "c"},
	 ""},
};

static void test_panic(void **state)
{
	const struct panic *row = *state;
	struct kernel *k = kernel_saying(ARRAY_LEN(row->say), row->say);
	struct vmcore *core = kernel_open(k);
	struct crashlog log;
	struct error err;

	assert_int_equal(crashlog_init(&log, core, ROOM, &err), 0);
	assert_string_equal(log.panic, row->want);
	vmcore_free(core);
	kernel_free(k);
}

static void test_refused(void **state UNUSED)
{
	struct kernel *k = kernel_saying(MESSAGES, NULL);
	struct vmcore *core = kernel_open(k);
	struct crashlog log;
	struct error err;

	assert_int_equal(crashlog_init(&log, core, ROOM, &err), 0);
	for (size_t at = 1; at <= log.bytes / CRASHLOG_PIECE_BYTES + 1; at++) {
		struct text *t = calloc(1, sizeof(*t));

		assert_non_null(t);
		t->fails_at = at;
		assert_int_equal(crashlog_write(&log, take, t, &err), -EPIPE);
		assert_int_equal(t->pieces, at);
		free(t);
	}
	vmcore_free(core);
	kernel_free(k);
}

static bool is_over;

static bool over(void)
{
	return is_over;
}

/* The program is told to end between the looks: nothing can be read any more. */
static void test_lost(void **state UNUSED)
{
	struct kernel *k = kernel_saying(100, NULL);
	struct vmcore *core = kernel_open(k);
	struct crashlog log;
	struct error err;
	struct text *t;

	core->stop.signalled = over;
	assert_int_equal(crashlog_init(&log, core, ROOM, &err), 0);
	is_over = true;
	t = text_of(&log);
	assert_int_equal(strspn(t->bytes, "\n"), log.bytes);
	free(t);
	assert_true(crashlog_init(&log, core, ROOM, &err) < 0);
	vmcore_free(core);
	kernel_free(k);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "crashlog_write: gives all of a log that has room", test_whole, NULL);
	unit_add(&u, "crashlog_write: leaves out the oldest messages, and says so", test_newest,
		 NULL);
	UNIT_ADD_ROWS(&u, panics, test_panic);
	unit_add(&u, "crashlog_write: ends with what a piece is refused for", test_refused, NULL);
	unit_add(&u, "crashlog_write: gives as many bytes as it has told, whatever happens",
		 test_lost, NULL);
	return unit_run(&u, "crashlog", argc, argv);
}
