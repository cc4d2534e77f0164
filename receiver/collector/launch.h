/*
 * A session's process: this program, executed anew, so that it has a memory layout of its own and
 * nothing from the collector's memory. It gets two descriptors: the socket over which it talks with
 * the collector, and its connection. The first message on that socket is struct launch.
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

/* The process' exit status if the program can't be executed. */
enum { LAUNCH_FAILED = 127 };

struct launch {
	char dir[PATH_MAX];	 /* where dumps go */
	uint64_t max_size_bytes; /* this field and those below: as in struct listen_setup */
	uint32_t timeout_ms;
	int shown;	       /* enum log_level */
	int sums;	       /* enum sums_kind */
	struct key_files keys; /* of TLS; none: plain TCP */
	int connection_fd;
	char name[64]; /* the peer's address */
};

/* Start a session's process. The descriptors stay the caller's. Fails with the system's error. */
NODISCARD int launch(const struct launch *l, int queue_fd, pid_t *pid_ret, struct error *err);

/*
 * In that process: give the two descriptors and struct launch, by the rest of the command line.
 * Fails -EINVAL where no collector has started the process. The descriptors are the caller's.
 */
NODISCARD int launch_receive(const char *fd_text, struct launch *l_ret, int *queue_fd_ret,
			     struct error *err);

#endif
