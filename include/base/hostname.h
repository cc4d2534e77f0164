/* Names of hosts, as a receiver uses them for directories. */
#ifndef HOSTNAME_H
#define HOSTNAME_H

#include <stdbool.h>

enum { HOST_NAME_ROOM = 256 }; /* the longest name of a directory, and a NUL */

/*
 * Whether a directory can have the name as it is: letters, digits and "._:%-", no longer than there
 * is room for, and none of these but ':' (of an IPv6 address) in front. A name that a host has
 * proved is taken as it is or not at all, so that no two hosts share a directory.
 */
bool host_name_is_good(const char *name);

#endif
