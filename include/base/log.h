/*
 * Lines on standard error, for the operator: "NAME: text". Only main.c and the code that deals with
 * peers use it (scripts/check-includes has the list); all other code returns errors. One thread at
 * a time.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

enum log_level {
	LOG_PROGRESS, /* progress: always shown, so the caller asks beforehand */
	LOG_ERROR,
	LOG_WARNING,
	LOG_NOTE, /* summary, where things went */
	LOG_DETAIL,
};

/*
 * Set the program's name (borrowed for ever) and the last level of enum log_level that is shown.
 */
void log_init(const char *name, enum log_level shown);

/*
 * From now on never wait for standard error, as for a serial console that is slow, or held by flow
 * control: lines wait in a buffer until there is room, and where that is full, lines are left out,
 * and counted. Does nothing to processes that share it.
 */
void log_never_wait(void);

/* Write the lines that wait to standard error, until all are gone or nothing moves for some
 * seconds. For the end of the program. */
void log_drain(void);

/* From now on lines go to `take` first, without the program's name. It returns whether it has taken
 * the line; if not, the line goes to standard error. NULL ends this. */
typedef bool log_take_fn(void *ctx, enum log_level level, const char *text);
void log_divert(log_take_fn *take, void *ctx);

/* One line; a progress line on the terminal is cleared first. Control characters, and bytes that
 * aren't UTF-8, are shown as '?'. Callers make text of a peer printable (printable.h) before it
 * comes here. */
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

/* Tell log_say() whether an unfinished line stands on the terminal. */
void log_line_open(bool open);

#endif
