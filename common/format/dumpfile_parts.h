/*
 * Shared by the three files that make a dump file: dumpfile.c (makes and writes it),
 * dumpfile_incomplete.c (the bit in its header), dumpfile_publish.c (syncs, and its final name).
 */
#ifndef DUMPFILE_PARTS_H
#define DUMPFILE_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/dumpfile.h"
#include "format/kdump.h"
#include "format/sums_file.h"

enum {
	DUMPFILE_HEAD_BYTES = SUMS_HEAD_BYTES, /* kept in memory, so that the bit can change */
};

struct dumpfile {
	int fd;
	int dir_fd; /* which the two names are below; borrowed */
	char *path, *part_path;
	enum dumpfile_replace replace;
	bool wrote;	 /* anything, ever */
	bool published;	 /* the .part has become `path` */
	bool final;	 /* the header in the file is the true one, without our incomplete bit */
	bool unsure;	 /* published, and the name isn't certain to survive a power cut */
	int sync_failed; /* the -errno of the first sync that did */

	struct sums_file *sums; /* NULL: nothing is known of any */

	uint64_t end;	  /* end of the bytes that the caller wrote, holes included */
	uint64_t written; /* end of the bytes that reached the file: from here on it reads as
			     zeros */

	/* The first bytes as the caller wrote them, without our bit; zeros where none came. */
	uint8_t shadow[DUMPFILE_HEAD_BYTES];

	/* The range that was written since writeback was last started. */
	uint64_t dirty_begin, dirty_end, dirty_bytes;
};

/* error_sys() for a result of io.h: `what` failed with `r`. Returns that. */
int dumpfile_fail(struct error *err, const struct dumpfile *df, const char *what, int r);

/* Write bytes as they are, and start writeback where much is dirty. */
NODISCARD int dumpfile_write_out(struct dumpfile *df, uint64_t off, const uint8_t *bytes,
				 size_t size_bytes, struct error *err);

/* Whether the first bytes are those of a kdump-compressed file, whose header has the bit. */
bool dumpfile_is_kdump(const struct dumpfile *df);

/* The first bytes as the file has them, or is to: with our incomplete bit until it is final. */
void dumpfile_head(const struct dumpfile *df, uint8_t head[static DUMPFILE_HEAD_BYTES]);

/* Bring the file's bytes [begin, end), all below DUMPFILE_HEAD_BYTES, in line with these. Of a
 * kdump file the status is written too, whatever the range. */
NODISCARD int dumpfile_write_head(struct dumpfile *df, size_t begin, size_t end, struct error *err);

/* Set the length of the file, and nothing else. */
NODISCARD int dumpfile_set_length(const struct dumpfile *df, uint64_t size_bytes,
				  struct error *err);

/* fsync(), or fdatasync(). A sync that once failed counts as failed from then on. */
NODISCARD int dumpfile_sync_all(struct dumpfile *df, bool data_only, struct error *err);

/* Write the header with our incomplete bit, or without it (`final`), and wait until it is stable.
 */
NODISCARD int dumpfile_write_status(struct dumpfile *df, bool final, struct error *err);

#endif
