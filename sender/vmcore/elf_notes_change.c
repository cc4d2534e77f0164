/* Notes that are different in the dump than in the core.
 * Doesn't know why. */
#include "sender/vmcore/elf_notes.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"

enum { HEADER_BYTES = 12 };

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

void elf_notes_lay_changes(const struct elf_notes *notes, uint64_t at, uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < notes->change_count; i++) {
		const struct elf_notes_change *c = &notes->changes[i];
		const uint64_t first = MAX(at, c->at), end = MIN(at + n, c->at + c->size);

		if (first < end)
			memcpy(bytes + (first - at), c->bytes + (first - c->at),
			       (size_t)(end - first));
	}
}

int elf_note_rename(struct elf_notes *notes, const struct elf_note *note, const char *name,
		    struct error *err)
{
	const size_t n = strlen(name);
	const uint64_t at = note->desc_at - padded(note->name_bytes);
	struct elf_notes_change *grown;

	if (notes->held) {
		memcpy(notes->held + at, name, n);
		return 0;
	}
	grown = reallocarray(notes->changes, notes->change_count + 1, sizeof(*grown));
	if (!grown)
		return error_set(err, -ENOMEM, "out of memory for notes");
	notes->changes = grown;
	grown[notes->change_count] = (struct elf_notes_change){.at = at, .size = n};
	memcpy(grown[notes->change_count++].bytes, name, n);
	return 0;
}

/* Put a note, behind the missing padding of the note before it. */
static void put_note(uint8_t *p, size_t pad, const char *name, size_t name_bytes, uint32_t type,
		     const void *desc, size_t desc_bytes)
{
	p += pad;
	le32_put(p, (uint32_t)name_bytes);
	le32_put(p + 4, (uint32_t)desc_bytes);
	le32_put(p + 8, type);
	memcpy(p + HEADER_BYTES, name, name_bytes);
	memcpy(p + HEADER_BYTES + padded(name_bytes), desc, desc_bytes);
}

/* Room for `more` bytes in memory behind the notes: for a segment, and behind those that are held.
 */
static uint8_t *make_room(struct elf_notes *notes, size_t more)
{
	struct elf_notes_segment *grown =
		reallocarray(notes->segments, notes->segment_count + 1, sizeof(*grown));
	uint8_t *held = notes->held ? realloc(notes->held, (size_t)notes->bytes + more) : NULL;
	uint8_t *memory = calloc(1, more);

	if (grown) {
		notes->segments = grown;
		notes->segment_room = MAX(notes->segment_room, notes->segment_count + 1);
	}
	if (held)
		notes->held = held;
	if (!grown || !memory || (notes->held && !held)) {
		free(memory);
		return NULL;
	}
	grown[notes->segment_count++] =
		(struct elf_notes_segment){.at = notes->bytes, .bytes = more, .memory = memory};
	return memory;
}

/*
 * Bytes behind the last note that no walk reaches: padding that is no whole header, or a note that
 * claims more than there is. What is appended behind them isn't reached either, so they go.
 */
static int drop_tail(struct elf_notes *notes, struct error *err)
{
	struct elf_note_walk walk;
	struct elf_note note;
	int r;

	elf_note_walk_init(&walk, notes);
	while ((r = elf_note_walk_next(&walk, &note, err)) > 0)
		;
	if (r < 0)
		return r;
	notes->bytes = walk.at;
	while (notes->segment_count && notes->segments[notes->segment_count - 1].at >= walk.at)
		free(notes->segments[--notes->segment_count].memory);
	if (notes->segment_count) {
		struct elf_notes_segment *last = &notes->segments[notes->segment_count - 1];

		last->bytes = walk.at - last->at;
	}
	return 0;
}

int elf_notes_append(struct elf_notes *notes, const char *name, uint32_t type, const void *desc,
		     size_t desc_bytes, uint64_t *desc_at_ret, struct error *err)
{
	/* A name without a NUL if it needs no padding: crash expects the descriptor right behind
	 * the bytes that the name's size counts. */
	const size_t name_bytes = strlen(name) + (strlen(name) % 4 != 0);
	const int r = drop_tail(notes, err);
	size_t pad, desc_off, n;
	uint8_t *note;

	if (r < 0)
		return r;
	pad = padded((size_t)notes->bytes) - (size_t)notes->bytes;
	desc_off = pad + HEADER_BYTES + padded(name_bytes);
	n = desc_off + padded(desc_bytes);
	note = make_room(notes, n);
	if (!note)
		return error_set(err, -ENOMEM, "out of memory for notes");
	put_note(note, pad, name, name_bytes, type, desc, desc_bytes);
	if (notes->held)
		memcpy(notes->held + notes->bytes, note, n);
	*desc_at_ret = notes->bytes + desc_off;
	notes->bytes += n;
	return 0;
}
