/* Receives one dump: on standard input, or over a connection that isn't a session. */
#ifndef RECEIVE_H
#define RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/progress.h"
#include "format/sums.h"
#include "receiver/store/reserve.h"

struct receive_setup {
	const char *file; /* NULL: a directory of its own below `dir` */
	const char *dir;
	const char *host;	 /* whose dump it is; NULL: not given */
	bool force;		 /* replace FILE */
	uint64_t max_size_bytes; /* 0: what the dump's header makes plausible, and the free space */
	enum sums_kind sums;	 /* beside a dump that came as a stream */
	enum progress_mode progress;
	uint32_t timeout_ms; /* silence that breaks the link of a session */
	reserve_fn *reserve; /* grants space below `dir`; NULL: there is no limit */
	void *reserve_ctx;
};

/* Each function receives one dump, tells the operator how it went, and returns the exit status. */

/* `vmrecv [FILE]`: a flattened stream or a session one way, told apart by their first bytes. */
enum exit_status receive_file(const struct receive_setup *setup);

/* `vmrecv --stdio`: a session over standard input and output. */
enum exit_status receive_stdio(const struct receive_setup *setup);

/* A flattened stream over a connection (takes `fd`) from `host`, which setup->file and setup->host
 * are NULL for. It ends where nothing comes for ten minutes. */
enum exit_status receive_connection(const struct receive_setup *setup, int fd, const char *host);

#endif
