/* Lines from a program at the far end.
 * Doesn't know how they come. */
#include "sender/transport/remote_lines.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/printable.h"
#include "wire/transport.h"

enum { LINES_AT_ONCE = 20 };

void remote_lines_init(struct remote_lines *l, const struct connect_setup *setup)
{
	*l = (struct remote_lines){.allowed = LINES_AT_ONCE,
				   .allowed_ms = clock_ms(),
				   .said = setup->said,
				   .said_ctx = setup->said_ctx};
}

/* Tell a line, unless there were too many. */
static void say_line(struct remote_lines *l)
{
	const uint64_t now = clock_ms(), more = (now - l->allowed_ms) / 1000;
	char note[64];

	if (more) {
		l->allowed = (unsigned)MIN(l->allowed + more, (uint64_t)LINES_AT_ONCE);
		l->allowed_ms = now;
	}
	if (!l->allowed) {
		l->hidden++;
		return;
	}
	l->allowed--;
	if (!l->said)
		return;
	if (l->hidden) {
		snprintf(note, sizeof(note), "(%u more lines)", l->hidden);
		l->said(l->said_ctx, note);
		l->hidden = 0;
	}
	l->said(l->said_ctx, l->line);
}

void remote_lines_take(struct remote_lines *l, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char c = bytes[i];

		if (c == '\n' || c == '\r') {
			if (!l->whole && l->len)
				say_line(l);
			l->whole = l->whole || l->len;
			continue;
		}
		if (l->whole)
			l->len = 0;
		l->whole = false;
		if (l->len + 1 < sizeof(l->line))
			l->line[l->len++] = printable((unsigned char)c);
		l->line[l->len] = '\0';
	}
}
