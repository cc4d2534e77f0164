/* `vmrecv --info FILE...`: facts about dumps. */
#ifndef INFO_H
#define INFO_H

#include <stdbool.h>

#include "base/error.h"

struct info_setup {
	char *const *files; /* or directories */
	int file_count;
	bool json;
};

/* Describe each file on standard output, and return the worst exit status of all. */
enum exit_status info_files(const struct info_setup *setup);

#endif
