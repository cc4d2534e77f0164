/*
 * The directory of a dump: DIR/HOST/TIME/, found by what identifies the dump, or made.
 *
 * A new one is DIR/HOST/.new until what it begins with is in it and durable. Until then the host's
 * directory is locked, so that two sessions with the same dump come to the same place.
 *
 * Nothing is taken for ours that somebody else may have put there (base/owner.h): neither DIR, nor
 * what lies below it on the way to the dump, nor what lies beside the dump.
 */
#ifndef DUMPDIR_H
#define DUMPDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/segment.h"

struct dumpdir {
	int fd;		 /* the directory; -1: there is none */
	int host_fd;	 /* that of the host, of a new one, and locked; else -1 */
	char path[3900]; /* "DIR/HOST/TIME/" */
	char name[256];	 /* TIME; "": not known yet */
	char host[256];	 /* HOST */
};

static inline struct dumpdir dumpdir_none(void)
{
	return (struct dumpdir){.fd = -1, .host_fd = -1};
}

/*
 * Open the directory below DIR/HOST that has the dump: 1; or, if there is none, make a new one that
 * dumpdir_settle() gives its name: 0. `host` is a name that the store has made. Fails -EBUSY
 * (another session has been making a directory for too long), -EACCES (what is there isn't ours),
 * or with what `alive` or the system says.
 */
NODISCARD int dumpdir_find(struct dumpdir *p, const char *dir, const char *host,
			   const uint8_t dump_id[static DIGEST_BYTES],
			   const struct keepalive *alive, struct error *err);

/* The same, of a dump that is nowhere known by its identity: always a new one. */
NODISCARD int dumpdir_make(struct dumpdir *p, const char *dir, const char *host, struct error *err);

/* Give a new directory its name: the time, with a number where two collide. The caller has synced
 * its files; the directory itself is synced when this returns. Does nothing to a directory that was
 * found. */
NODISCARD int dumpdir_settle(struct dumpdir *p, struct error *err);

/* Whether places can be made below `dir`, which is made if need be, and by `host` (NULL: any): 0,
 * or why not. Makes nothing for the host. */
NODISCARD int dumpdir_check(const char *dir, const char *host, struct error *err);

/* Removes a directory that was not settled, and one that is empty: the caller has closed its files.
 * The host's directory is removed with it, if it was the last. */
void dumpdir_deinit(struct dumpdir *p);

#endif
