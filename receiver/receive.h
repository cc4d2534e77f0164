/* `vmrecv FILE`: the stream on standard input into a file. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include "error.h"

struct options;

/* Do it, tell the operator how it went, and return the exit status. */
enum exit_status receive_file(const struct options *options);

#endif
