/* receiver/store/panic_task.h: lines that kernels print. */
#include "tests/lib/unit.h"

#include <string.h>

#include "receiver/store/panic_task.h"

static const struct row {
	const char *name, *log, *comm;
	uint32_t cpu, pid;
} rows[] = {
	{"panic_task: of a panic",
	 "[ 1.0] Kernel panic - not syncing: x\n"
	 "[ 1.0] CPU: 3 PID: 17 Comm: bash Not tainted 6.1.0\n",
	 "bash", 3, 17},
	{"panic_task: of a newer kernel",
	 "Kernel panic - not syncing: x\nCPU: 0 UID: 0 PID: 1 Comm: init Tainted: G W 6.12\n",
	 "init", 0, 1},
	{"panic_task: with blanks in its name",
	 "Kernel panic - not syncing: x\nCPU: 1 PID: 9 Comm: my own task Kdump: loaded Not "
	 "tainted\n",
	 "my own task", 1, 9},
	{"panic_task: of an oops, which tells it before the panic",
	 "CPU: 0 PID: 5 Comm: early Not tainted\nCPU: 2 PID: 7 Comm: insmod Tainted: G O\n"
	 "Kernel panic - not syncing: Fatal exception\n",
	 "insmod", 2, 7},
	{"panic_task: not one of the CPUs that are asked afterwards",
	 "Kernel panic - not syncing: x\nCPU: 3 PID: 17 Comm: bash Not tainted\n"
	 "CPU: 1 PID: 0 Comm: swapper/1 Not tainted\n",
	 "bash", 3, 17},
	{"panic_task: of no line that is cut off", "CPU: 3 PID: 17 Comm: ba", NULL, 0, 0},
	{"panic_task: of no number that is none", "CPU: 3 PID: -1 Comm: bash\n", NULL, 0, 0},
	{"panic_task: of no log", "", NULL, 0, 0},
};

/* In any two pieces. */
static void test_row(void **state)
{
	const struct row *row = *state;
	const size_t n = strlen(row->log);

	for (size_t cut = 0; cut <= n; cut++) {
		struct panic_search s = {0};

		panic_search_feed(&s, (const uint8_t *)row->log, cut);
		panic_search_feed(&s, (const uint8_t *)row->log + cut, n - cut);
		assert_int_equal(s.task.known, row->comm != NULL);
		if (!row->comm)
			continue;
		assert_string_equal(s.task.comm, row->comm);
		assert_int_equal(s.task.cpu, row->cpu);
		assert_int_equal(s.task.pid, row->pid);
	}
}

/* A line without an end, and a name that no JSON has. */
static void test_odd(void **state UNUSED)
{
	static const char panic[] = "CPU: 1 PID: 2 Comm: \xff\x01x Not tainted\n";
	struct panic_search s = {0};

	for (int i = 0; i < 1000; i++)
		panic_search_feed(&s, (const uint8_t *)"CPU: 1 ", 7);
	panic_search_feed(&s, (const uint8_t *)"\n", 1);
	assert_false(s.task.known);
	panic_search_feed(&s, (const uint8_t *)panic, strlen(panic));
	assert_string_equal(s.task.comm, "??x");
}

int main(int argc, char **argv)
{
	static struct unit u;

	UNIT_ADD_ROWS(&u, rows, test_row);
	unit_add(&u, "panic_task: bears any line", test_odd, NULL);
	return unit_run(&u, "panic_task", argc, argv);
}
