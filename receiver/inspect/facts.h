/* Facts about a dump, gathered from its headers, bitmaps, descriptors and notes. */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/codec.h"
#include "receiver/inspect/kdump_file.h"
#include "receiver/inspect/notes.h"

struct vmcoreinfo;

enum { FACTS_TROUBLES_MAX = 12 };

struct facts {
	struct kdump_header header;
	uint64_t file_bytes;
	bool notes_known, vmcoreinfo_known; /* false: they can't be read, and their fields below are
					       0 */
	bool bitmaps_known;		    /* the same of bitmaps and pages */
	struct kdump_file_bitmaps bitmaps;
	struct notes notes;
	struct vmcoreinfo *vmcoreinfo; /* ours; NULL if there is none, or if it can't be read */
	int64_t crash_time_s;	       /* 0 if not known */

	uint64_t missing;		/* pages with a zero descriptor */
	uint64_t beyond_descs;		/* pages whose descriptor lies beyond the file's end */
	uint64_t beyond_data;		/* pages whose payload does */
	uint64_t holed;			/* pages in place of whose payload the file has a hole */
	uint64_t impossible;		/* pages with a descriptor that can't be right */
	uint64_t odd;			/* pages with flags that name no codec */
	uint64_t by_codec[CODEC_COUNT]; /* pages that are there; CODEC_NONE: stored raw */
	uint64_t payload_bytes; /* of these and the odd ones; a shared payload counts once */
	uint64_t shared;	/* pages that have the same payload as another: the lowest one */
	bool shared_is_zero;	/* that payload is a page of zeros */

	/* The faults that were found, a line each; and whether the file is shorter than its headers
	 * say. */
	struct error troubles[FACTS_TROUBLES_MAX];
	size_t trouble_count;
	bool cut_short;
};

/*
 * Gather the facts: reads every descriptor, but no page except one. Facts that a damaged dump can't
 * give are left out, and each fault of it is a trouble. Fails if the reading fails, or -ENOMEM. The
 * caller calls facts_deinit().
 */
NODISCARD int facts_init(struct facts *f, const struct kdump_file *d, struct error *err);

/* Whether the file has every part that its headers name, and no fault was found. */
bool facts_complete(const struct facts *f);
void facts_deinit(struct facts *f);

#endif
