/* meta.json: what a dump is, for people and programs. */
#ifndef META_H
#define META_H

#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "receiver/store/kernel_facts.h"
#include "receiver/store/panic_task.h"
#include "wire/message.h"

struct dumpfile;

struct meta {
	struct hello hello;
	const char *host, *proof, *peer; /* borrowed */
	const char *status;		 /* "receiving", "incomplete", "complete" */
	struct totals totals;
	struct end end; /* of a complete one */
	time_t begun_s, done_s;
	uint64_t file_bytes, received_bytes; /* the latter of the stream */
	struct kernel_facts kernel;	     /* what the dump itself says */
	struct panic_search panic;
	char log[256];	     /* the name of the kernel's log beside it; "": there is none */
	uint64_t written_ms; /* clock_ms() when meta_progress() last did; 0: never */

	/* A flattened stream: there was no HELLO, what is known is what the dump says; and no
	   END. */
	bool stream;
};

/* Write it in place of what is there, whole or not at all; `path` is below `dir_fd`, as openat()
 * has it. A build without jansson writes none. */
NODISCARD int meta_write(int dir_fd, const char *path, const struct meta *meta, struct error *err);

/* A piece of the kernel's log, which comes to lie beside `dump_path`. */
void meta_take_log(struct meta *meta, const char *dump_path, const struct attach *a);

/*
 * Write how far the dump is, for anybody who looks: every two seconds at the most, in place of what
 * is there, whole or not at all. A failure of this is ignored, and nothing waits for the disk. The
 * facts that the dump has of its kernel are taken as soon as they are there.
 */
void meta_progress(struct meta *meta, int dir_fd, const char *path, struct dumpfile *df,
		   uint64_t received_bytes);

/* Complete the meta.json of a dump that is complete, where a session has left it without saying so.
 * Does nothing to others. */
NODISCARD int meta_complete(int dir_fd, const char *path, const struct end *end, time_t done_s,
			    uint64_t file_bytes, struct error *err);

#endif
