/*
 * Names of files, below the directory `dir_fd` as openat() has them (AT_FDCWD: as the process has
 * them): what they lead to, and changing them.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>

#include "base/compiler.h"

/* Whether a name still leads to what was opened, and not to what somebody else put there. */
bool names_lead_to(int dir_fd, const char *name, int fd);

/* " (of uid 7, mode 0644)" where the file of that name is another user's; else "". Returns
 * `text`. */
const char *names_owner_text(int dir_fd, const char *name, char text[static 48]);

/* rename(): 0 or -errno. */
NODISCARD int names_replace(int dir_fd, const char *from, const char *to);

/* The same for a file, but nothing is replaced: fails -EEXIST where `to` is there. */
NODISCARD int names_change(int dir_fd, const char *from, const char *to);

#endif
