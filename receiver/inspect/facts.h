/* What a dump is, gathered from its headers, bitmaps, descriptors and notes. */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "format/codec.h"
#include "receiver/inspect/dump.h"
#include "receiver/inspect/notes.h"

struct vmcoreinfo;

struct facts {
	struct kdump_header header;
	uint64_t file_bytes;
	struct dump_bitmaps bitmaps;
	struct notes notes;
	struct vmcoreinfo *vmcoreinfo; /* ours; NULL if there is none, or none that can be read */
	int64_t crash_time_s;	       /* 0 if nothing says */

	uint64_t missing;		/* pages with a zero descriptor */
	uint64_t odd;			/* pages with flags that name no codec */
	uint64_t by_codec[CODEC_COUNT]; /* pages; CODEC_NONE: stored raw */
	uint64_t payload_bytes;		/* of all pages, a shared payload counted once */
	uint64_t shared;     /* pages that have the same payload as another: the lowest one */
	bool shared_is_zero; /* and that is a page of zeros */
};

/*
 * Gather all of it: reads every descriptor, but no page except one. What a damaged dump can't tell
 * is left out, and said in `trouble_ret` (code 0: nothing was wrong). Fails if the reading does, or
 * -ENOMEM. The caller deinits.
 */
NODISCARD int facts_init(struct facts *f, const struct dump *d, struct error *trouble_ret,
			 struct error *err);
void facts_deinit(struct facts *f);

#endif
