/* `vmrecv --check FILE...`: verify dumps to the last page. */
#ifndef CHECK_H
#define CHECK_H

#include "base/error.h"

struct options;

/* Check each file, say what is wrong, and return the worst exit status of all. */
enum exit_status check_files(const struct options *options);

#endif
