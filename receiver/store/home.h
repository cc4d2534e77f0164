/*
 * Where a session's dump lives: the dump or its part, the journal, meta.json and attachments, by
 * whatever names. A home is asked in this order:
 *
 *   home_check()                                a probe, and nothing after it
 *   home_find(), then home_settle()             once what a dump begins with is durable
 *   home_attach(), home_write_meta(), …         while the dump comes
 *   home_settle_published()                     after the dump got its final name
 *   home_clear() or home_forget(), home_free()  files and journal are closed before the last
 *
 * There are two: a directory below a collector's (home_dir.c), and the one FILE of a pipe
 * (home_file.c). Another home is a file that fills in struct home_ops, and a row in home_new(). The
 * dump itself is published by dumpfile_publish(), whatever the home.
 */
#ifndef HOME_H
#define HOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/keepalive.h"
#include "format/segment.h"
#include "wire/message.h"

struct dumpfile;
struct home;
struct journal;
struct meta;

enum { HOME_PATH_ROOM = 4096 };

struct home_setup {
	const char *dir;	/* NULL: a file */
	const char *file;	/* NULL: a directory */
	bool force;		/* replace what is there of another dump */
	struct keepalive alive; /* called while something takes long */
};

/* Opens and makes nothing. Strings are borrowed. Fails -ENOMEM. */
NODISCARD int home_new(const struct home_setup *setup, struct home **h_ret, struct error *err);

/* Removes a place that was made and that nothing has come to. NULL is fine. */
void home_free(struct home *h);
DEFINE_AUTO(struct home, home_free)

/* Whether a dump of `host` would be taken, as far as that can be said without one. */
NODISCARD int home_check(struct home *h, const char *host, struct error *err);

/*
 * Find what an earlier session has left of the dump: 1; or make room for a new one: 0. `host` is a
 * name that the store has made, or that was proved. Fails -EBUSY, -EACCES, -EDQUOT, or with what
 * keepalive() or the system says.
 */
NODISCARD int home_find(struct home *h, const char *host,
			const uint8_t dump_id[static DIGEST_BYTES], struct error *err);

/* To be called when the first files of a new dump are durable: its directory then gets its name. */
NODISCARD int home_settle(struct home *h, struct error *err);

/* The name of the dump's directory in that of its host: false where it has none of its own. */
bool home_name(const struct home *h, char *name_ret, size_t room);

/* How much more there is room for; INT64_MAX where that can't be told. */
uint64_t home_free_bytes(const struct home *h);

/* The name by which the operator knows the dump; and the name of its part: false if there is no
 * part. */
void home_path(const struct home *h, char out[static HOME_PATH_ROOM]);
bool home_part_path(const struct home *h, char out[static HOME_PATH_ROOM]);

/* --- the dump ------------------------------------------------------------------------------- */

/* Open the part: of a new dump; of a dump that is begun anew in place of an earlier try; of a dump
 * that a session goes on with. As dumpfile_create() and dumpfile_resume(); the caller's to free. */
NODISCARD int home_create(struct home *h, struct dumpfile **df_ret, struct error *err);
NODISCARD int home_create_over(struct home *h, struct dumpfile **df_ret, struct error *err);
NODISCARD int home_resume(struct home *h, struct dumpfile **df_ret, struct error *err);

/* Whether the dump has its final name. */
bool home_has_dump(const struct home *h);

/* The dump was published: its sidecars get their final names, too, durably. After a failure the
 * others are still renamed, and the first failure is returned. */
NODISCARD int home_settle_published(struct home *h, struct error *err);

/* Make the names durable of the dump and of what tells of it. */
NODISCARD int home_sync(const struct home *h, struct error *err);

/* --- what tells of it ----------------------------------------------------------------------- */

/* As journal_create() and journal_take_over(). */
NODISCARD int home_create_journal(struct home *h, const struct frame *hello, struct journal **j_ret,
				  struct error *err);
NODISCARD int home_take_over(struct home *h, struct journal **j_ret, struct error *err);

/* As meta_write(), meta_progress(), meta_take_log() and meta_complete(). */
NODISCARD int home_write_meta(struct home *h, const struct meta *meta, struct error *err);
void home_note_progress(struct home *h, struct meta *meta, struct dumpfile *df,
			uint64_t received_bytes);
void home_take_log(struct home *h, struct meta *meta, const struct attach *a);
void home_complete_meta(struct home *h, const struct end *end);

/*
 * Begin the attachment `a`, of a dump that `has_pages` or hasn't yet; ATTACH_COUNT_MAX times at the
 * most. Refused where it would replace a file of another dump (-EEXIST), where there are too many
 * (-EFBIG), or where attachments of dumps without a page take too much (-EDQUOT).
 */
NODISCARD int home_attach(struct home *h, const struct attach *a, bool has_pages,
			  struct dumpfile **df_ret, struct error *err);

/* --- endings -------------------------------------------------------------------------------- */

/* The journal goes: nobody will go on with the dump. */
void home_forget(struct home *h);

/*
 * No byte of the dump has come in this session: its sidecars are removed, unless an earlier session
 * left more. `untouched`: no earlier session has left anything of it, either, and none waits for
 * it. Returns whether nothing is left.
 */
bool home_clear(struct home *h, bool untouched);

#endif
