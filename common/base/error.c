/* Errors by value.
 * Doesn't know who prints them. */
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Room for two paths of any length, which is more than `msg` has. */
	LONG_BYTES = 2 * PATH_MAX + sizeof(((struct error *)NULL)->msg),

	HEAD_BYTES = 60, /* bytes that stay in front of the part that is cut out */
};

/* The text into `msg`. What is too long is nearly always so by a path, so its middle goes: the
 * reason is at the end, and what failed is in front. */
static void put(struct error *err, const char *text)
{
	static const char gap[] = "[...]";
	const size_t len = strlen(text), room = sizeof(err->msg) - 1;
	const size_t tail = room - HEAD_BYTES - strlen(gap);

	if (len <= room)
		memcpy(err->msg, text, len + 1);
	else
		snprintf(err->msg, sizeof(err->msg), "%.*s%s%s", HEAD_BYTES, text, gap,
			 text + len - tail);
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	char text[LONG_BYTES];
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(err, text);
	return code;
}

/* Append ": more", whatever has to go for it. */
static void append(char text[static LONG_BYTES], const char *more)
{
	const size_t len = strnlen(text, LONG_BYTES - strlen(": ") - strlen(more) - 1);

	snprintf(text + len, LONG_BYTES - len, ": %s", more);
}

int error_sys(struct error *err, const char *fmt, ...)
{
	const int saved = errno ? errno : EIO;
	char text[LONG_BYTES];
	va_list ap;

	err->code = -saved;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, strerror(saved));
	put(err, text);
	return err->code;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
	char text[LONG_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, err->msg);
	put(err, text);
	return err->code;
}

enum exit_status error_exit_status(int code)
{
	switch (code) {
	case -EINVAL:
		return EXIT_USAGE;
	case -EPIPE:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
		return EXIT_TRANSPORT;
	case -EACCES:
	case -EPERM:
	case -ENOSPC:
	case -EDQUOT:
	case -ENOBUFS:
	case -EROFS:
		return EXIT_REFUSED;
	default:
		return code < 0 ? EXIT_FAILED : EXIT_COMPLETE;
	}
}
