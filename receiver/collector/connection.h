/* A connection to the collector, from the first byte to the end, in a process of its own. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "base/error.h"

/* The process that launch() has started, with the rest of its command line. Returns the exit
 * status. */
enum exit_status connection_serve(const char *fd_text);

#endif
