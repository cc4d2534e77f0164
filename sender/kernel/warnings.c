/* Lines for the operator.
 * Doesn't print them. */
#include "sender/kernel/warnings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void remark(struct warnings *warnings, const char *fmt, ...)
{
	va_list ap;

	if (warnings->count == REMARKS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(warnings->line[warnings->count++], REMARK_BYTES, fmt, ap);
	va_end(ap);
}

void warn_also(struct warnings *warnings, const char *fmt, ...)
{
	char *line = warnings->count ? warnings->line[warnings->count - 1] : NULL;
	const size_t used = line ? strlen(line) : 0;
	char also[REMARK_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(also, sizeof(also), fmt, ap);
	va_end(ap);
	if (line && used + 2 + strlen(also) < REMARK_BYTES) {
		strcpy(line + used, "; ");
		strcpy(line + used + 2, also);
	} else {
		remark(warnings, "%s", also);
	}
}
