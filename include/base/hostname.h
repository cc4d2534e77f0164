/* The names of hosts that a receiver goes by. */
#ifndef HOSTNAME_H
#define HOSTNAME_H

#include <stdbool.h>

enum { HOST_NAME_ROOM = 256 }; /* what the name of a directory may have, and a NUL */

/*
 * Whether a directory can have the name as it is: letters, digits and "._:%-", no longer than there
 * is room for, and none of these but ':' (of an IPv6 address) in front. What a host has proved to
 * be called is taken as it is or not at all, so that no two hosts share a directory.
 */
bool host_name_is_good(const char *name);

#endif
