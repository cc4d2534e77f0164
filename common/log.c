/* The sink for what a program says.
 * Doesn't know why it is said, and never ends the program. */
#include "log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_BYTES = PATH_MAX + 512 }; /* a path of any length, and what there is to say of it */

static const char *program = "";
static enum log_level shown_level = LOG_NOTE;
static bool line_open;

void log_init(const char *name, enum log_level shown)
{
	program = name;
	shown_level = shown;
}

void log_line_open(bool open)
{
	line_open = open;
}

void log_say(enum log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = {
		[LOG_ERROR] = "", [LOG_WARNING] = "warning: ", [LOG_NOTE] = "", [LOG_DETAIL] = ""};
	char line[LINE_BYTES];
	size_t len;
	va_list ap;

	if (level > shown_level)
		return;
	len = (size_t)snprintf(line, sizeof(line), "%s%s: %s", line_open ? "\r\033[K" : "", program,
			       prefix[level]);
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	for (char *p = line + len; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	line_open = false;
	fprintf(stderr, "%s\n", line);
}
