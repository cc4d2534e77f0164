/* A connection to the collector, from the first byte to the end, in a process of its own. */
#ifndef ATTEND_H
#define ATTEND_H

#include "base/error.h"

/* The process that launch() has started, with the rest of its command line. Returns the exit
 * status. */
enum exit_status attend(const char *fd_text);

#endif
