/* --probe: whether a dump would arrive, without a crash. */
#ifndef PROBE_H
#define PROBE_H

#include "base/error.h"
#include "sender/delivery/delivery.h"

/*
 * Try every destination: name, route, handshake, credentials, space, and about how fast the link
 * is; tell each step, and what fails. Returns 0 if all of them would take a dump, else the code of
 * the first that wouldn't.
 */
NODISCARD int probe_destinations(const struct delivery_setup *setup);

#endif
