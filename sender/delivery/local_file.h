/*
 * A dump that lies in a file of this machine: its name, what is made beside it, and how it ends.
 * Tells the operator what the file lacks.
 */
#ifndef LOCAL_FILE_H
#define LOCAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct destination_setup;
struct dumpfile;
struct hello;
struct url;

/* Where the dump of file: is to lie: in a directory, a name of its own for each crash. The caller's
 * to free(). NULL: no memory. */
char *local_file_path(const struct url *url, const struct hello *hello);

/* Make the dump file of file:, which is empty, and the kernel log beside it. Both results are the
 * caller's. */
NODISCARD int local_file_open(const struct url *url, const struct destination_setup *setup,
			      char **path_ret, struct dumpfile **df_ret, struct error *err);

/* dumpfile_publish(), and the operator hears what `path` lacks where it is complete all the same:
 * its sums, or a name that is certain to stay. */
NODISCARD int local_file_publish(struct dumpfile *df, const char *path, struct error *err);

/*
 * Keep a dump file whose dump failed on the way: the part stays where it is, at least `table_end`
 * bytes long (dumpfile_keep_part()), and the operator is told its name. False where nothing was
 * written. `df` may be NULL.
 */
bool local_file_keep(struct dumpfile *df, uint64_t table_end);

#endif
