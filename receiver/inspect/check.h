/* `vmrecv --check FILE...`: verify dumps to the last page. */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>

#include "base/error.h"
#include "base/progress.h"

struct check_setup {
	char *const *files; /* or directories */
	int file_count;
	int threads; /* 0: the CPUs at hand */
	enum progress_mode progress;
	bool quiet; /* nothing is said of dumps that are complete */
};

/* Check each file, say what is wrong, and return the worst exit status of all. */
enum exit_status check_files(const struct check_setup *setup);

#endif
