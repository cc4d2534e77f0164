/*
 * What a collector remembers of hosts that aren't connected: the turn of one that was sent away
 * because too many wait, until it comes again; and the dumps that each has begun in the last hour,
 * since of several that wait the host with the fewest comes first. Does no input or output.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/hostname.h"
#include "format/segment.h"

enum {
	TURNS_HOUR_MS = 3600 * 1000,
	TURNS_DUMPS_MAX = 8, /* of a host in an hour; more are all alike */
};

struct turn_of_host {
	char host[HOST_NAME_ROOM]; /* "": free */
	uint64_t seen_ms;
	uint64_t order;			    /* of its turn */
	uint64_t until_ms;		    /* its turn is kept; 0: it has none */
	uint64_t begun_ms[TURNS_DUMPS_MAX]; /* of its dumps, the newest first */
	unsigned begun;
	uint8_t dump_id[DIGEST_BYTES]; /* of the newest: a link that is made anew begins no other */
};

struct turns {
	struct turn_of_host *hosts;
	size_t room;
};

/* For so many hosts; then the one that was seen longest ago is forgotten. */
NODISCARD int turns_init(struct turns *t, size_t room, struct error *err);
void turns_deinit(struct turns *t);

/* A host gets a place for a dump (NULL: a stream, which is one for itself). */
void turns_begun(struct turns *t, const char *host, const uint8_t *dump_id, uint64_t now_ms);

/* The dumps that it has begun in the last hour, TURNS_DUMPS_MAX at the most. */
unsigned turns_recent(const struct turns *t, const char *host, uint64_t now_ms);

/* Keep its turn until then. The older one stays where it has one. */
void turns_keep(struct turns *t, const char *host, uint64_t order, uint64_t until_ms,
		uint64_t now_ms);

/* Whether a turn is kept for it: which one. */
bool turns_kept(const struct turns *t, const char *host, uint64_t now_ms, uint64_t *order_ret);

/* It has used its turn. */
void turns_used(struct turns *t, const char *host);

/* How many turns are kept that come before `order`. */
unsigned turns_before(const struct turns *t, uint64_t order, uint64_t now_ms);

#endif
