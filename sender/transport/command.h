/*
 * A command of this machine as a transport: its standard input and output lead to vmrecv --stdio.
 * So a session can use any program that reaches the server: the ssh client with its configuration,
 * jump hosts and tokens, or socat into a virtual machine's host.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "wire/transport.h"
#include "wire/url.h"

/*
 * Run url->path by the shell. setup->passed is told. Lines that the command writes to its standard
 * error go to setup->said, and the last one is in the error when the command ends. The command ends
 * with the transport at the latest. Fails with the system's error.
 */
NODISCARD int transport_command_start(const struct url *url, const struct connect_setup *setup,
				      struct transport **t_ret, struct error *err);

#endif
