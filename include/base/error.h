/*
 * Errors by value: no allocation, so they work when memory is gone.
 *
 * A function that can fail returns int: >= 0 is success, negative an errno of this table, and the
 * last parameter, `struct error *err`, then holds one line that says what and where. The line is
 * written once, where the facts are; callers prefix what only they know; only main() prints it.
 *
 *   -EBADMSG malformed bytes    -ENODATA cut short         -EFBIG over a limit of ours
 *   -ENOTSUP version, feature   -EPROTO peer out of turn   -ECANCELED stopped
 *   -EACCES authentication      -EINVAL usage              -ETIME the deadline is over
 *   -ENOMEM, and the system's own
 */
#ifndef ERROR_H
#define ERROR_H

#include "base/compiler.h"

struct error {
	int code;      /* the negative errno, 0 while there is no error */
	char msg[240]; /* one line, no newline; of what is longer the middle is left out */
};

/* What a process tells its parent; docs: EXIT STATUS in the man pages. */
enum exit_status {
	EXIT_COMPLETE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_TRANSPORT = 3,  /* nothing usable arrived, another try may help */
	EXIT_INCOMPLETE = 4, /* delivered in part */
	EXIT_REFUSED = 5,    /* authentication, policy, no space */
};

/* Store code and text; returns code, which is negative. `err` is never NULL. */
int error_set(struct error *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* The same from errno, with its strerror() appended after ": ". Returns -errno. */
int error_sys(struct error *err, const char *fmt, ...) PRINTF(2, 3);

/* Put "prefix: " before the text that is there. Returns the stored code. */
int error_prefix(struct error *err, const char *fmt, ...) PRINTF(2, 3);

/* The exit status that a negative error code maps to. */
enum exit_status error_exit_status(int code);

#endif
