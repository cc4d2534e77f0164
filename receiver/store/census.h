/*
 * Dumps that a host has begun without sending a page. Their number is bounded, since a directory, a
 * journal and some attachments cost a sender next to nothing. Directories that are empty are
 * removed.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	/* Dumps of a host without a page, that no session is about. */
	BEGINNINGS_MAX = 64,

	/* A stream that ended with a shorter part than this counts as one of them: nobody looks
	   into it for pages. */
	SHORT_STREAM_BYTES = 1 << 20,
};

/* Bytes of attachments of dumps without a page, those of sessions among them. */
#define ATTACHED_BYTES_MAX (UINT64_C(1) << 30)

struct census {
	unsigned beginnings;
	uint64_t attached_bytes;
};

/*
 * Look through a host's directory; `name` as openat() has it. The dump of directory `own_fd` (-1:
 * there is none) counts as one that a session is about: its journal isn't opened, for that would
 * lose the caller's lock.
 */
NODISCARD int census_take(int dir_fd, const char *name, int own_fd, struct census *census_ret,
			  struct error *err);

/* How many attachments are in the directory of a dump, but for `name`. */
unsigned census_attachments(int dir_fd, const char *name);

/*
 * Whether nothing has come of the dump in directory `fd`: no page, no attachment. If so, removes
 * the files that tell of it, but not the directory. `own`: its journal is the caller's. Otherwise a
 * dump that a session or a stream has is left alone.
 */
bool census_clear(int fd, bool own);

/* Remove what is empty below the collector's directory, as sessions that ended too early have left
 * it: places, then hosts. What isn't certainly ours is left. */
void census_sweep(const char *dir);

/* Remove the directory of a host if it is empty, and nobody is about to use it. */
void census_drop_host(int root_fd, const char *host);

#endif
