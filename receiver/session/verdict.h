/*
 * What a failure of the receiver means for the sender: the reason that is told, and whether another
 * try may help.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/message.h"

/* The reason that fits a negative error code. */
enum reason verdict_reason(int code);

/*
 * Seconds after which another try may help; 0: none does, for nothing but an operator changes what
 * has failed. `early`: the dump has no place so far, so that a directory that isn't there is one
 * that the operator has to make; later it is one that was removed, and is made again.
 */
uint32_t verdict_retry_after_s(int code, bool early);

#endif
