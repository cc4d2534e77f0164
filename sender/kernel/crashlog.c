/* The kernel log in a bounded length, and what it says of the panic.
 * Doesn't know how the kernel keeps it, nor where it goes. */
#include "sender/kernel/crashlog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "sender/vmcore/vmcore.h"

enum {
	LINE_BYTES = 1024, /* of a line, so much is searched */

	/* Room for the line that says what was left out: a line of the log goes with it. */
	NOTICE_BYTES = 80,
};

/* Of a line that says why, from the best on. Source: Linux kernel/panic.c, vpanic();
 * arch/x86/mm/fault.c; arch/arm64/mm/fault.c, die_kernel_fault(), and kernel/traps.c, die();
 * lib/bug.c. */
static const char *const marks[] = {
	"Kernel panic - not syncing: ",
	"Unable to handle kernel ",
	"Internal error: Oops",
	"BUG: ",
	"Oops: ",
	"sysrq: Trigger a crash",
};

/* --- a look at all of it --- */

struct look {
	uint64_t bytes;
	uint64_t cut_from; /* the first line that begins there or later is the first to stay */
	uint64_t cut;	   /* where that line begins; 0: not known yet */

	char line[LINE_BYTES + 1];
	size_t line_bytes;				 /* what is more than fits isn't kept */
	char found[ARRAY_LEN(marks)][MESSAGE_TEXT_ROOM]; /* from each mark on, of the last line */
};

static void look_at_line(struct look *look)
{
	look->line[look->line_bytes] = '\0';
	look->line_bytes = 0;
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *text = strstr(look->line, marks[i]);

		if (text)
			snprintf(look->found[i], sizeof(look->found[i]), "%.*s",
				 (int)sizeof(look->found[i]) - 1, text);
	}
}

static int look_at(void *ctx, const char *text, size_t bytes, struct error *err UNUSED)
{
	struct look *look = ctx;

	for (size_t i = 0; i < bytes; i++) {
		look->bytes++;
		if (text[i] != '\n') {
			if (look->line_bytes < LINE_BYTES)
				look->line[look->line_bytes++] = text[i];
			continue;
		}
		look_at_line(look);
		if (!look->cut && look->bytes >= look->cut_from)
			look->cut = look->bytes;
	}
	return 0;
}

static int print_notice(char out[static NOTICE_BYTES], uint64_t bytes)
{
	return snprintf(out, NOTICE_BYTES,
			"[the oldest %" PRIu64 " bytes of the log are left out]\n", bytes);
}

int crashlog_init(struct crashlog *log, const struct vmcore *core, uint64_t bytes_max,
		  struct error *err)
{
	struct look look = {0};
	char notice[NOTICE_BYTES];
	int r = dmesg_of(core, look_at, &look, err);

	if (r < 0)
		return r;
	*log = (struct crashlog){.core = core, .bytes = look.bytes};
	for (size_t i = 0; i < ARRAY_LEN(marks) && !*log->panic; i++)
		memcpy(log->panic, look.found[i], sizeof(log->panic));
	if (log->bytes <= bytes_max)
		return 0;
	/* Once more, for the line to begin with. */
	look = (struct look){.cut_from = log->bytes + NOTICE_BYTES - bytes_max};
	r = dmesg_of(core, look_at, &look, err);
	if (r < 0)
		return r;
	log->left_out_bytes = look.cut ? look.cut : log->bytes;
	log->bytes -= MIN(log->left_out_bytes, log->bytes);
	log->bytes += (uint64_t)print_notice(notice, log->left_out_bytes);
	return 0;
}

/* --- giving it --- */

struct giving {
	dmesg_emit_fn *emit;
	void *ctx;
	uint64_t skip_bytes; /* that go by before the first that is given */
	uint64_t left_bytes; /* that are to be given */
	int failed;	     /* what `emit` has failed with */
	char piece[CRASHLOG_PIECE_BYTES];
	size_t used;
};

static int give_piece(struct giving *g, struct error *err)
{
	if (g->used)
		g->failed = g->emit(g->ctx, g->piece, g->used, err);
	g->used = 0;
	return g->failed;
}

static int give(void *ctx, const char *text, size_t bytes, struct error *err)
{
	struct giving *g = ctx;
	const size_t skipped = (size_t)MIN(g->skip_bytes, (uint64_t)bytes);
	int r = 0;

	g->skip_bytes -= skipped;
	text += skipped;
	bytes = (size_t)MIN((uint64_t)(bytes - skipped), g->left_bytes);
	g->left_bytes -= bytes;
	while (bytes && r == 0) {
		const size_t n = MIN(bytes, sizeof(g->piece) - g->used);

		memcpy(g->piece + g->used, text, n);
		g->used += n;
		text += n;
		bytes -= n;
		if (g->used == sizeof(g->piece))
			r = give_piece(g, err);
	}
	return r;
}

int crashlog_write(const struct crashlog *log, dmesg_emit_fn *emit, void *ctx, struct error *err)
{
	struct giving g = {.emit = emit, .ctx = ctx, .left_bytes = log->bytes};
	char notice[NOTICE_BYTES];
	int r = 0;

	if (log->left_out_bytes)
		r = give(&g, notice, (size_t)print_notice(notice, log->left_out_bytes), err);
	g.skip_bytes = log->left_out_bytes;
	/* The length was told: for what can't be read a second time there are empty lines. */
	if (r == 0 && dmesg_of(log->core, give, &g, err) < 0)
		r = g.failed;
	g.skip_bytes = 0;
	while (r == 0 && g.left_bytes)
		r = give(&g, "\n", 1, err);
	return r == 0 ? give_piece(&g, err) : r;
}
