/*
 * A session's process: this program, executed anew, so that it has a memory layout of its own and
 * nothing of what the collector has in its memory. It gets three things: the socket over which it
 * speaks with the collector, its connection, and what it has to know, which is the first message on
 * that socket.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "receiver/collector/keys.h"

/* The first word of such a process' command line. Nobody else has a use for it. */
#define LAUNCH_WORD "--session-of-collector"

/* Its exit status if it can't be executed. */
enum { LAUNCH_FAILED = 127 };

struct launch {
	char dir[PATH_MAX];	 /* where dumps go */
	uint64_t max_size_bytes; /* as in struct options, and so are these */
	uint32_t timeout_ms;
	int shown;	       /* enum log_level */
	struct key_files keys; /* of TLS; none: plain TCP */
	int connection_fd;
	char name[64]; /* the address that it comes from */
};

/* Start one. The descriptors stay the caller's. Fails with what the system says. */
NODISCARD int launch(const struct launch *l, int queue_fd, pid_t *pid_ret, struct error *err);

/*
 * In that process: the two descriptors and what it has to know, from the rest of the command line.
 * Fails -EINVAL where no collector has started it. The descriptors are the caller's.
 */
NODISCARD int launch_receive(const char *fd_text, struct launch *l_ret, int *queue_fd_ret,
			     struct error *err);

#endif
