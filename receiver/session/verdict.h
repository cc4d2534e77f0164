/*
 * The meaning of a receiver's failure for the sender: the reason for the frame, and whether another
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
 * Seconds after which another try may help; 0: no try does, before an operator has changed
 * something. `early`: the dump has no directory yet, so that the operator has to make a directory
 * that is missing; later such a directory is one that was removed, and is made again.
 */
uint32_t verdict_retry_after_s(int code, bool early);

#endif
