/*
 * Extents of a dump file against the file: whether they have the digests that a journal or a
 * checkpoint gives them, and what to do about what lies outside of them.
 */
#ifndef EXTENTS_H
#define EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/segment.h"

struct dumpfile;
struct journal;

/* Read each extent back and compare its SHA-256. Fails -EBADMSG, saying which differs. */
NODISCARD int extents_verify(struct dumpfile *df, struct digester *d, const struct segment *segment,
			     struct error *err);

/*
 * The same for the first `count` segments of a journal, *good_ret of which have their digests. A
 * main header that a later segment wrote again counts as the last one has it. Also fails with what
 * `alive` says.
 */
NODISCARD int extents_verify_first(struct journal *j, struct dumpfile *df, struct digester *d,
				   uint64_t count, const struct keepalive *alive,
				   uint64_t *good_ret, struct error *err);

/*
 * Bring a part back to what the journal says of it: what lies in no extent is cleared, what lies
 * behind data_off is cut off, and all of it is synced. After a power cut, any of that may be there
 * or not. Fails -EBADMSG if the main header isn't the journal's, or its extents overlap; the part
 * is as it was then.
 */
NODISCARD int extents_restore(struct journal *j, struct dumpfile *df, uint64_t data_off,
			      const struct keepalive *alive, struct error *err);

/* The parts of a file that a journal proves. */
struct extents_proof {
	uint64_t segments;	      /* segments that are as they were sent */
	bool whole;		      /* the file has all segments of the dump */
	uint8_t digest[DIGEST_BYTES]; /* D(segments), made from the file */
};

/*
 * Verify a file by its journal. Of a `part`, the incomplete bit in the main header may be the
 * receiver's own. Fails -EBADMSG where the file differs, -EIO where the journal is none, or as
 * journal_read().
 */
NODISCARD int extents_check_file(const char *path, bool part, const char *journal_path,
				 struct extents_proof *proof_ret, struct error *err);

#endif
