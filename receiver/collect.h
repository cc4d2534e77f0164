/* vmrecv as a collector: from options to a setup, at the start and at a reload. */
#ifndef COLLECT_H
#define COLLECT_H

#include "receiver/options.h"

/* Run the collector of `o`, which came from this command line. Returns the exit status. */
enum exit_status collect(const struct options *o, int argc, char **argv);

/*
 * --check-config: whether a collector would start by these options, as far as files say. Says what
 * is wrong, or that nothing is. Returns the exit status.
 */
enum exit_status collect_check(const struct options *o);

#endif
