/*
 * The guests of a collector: those that have a place, those that wait for one, and those that
 * haven't asked for one yet. Places and turns are shared among hosts, so a host with many
 * connections delays only itself. Does no input or output.
 *
 *   NEW ─► PROVED ─► IN          a place was free
 *              └───► WAITING ─► IN, in turns
 *   each ─► LEAVING              it is told to go, and holds no place any more
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
#include "receiver/collector/turns.h"

/* A guest's place. 0: it is in; 1 and more: the number of turns that it has to wait for; else the
 * reason why it leaves. */
enum {
	PLACE_IN = 0,
	PLACE_FULL = -1,      /* too many wait; the turn is kept, see retry_s */
	PLACE_OVERTAKEN = -2, /* a newer session has the dump */
	PLACE_SLOW = -3,      /* others wait, and it doesn't get on */
	PLACE_SHARE = -4,     /* others wait, and its host has more than its share */
	PLACE_CROWDED = -5,   /* its host, or its address, has newer connections */
	PLACE_UNTOLD = INT_MAX,
};

enum guest_state {
	GUEST_NEW,    /* its host isn't known */
	GUEST_PROVED, /* its host is known; it hasn't asked for a place */
	GUEST_WAITING,
	GUEST_IN,
	GUEST_LEAVING,
	GUEST_STATES,
};

struct guest {
	enum guest_state state;
	int place;	  /* once the guest has asked, or leaves */
	uint64_t order;	  /* of arrival, or of asking; a turn that was kept is older */
	unsigned recent;  /* dumps that its host had begun within an hour when it asked */
	unsigned dumps;	  /* the queue's own */
	unsigned retry_s; /* of PLACE_FULL: when to come again */
	uint64_t in_ms;	  /* when it got its place; 0: it never has */
	unsigned party;	  /* its host; while it is NEW, its address */
	bool has_dump;
	uint8_t dump_id[DIGEST_BYTES];
	bool is_patient;		  /* its progress isn't told, so it is never slow */
	bool going;			  /* its host has begun to send */
	uint64_t bytes;			  /* received by now, as its session tells */
	uint64_t window_ms, window_bytes; /* the time and bytes from which its progress counts */

	uint64_t granted_bytes; /* that its dump may become long; this field and those below are
				   the caller's */
	int told;		/* the place that it was told */
	pid_t pid;
	int fd;
	char name[64];
};

/* Guests that count as one: of one host, or of one address. */
struct party {
	char name[1 + HOST_NAME_ROOM];
	unsigned count, of[GUEST_STATES];
};

struct queue_limits {
	unsigned in;
	unsigned in_host;		/* of one host, while others wait */
	unsigned waiting, waiting_host; /* of all; of one host */
	unsigned fresh;			/* NEW ones */
	unsigned proved, proved_host;	/* PROVED ones */
};

struct queue {
	struct queue_limits max;
	struct guest *guests; /* in no order */
	unsigned count, room;
	unsigned of[GUEST_STATES]; /* how many of them */
	struct party *parties;	   /* `room` of them; a free one has count 0 */
	struct guest **sorted;	   /* for queue_settle() */
	uint64_t next_order;
	struct turns turns;
	uint64_t now_ms;  /* the last time that was told */
	uint64_t stay_ms; /* how long guests have had their places, of late */
};

NODISCARD int queue_init(struct queue *q, const struct queue_limits *max, struct error *err);
void queue_deinit(struct queue *q);

/* Add a guest, NEW, from `address`. The queue isn't full. The pointer is good until the next guest
 * is removed. */
struct guest *queue_add(struct queue *q, const char *address);
bool queue_is_full(const struct queue *q);

/* The guest has proved that it is `host`. */
void queue_prove(struct queue *q, struct guest *g, const char *host);

/*
 * The guest asks for a place, for the dump `dump_id` of `host` (NULL: a stream, which has no
 * identity). Where another guest of that host is in or waits with the same dump, that one leaves,
 * and its place goes to this one. Asking twice changes nothing. The guest's place is right after
 * queue_settle().
 */
void queue_ask(struct queue *q, struct guest *g, const char *host, const uint8_t *dump_id,
	       uint64_t now_ms);

/* The guest's progress. */
void queue_progress(struct guest *g, bool going, uint64_t bytes, uint64_t now_ms);

/* The guest has gone. */
void queue_remove(struct queue *q, struct guest *g);

/*
 * Give the free places to waiting guests, and while others wait, take places from guests that are
 * slow or whose host has more than its share. After that each guest's `place` is right. The next to
 * get a place is the waiting guest whose host has the fewest; of several hosts, that with the
 * fewest dumps in the last hour; then by the order of asking.
 *
 * Of guests that wait only so many stay. Others leave, with a time to come again that is spread
 * over the queue's length, and their host's turn is kept: when it comes again it asks as if it had
 * waited, in the place of the last that waits if need be.
 */
void queue_settle(struct queue *q, uint64_t now_ms);

/* Where there are too many guests that are NEW or PROVED, choose the oldest guest of the party that
 * has most of them; it is LEAVING from now on. NULL where there aren't too many. */
struct guest *queue_crowd_out(struct queue *q);

/* The guest's host; its address while the host isn't known. */
const char *queue_party_name(const struct queue *q, const struct guest *g);

bool queue_knows(const struct queue *q, const struct guest *g);

#endif
