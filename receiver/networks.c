/* Networks and addresses.
 * Doesn't open anything. */
#include "networks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

int network_parse(const char *text, struct network *network_ret, struct error *err)
{
	const size_t len = strcspn(text, "/");
	char address[INET6_ADDRSTRLEN];
	struct network n = {.bits = 128};
	long long bits;
	unsigned most = 128;

	if (len < sizeof(address)) {
		memcpy(address, text, len);
		address[len] = '\0';
		if (inet_pton(AF_INET, address, n.address + sizeof(v4_prefix)) == 1) {
			memcpy(n.address, v4_prefix, sizeof(v4_prefix));
			most = 32;
		} else if (inet_pton(AF_INET6, address, n.address) != 1) {
			goto bad;
		}
		if (!text[len]) {
			*network_ret = n;
			return 0;
		}
		if (parse_number(text + len + 1, 0, most, &bits, err) == 0) {
			n.bits = 128 - most + (unsigned)bits;
			*network_ret = n;
			return 0;
		}
	}
bad:
	return error_set(err, -EINVAL, "\"%.60s\" isn't a network such as 10.0.0.0/8", text);
}

/* All families in one form; false for one that isn't of the internet. */
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

static bool has(const struct network *n, const uint8_t bytes[static 16])
{
	const unsigned whole = n->bits / 8, rest = n->bits % 8;

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
		if (has(&networks[i], bytes))
			return true;
	return false;
}

void address_name(const struct sockaddr_storage *address, char name[static 64])
{
	uint8_t bytes[16];

	*name = '\0';
	if (!to_bytes(address, bytes))
		return;
	if (memcmp(bytes, v4_prefix, sizeof(v4_prefix)) == 0)
		inet_ntop(AF_INET, bytes + sizeof(v4_prefix), name, 64);
	else
		inet_ntop(AF_INET6, bytes, name, 64);
}
