/*
 * Both sides of a session against each other in memory: sender/delivery/upload.h,
 * receiver/session/session.h and receiver/store/store.h, over a link that is cut or damaged at a
 * byte. The receiver's directory is "dir" in the scratch directory, and has one host, "tiny".
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/tinysession.h"

enum { DIALOGUE_NEVER = INT32_MAX };

/* What happens to one. */
struct script {
	const struct tinysession *t;
	const uint8_t *stream;		/* NULL: the right one */
	size_t out, in;			/* bytes that get through: to the receiver, to the sender */
	size_t flip_out;		/* a byte that is damaged on the way; DIALOGUE_NEVER */
	size_t step;			/* bytes a round, which takes ROUND_MS or less */
	bool kill;			/* the receiver dies with the link, and doesn't mend */
	void (*acked)(uint64_t number); /* told when the sender learns of one; NULL: nobody */
};

/* How it ended. */
struct ending {
	int sender, receiver; /* errors; 0: the link was cut, or all is well */
	bool done;	      /* the sender knows that the receiver has the dump */
	bool complete;	      /* the receiver has it */
	bool resumed, was_there;
	uint64_t acked;	 /* checkpoints */
	uint64_t begin;	 /* of the stream, where it began */
	size_t sent_out; /* bytes */
};

/* A link that nothing happens to. */
struct script dialogue_undisturbed(const struct tinysession *t);

/* Begin anew: the receiver has nothing. */
void dialogue_clear(void);

/* One link, to its end. The process is in "/" after it. */
struct ending dialogue_run(const struct script *script);

/*
 * What an earlier link left is gone on with, undisturbed: the dump is published, to the byte, and
 * what was acknowledged isn't sent again.
 */
struct ending dialogue_finish(const struct tinysession *t, const struct ending *before);

/* Judge: the dump is there, to the byte. Nothing is published unless the link came through. */
void dialogue_published(const struct tinysession *t);
void dialogue_nothing_early(const struct ending *end);

/* The path of a file in the one directory of the one host; valid until the next call. */
const char *dialogue_path(const char *name);

#endif
