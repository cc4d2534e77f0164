/*
 * The record of a dump's durable parts: FILE.segments, in the format of frames. HELLO as it came,
 * then each CHECKPOINT as it came, once its data is on stable storage, and END when the dump is
 * whole. It is the resume state while the dump comes, and afterwards what --check proves the dump
 * with.
 *
 * It is only ever appended to: a torn end is told by a frame's CRC, and cut off.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "wire/message.h"

struct journal;

/* The contents of a journal, as far as they are right. */
struct journal_facts {
	struct hello hello;
	bool whole;		     /* END is there */
	struct end end;		     /* if whole */
	struct cursor cursor;	     /* of the last checkpoint; segment 0: there is none */
	uint8_t chain[DIGEST_BYTES]; /* D(cursor.segment) */
	uint8_t first[DIGEST_BYTES]; /* D(1) */
};

/* Told of each segment in turn. Fails with *err set, which ends the reading. */
typedef int journal_segment_fn(void *ctx, const struct segment *segment, struct error *err);

/*
 * Read a journal to its end, or to the first fault: *facts_ret has the contents before that, with
 * the chain computed anew. `segment` may be NULL. Fails -ENOENT, -EBADMSG (not even HELLO is
 * right), or with the error of the system or of `segment`.
 */
NODISCARD int journal_read(const char *path, struct journal_facts *facts_ret,
			   journal_segment_fn *segment, void *ctx, struct error *err);

/* Read only the HELLO of a journal, which says whose it is: the rest may be long. `path` is below
 * `dir_fd`, as openat() has it, here and below. Fails as journal_read(). */
NODISCARD int journal_read_hello(int dir_fd, const char *path, struct hello *hello_ret,
				 struct error *err);

/* The result of journal_look(). */
struct journal_state {
	bool has_checkpoints; /* one at the least */
	bool has_pages;	      /* two: the first one's segment has none */
	bool is_held;	      /* a process has it */
};

/* Read no more of the journal `name` in a directory than these facts need. Not to be called for the
 * caller's own journal: that would lose its lock. Fails as journal_read(). */
NODISCARD int journal_look(int dir_fd, const char *name, struct journal_state *state_ret);

/* Whether a process has the journal, and nothing else of it is read. The same warning holds. */
bool journal_is_held(int dir_fd, const char *name);

/*
 * Take the lock of a journal that nobody has, to remove the dump: a session that comes meanwhile
 * waits, and then finds it gone. Returns a descriptor, whose closing leaves the lock; -EBUSY: a
 * session has it; -ENOENT; or another -errno.
 */
NODISCARD int journal_lock(int dir_fd, const char *name);

/*
 * The path that the journal of FILE, or of FILE.part, has if there is one. The journal of FILE.part
 * is FILE.part.segments if that, or FILE, is there; else it is FILE.segments. The caller frees the
 * path; NULL without memory.
 */
char *journal_path_of(const char *file);

/* Begin one (replacing what is there) with HELLO. The caller frees it, before it closes `dir_fd`.
 * Fails -EBUSY if another process has it. */
NODISCARD int journal_create(int dir_fd, const char *path, const struct frame *hello,
			     struct journal **j_ret, struct error *err);

/* Open one to go on with it: journal_load() comes next. If another process has it (-EBUSY),
 * *holder_ret is which, or 0 if that can't be told. Fails -ENOENT also if it was removed just now.
 */
NODISCARD int journal_open(int dir_fd, const char *path, struct journal **j_ret, pid_t *holder_ret,
			   struct error *err);

/*
 * The same, but a session that has the journal is asked to let go (journal_is_wanted()): its link
 * is the older one. A session that waits as we do is asked, too, and fails with -EALREADY: the
 * session that came last is next. Fails -EBUSY if that takes too long, or if a program that is no
 * session has locked the file; or with what `alive` says.
 */
NODISCARD int journal_take_over(int dir_fd, const char *path, const struct keepalive *alive,
				struct journal **j_ret, struct error *err);

/* Whether a newer session waits in journal_take_over(): takes a system call, over a network
 * perhaps. */
bool journal_is_wanted(const struct journal *j);

/* As journal_read(), of one that is open. The first time after journal_open() what is wrong at its
 * end is cut off, and what there is is synced. */
NODISCARD int journal_load(struct journal *j, struct journal_facts *facts_ret,
			   journal_segment_fn *segment, void *ctx, struct error *err);
void journal_free(struct journal *j);
DEFINE_AUTO(struct journal, journal_free)

/* Keep no more than the first `segments` of what journal_load() has read; durable. What waits is
 * dropped. */
NODISCARD int journal_cut(struct journal *j, uint64_t segments, struct error *err);

/* Append a frame as it came; it is held in memory until journal_sync(). journal_waiting() is the
 * number of bytes held, journal_size() that number and the bytes in the file. */
NODISCARD int journal_append(struct journal *j, const struct frame *frame, struct error *err);
size_t journal_waiting(const struct journal *j);
uint64_t journal_size(const struct journal *j);

/* Write what waits, and wait until it is on stable storage. Once it has failed, it always fails. */
NODISCARD int journal_sync(struct journal *j, struct error *err);

#endif
