/* The operator's word that a dump stays: an empty file `keep` in its directory. */
#ifndef PIN_H
#define PIN_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Pin a dump, "HOST/TIME" below `dir`, or take that back. Returns 1 if that changed anything, else
 * 0. Fails -ENOENT (there is no such dump), -EINVAL (not of that form), -EACCES (not ours), -EBUSY,
 * or with the system's error.
 */
NODISCARD int pin_set(const char *dir, const char *dump, bool pinned, struct error *err);

#endif
