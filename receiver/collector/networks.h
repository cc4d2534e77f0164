/* Networks that an operator names: 10.0.0.0/8, 2001:db8::/32, fe80::%eth0/10, or one address. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

enum { NETWORKS_MAX = 32 };

struct network {
	uint8_t address[16];	/* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;		/* of the prefix, 0 to 128 */
	char zone[IF_NAMESIZE]; /* of link-local addresses: the interface that they are on, by name
				   or number; "": any */
};

/* Fails -EINVAL, saying what is accepted. */
NODISCARD int network_parse(const char *text, struct network *network_ret, struct error *err);

/* Whether a socket's address is in one of `networks`. */
bool networks_have(const struct network *networks, size_t count,
		   const struct sockaddr_storage *address);

/* The address as text: IPv4 in its own form, a link-local address with its zone, since on another
 * interface it is another host's. "" for another family. */
void address_name(const struct sockaddr_storage *address, char name[static 64]);

/* The group of addresses that one machine may have: an IPv4 address alone, or the 64 bits of an
 * IPv6 network. */
void address_group(const struct sockaddr_storage *address, char name[static 64]);

#endif
