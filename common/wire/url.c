/* URLs of destinations.
 * Doesn't resolve or open anything. */
#include "wire/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

static const struct {
	const char *prefix;
	enum url_scheme scheme;
	const char *port; /* NULL: it has to be given */
} schemes[] = {
	{"ssh://", URL_SSH, "22"}, {"tls://", URL_TLS, NULL}, {"tcp://", URL_TCP, NULL},
	{"exec:", URL_EXEC, ""},   {"file:", URL_FILE, ""},
};

#define FORMS                                                                                      \
	"ssh://[USER@]HOST[:PORT][/DIR], tls://HOST:PORT, tcp://HOST:PORT, exec:COMMAND or "       \
	"file:PATH"

/* Copy a part, which has to fit and not be empty. */
static bool copy(char *out, size_t room, const char *from, size_t len)
{
	if (len == 0 || len >= room)
		return false;
	memcpy(out, from, len);
	out[len] = '\0';
	return true;
}

int host_check_zone(const char *host, struct error *err)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, host, &a) != 1 || !IN6_IS_ADDR_LINKLOCAL(&a))
		return 0;
	return error_set(err, -EINVAL,
			 "%s is a link-local address, which needs its interface: [%s%%eth0]", host,
			 host);
}

/* HOST, HOST:PORT, [V6], [V6]:PORT; `len` bytes of it. */
static bool parse_host(const char *text, size_t len, struct url *url)
{
	const char *end = text + len, *colon, *rest;
	struct error unused;
	long long port;

	if (*text == '[') {
		const char *close = memchr(text, ']', len);

		if (!close ||
		    !copy(url->host, sizeof(url->host), text + 1, (size_t)(close - text) - 1))
			return false;
		rest = close + 1;
	} else {
		colon = memchr(text, ':', len);
		rest = colon ? colon : end;
		if (!copy(url->host, sizeof(url->host), text, (size_t)(rest - text)))
			return false;
	}
	if (rest == end)
		return *url->port;
	if (*rest != ':' ||
	    !copy(url->port, sizeof(url->port), rest + 1, (size_t)(end - rest) - 1) ||
	    parse_number(url->port, 1, 65535, &port, &unused) < 0)
		return false;
	snprintf(url->port, sizeof(url->port), "%lld", port);
	return true;
}

static bool parse_server(const char *text, struct url *url)
{
	const char *slash = strchrnul(text, '/');
	const char *at = memchr(text, '@', (size_t)(slash - text));

	if (url->scheme == URL_SSH) {
		if (at && !copy(url->user, sizeof(url->user), text, (size_t)(at - text)))
			return false;
		text = at ? at + 1 : text;
		if (*slash && slash[1] && !copy(url->path, sizeof(url->path), slash, strlen(slash)))
			return false;
	} else if (at || *slash) {
		return false;
	}
	return parse_host(text, (size_t)(slash - text), url);
}

int url_parse(const char *text, struct url *url_ret, struct error *err)
{
	struct url url = {0};

	if (strlen(text) >= sizeof(url.text))
		return error_set(err, -EINVAL, "\"%.60s...\" is longer than %zu bytes", text,
				 sizeof(url.text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		const size_t len = strlen(schemes[i].prefix);
		bool good;

		if (strncmp(text, schemes[i].prefix, len) != 0)
			continue;
		url.scheme = schemes[i].scheme;
		snprintf(url.port, sizeof(url.port), "%s", schemes[i].port ? schemes[i].port : "");
		strcpy(url.text, text);
		good = url.scheme == URL_FILE || url.scheme == URL_EXEC
			       ? copy(url.path, sizeof(url.path), text + len, strlen(text + len))
			       : parse_server(text + len, &url);
		/* A command of blanks would be started, and end without a word. */
		if (!good || (url.scheme == URL_EXEC && !url.path[strspn(url.path, " \t")]))
			break;
		if (host_check_zone(url.host, err) < 0)
			return error_prefix(err, "%s", text);
		*url_ret = url;
		return 0;
	}
	return error_set(err, -EINVAL, "\"%.80s\" is none of " FORMS "; PORT is from 1 to 65535",
			 text);
}
