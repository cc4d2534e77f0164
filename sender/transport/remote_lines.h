/*
 * Lines that a program at the far end writes to its standard error, made fit for an operator: the
 * bytes may be hostile, and very many.
 */
#ifndef REMOTE_LINES_H
#define REMOTE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connect_setup;

enum {
	REMOTE_LINE_BYTES = 200,

	/* The most to read before other work is done: the program may write all the time, faster
	 * than we read. */
	REMOTE_BYTES_AT_ONCE = 64 << 10,
};

struct remote_lines {
	char line[REMOTE_LINE_BYTES]; /* the last whole line, or the beginning of the next */
	size_t len;
	bool whole;
	unsigned allowed; /* lines that may be told now */
	unsigned hidden;  /* lines that were not told */
	uint64_t allowed_ms;
	void (*said)(void *ctx, const char *line);
	void *said_ctx;
};

/* Lines are told to setup->said, as many as anybody could read: 20 at once, and one a second. */
void remote_lines_init(struct remote_lines *l, const struct connect_setup *setup);

/* Take bytes that came. */
void remote_lines_take(struct remote_lines *l, const char *bytes, size_t n);

#endif
