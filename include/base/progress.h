/* Progress of a dump, for people and for machines, on standard error. Both programs show it:
 * sender/dump.c and the receiver fill in struct progress_state. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum progress_mode {
	PROGRESS_AUTO,	/* TTY on a terminal, else NONE */
	PROGRESS_TTY,	/* one line that is rewritten */
	PROGRESS_LINES, /* a line every ten seconds, of at most 80 characters: a console */
	PROGRESS_JSON,	/* a line a second, each a JSON object; option of the build: WITH_JANSSON */
	PROGRESS_NONE,
};

struct progress; /* opaque */

/* What has been done by now. */
struct progress_state {
	uint64_t done, total; /* in the unit that the caller counts in; total 0: not known */
	uint64_t bytes_in, bytes_out; /* since the start */
};

/* "auto", "tty", "lines", "json", "none", and NULL. */
extern const char *const progress_mode_names[];

/* The mode of that name. Fails -EINVAL, -ENOTSUP (not built). */
NODISCARD int progress_mode_by_name(const char *name, enum progress_mode *mode_ret,
				    struct error *err);

/* Start the clock; NULL and an error only when memory is out. */
NODISCARD int progress_new(enum progress_mode mode, struct progress **p_ret, struct error *err);
void progress_free(struct progress *p);
DEFINE_AUTO(struct progress, progress_free)

/*
 * Called often (once a chunk), shows something a few times a second at most; never waits for a
 * terminal that takes nothing. One thread at a time.
 */
void progress_update(struct progress *p, const struct progress_state *state);

/* The last line: clears the terminal's, or writes the final JSON object. */
void progress_end(struct progress *p, const struct progress_state *state);

/* Seconds since progress_new(). */
double progress_seconds(const struct progress *p);

#endif
