/* How much memory this system has to give. */
#ifndef MEMINFO_H
#define MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The bytes that programs can take without others having to give any back: MemAvailable of the file
 * `path`, which is /proc/meminfo but in tests. 0 where that can't be read or isn't said. Any
 * thread.
 */
uint64_t meminfo_available(const char *path);

/* The same of any other line, `key` being as "MemTotal:". */
uint64_t meminfo_value(const char *path, const char *key);

/*
 * The share of that which a dump may take if --memory doesn't say: three quarters. The rest is for
 * what begins to run at the same time, such as the other end of a pipe. 0 (no limit) where it isn't
 * known.
 */
uint64_t meminfo_share(uint64_t available_bytes);

/*
 * Whether this process could take so much more now: asked before something is taken that can be
 * done without, so that it leaves what can't; 0: always. Takes nothing. Any thread.
 */
bool meminfo_can_spare(uint64_t bytes);

/*
 * What this process has taken of its address space, where that is limited (RLIMIT_AS, which is
 * `ulimit -v`); 0 where it isn't. Needs /proc.
 */
uint64_t meminfo_limited_space(void);

#endif
