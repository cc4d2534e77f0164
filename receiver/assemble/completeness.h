/*
 * Which parts of a kdump file have arrived, and what to do about the rest. The file is a dumpfile
 * that is being written; a set of ranges says which of its bytes were received.
 */
#ifndef COMPLETENESS_H
#define COMPLETENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/kdump.h"

struct dumpfile;
struct ranges;

/* The kind of file, by its first bytes. */
enum completeness_kind {
	ARRIVED_UNKNOWN, /* too few bytes are there to tell */
	ARRIVED_KDUMP,	 /* both headers are there, and right */
	ARRIVED_ODD,	 /* it has a kdump file's signature, but we can't read its headers */
	ARRIVED_OTHER,	 /* another format, such as ELF: nobody can tell whether anything is
			    missing */
};

struct completeness {
	enum completeness_kind kind;
	struct kdump_header header; /* of ARRIVED_KDUMP */
	bool usable;		    /* headers, notes, bitmaps and at least one page are there */
	uint64_t pages;		    /* pages with a descriptor in the dump; 0 while not known */
	uint64_t pages_missing;	    /* of these: descriptor or payload isn't there */
	uint64_t pages_lost;	    /* of the missing ones: all zero as the sender wrote them */
	uint64_t table_end; /* file offset of the end of the descriptors; 0 while not known */
};

/*
 * Look at the headers: *arrived_ret is set as far as they go (kind and header). Fails -EBADMSG or
 * -ENOTSUP where the kind is ARRIVED_ODD, or with an error of the file.
 */
NODISCARD int completeness_look(struct dumpfile *df, struct ranges *received,
				struct completeness *arrived_ret, struct error *err);

/* A length that no dump with this header exceeds. */
uint64_t completeness_plausible_bytes(const struct kdump_header *h);

/*
 * Check the whole file by the map: headers, notes, both bitmaps, each descriptor, each payload.
 * Returns 0 if all is there; pages that the sender gave up (`pages_lost`) count as there if the
 * header carries the incomplete bit. A file that is no kdump file can't be checked, and passes.
 * Fails -ENODATA (a part is missing; the text names it), else as completeness_look(). *arrived_ret
 * is set in each case.
 *
 * A descriptor whose payload isn't there is zeroed in the file, as readers expect it of a missing
 * page. Time and memory are bounded by the bytes that were received, not by the header. For a large
 * dump it takes long, so it calls `alive` (may be NULL), and fails with its error.
 */
NODISCARD int completeness_check(struct dumpfile *df, struct ranges *received,
				 const struct keepalive *alive, struct completeness *arrived_ret,
				 struct error *err);

#endif
