/*
 * The network on its way up, as in a crash kernel: what it lacks, and waking up when it changes.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stddef.h>

/* A descriptor on which changes of links, addresses and routes are told, for network_changed() and
 * for close(); -1 where that can't be had. */
int network_watch(void);

/* Wait for a change, for timeout_ms at most. `fd` may be -1: then it only waits. */
bool network_changed(int fd, int timeout_ms);

/* What is missing for any server to be reached, as "eth0 has no carrier"; "" if nothing is known to
 * be. Returns `text`. */
const char *network_missing(char *text, size_t room);

#endif
