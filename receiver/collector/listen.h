/* `vmrecv --listen`: takes connections, and serves each in a process of its own. */
#ifndef LISTEN_H
#define LISTEN_H

#include "base/error.h"

struct options;

/* Serve until a signal comes. Returns the exit status. */
enum exit_status listen_for_senders(const struct options *options);

#endif
