/* Lines for the operator.
 * Doesn't print them. */
#include "remarks.h"

#include <stdarg.h>
#include <stdio.h>

void remark(struct remarks *remarks, const char *fmt, ...)
{
	va_list ap;

	if (remarks->count == REMARKS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(remarks->line[remarks->count++], REMARK_BYTES, fmt, ap);
	va_end(ap);
}
