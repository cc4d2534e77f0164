/* The task that panicked, by what the crashed kernel's log says of it. */
#ifndef PANIC_TASK_H
#define PANIC_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct panic_task {
	bool known;
	uint32_t cpu, pid;
	char comm[33]; /* printable ASCII */
};

/* A log on its way, in pieces. Begins as zeros. */
struct panic_search {
	struct panic_task task;
	bool panicked; /* the line "Kernel panic" was there */
	bool settled;  /* and so was the task's line after it: later lines are of other CPUs */
	char line[256];
	size_t line_bytes; /* more than the room: the rest of the line is left out */
};

/*
 * Look at the next bytes. The task is that of the first line "CPU: N PID: N Comm: NAME" after the
 * panic's line. Without one (an oops prints it before) it is that of the last such line before.
 */
void panic_search_feed(struct panic_search *s, const uint8_t *bytes, size_t size_bytes);

#endif
