/*
 * FILE.sums beside a dump file while that is being written: what is summed as it passes is written
 * down when the dump is final, first as FILE.part.sums. Used by dumpfile.h alone; how it goes with
 * a dump stands there and in docs/FORMAT.md, "Sums beside a dump".
 */
#ifndef SUMS_FILE_H
#define SUMS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/sums.h"

struct sums_file;

/*
 * The sums of PATH, which is about to be written. PATH.part.sums goes: it is of a part that isn't
 * there any more. Refused (-EEXIST) where it or PATH.sums isn't a regular file, or, without
 * `force`, is no sums of ours. With SUMS_NONE nothing is summed, but PATH.sums of an earlier PATH
 * still goes when that does. Without memory there are none, which
 * sums_file_failure() tells. `alive` is borrowed. Fails also -ENOMEM, -ENOTSUP.
 */
NODISCARD int sums_file_new(const char *path, enum sums_kind kind, bool force,
			    const struct keepalive *alive, struct sums_file **f_ret,
			    struct error *err);
void sums_file_free(struct sums_file *f);
DEFINE_AUTO(struct sums_file, sums_file_free)

/* Bytes were written where the file had zeros, or nothing. */
void sums_file_add(struct sums_file *f, uint64_t off, const void *bytes, size_t size_bytes);

/* What `fd` has there, below `end`, is about to become something else; or, with what zeros were, is
 * what became of it. Where it can't be read there are no sums. */
void sums_file_turn(struct sums_file *f, int fd, uint64_t off, uint64_t size_bytes, uint64_t end);

/*
 * Write PATH.part.sums, durable but for its name: `fd` is `size_bytes` long and begins with `head`.
 * Fails -EIO where the file has, by its SHA-256's reading, other bytes than were written to it. All
 * other failures are no failures of the dump: they are kept for sums_file_failure().
 */
NODISCARD int sums_file_store(struct sums_file *f, int fd,
			      const uint8_t head[static SUMS_HEAD_BYTES], uint64_t size_bytes,
			      struct error *err);

/* PATH.part is about to become PATH: PATH.sums, which is of an earlier one, goes. */
void sums_file_clear_way(struct sums_file *f);

/* It has become PATH: so do its sums. Or it hasn't, or isn't any more: they go. */
void sums_file_settle(struct sums_file *f);
void sums_file_drop(struct sums_file *f);

/* Why there are no sums though they were asked for; code 0: they are there. */
const struct error *sums_file_failure(const struct sums_file *f);

#endif
