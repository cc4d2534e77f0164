/* URLs of destinations: ssh://[user@]host[:port][/dir], tls://host:port, tcp://host:port,
 * exec:COMMAND, file:PATH. */
#ifndef URL_H
#define URL_H

#include "base/error.h"

enum url_scheme { URL_SSH, URL_TLS, URL_TCP, URL_EXEC, URL_FILE };

struct url {
	enum url_scheme scheme;
	char text[512]; /* as it was given */
	char user[64];	/* "" if none; SSH then takes the name of the user who runs vmsend, as
			   ssh(1) does */
	char host[256]; /* an IPv6 address without its brackets */
	char port[8];	/* decimal; SSH has 22 */
	/* The path of file:, the command of exec: (both are required), or the directory of an
	 * ssh:// ("" if none). */
	char path[512];
};

/* Fails -EINVAL with a text that names what is wrong and the accepted form. */
NODISCARD int url_parse(const char *text, struct url *url_ret, struct error *err);

/* Fails -EINVAL if `host` is a link-local IPv6 address (fe80::/10) without a zone, since the kernel
 * then doesn't know by which interface to reach it. The error says what to write. */
NODISCARD int host_check_zone(const char *host, struct error *err);

#endif
