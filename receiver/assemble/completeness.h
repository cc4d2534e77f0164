/*
 * What of a kdump file has arrived, and what to do about the rest. The file is a dumpfile that is
 * being written; which of its bytes were received is a set of ranges.
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

/* What the first bytes turn out to be. */
enum completeness_kind {
	ARRIVED_UNKNOWN, /* too little is there to say */
	ARRIVED_KDUMP,	 /* both headers are there, and good */
	ARRIVED_ODD,	 /* it says it is a kdump file, but we can't read its headers */
	ARRIVED_OTHER,	 /* something else, such as ELF: nothing says what would be missing */
};

struct completeness {
	enum completeness_kind kind;
	struct kdump_header header; /* of ARRIVED_KDUMP */
	bool usable;		    /* headers, notes, bitmaps and at least one page are there */
	uint64_t pages;		    /* that the dump has descriptors for; 0 while not known */
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
 * Judge the whole file by the map: headers, notes, both bitmaps, each descriptor, each payload.
 * Returns 0 if all is there; pages that the sender gave up (`pages_lost`) count as there if the
 * header carries the incomplete bit. A file that is no kdump file can't be judged and passes. Fails
 * -ENODATA (something is missing; the text says what), else as completeness_look(). *arrived_ret is
 * set in each case.
 *
 * A descriptor whose payload isn't there is zeroed in the file, as readers expect it of a missing
 * page. Time and memory are bounded by what was received, not by what the header says. Of a large
 * dump it takes long: it also fails with what `alive` (NULL: nobody) says.
 */
NODISCARD int completeness_check(struct dumpfile *df, struct ranges *received,
				 const struct keepalive *alive, struct completeness *arrived_ret,
				 struct error *err);

#endif
