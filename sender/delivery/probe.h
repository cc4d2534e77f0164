/* --probe: whether a dump would arrive, without a crash. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct destination_setup;
struct url;

/* The space that a dump is likely to take on a disk. */
struct probe_need {
	uint64_t bytes;	      /* 0: not known */
	uint64_t pages_bytes; /* of the pages in it, before they are compressed */
	bool is_bound;	      /* `bytes` is an upper bound; the dump may take much less */
};

/*
 * Try every destination: name, route, handshake, credentials, space, and about how fast the link
 * is; tell each step, and what fails. Returns 0 if all of them would take a dump, else the code of
 * the first that wouldn't; -ENOSPC where there is less space than `need`.
 */
NODISCARD int probe_destinations(const struct url *to, size_t to_count,
				 const struct destination_setup *setup,
				 const struct probe_need *need);

#endif
