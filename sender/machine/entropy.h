/*
 * The kernel's random numbers, which a machine that has just booted may not have yet: whoever makes
 * keys then waits in the kernel, without a limit and without a word.
 */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stdbool.h>

#include "base/error.h"
#include "base/stop.h"

bool entropy_is_there(void);

/* Wait until they are there. Fails -ETIMEDOUT after timeout_ms, or as stop_check(). */
NODISCARD int entropy_await(int timeout_ms, const struct stop *stop, struct error *err);

#endif
