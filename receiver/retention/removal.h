/*
 * Removing a dump. Its directory gets the name .TIME.gone, durably, and then goes file by file: so
 * a removal that a crash cut short is known by that name, and no session takes it for a dump.
 *
 * A dump that is being received or read is never removed. Sessions and streams are known by their
 * locks, and so is `vmrecv --check`; any other program that has the file open (crash, a backup) is
 * known where the file system has leases, and this user owns the file.
 */
#ifndef REMOVAL_H
#define REMOVAL_H

#include "base/error.h"

/*
 * Remove a dump; and its host's directory, if it was the last. Fails -EBUSY where somebody receives
 * or reads it, or where it was pinned meanwhile, with nothing changed; -ENOENT; or with the
 * system's error, and then the next removal_finish() goes on. Not to be called by a process that
 * has a journal.
 */
NODISCARD int removal_do(int dir_fd, const char *host, const char *name, struct error *err);

/* Finish the removals below DIR that were cut short. Returns how many they were; the first that
 * can't be finished is left, and told of in *remark_ret (code 0: none is). */
unsigned removal_finish(int dir_fd, struct error *remark_ret);

/* Lock a host's directory for a moment, as sessions do which begin a dump: 0 or -EBUSY. The lock
 * goes with the descriptor. */
NODISCARD int removal_lock_host(int host_fd);

#endif
