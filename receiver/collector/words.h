/*
 * What a session and its collector say to each other, over a socket that keeps messages apart. The
 * collector's words are numbers: a place, as in struct guest.
 */
#ifndef WORDS_H
#define WORDS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hostname.h"
#include "format/segment.h"

enum word_kind {
	WORD_PROVED,   /* who the host is; it may come to nothing more than a probe */
	WORD_ASK,      /* a place is wanted, for a dump of that host */
	WORD_PROGRESS, /* how far it is */
	WORD_LINE,     /* for the operator */
	WORD_KINDS,
};

struct word {
	enum word_kind kind;
	bool has_dump, going; /* of ASK; of PROGRESS: GO was said */
	int level;	      /* of LINE: enum log_level */
	uint64_t bytes;	      /* of PROGRESS */
	uint8_t dump_id[DIGEST_BYTES];
	char host[HOST_NAME_ROOM];
	char text[PATH_MAX + 512]; /* of LINE; the message ends with it */
};

/* Whether it was taken; none is waited for. */
bool word_say(int fd, const struct word *w);

/* The next word: 1; 0 if there is none now; -1 if the session has gone. What it says is a session's
 * word, though not more: texts have an end. */
int word_hear(int fd, struct word *w_ret);

/* A collector's: as word_say() and word_hear(). */
bool dumpdir_say(int fd, int place);
int dumpdir_hear(int fd, int *dumpdir_ret);

#endif
