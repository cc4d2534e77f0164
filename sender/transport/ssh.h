/* SSH by libssh2: a command at the far end, its standard input and output as a transport. */
#ifndef SSH_H
#define SSH_H

#include <errno.h>

#include "wire/transport.h"
#include "wire/url.h"

#if WITH_LIBSSH2
/*
 * Connect, check the server's key, prove who we are, run the command. Each step is told to
 * setup->passed; a failure's text begins with the name of the step: resolve, connect, handshake,
 * host key, authentication, exec. Fails -EACCES, -EINVAL, -ENOTSUP where another try is of no use.
 *
 * Lines that the command writes to its standard error go to setup->said, and the last one is in the
 * error when the command ends.
 */
NODISCARD int transport_ssh_connect(const struct url *url, const struct connect_setup *setup,
				    struct transport **t_ret, struct error *err);

/* "libssh2 1.10.0" */
const char *ssh_library(void);
#else
static inline int transport_ssh_connect(const struct url *url UNUSED,
					const struct connect_setup *setup UNUSED,
					struct transport **t_ret UNUSED, struct error *err)
{
	return error_set(err, -ENOTSUP, "ssh:// is not part of this build");
}

static inline const char *ssh_library(void)
{
	return "no";
}
#endif

#endif
