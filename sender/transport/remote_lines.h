/*
 * What a program at the far end says on its standard error, in lines, as an operator may see them:
 * the bytes are nobody's friends, and may be very many.
 */
#ifndef REMOTE_LINES_H
#define REMOTE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connect_setup;

enum {
	REMOTE_LINE_BYTES = 200,

	/* The most to read before something else is looked at: it may say something all the time,
	   faster than it is read. */
	REMOTE_BYTES_AT_ONCE = 64 << 10,
};

struct remote_lines {
	char line[REMOTE_LINE_BYTES]; /* the last whole one, or the beginning of the next */
	size_t len;
	bool whole;
	unsigned allowed; /* that may be told now */
	unsigned hidden;  /* that were not told */
	uint64_t allowed_ms;
	void (*said)(void *ctx, const char *line);
	void *said_ctx;
};

/* Lines are told to setup->said, as many as anybody could read: 20 at once, and one a second. */
void remote_lines_init(struct remote_lines *l, const struct connect_setup *setup);

/* Bytes that came. */
void remote_lines_take(struct remote_lines *l, const char *bytes, size_t n);

#endif
