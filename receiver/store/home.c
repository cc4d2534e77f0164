/* What homes have in common: their files are below a directory, by names that the home knows.
 * Doesn't know which names, nor where the directory is. */
#include "receiver/store/home.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dirsync.h"
#include "base/io.h"
#include "format/dumpfile.h"
#include "receiver/store/home_ops.h"
#include "receiver/store/journal.h"
#include "receiver/store/meta.h"

int home_new(const struct home_setup *setup, struct home **h_ret, struct error *err)
{
	return setup->dir ? home_dir_new(setup, h_ret, err) : home_file_new(setup, h_ret, err);
}

void home_free(struct home *h)
{
	if (h)
		h->ops->free(h);
}

int home_check(struct home *h, const char *host, struct error *err)
{
	return h->ops->check(h, host, err);
}

int home_find(struct home *h, const char *host, const uint8_t dump_id[static DIGEST_BYTES],
	      struct error *err)
{
	return h->ops->find(h, host, dump_id, err);
}

int home_settle(struct home *h, struct error *err)
{
	return h->ops->settle(h, err);
}

bool home_name(const struct home *h, char *name_ret, size_t room)
{
	const size_t len = strlen(h->where);
	size_t begin = len ? len - 1 : 0;

	if (!h->setup.dir || len < 2)
		return false;
	while (begin && h->where[begin - 1] != '/')
		begin--;
	snprintf(name_ret, room, "%.*s", (int)(len - 1 - begin), h->where + begin);
	return true;
}

uint64_t home_free_bytes(const struct home *h)
{
	return h->ops->free_bytes(h);
}

void home_path(const struct home *h, char out[static HOME_PATH_ROOM])
{
	snprintf(out, HOME_PATH_ROOM, "%s%s", h->where, h->dump);
}

bool home_part_path(const struct home *h, char out[static HOME_PATH_ROOM])
{
	char path[HOME_PATH_ROOM];

	snprintf(path, sizeof(path), "%s.part", h->dump);
	if (!io_exists_at(h->dir_fd, path))
		return false;
	snprintf(out, HOME_PATH_ROOM, "%s%s.part", h->where, h->dump);
	return true;
}

/* --- the dump ------------------------------------------------------------------------------- */

int home_create(struct home *h, struct dumpfile **df_ret, struct error *err)
{
	return h->ops->create(h, df_ret, err);
}

int home_create_over(struct home *h, struct dumpfile **df_ret, struct error *err)
{
	return dumpfile_create_at(h->dir_fd, h->dump, DUMPFILE_REPLACE_ALL, df_ret, err);
}

int home_resume(struct home *h, struct dumpfile **df_ret, struct error *err)
{
	return dumpfile_resume_at(h->dir_fd, h->dump, df_ret, err);
}

bool home_has_dump(const struct home *h)
{
	return io_exists_at(h->dir_fd, h->dump);
}

int home_settle_published(struct home *h, struct error *err)
{
	return h->ops->publish(h, err);
}

int home_sync(const struct home *h, struct error *err)
{
	const int r = dirsync_parent_at(h->dir_fd, h->dump, -1);

	return r < 0 ? error_set(err, r, "%s: its directory can't be synced: %s", h->dump,
				 strerror(-r))
		     : 0;
}

/* --- what tells of it ----------------------------------------------------------------------- */

int home_create_journal(struct home *h, const struct frame *hello, struct journal **j_ret,
			struct error *err)
{
	return journal_create(h->dir_fd, h->journal, hello, j_ret, err);
}

int home_take_over(struct home *h, struct journal **j_ret, struct error *err)
{
	return journal_take_over(h->dir_fd, h->journal, &h->setup.alive, j_ret, err);
}

int home_write_meta(struct home *h, const struct meta *meta, struct error *err)
{
	return meta_write(h->dir_fd, h->meta, meta, err);
}

void home_note_progress(struct home *h, struct meta *meta, struct dumpfile *df,
			uint64_t received_bytes)
{
	meta_progress(meta, h->dir_fd, h->meta, df, received_bytes);
}

void home_take_log(struct home *h, struct meta *meta, const struct attach *a)
{
	if (strcmp(home_bare_name(a->name), "dmesg.txt") == 0)
		meta_take_log(meta, h->dump, a);
}

void home_complete_meta(struct home *h, const struct end *end)
{
	struct error unused;
	struct stat st;

	if (fstatat(h->dir_fd, h->dump, &st, 0) == 0)
		(void)!meta_complete(h->dir_fd, h->meta, end, st.st_mtime, (uint64_t)st.st_size,
				     &unused);
}

const char *home_bare_name(const char *name)
{
	static const char prefix[] = "vmcore-";

	return strncmp(name, prefix, strlen(prefix)) == 0 ? name + strlen(prefix) : name;
}

int home_attach(struct home *h, const struct attach *a, bool has_pages, struct dumpfile **df_ret,
		struct error *err)
{
	return h->ops->attach(h, a, has_pages, df_ret, err);
}

/* --- endings -------------------------------------------------------------------------------- */

void home_forget(struct home *h)
{
	unlinkat(h->dir_fd, h->journal, 0);
}

bool home_clear(struct home *h, bool untouched)
{
	return h->ops->clear(h, untouched);
}
