/* The memory that this system can give. */
#ifndef MEMINFO_H
#define MEMINFO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The bytes that programs can take without others having to give any back: MemAvailable of the file
 * `path`, which is /proc/meminfo except in tests. 0 where the file can't be read or lacks it. Any
 * thread.
 */
uint64_t meminfo_available(const char *path);

/* The same of any other line, `key` being as "MemTotal:". */
uint64_t meminfo_value(const char *path, const char *key);

/*
 * The share of the available memory that a dump may take without --memory: three quarters. The rest
 * is for programs that begin at the same time, such as the other end of a pipe. 0 (no limit) where
 * available_bytes isn't known.
 */
uint64_t meminfo_share(uint64_t available_bytes);

/*
 * Whether this process could take so much more memory now; always true for 0. To be called before
 * taking memory that the process can do without, so that enough is left for memory that it needs.
 * Takes nothing. Any thread.
 */
bool meminfo_can_spare(uint64_t bytes);

/*
 * The address space that this process has taken, where that is limited (RLIMIT_AS, which is `ulimit
 * -v`); 0 where it isn't. Needs /proc.
 */
uint64_t meminfo_limited_space(void);

#endif
