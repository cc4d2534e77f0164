/*
 * Extents of a dump file against the file: whether they have the digests that a journal or a
 * checkpoint gives them, and what to do about what lies outside of them.
 */
#ifndef EXTENTS_H
#define EXTENTS_H

#include <stdint.h>

#include "error.h"
#include "segment.h"

struct dumpfile;
struct journal;

/* Read each extent back and compare its SHA-256. Fails -EBADMSG, saying which differs. */
NODISCARD int extents_verify(struct dumpfile *df, struct digester *d, const struct segment *segment,
			     struct error *err);

/*
 * The same for the first `count` segments of a journal. A main header that a later segment wrote
 * again counts as the last one has it.
 */
NODISCARD int extents_verify_first(struct journal *j, struct dumpfile *df, struct digester *d,
				   uint64_t count, struct error *err);

/*
 * Bring a part back to what the journal says of it: what lies in no extent is cleared, what lies
 * behind data_off is cut off, and all of it is synced. After a power cut, any of that may be there
 * or not. Fails -EBADMSG if the main header isn't the journal's, or its extents overlap; the part
 * is as it was then.
 */
NODISCARD int extents_restore(struct journal *j, struct dumpfile *df, uint64_t data_off,
			      struct error *err);

/* Verify a complete file by its journal: the digest is what it comes to. Fails as the above,
 * -ENODATA (the journal has no end). */
NODISCARD int extents_check_file(const char *path, const char *journal_path,
				 uint8_t digest_ret[static DIGEST_BYTES], struct error *err);

#endif
