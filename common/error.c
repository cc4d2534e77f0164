/* Errors by value.
 * Doesn't know who prints them. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

int error_sys(struct error *err, const char *fmt, ...)
{
	const int saved = errno ? errno : EIO;
	size_t len;
	va_list ap;

	err->code = -saved;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", strerror(saved));
	return err->code;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	size_t len;
	va_list ap;

	memcpy(text, err->msg, sizeof(text));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	len = strlen(err->msg);
	snprintf(err->msg + len, sizeof(err->msg) - len, ": %s", text);
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
		return EXIT_REFUSED;
	default:
		return code < 0 ? EXIT_FAILED : EXIT_COMPLETE;
	}
}
