/*
 * The kernel's random numbers. A machine that has just booted may not have any yet; a library that
 * makes keys then waits in the kernel, without a limit and without a message.
 */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/stop.h"

bool entropy_is_there(void);

/* Wait until the kernel has random numbers. Fails -ETIMEDOUT after timeout_ms, or as
 * stop_check(). */
NODISCARD int entropy_await(int timeout_ms, const struct stop *stop, struct error *err);

#endif
