/* TCP: names to addresses, connecting, listening.
 * Doesn't know what is spoken over it. */
#include "wire/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nss.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "wire/url.h"

enum {
	STEP_MS = 200, /* how long a signal may go unseen */

	/* A link that is dead in silence, and one that has data to send, are given up by the kernel
	   when the session has long done so. */
	KEEPALIVE_S = 30,
	KEEPALIVE_PROBES = 4,
	USER_TIMEOUT_MS = 120000,

	BACKLOG = 256,

	PORT_ROOM = 8, /* "65535" and more */
};

/* --- names ---------------------------------------------------------------------------------- */

/* A static program must not load the name services that nsswitch.conf may ask for: their libraries
 * belong to another C library than the one inside of it. */
static void choose_name_services(void)
{
#if STATIC_PROGRAM && defined(__GLIBC__)
	__nss_configure_lookup("hosts", "files dns");
#endif
}

/* Without one the library asks this host, where nobody answers. */
static bool has_name_server(void)
{
	FILE *in = fopen("/etc/resolv.conf", "re");
	bool found = false;
	char word[16];

	while (in && !found && fscanf(in, "%15s%*[^\n]", word) == 1)
		found = strcmp(word, "nameserver") == 0;
	if (in)
		fclose(in);
	return found;
}

/* The library's code as an error: all of them may pass. */
static int resolve_failed(int code, const struct url *url, struct error *err)
{
	if (code == EAI_SYSTEM)
		return error_sys(err, "resolve %s", url->host);
	if (code == EAI_AGAIN && !has_name_server())
		return error_set(err, -EHOSTUNREACH,
				 "resolve %s: no nameserver in /etc/resolv.conf", url->host);
	return error_set(err, -EHOSTUNREACH, "resolve %s: %s", url->host, gai_strerror(code));
}

/*
 * getaddrinfo() by a thread of the library's, since it has no limit of its own: without a name
 * server it may take a minute. A request that can't be taken back is left to end by itself; then
 * its memory is.
 */
static int look_up(const struct url *url, const struct connect_setup *setup, uint64_t until_ms,
		   struct addrinfo **list_ret, struct error *err)
{
	struct {
		struct gaicb request;
		struct addrinfo hints;
		struct url url;
	} *job = calloc(1, sizeof(*job));
	struct gaicb *list[1];
	int r;

	if (!job)
		return error_set(err, -ENOMEM, "out of memory for a name");
	job->url = *url;
	job->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	job->request = (struct gaicb){
		.ar_name = job->url.host, .ar_service = job->url.port, .ar_request = &job->hints};
	list[0] = &job->request;
	r = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	while (r == 0 && (r = gai_error(list[0])) == EAI_INPROGRESS) {
		const int ms = clock_left_ms(until_ms, STEP_MS);
		const struct timespec step = {.tv_nsec = (long)ms * 1000000};

		int why = stop_check(&setup->stop, err);

		if (why == 0 && ms == 0)
			why = error_set(err, -ETIMEDOUT, "resolve %s: no answer", url->host);
		if (why < 0) {
			if (gai_cancel(list[0]) == EAI_CANCELED)
				free(job);
			return why;
		}
		(void)!gai_suspend((const struct gaicb *const *)list, 1, &step);
		r = 0;
	}
	*list_ret = job->request.ar_result;
	free(job);
	return r == 0 ? 0 : resolve_failed(r, url, err);
}

/* An address is there at once, without a thread; a name is looked up. */
static int resolve(const struct url *url, const struct connect_setup *setup, uint64_t until_ms,
		   struct addrinfo **list_ret, struct error *err)
{
	const struct addrinfo address = {.ai_socktype = SOCK_STREAM,
					 .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};

	choose_name_services();
	if (getaddrinfo(url->host, url->port, &address, list_ret) == 0)
		return 0;
	return look_up(url, setup, until_ms, list_ret, err);
}

/* --- connecting ----------------------------------------------------------------------------- */

static void set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_S},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_S},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
	};

	/* Each of them only helps. Buffers are left to the kernel, which sizes them by the link. */
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		(void)!setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				  sizeof(options[i].value));
}

/* 0 once connected, else -errno. */
static int await_connected(int fd, const struct connect_setup *setup, uint64_t until_ms)
{
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};
		const int ms = clock_left_ms(until_ms, STEP_MS);
		int n, error = 0;
		socklen_t len = sizeof(error);

		if (stop_is_due(&setup->stop))
			return -ECANCELED;
		if (ms == 0)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, ms);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			return -errno;
		return -error;
	}
}

/* A socket, or -errno. */
static int try_address(const struct addrinfo *a, const struct connect_setup *setup,
		       uint64_t until_ms)
{
	AUTO_CLOSE int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	set_options(fd);
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		r = await_connected(fd, setup, until_ms);
		if (r < 0)
			return r;
	}
	return TAKE_FD(fd);
}

static void tell(const struct connect_setup *setup, const char *step, const char *detail)
{
	if (setup->passed)
		setup->passed(setup->ctx, step, detail);
}

/* The addresses in turn, each with its share of the time that is left. */
static int try_addresses(const struct addrinfo *list, const struct url *url,
			 const struct connect_setup *setup, uint64_t until_ms, struct error *err)
{
	char address[64] = "";
	unsigned left = 0;
	int fd = -EHOSTUNREACH;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		left++;
	for (const struct addrinfo *a = list; a; a = a->ai_next, left--) {
		const uint64_t now_ms = clock_ms();
		const uint64_t share_ms = until_ms > now_ms ? (until_ms - now_ms) / left : 0;

		(void)getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address), NULL, 0,
				  NI_NUMERICHOST);
		fd = try_address(a, setup, now_ms + share_ms);
		if (fd >= 0) {
			tell(setup, "connect", address);
			return fd;
		}
		if (stop_check(&setup->stop, err) < 0)
			return err->code;
	}
	return error_set(err, fd, "connect to %s port %s: %s", address, url->port, strerror(-fd));
}

int tcp_connect(const struct url *url, const struct connect_setup *setup, int *fd_ret,
		struct error *err)
{
	const uint64_t until_ms = clock_ms() + (uint64_t)setup->timeout_ms;
	struct addrinfo *list = NULL;
	int r = resolve(url, setup, until_ms, &list, err);

	if (r < 0)
		return r;
	tell(setup, "resolve", url->host);
	r = try_addresses(list, url, setup, until_ms, err);
	freeaddrinfo(list);
	if (r < 0)
		return r;
	*fd_ret = r;
	return 0;
}

int transport_tcp_connect(const struct url *url, const struct connect_setup *setup,
			  struct transport **t_ret, struct error *err)
{
	int fd;
	const int r = tcp_connect(url, setup, &fd, err);

	return r < 0 ? r : transport_new_fds(fd, fd, url->text, t_ret, err);
}

/* --- listening ------------------------------------------------------------------------------ */

/* "ADDR:PORT" in two; an address may be in brackets, or empty: all. The port is judged here, since
 * the library takes any number and cuts it to 16 bits. */
static int split_address(const char *text, char *host, size_t room, char port_ret[static PORT_ROOM],
			 struct error *err)
{
	const char *colon = strrchr(text, ':');
	const char *const whole = text;
	size_t len = colon ? (size_t)(colon - text) : 0;
	long long port;

	if (!colon || !colon[1] || len >= room)
		return error_set(err, -EINVAL, "\"%.100s\" isn't ADDR:PORT, [V6]:PORT or :PORT",
				 text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return error_set(err, -EINVAL, "\"%.100s\": an IPv6 address needs brackets", text);
	}
	if (parse_number(colon + 1, 0, UINT16_MAX, &port, err) < 0)
		return error_prefix(err, "the port of \"%.100s\"", whole);
	memcpy(host, text, len);
	host[len] = '\0';
	snprintf(port_ret, PORT_ROOM, "%lld", port);
	return 0;
}

int tcp_check_address(const char *address, struct error *err)
{
	char host[256], port[PORT_ROOM];
	const int r = split_address(address, host, sizeof(host), port, err);

	return r < 0 ? r : host_check_zone(host, err);
}

static int listen_at(const struct addrinfo *a, const char *text, int *fd_ret, struct error *err)
{
	AUTO_CLOSE int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;
	/* The wildcard of IPv6 takes IPv4, too. */
	const int off = 0;

	if (fd < 0)
		return error_sys(err, "%s", text);
	(void)!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)!setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return error_sys(err, "%s", text);
	*fd_ret = TAKE_FD(fd);
	return 0;
}

int tcp_accept(int listen_fd, struct sockaddr_storage *from_ret, int *fd_ret, struct error *err)
{
	socklen_t len = sizeof(*from_ret);
	const int fd =
		accept4(listen_fd, (struct sockaddr *)from_ret, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return error_sys(err, "accept");
	set_options(fd);
	*fd_ret = fd;
	return 0;
}

static void name_of(int fd, char name[static 64])
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[48] = "?", port[8] = "?";

	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		(void)getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
				  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(name, 64, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

int tcp_listen(const char *address, int *fd_ret, char address_ret[static 64], struct error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list, *best;
	char host[256], port[PORT_ROOM];
	int r = split_address(address, host, sizeof(host), port, err);

	if (r == 0)
		r = host_check_zone(host, err);
	if (r < 0)
		return r;
	r = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (r)
		return error_set(err, -EINVAL, "%s: %s", address, gai_strerror(r));
	best = list;
	for (struct addrinfo *a = list; a && !*host; a = a->ai_next)
		if (a->ai_family == AF_INET6)
			best = a;
	r = listen_at(best, address, fd_ret, err);
	/* Without IPv6 in the kernel, the other one. */
	if (r == -EAFNOSUPPORT && best != list)
		r = listen_at(list, address, fd_ret, err);
	freeaddrinfo(list);
	if (r == 0)
		name_of(*fd_ret, address_ret);
	return r;
}
