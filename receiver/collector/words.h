/*
 * The messages ("words") between a session's process and its collector, over a socket that keeps
 * messages apart. The collector's words are places, as in struct guest, and answers to sessions
 * that want space.
 */
#ifndef WORDS_H
#define WORDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hostname.h"
#include "format/segment.h"
#include "receiver/retention/space.h"

enum word_kind {
	WORD_PROVED,   /* the peer has proved its host; it may be a probe, which asks for no
			  place */
	WORD_ASK,      /* asks for a place, for a dump of that host */
	WORD_PROGRESS, /* the session's progress */
	WORD_RESERVE,  /* wants space for its dump */
	WORD_LINE,     /* a line for the operator */
	WORD_KINDS,
};

struct word {
	enum word_kind kind;
	bool has_dump, going; /* has_dump of ASK; going of PROGRESS: GO was sent */
	int level;	      /* of LINE: enum log_level */
	uint64_t bytes;	      /* of PROGRESS */
	uint8_t dump_id[DIGEST_BYTES];
	uint64_t least_bytes; /* of RESERVE, as in struct reserve_want; bytes is the bound */
	unsigned dump_level;
	bool raw;
	char name[40];
	char host[HOST_NAME_ROOM];
	char text[PATH_MAX + 512]; /* of LINE; the message ends with it */
};

/* Send a word, without waiting. Returns whether the socket has taken it. */
bool word_say(int fd, const struct word *w);

/* The next word of a session: 1; 0 if there is none now; -1 if the session has gone. Its texts end
 * in a NUL, but nothing else about it is checked. */
int word_hear(int fd, struct word *w_ret);

/* A collector's word. */
struct order {
	bool is_answer; /* to RESERVE; else a place */
	int place;
	unsigned retry_s; /* of PLACE_FULL */
	struct space_answer answer;
};

/* The same for a collector's words: as word_say() and word_hear(). */
bool order_say(int fd, const struct order *o);
int order_hear(int fd, struct order *o_ret);

#endif
