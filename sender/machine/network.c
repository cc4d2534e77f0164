/* Whether there is a network yet.
 * Doesn't know servers. */
#include "sender/machine/network.h"

#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"

int network_watch(void)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
			     RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
	};
	AUTO_CLOSE int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return TAKE_FD(fd);
}

bool network_changed(int fd, int timeout_ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char message[8192];

	if (poll(&pfd, 1, timeout_ms) <= 0)
		return false;
	/* The contents of the messages don't matter. An overrun is a change, too. */
	while (recv(fd, message, sizeof(message), 0) > 0)
		;
	return true;
}

/* The state of an interface. */
enum stage { STAGE_NONE, STAGE_THERE, STAGE_UP, STAGE_CARRIER, STAGE_ADDRESS };

static bool is_usable(const struct sockaddr *address)
{
	if (!address)
		return false;
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)(const void *)address;

		return !IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr);
	}
	return address->sa_family == AF_INET;
}

static enum stage stage_of(const struct ifaddrs *i)
{
	if (!(i->ifa_flags & IFF_UP))
		return STAGE_THERE;
	if (!(i->ifa_flags & IFF_RUNNING))
		return STAGE_UP;
	return is_usable(i->ifa_addr) ? STAGE_ADDRESS : STAGE_CARRIER;
}

const char *network_missing(char *text, size_t room)
{
	static const char *const lacks[] = {
		[STAGE_THERE] = "is not up",
		[STAGE_UP] = "has no carrier",
		[STAGE_CARRIER] = "has no address",
	};
	enum stage best = STAGE_NONE;
	struct ifaddrs *list;

	*text = '\0';
	if (getifaddrs(&list) < 0)
		return text;
	/* The interface that has come farthest names the missing part. */
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		const enum stage stage = stage_of(i);

		if ((i->ifa_flags & IFF_LOOPBACK) || stage <= best)
			continue;
		best = stage;
		if (stage < STAGE_ADDRESS)
			snprintf(text, room, "%s %s", i->ifa_name, lacks[stage]);
	}
	freeifaddrs(list);
	if (best == STAGE_ADDRESS)
		*text = '\0';
	else if (best == STAGE_NONE)
		snprintf(text, room, "there is no network interface");
	return text;
}
