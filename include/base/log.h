/*
 * What a program says on standard error: one line each, "NAME: text". Used by main.c and by what
 * talks to the operator; all else returns errors. One thread at a time.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

enum log_level {
	LOG_PROGRESS, /* how far it is: always shown, so asked for before */
	LOG_ERROR,
	LOG_WARNING,
	LOG_NOTE, /* summary, where things went */
	LOG_DETAIL,
};

/* Set the program's name (borrowed for ever) and what is shown: that level and the ones above it.
 */
void log_init(const char *name, enum log_level shown);

/*
 * From now on never wait for standard error, as for a serial console that is slow, or held by flow
 * control: lines wait in a buffer until there is room, and where that is full, lines are left out,
 * and counted. Does nothing to processes that share it.
 */
void log_never_wait(void);

/* Give standard error what waits for it: until all of it is gone, or nothing moves for some
 * seconds. For the end of the program. */
void log_drain(void);

/* From now on lines go to `take` first, without the program's name, which says whether it has taken
 * it. NULL: no longer. */
typedef bool log_take_fn(void *ctx, enum log_level level, const char *text);
void log_divert(log_take_fn *take, void *ctx);

/* One line; a progress line on the terminal is cleared first. Control characters and what is no
 * UTF-8 are shown as '?'. What a peer says is made printable (printable.h) before it comes here. */
void log_say(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#define log_error(...)	 log_say(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_say(LOG_WARNING, __VA_ARGS__)
#define log_note(...)	 log_say(LOG_NOTE, __VA_ARGS__)
#define log_detail(...)	 log_say(LOG_DETAIL, __VA_ARGS__)

/* The same for a signal handler: `line` as it is, if there is room for it now. */
void log_in_handler(const char *line, size_t size_bytes);

/* Bytes as they are, for progress. */
void log_raw(const char *text, size_t size_bytes);

/* Whether log_raw() would go out at once. */
bool log_takes_more(void);

/* Tell log_say() that an unfinished line stands on the terminal, or no longer does. */
void log_line_open(bool open);

#endif
