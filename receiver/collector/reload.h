/* A collector's configuration, read again while it runs. */
#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>

#include "receiver/collector/keys.h"
#include "receiver/collector/listen.h"

/*
 * Read configuration, certificates, keys and CRLs again. Returns whether they are all right; then
 * *fresh_ret is what counts from now on, and the caller closes *keys_ret (none: plain TCP). What
 * can't change in a running collector is as in `now`, and a line says so. Otherwise a line says
 * what is wrong, and `now` goes on.
 */
NODISCARD bool reload_read(const struct listen_setup *now, struct listen_setup *fresh_ret,
			   struct key_files *keys_ret);

#endif
