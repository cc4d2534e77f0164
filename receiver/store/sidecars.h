/*
 * The sidecars of FILE, the one dump of a pipe: FILE.segments, FILE.json, FILE-dmesg.txt. While the
 * dump is FILE.part, their names begin with FILE.part, too. So, whatever becomes of a new dump,
 * FILE and FILE.part each have the files that tell of it, and no others.
 */
#ifndef SIDECARS_H
#define SIDECARS_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Whether a new dump may begin: -EEXIST if something is there that it would replace, or that would
 * tell of another dump beside it. A stream (no `session`) brings none of these: then what there is
 * counts only beside FILE.segments, which says that it is a session's.
 */
NODISCARD int sidecars_check(const char *file, bool session, struct error *err);

/* Remove the sidecars of a FILE.part that isn't there any more. */
NODISCARD int sidecars_drop_part(const char *file, struct error *err);

/*
 * FILE.part has become FILE: its sidecars get their final names, too, and those of an earlier FILE
 * are removed. Each is tried, and the first error is returned. The names aren't synced.
 */
NODISCARD int sidecars_settle(const char *file, struct error *err);

/* The same for what has another name, FILE-NAME: -EEXIST if that or FILE.part-NAME is there; and
 * FILE.part-NAME, if there is one, becomes it, which may `replace` it or fails -EEXIST. */
NODISCARD int sidecars_check_other(const char *file, const char *name, struct error *err);
NODISCARD int sidecars_settle_other(const char *file, const char *name, bool replace,
				    struct error *err);

/* Make the names of FILE and of its sidecars durable. */
NODISCARD int sidecars_sync(const char *file, struct error *err);

#endif
