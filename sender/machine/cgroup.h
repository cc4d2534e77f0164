/* The memory that this process' memory cgroups leave it. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdint.h>

/* Nothing limits it, or nothing is known of a limit. */
#define CGROUP_UNLIMITED UINT64_MAX

/*
 * The bytes that can be taken before one of the cgroups, from the process's own up to the root, is
 * at its limit: the limit less the memory in use. Page cache doesn't count as in use, since the
 * kernel gives it back first. 0 is an answer. The limits are memory.max and memory.high in version
 * 2, and memory.limit_in_bytes in version 1. `self` is /proc/self/cgroup, and `mounted`
 * /sys/fs/cgroup, except in tests; their absence is no error. Any thread.
 */
uint64_t cgroup_available(const char *self, const char *mounted);

#endif
