/* The dumps that are stored below a collector's DIR: all that the rules have to know, from the
 * files alone. */
#ifndef STOCK_H
#define STOCK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "receiver/retention/rules.h"

/* In a dump's directory: an empty file, the operator's word that the dump stays. */
#define STOCK_KEEP "keep"

/* There too, from the moment that the dump is admitted: its reservation, see space.h. */
#define STOCK_RESERVED ".reserved"

struct stock {
	struct stored *dumps;
	size_t count, room;
	char **hosts; /* the names that `dumps` point to */
	size_t host_count, host_room;
	struct error remark; /* a directory of ours that could not be read, and isn't counted;
				code 0: none */
};

/*
 * Look through DIR. Only directories of the form HOST/TIME count that are this user's or root's
 * (base/owner.h); all else is the operator's own, and is left alone. Fails where DIR can't be read,
 * and -ENOMEM. The caller deinits, also after a failure. Not to be called by a process that has a
 * journal: it would lose the journal's lock.
 */
NODISCARD int stock_take(int dir_fd, struct stock *s_ret, struct error *err);
void stock_deinit(struct stock *s);

/* The dump of that name; NULL: there is none. Good until the stock is sorted again. */
struct stored *stock_find(const struct stock *s, const char *host, const char *name);

/* The time that the name of a dump's directory tells: "2026-12-01T03-02-05Z", perhaps with "-2".
 * False where it has another form. */
bool stock_time(const char *name, int64_t *time_s_ret, unsigned *number_ret);

/* The directory of a host or a dump: its descriptor; -EACCES where it isn't ours; -EPERM where it
 * is and can't be opened; or another -errno. */
int stock_open(int dir_fd, const char *name);

#endif
