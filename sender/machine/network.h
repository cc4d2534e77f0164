/*
 * The network on its way up, as in a crash kernel: its missing parts, and waking up when it
 * changes.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stddef.h>

/* A descriptor that tells changes of links, addresses and routes, for network_changed() and for
 * close(); -1 where the system gives none. */
int network_watch(void);

/* Wait for a change, for timeout_ms at most. Where `fd` is -1 it only waits. */
bool network_changed(int fd, int timeout_ms);

/* The part that is missing before any server can be reached, as "eth0 has no carrier"; "" if none
 * is known. Returns `text`. */
const char *network_missing(char *text, size_t room);

#endif
