/*
 * The notes of an ELF core: registers of the CPUs, VMCOREINFO, dumps that drivers make of their
 * devices. The last are megabytes each, so only small notes are held in memory: larger ones are
 * read from the file again, in pieces, each time they are needed.
 *
 * After the notes are made, any thread may call the functions, as long as each has a walk of its
 * own.
 */
#ifndef ELF_NOTES_H
#define ELF_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	/* More than any driver is known to make. */
	ELF_NOTES_MAX_BYTES = 256 << 20,

	/* Notes up to this size are held in memory. Those of /proc/kcore are: they are different at
	 * each read. */
	ELF_NOTES_HELD_BYTES = 256 << 10,

	ELF_NOTE_NAME_ROOM = 16, /* no note that we know has a longer name */

	ELF_NT_PRSTATUS = 1,
	ELF_NT_VMCOREINFO = 0,
	ELF_NT_TASKSTRUCT = 4,
};

/* The name of the ELF_NT_TASKSTRUCT note which says that the kernel was running. Source: crash
 * diskdump.c, extensions/snap.c. */
#define ELF_NOTE_LIVE "SNAP"

/* Bytes [at, at + bytes) of the notes are at `off` of the file, or in memory. */
struct elf_notes_segment {
	uint64_t at, off, bytes;
	uint8_t *memory; /* NULL: they are in the file */
};

/* Bytes of the notes that differ from those of the file. */
struct elf_notes_change {
	uint64_t at;
	char bytes[ELF_NOTE_NAME_ROOM];
	size_t size;
};

struct elf_notes {
	int fd; /* borrowed */
	struct elf_notes_segment *segments;
	size_t segment_count, segment_room;
	uint64_t bytes; /* the contents of all PT_NOTEs, one behind the other */
	uint8_t *held;	/* all of the notes; NULL: they are more than ELF_NOTES_HELD_BYTES */

	/* Changes of notes that aren't held. */
	struct elf_notes_change *changes;
	size_t change_count;
};

/* Begin without notes. The caller calls elf_notes_deinit() in any case. */
void elf_notes_init(struct elf_notes *notes, int fd);
void elf_notes_deinit(struct elf_notes *notes);

/*
 * Append the PT_NOTE of `bytes` at `off`. Fails -EFBIG (more than ELF_NOTES_MAX_BYTES in all),
 * -ENODATA (the file ends before it does), or with the read's own error.
 */
NODISCARD int elf_notes_add(struct elf_notes *notes, uint64_t off, uint64_t bytes,
			    struct error *err);

/* To be called when all notes were added: hold them in memory, if they are small. Fails -ENOMEM, or
 * as elf_notes_read(). */
NODISCARD int elf_notes_hold(struct elf_notes *notes, struct error *err);

/* The memory that the notes take. */
uint64_t elf_notes_memory(const struct elf_notes *notes);

/* Copy n bytes from `at` on. The notes have these bytes. Fails -ENODATA, or with the read's own
 * error. */
NODISCARD int elf_notes_read(const struct elf_notes *notes, uint64_t at, void *buf, size_t n,
			     struct error *err);

/*
 * Give all notes to fn() in order, in pieces that are borrowed for the call. Notes that aren't held
 * are read into `buf`, which is full each time but the last. Fails with the error of fn(), or as
 * elf_notes_read().
 */
typedef int elf_notes_fn(void *ctx, uint64_t at, const uint8_t *bytes, size_t n, struct error *err);
NODISCARD int elf_notes_each(const struct elf_notes *notes, uint8_t *buf, size_t buf_bytes,
			     elf_notes_fn *fn, void *ctx, struct error *err);

/* One note. */
struct elf_note {
	uint32_t type;
	char name[ELF_NOTE_NAME_ROOM]; /* with NULs behind it; cut if it is longer */
	size_t name_bytes;	       /* counts its NUL if it has one */
	uint64_t desc_at;	       /* for elf_notes_read() */
	uint32_t desc_bytes;
};

/* Whether the note is called `name`. */
int elf_note_is(const struct elf_note *note, const char *name);

/*
 * Rename a note: `name` is as long as its old name. Only before other threads have the notes, and
 * not during a walk. Fails -ENOMEM.
 */
NODISCARD int elf_note_rename(struct elf_notes *notes, const struct elf_note *note,
			      const char *name, struct error *err);

/*
 * Append a note that the file doesn't have, behind all others, in place of bytes there that aren't
 * a note: *desc_at_ret is the place of its descriptor. Only before other threads have the notes.
 * Fails -ENOMEM, or as elf_notes_read().
 */
NODISCARD int elf_notes_append(struct elf_notes *notes, const char *name, uint32_t type,
			       const void *desc, size_t desc_bytes, uint64_t *desc_at_ret,
			       struct error *err);

/* For elf_notes_read(): lay the changes of the two functions above over n bytes from `at` on. */
void elf_notes_lay_changes(const struct elf_notes *notes, uint64_t at, uint8_t *bytes, size_t n);

/* A walk over the notes. */
struct elf_note_walk {
	const struct elf_notes *notes;
	uint64_t at; /* of the next note */
	uint64_t buf_at;
	size_t buf_bytes;
	uint8_t buf[4096];
};

void elf_note_walk_init(struct elf_note_walk *walk, const struct elf_notes *notes);

/*
 * The next note: 1, or 0 at the end. A malformed note ends the walk too: readers of the dump see
 * the same bytes, and the notes before it count. Fails as elf_notes_read().
 */
NODISCARD int elf_note_walk_next(struct elf_note_walk *walk, struct elf_note *note_ret,
				 struct error *err);

#endif
