/* Lines of a kernel log that name a task.
 * Doesn't know where the log comes from. Source: Linux lib/dump_stack.c, dump_stack_print_info();
 * kernel/panic.c, panic(). */
#include "receiver/store/panic_task.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

/* The number that follows `key`, and where it ends; NULL if it isn't there. */
static const char *number_behind(const char *text, const char *key, uint32_t *n_ret)
{
	const char *at = strstr(text, key);
	char *end;
	unsigned long n;

	if (!at)
		return NULL;
	at += strlen(key);
	n = strtoul(at, &end, 10);
	if (end == at || !isdigit((unsigned char)*at) || n > UINT32_MAX)
		return NULL;
	*n_ret = (uint32_t)n;
	return end;
}

/* A name may have blanks: it ends at the text that the kernel prints after it. */
static size_t comm_bytes(const char *comm)
{
	static const char *const ends[] = {" Not tainted", " Tainted: ", " Kdump: "};
	size_t n = strlen(comm);

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		const char *end = strstr(comm, ends[i]);

		if (end)
			n = MIN(n, (size_t)(end - comm));
	}
	return n;
}

static bool parse(const char *line, struct panic_task *task_ret)
{
	static const char comm[] = " Comm: ";
	struct panic_task task = {.known = true};
	const char *p = number_behind(line, "CPU: ", &task.cpu);
	size_t n;

	p = p ? number_behind(p, " PID: ", &task.pid) : NULL;
	if (!p || strncmp(p, comm, strlen(comm)) != 0)
		return false;
	p += strlen(comm);
	n = MIN(comm_bytes(p), sizeof(task.comm) - 1);
	for (size_t i = 0; i < n; i++)
		task.comm[i] = p[i] >= ' ' && p[i] < 0x7f ? p[i] : '?';
	*task_ret = task;
	return n > 0;
}

static void take_line(struct panic_search *s)
{
	s->line[MIN(s->line_bytes, sizeof(s->line) - 1)] = '\0';
	if (strstr(s->line, "Kernel panic - not syncing"))
		s->panicked = true;
	else if (!s->settled && parse(s->line, &s->task))
		s->settled = s->panicked;
}

void panic_search_feed(struct panic_search *s, const uint8_t *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++) {
		if (bytes[i] == '\n') {
			take_line(s);
			s->line_bytes = 0;
		} else if (s->line_bytes < sizeof(s->line) - 1) {
			s->line[s->line_bytes++] = (char)bytes[i];
		}
	}
}
