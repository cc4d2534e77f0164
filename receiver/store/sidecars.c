/* Names beside the FILE of a pipe.
 * Doesn't know what is in the files. */
#include "receiver/store/sidecars.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"

/* The first says that the others are a session's: it is the last to go. */
static const char *const suffixes[] = {".segments", ".json", "-dmesg.txt"};

/* NULL: no memory. */
static char *name_of(const char *file, const char *part, const char *suffix)
{
	char *name;

	return asprintf(&name, "%s%s%s", file, part, suffix) < 0 ? NULL : name;
}

/* `name`: NULL if there was no memory for it. */
static int refuse_if_there(const char *name, struct error *err)
{
	if (!name)
		return error_set(err, -ENOMEM, "out of memory");
	if (!io_exists(name))
		return 0;
	return error_set(err, -EEXIST, "%s exists; --force replaces it", name);
}

int sidecars_check(const char *file, bool session, struct error *err)
{
	const size_t count = session ? ARRAY_LEN(suffixes) : 1;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		AUTO_FREE char *whole = name_of(file, "", suffixes[i]);
		AUTO_FREE char *part = name_of(file, ".part", suffixes[i]);

		r = refuse_if_there(whole, err);
		if (r == 0)
			r = refuse_if_there(part, err);
	}
	return r;
}

static int drop(const char *file, const char *part, const char *suffix, struct error *err)
{
	AUTO_FREE char *name = name_of(file, part, suffix);

	if (!name)
		return error_set(err, -ENOMEM, "out of memory");
	if (unlink(name) == 0 || errno == ENOENT)
		return 0;
	return error_sys(err, "%s, which is of another dump: can't remove it", name);
}

int sidecars_drop_part(const char *file, struct error *err)
{
	int r = 0;

	for (size_t i = ARRAY_LEN(suffixes); i-- > 0 && r == 0;)
		r = drop(file, ".part", suffixes[i], err);
	return r;
}

/* 1, or 0 if there is no `from`. NULL: no memory. */
static int become(const char *from, const char *to, struct error *err)
{
	if (!from || !to)
		return error_set(err, -ENOMEM, "out of memory");
	if (rename(from, to) == 0)
		return 1;
	return errno == ENOENT ? 0 : error_sys(err, "%s: can't become %s", from, to);
}

int sidecars_settle(const char *file, struct error *err)
{
	AUTO_FREE char *old = name_of(file, "", suffixes[0]);
	const bool had = old && io_exists(old);
	struct error first = {0};

	for (size_t i = ARRAY_LEN(suffixes); i-- > 0;) {
		AUTO_FREE char *part = name_of(file, ".part", suffixes[i]);
		AUTO_FREE char *whole = name_of(file, "", suffixes[i]);
		int r = become(part, whole, err);

		if (r == 0 && had)
			r = drop(file, "", suffixes[i], err);
		if (r < 0 && first.code == 0)
			first = *err;
	}
	*err = first;
	return first.code;
}

int sidecars_sync(const char *file, struct error *err)
{
	const int r = dirsync_parent(file, -1);

	return r < 0 ? error_set(err, r, "%s: its directory can't be synced: %s", file,
				 strerror(-r))
		     : 0;
}

int sidecars_check_other(const char *file, const char *name, struct error *err)
{
	AUTO_FREE char *whole = name_of(file, "-", name), *part = name_of(file, ".part-", name);
	const int r = refuse_if_there(whole, err);

	return r < 0 ? r : refuse_if_there(part, err);
}

int sidecars_settle_other(const char *file, const char *name, bool replace, struct error *err)
{
	AUTO_FREE char *from = name_of(file, ".part-", name), *to = name_of(file, "-", name);
	int r = 0;

	if (from && !io_exists(from))
		return 0;
	if (!replace)
		r = refuse_if_there(to, err);
	return r < 0 ? r : MIN(become(from, to, err), 0);
}
