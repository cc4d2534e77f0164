/* meta.json: what a dump is, for people and programs. */
#ifndef META_H
#define META_H

#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "wire/message.h"

struct meta {
	struct hello hello;
	const char *host, *proof, *peer; /* borrowed */
	const char *status;		 /* "receiving", "incomplete", "complete" */
	struct totals totals;
	struct end end; /* of a complete one */
	time_t begun_s, done_s;
	uint64_t file_bytes;
};

/* Write it in place of what is there, whole or not at all. A build without jansson writes none. */
NODISCARD int meta_write(const char *path, const struct meta *meta, struct error *err);

/* One that a session has left without saying that its dump is complete, though it is: says so now.
 * Does nothing to others. */
NODISCARD int meta_complete(const char *path, const struct end *end, time_t done_s,
			    uint64_t file_bytes, struct error *err);

#endif
