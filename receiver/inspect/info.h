/* `vmrecv --info FILE...`: facts about dumps. */
#ifndef INFO_H
#define INFO_H

#include "base/error.h"

struct options;

/* Describe each file on standard output, and return the worst exit status of all. */
enum exit_status info_files(const struct options *options);

#endif
