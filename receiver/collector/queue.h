/*
 * Who is with a collector: who has a place, who waits for one, and who hasn't said so far what it
 * wants. Places and turns are shared among hosts: whoever opens many connections waits for himself.
 * Does no input or output.
 *
 *   NEW ─► PROVED ─► IN          a place was free
 *              └───► WAITING ─► IN, in turns
 *   each ─► LEAVING              it is told to go, and holds nothing any more
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/hostname.h"
#include "format/segment.h"

/* A guest's place: 0: it is in; from 1 on: how many turns it has to wait for; or why it leaves. */
enum {
	PLACE_IN = 0,
	PLACE_FULL = -1,      /* too many wait */
	PLACE_OVERTAKEN = -2, /* a newer session has the dump */
	PLACE_SLOW = -3,      /* others wait, and it doesn't get on */
	PLACE_SHARE = -4,     /* others wait, and its host has more than its share */
	PLACE_CROWDED = -5,   /* its host, or its address, has newer connections */
	PLACE_UNTOLD = INT_MAX,
};

enum guest_state {
	GUEST_NEW,    /* nobody knows who it is */
	GUEST_PROVED, /* its host is known; it has asked for nothing */
	GUEST_WAITING,
	GUEST_IN,
	GUEST_LEAVING,
	GUEST_STATES,
};

struct guest {
	enum guest_state state;
	int place;	/* of who has asked, or leaves */
	uint64_t order; /* of arrival, or of asking */
	unsigned party; /* its host, or, as long as it is NEW, where it comes from */
	bool has_dump;
	uint8_t dump_id[DIGEST_BYTES];
	bool is_patient;		  /* no progress is told of it */
	bool going;			  /* its host has begun to send */
	uint64_t bytes;			  /* so far, as it says */
	uint64_t window_ms, window_bytes; /* from where its progress counts */

	int told; /* the place that it knows of; the caller's, and so is the rest */
	pid_t pid;
	int fd;
	char name[64];
};

/* Those that count as one. */
struct party {
	char name[1 + HOST_NAME_ROOM];
	unsigned count, of[GUEST_STATES];
};

struct queue_limits {
	unsigned in;
	unsigned waiting, waiting_host; /* of all; of one host */
	unsigned fresh;			/* NEW ones */
	unsigned proved, proved_host;	/* PROVED ones */
};

struct queue {
	struct queue_limits max;
	struct guest *guests; /* in no order */
	unsigned count, room;
	unsigned of[GUEST_STATES]; /* how many of them */
	struct party *parties;	   /* `room` of them; of a free one the count is 0 */
	struct guest **sorted;	   /* for queue_settle() */
	uint64_t next_order;
};

NODISCARD int queue_init(struct queue *q, const struct queue_limits *max, struct error *err);
void queue_deinit(struct queue *q);

/* A guest more, NEW, where it isn't full, from `address`. Good until the next is removed. */
struct guest *queue_add(struct queue *q, const char *address);
bool queue_is_full(const struct queue *q);

/* Who it is has been proved. */
void queue_prove(struct queue *q, struct guest *g, const char *host);

/*
 * It asks for a place, for a dump of `host` (NULL: one that nobody knows by an identity). Where
 * another one of that host is in or waits with the same dump, it leaves, and its place is this
 * one's. Asking twice changes nothing. Its place is right after queue_settle().
 */
void queue_ask(struct queue *q, struct guest *g, const char *host, const uint8_t *dump_id,
	       uint64_t now_ms);

/* How far it is. */
void queue_progress(struct guest *g, bool going, uint64_t bytes, uint64_t now_ms);

/* It has gone. */
void queue_remove(struct queue *q, struct guest *g);

/*
 * Give out the places that there are, and take those that aren't deserved while others wait; then
 * each one's `place` is right. Of those that wait, whose host has the fewest places is next.
 */
void queue_settle(struct queue *q, uint64_t now_ms);

/* Of those that aren't known, or that have asked for nothing, if there are too many: the oldest of
 * who has most of them, which is LEAVING from now on. NULL if there are not. */
struct guest *queue_crowd_out(struct queue *q);

/* Its host, or its address as long as that isn't known. */
const char *queue_party_name(const struct queue *q, const struct guest *g);

bool queue_knows(const struct queue *q, const struct guest *g);

#endif
