/*
 * FILE.sums beside a dump file that is being written: bytes are summed as they pass, and the sums
 * are written when the dump is final, first as FILE.part.sums. Only dumpfile.c uses it; dumpfile.h
 * and docs/FORMAT.md, "Sums beside a dump", say how they go together.
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
 * The sums of PATH below the directory `dir_fd` (as openat() takes it; borrowed), which is about to
 * be written. PATH.part.sums is removed: its part isn't there any more. Refused (-EEXIST) where it
 * or PATH.sums isn't a regular file, or, without `force`, isn't a file of sums. With SUMS_NONE
 * nothing is summed, but PATH.sums of an earlier PATH is still removed when that PATH is replaced.
 * Where memory is short there are no sums, and sums_file_failure() says so. `alive` is borrowed.
 * Fails also -ENOMEM, -ENOTSUP.
 */
NODISCARD int sums_file_new(int dir_fd, const char *path, enum sums_kind kind, bool force,
			    const struct keepalive *alive, struct sums_file **f_ret,
			    struct error *err);
void sums_file_free(struct sums_file *f);
DEFINE_AUTO(struct sums_file, sums_file_free)

/* Bytes were written where the file had zeros, or nothing. */
void sums_file_add(struct sums_file *f, uint64_t off, const void *bytes, size_t size_bytes);

/* The bytes of `fd` at `off`, as far as `end`, are taken out of the sums, before they are replaced;
 * or put in, where they have just replaced zeros. Where they can't be read there are no sums. */
void sums_file_turn(struct sums_file *f, int fd, uint64_t off, uint64_t size_bytes, uint64_t end);

/*
 * Write PATH.part.sums, durable but for its name: `fd` is `size_bytes` long and begins with `head`.
 * Fails -EIO where reading the file for its SHA-256 finds other bytes than were written to it. No
 * other failure fails the dump: it is kept for sums_file_failure().
 */
NODISCARD int sums_file_store(struct sums_file *f, int fd,
			      const uint8_t head[static SUMS_HEAD_BYTES], uint64_t size_bytes,
			      struct error *err);

/* PATH.part is about to become PATH: remove PATH.sums, which is of an earlier PATH. */
void sums_file_clear_way(struct sums_file *f);

/* After the rename: sums_file_settle() renames PATH.part.sums to PATH.sums. sums_file_drop()
 * removes the sums of a dump that didn't become PATH, or no longer is. */
void sums_file_settle(struct sums_file *f);
void sums_file_drop(struct sums_file *f);

/* Why there are no sums though they were asked for; code 0: they are there. */
const struct error *sums_file_failure(const struct sums_file *f);

#endif
