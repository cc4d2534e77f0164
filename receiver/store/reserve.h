/* What a dump asks for before it comes: space. Whoever can grant it gives the store a function.
 * Header-only. */
#ifndef RESERVE_H
#define RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hostname.h"
#include "base/keepalive.h"

struct reserve_want {
	char host[HOST_NAME_ROOM];
	char name[40];	      /* the dump's directory is DIR/HOST/NAME/ */
	uint64_t bound_bytes; /* the most that it can become, as its sender announces */
	uint64_t least_bytes; /* it has become so much already: what was granted is too little */
	unsigned level;	      /* its dump level */
	bool raw;	      /* it isn't compressed */
};

/*
 * Grant space: the dump may become *granted_ret bytes long. Fails -ENOBUFS where there is none,
 * with the limit as the text, or with what `alive` says, which is called meanwhile.
 */
typedef int reserve_fn(void *ctx, const struct reserve_want *want, const struct keepalive *alive,
		       uint64_t *granted_ret, struct error *err);

#endif
