/*
 * A command of this machine as a transport: its standard input and output lead to vmrecv --stdio.
 * So a session goes by whatever gets there: the ssh client with its configuration, jump hosts and
 * tokens, socat into a virtual machine's host.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "wire/transport.h"
#include "wire/url.h"

/*
 * Run url->path by the shell. Told to setup->passed; what the command says on its standard error
 * goes to setup->said, line by line, and the last line is in the error when it ends. It ends with
 * the transport at the latest. Fails with the system's error.
 */
NODISCARD int transport_command_start(const struct url *url, const struct connect_setup *setup,
				      struct transport **t_ret, struct error *err);

#endif
