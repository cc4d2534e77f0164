/* What comes in: on standard input, or over a connection that isn't a session. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include "base/error.h"

struct options;

/* Each does it, tells the operator how it went, and returns the exit status. */

/* `vmrecv [FILE]`: a flattened stream or a session one way, told apart by their first bytes. */
enum exit_status receive_file(const struct options *options);

/* `vmrecv --stdio`: a session over standard input and output. */
enum exit_status receive_stdio(const struct options *options);

/* A flattened stream over a connection (takes `fd`), into a place of its own below --dir. It ends
 * where nothing comes for ten minutes. */
enum exit_status receive_connection(const struct options *options, int fd, const char *host);

#endif
