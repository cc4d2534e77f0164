/* Networks and addresses.
 * Doesn't open anything. */
#include "receiver/collector/networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static bool is_link_local(const uint8_t bytes[static 16])
{
	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* Copy the text up to one of `ends`, and go there: false where it doesn't fit. */
static bool take_until(const char **text, const char *ends, char *out, size_t room)
{
	const size_t len = strcspn(*text, ends);

	if (len >= room)
		return false;
	memcpy(out, *text, len);
	out[len] = '\0';
	*text += len;
	return true;
}

static int bad_network(const char *text, struct error *err)
{
	return error_set(err, -EINVAL,
			 "\"%.60s\" isn't a network such as 10.0.0.0/8 or fe80::%%eth0/10", text);
}

int network_parse(const char *text, struct network *network_ret, struct error *err)
{
	const char *rest = text;
	char address[INET6_ADDRSTRLEN];
	struct network n = {.bits = 128};
	long long bits;
	unsigned most = 128;

	if (!take_until(&rest, "%/", address, sizeof(address)))
		return bad_network(text, err);
	if (inet_pton(AF_INET, address, n.address + sizeof(v4_prefix)) == 1) {
		memcpy(n.address, v4_prefix, sizeof(v4_prefix));
		most = 32;
	} else if (inet_pton(AF_INET6, address, n.address) != 1) {
		return bad_network(text, err);
	}
	if (*rest == '%') {
		rest++;
		if (!take_until(&rest, "/", n.zone, sizeof(n.zone)) || !*n.zone)
			return bad_network(text, err);
		if (!is_link_local(n.address))
			return error_set(err, -EINVAL,
					 "\"%.60s\": only link-local addresses, fe80::/10, have a "
					 "zone (%%%s)",
					 text, n.zone);
	}
	if (*rest) {
		if (parse_number(rest + 1, 0, most, &bits, err) < 0)
			return bad_network(text, err);
		n.bits = 128 - most + (unsigned)bits;
	}
	*network_ret = n;
	return 0;
}

/* The address in one form for IPv4 and IPv6; false for another family. */
static bool to_bytes(const struct sockaddr_storage *address, uint8_t bytes[static 16])
{
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		memcpy(bytes, v4_prefix, sizeof(v4_prefix));
		memcpy(bytes + sizeof(v4_prefix), &in->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
	} else {
		return false;
	}
	return true;
}

/* The interface that a link-local address is on; 0: it isn't one. */
static uint32_t scope_of(const struct sockaddr_storage *address, const uint8_t bytes[static 16])
{
	return is_link_local(bytes) ? ((const struct sockaddr_in6 *)address)->sin6_scope_id : 0;
}

static bool is_zone(const char *zone, uint32_t scope)
{
	char name[IF_NAMESIZE], number[16];

	snprintf(number, sizeof(number), "%" PRIu32, scope);
	return scope && (strcmp(zone, number) == 0 ||
			 (if_indextoname(scope, name) && strcmp(zone, name) == 0));
}

static bool has(const struct network *n, const uint8_t bytes[static 16], uint32_t scope)
{
	const unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (*n->zone && !is_zone(n->zone, scope))
		return false;
	if (memcmp(n->address, bytes, whole) != 0)
		return false;
	return !rest || (n->address[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

bool networks_have(const struct network *networks, size_t count,
		   const struct sockaddr_storage *address)
{
	uint8_t bytes[16];

	if (!to_bytes(address, bytes))
		return false;
	for (size_t i = 0; i < count; i++)
		if (has(&networks[i], bytes, scope_of(address, bytes)))
			return true;
	return false;
}

void address_name(const struct sockaddr_storage *address, char name[static 64])
{
	uint8_t bytes[16];
	char zone[IF_NAMESIZE];
	uint32_t scope;

	*name = '\0';
	if (!to_bytes(address, bytes))
		return;
	if (memcmp(bytes, v4_prefix, sizeof(v4_prefix)) == 0)
		inet_ntop(AF_INET, bytes + sizeof(v4_prefix), name, 64);
	else
		inet_ntop(AF_INET6, bytes, name, 64);
	scope = scope_of(address, bytes);
	if (scope && if_indextoname(scope, zone))
		snprintf(name + strlen(name), 64 - strlen(name), "%%%s", zone);
	else if (scope)
		snprintf(name + strlen(name), 64 - strlen(name), "%%%" PRIu32, scope);
}

void address_group(const struct sockaddr_storage *address, char name[static 64])
{
	struct sockaddr_storage group = *address;
	uint8_t bytes[16];

	address_name(address, name);
	if (!to_bytes(address, bytes) || memcmp(bytes, v4_prefix, sizeof(v4_prefix)) == 0 ||
	    is_link_local(bytes))
		return;
	memset(((struct sockaddr_in6 *)&group)->sin6_addr.s6_addr + 8, 0, 8);
	address_name(&group, name);
	snprintf(name + strlen(name), 64 - strlen(name), "/64");
}
