/* The incomplete bit of a dump file under way: set from the first byte on, and cleared when the
 * dump is final. Of the kdump format it knows the signature, and where the status lies. */
#include "common/format/dumpfile_parts.h"

#include <string.h>
#include <unistd.h>

enum {
	STATUS_END = KDUMP_STATUS_OFFSET + 4,
	SIGNATURE_BYTES = 8,
};

bool dumpfile_is_kdump(const struct dumpfile *df)
{
	return memcmp(df->shadow, KDUMP_SIGNATURE, SIGNATURE_BYTES) == 0;
}

void dumpfile_came_incomplete(struct dumpfile *df)
{
	df->shadow[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
}

void dumpfile_head(const struct dumpfile *df, uint8_t head[static DUMPFILE_HEAD_BYTES])
{
	memcpy(head, df->shadow, DUMPFILE_HEAD_BYTES);
	if (dumpfile_is_kdump(df) && !df->final)
		head[KDUMP_STATUS_OFFSET] |= KDUMP_INCOMPLETE;
}

/*
 * Bring the file's bytes [begin, end), all below DUMPFILE_HEAD_BYTES, in line with the shadow. Of a
 * kdump file the status goes too, whatever the range: the signature may have come after the status,
 * or without it.
 */
int dumpfile_write_head(struct dumpfile *df, size_t begin, size_t end, struct error *err)
{
	uint8_t bytes[DUMPFILE_HEAD_BYTES];

	dumpfile_head(df, bytes);
	if (dumpfile_is_kdump(df)) {
		begin = MIN(begin, (size_t)KDUMP_STATUS_OFFSET);
		end = MAX(end, (size_t)STATUS_END);
	}
	return dumpfile_write_out(df, begin, bytes + begin, end - begin, err);
}

int dumpfile_write_status(struct dumpfile *df, bool final, struct error *err)
{
	int r;

	if (!dumpfile_is_kdump(df))
		return 0;
	df->final = final;
	r = dumpfile_write_head(df, KDUMP_STATUS_OFFSET, STATUS_END, err);
	if (r == 0 && ftruncate(df->fd, (off_t)df->end) < 0)
		r = error_sys(err, "%s: can't set its length", df->part_path);
	return r < 0 ? r : dumpfile_sync_all(df, false, err);
}
