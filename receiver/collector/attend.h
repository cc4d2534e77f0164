/* A connection to the collector, from the first byte to the end, in a process of its own. */
#ifndef ATTEND_H
#define ATTEND_H

#include "base/error.h"

/*
 * What is said over the socket between collector and session, which keeps messages apart: the
 * process asks by a byte, and hears a place, as queue_ask() gives it, at once and whenever it
 * changes.
 */
typedef int attend_place;

/* The process that launch() has started, with the rest of its command line. Returns the exit
 * status. */
enum exit_status attend(const char *fd_text);

#endif
