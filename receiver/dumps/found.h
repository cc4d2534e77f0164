/* The dumps of a collector's DIR that an operator's words stand for. */
#ifndef FOUND_H
#define FOUND_H

#include "base/error.h"
#include "receiver/retention/stock.h"

struct found {
	const char *dir; /* borrowed */
	int dir_fd;
	struct stock stock; /* the oldest first */
};

/* Look through DIR. Fails where it can't be read. The caller deinits, also after a failure. */
NODISCARD int found_take(struct found *f, const char *dir, struct error *err);
void found_deinit(struct found *f);

/* The dump of that name, "HOST/TIME", or the newest of "HOST". Fails -ENOENT. */
NODISCARD int found_named(const struct found *f, const char *word, const struct stored **d_ret,
			  struct error *err);

/* Whether a list of that word has the dump: "HOST" stands for all of that host. */
bool found_matches(const struct stored *d, const char *word);

/* The directory of a dump: a descriptor, or why there is none. */
NODISCARD int found_open(const struct found *f, const struct stored *d, struct error *err);

/* "complete", "receiving", "incomplete", or "log only". */
const char *found_status(const struct stored *d);

#endif
