/*
 * A dump file while it is being written: PATH.part, which becomes PATH only when it is complete.
 *
 * While the file is PATH.part, its kdump header (if it is a kdump file) carries the incomplete bit,
 * from the first byte on: so a file that a crash, a kill or a full disk leaves says that it isn't
 * complete. Long runs of zeros become holes. vmrecv uses it, and so does vmsend for DUMPFILE, so
 * that both make the same file.
 *
 * A dump can have sums beside it (dumpfile_keep_sums()): PATH.sums, or PATH.part.sums where the
 * dump was cut short.
 */
#ifndef DUMPFILE_H
#define DUMPFILE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/sums.h"

struct dumpfile;

/* Which files of an earlier dump may be replaced: a .part at once, the file under the final name by
 * the final rename. */
enum dumpfile_replace {
	DUMPFILE_REPLACE_NOTHING,
	DUMPFILE_REPLACE_PART, /* the name is one dump's alone: its .part may be replaced, a
				  complete file stays */
	DUMPFILE_REPLACE_ALL,
};

/* How --force replaces. */
static inline enum dumpfile_replace dumpfile_replace_if(bool force)
{
	return force ? DUMPFILE_REPLACE_ALL : DUMPFILE_REPLACE_NOTHING;
}

/*
 * Create `path`.part, mode 0600. The _at form takes `path` as openat() does, below the directory
 * `dir_fd`, which is borrowed as long as the dumpfile lives. Refused (-EEXIST) if `path` or
 * `path`.part exists and may not be replaced. Anything but a regular file is refused in any case,
 * and so is a .part that another process is writing (-EBUSY). A refusal changes nothing. The caller
 * frees *df_ret.
 */
NODISCARD int dumpfile_create_at(int dir_fd, const char *path, enum dumpfile_replace replace,
				 struct dumpfile **df_ret, struct error *err);
NODISCARD static inline int dumpfile_create(const char *path, enum dumpfile_replace replace,
					    struct dumpfile **df_ret, struct error *err)
{
	return dumpfile_create_at(AT_FDCWD, path, replace, df_ret, err);
}

/*
 * Open PATH.part, which an earlier dumpfile left, to go on with it. Fails -ENOENT if there is none,
 * -EEXIST if it isn't a regular file, -EBUSY if another process is writing it.
 */
NODISCARD int dumpfile_resume_at(int dir_fd, const char *path, struct dumpfile **df_ret,
				 struct error *err);
NODISCARD static inline int dumpfile_resume(const char *path, struct dumpfile **df_ret,
					    struct error *err)
{
	return dumpfile_resume_at(AT_FDCWD, path, df_ret, err);
}

/*
 * The file is a dump: sum the bytes as they are written, and write the sums beside the dump when it
 * is published or kept as a part. SHA-256 is computed in the end, by reading the dump back; `alive`
 * (borrowed, may be NULL) is called meanwhile. The sums of an earlier PATH are removed when PATH is
 * replaced, also if `kind` is SUMS_NONE. Must be called before the first write. Refused (-EEXIST)
 * where PATH.sums or PATH.part.sums is another kind of file, which only DUMPFILE_REPLACE_ALL
 * replaces; fails also -ENOMEM, -ENOTSUP.
 */
NODISCARD int dumpfile_keep_sums(struct dumpfile *df, enum sums_kind kind,
				 const struct keepalive *alive, struct error *err);

/* After publishing: why there are no sums beside the dump though they were asked for. Code 0: they
 * are there. */
struct error dumpfile_sums_failure(const struct dumpfile *df);

/* For a resumed dump: its header came with the incomplete bit from the sender, so publishing
 * doesn't clear the bit. */
void dumpfile_came_incomplete(struct dumpfile *df);

/* Make bytes read as zeros again, as if they had never been written. */
NODISCARD int dumpfile_clear(struct dumpfile *df, uint64_t off, uint64_t size_bytes,
			     struct error *err);

/* Make the file `size_bytes` long. */
NODISCARD int dumpfile_truncate(struct dumpfile *df, uint64_t size_bytes, struct error *err);

/* Wait until all written bytes are on stable storage. Once it has failed, it always fails, and so
 * does dumpfile_publish(). */
NODISCARD int dumpfile_sync(struct dumpfile *df, struct error *err);

/*
 * Close. A file that wasn't published stays as PATH.part; where nothing was ever written to it, it
 * is removed. NULL is fine.
 */
void dumpfile_free(struct dumpfile *df);
DEFINE_AUTO(struct dumpfile, dumpfile_free)

/* Write at a file offset; off + size_bytes < 2^63 was checked by the caller. The error names the
 * file. After a failure the bytes read as zeros, if the disk allows it, so that no part of them
 * stays. */
NODISCARD int dumpfile_write(struct dumpfile *df, uint64_t off, const void *bytes,
			     size_t size_bytes, struct error *err);

/* Read back written bytes, without our incomplete bit: exactly size_bytes, zeros beyond the end. */
NODISCARD int dumpfile_read(struct dumpfile *df, uint64_t off, void *bytes, size_t size_bytes,
			    struct error *err);

/*
 * The first piece of [off, end) that may be other than zeros: 1 and [*begin_ret, *end_ret), or 0
 * where there is none. Holes are passed over in no time, however long they are.
 */
NODISCARD int dumpfile_next_data(struct dumpfile *df, uint64_t off, uint64_t end,
				 uint64_t *begin_ret, uint64_t *end_ret, struct error *err);

/* Bytes from 0 to the end of the last written byte. */
uint64_t dumpfile_size(const struct dumpfile *df);

/* How much its file system has room for; INT64_MAX where that can't be told. */
uint64_t dumpfile_free_bytes(const struct dumpfile *df);

/* "PATH.part"; borrowed until dumpfile_free(). */
const char *dumpfile_part_path(const struct dumpfile *df);

/* The name that the file has now: PATH.part, or PATH. Borrowed until dumpfile_free(). */
const char *dumpfile_where(const struct dumpfile *df);

/* Wait until the name of PATH.part is on stable storage, as far as the file system can promise. */
NODISCARD int dumpfile_sync_name(const struct dumpfile *df, struct error *err);

/*
 * Give the file its final length, fsync it and its directory, give the header its final status,
 * fsync, rename, fsync the directory. On failure PATH.part stays, and its header says that it is
 * incomplete. The same holds where the disk fails between the last two steps: the rename is undone.
 * If the disk refuses that as well, dumpfile_where() is PATH, and the error says which file is
 * there.
 */
NODISCARD int dumpfile_publish(struct dumpfile *df, struct error *err);

/* Whether a dump that was published is on a file system that can't sync a directory. The caller
 * warns the operator with the text below. */
bool dumpfile_name_is_unsure(const struct dumpfile *df);
#define DUMPFILE_NAME_UNSURE                                                                       \
	"%s: the file system can't sync a directory: a power cut in the next minutes may lose the" \
	" name"

/*
 * For a dump that was cut short: make the file at least `size_bytes` long (a hole), sync it, and
 * leave it as PATH.part. Does nothing after dumpfile_publish().
 */
NODISCARD int dumpfile_keep_part(struct dumpfile *df, uint64_t size_bytes, struct error *err);

#endif
