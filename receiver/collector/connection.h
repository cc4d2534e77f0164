/* A connection to the collector, from the first byte to the end, in a process of its own. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "base/error.h"

/* Run the session in the process that launch() has started; `fd_text` is from its command line.
 * Returns the exit status. */
enum exit_status connection_serve(const char *fd_text);

#endif
