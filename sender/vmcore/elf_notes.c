/* Notes by their place among all notes.
 * Doesn't know what any of them says. */
#include "sender/vmcore/elf_notes.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/io.h"

enum {
	HEADER_BYTES = 12, /* of a note: sizes of name and descriptor, type */
	SEGMENTS_AT_FIRST = 4,
};

void elf_notes_init(struct elf_notes *notes, int fd)
{
	*notes = (struct elf_notes){.fd = fd};
}

void elf_notes_deinit(struct elf_notes *notes)
{
	for (size_t i = 0; i < notes->segment_count; i++)
		free(notes->segments[i].memory);
	free(notes->segments);
	free(notes->held);
	free(notes->changes);
	*notes = (struct elf_notes){.fd = -1};
}

/* Read bytes that a note segment should have in the file. */
static int read_file(int fd, uint64_t off, void *buf, size_t n, struct error *err)
{
	const ssize_t got = io_pread_full(fd, buf, n, off);

	if (got < 0)
		return error_set(err, (int)got,
				 "reading the note segment at offset %" PRIu64 ": %s", off,
				 strerror((int)-got));
	if ((size_t)got < n)
		return error_set(err, -ENODATA,
				 "the note segment at offset %" PRIu64
				 " is cut short: %zd of %zu bytes",
				 off, got, n);
	return 0;
}

/* Check that the file has all of a segment: only its last byte is read. */
static int check_segment(int fd, uint64_t off, uint64_t bytes, struct error *err)
{
	struct stat st;
	uint8_t last;
	uint64_t end;

	/* The system refuses a read that would end past 2^63 - 1 as a bad argument: to us it is
	 * past the end. */
	if (!ckd_add(&end, off, bytes) && end <= INT64_MAX) {
		const ssize_t got = io_pread_full(fd, &last, 1, end - 1);

		if (got == 1)
			return 0;
		if (got < 0)
			return error_set(err, (int)got,
					 "reading the note segment at offset %" PRIu64 ": %s", off,
					 strerror((int)-got));
	}
	if (fstat(fd, &st) < 0)
		return error_sys(err, "stat");
	return error_set(err, -ENODATA,
			 "the note segment at offset %" PRIu64 " is cut short: %" PRIu64
			 " of %" PRIu64 " bytes",
			 off, (uint64_t)st.st_size > off ? (uint64_t)st.st_size - off : 0, bytes);
}

static int make_room(struct elf_notes *notes, struct error *err)
{
	const size_t room = MAX(2 * notes->segment_room, (size_t)SEGMENTS_AT_FIRST);
	struct elf_notes_segment *grown;

	if (notes->segment_count < notes->segment_room)
		return 0;
	grown = reallocarray(notes->segments, room, sizeof(*grown));
	if (!grown)
		return error_set(err, -ENOMEM, "out of memory for %zu note segments", room);
	notes->segments = grown;
	notes->segment_room = room;
	return 0;
}

int elf_notes_add(struct elf_notes *notes, uint64_t off, uint64_t bytes, struct error *err)
{
	int r;

	if (bytes > ELF_NOTES_MAX_BYTES - notes->bytes)
		return error_set(err, -EFBIG,
				 "notes of %" PRIu64 " bytes, at most %d are plausible", bytes,
				 ELF_NOTES_MAX_BYTES);
	if (bytes == 0)
		return 0;
	r = check_segment(notes->fd, off, bytes, err);
	if (r == 0)
		r = make_room(notes, err);
	if (r < 0)
		return r;
	notes->segments[notes->segment_count++] =
		(struct elf_notes_segment){notes->bytes, off, bytes, NULL};
	notes->bytes += bytes;
	return 0;
}

int elf_notes_hold(struct elf_notes *notes, struct error *err)
{
	uint8_t *held;
	int r;

	if (notes->bytes == 0 || notes->bytes > ELF_NOTES_HELD_BYTES)
		return 0;
	held = malloc((size_t)notes->bytes);
	if (!held)
		return error_set(err, -ENOMEM, "out of memory for %" PRIu64 " bytes of notes",
				 notes->bytes);
	r = elf_notes_read(notes, 0, held, (size_t)notes->bytes, err);
	if (r < 0) {
		free(held);
		return r;
	}
	notes->held = held;
	return 0;
}

uint64_t elf_notes_memory(const struct elf_notes *notes)
{
	return notes->held ? notes->bytes : 0;
}

/* The segment that has byte `at`, which is there. */
static const struct elf_notes_segment *find_segment(const struct elf_notes *notes, uint64_t at)
{
	size_t low = 0, high = notes->segment_count;

	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (notes->segments[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return &notes->segments[low];
}

int elf_notes_read(const struct elf_notes *notes, uint64_t at, void *buf, size_t n,
		   struct error *err)
{
	uint8_t *out = buf;

	if (n == 0)
		return 0;
	if (notes->held) {
		memcpy(out, notes->held + at, n);
		return 0;
	}
	for (const struct elf_notes_segment *s = find_segment(notes, at); n; s++) {
		const uint64_t within = at - s->at;
		const size_t piece = (size_t)MIN((uint64_t)n, s->bytes - within);
		int r = 0;

		if (s->memory)
			memcpy(out, s->memory + within, piece);
		else
			r = read_file(notes->fd, s->off + within, out, piece, err);
		if (r < 0)
			return r;
		elf_notes_lay_changes(notes, at, out, piece);
		at += piece;
		out += piece;
		n -= piece;
	}
	return 0;
}

int elf_notes_each(const struct elf_notes *notes, uint8_t *buf, size_t buf_bytes, elf_notes_fn *fn,
		   void *ctx, struct error *err)
{
	int r = 0;

	if (notes->held)
		return fn(ctx, 0, notes->held, (size_t)notes->bytes, err);
	for (uint64_t at = 0; at < notes->bytes && r == 0; at += buf_bytes) {
		const size_t n = (size_t)MIN(notes->bytes - at, (uint64_t)buf_bytes);

		r = elf_notes_read(notes, at, buf, n, err);
		if (r == 0)
			r = fn(ctx, at, buf, n, err);
	}
	return r;
}

/* --- walking --- */

int elf_note_is(const struct elf_note *note, const char *name)
{
	const size_t len = strlen(name);

	return note->name_bytes >= len && note->name_bytes <= len + 1 && len < ELF_NOTE_NAME_ROOM &&
	       memcmp(note->name, name, len) == 0;
}

void elf_note_walk_init(struct elf_note_walk *walk, const struct elf_notes *notes)
{
	walk->notes = notes;
	walk->at = walk->buf_at = walk->buf_bytes = 0;
}

/* Bytes [at, at + n) of the notes, n a few; they are there. */
static int look(struct elf_note_walk *w, uint64_t at, size_t n, const uint8_t **bytes_ret,
		struct error *err)
{
	if (at < w->buf_at || at + n > w->buf_at + w->buf_bytes) {
		const size_t there = (size_t)MIN(w->notes->bytes - at, (uint64_t)sizeof(w->buf));
		const int r = elf_notes_read(w->notes, at, w->buf, there, err);

		w->buf_bytes = r < 0 ? 0 : there;
		w->buf_at = at;
		if (r < 0)
			return r;
	}
	*bytes_ret = w->buf + (at - w->buf_at);
	return 0;
}

int elf_note_walk_next(struct elf_note_walk *w, struct elf_note *note_ret, struct error *err)
{
	const uint64_t left = w->notes->bytes - w->at;
	struct elf_note note = {0};
	const uint8_t *bytes;
	uint64_t desc, end; /* from the note's beginning */
	int r;

	if (left < HEADER_BYTES)
		return 0;
	r = look(w, w->at, HEADER_BYTES, &bytes, err);
	if (r < 0)
		return r;
	note.name_bytes = le32_get(bytes);
	note.desc_bytes = le32_get(bytes + 4);
	note.type = le32_get(bytes + 8);
	/* Name and descriptor are padded to four bytes; the last descriptor's padding may be
	 * missing.
	 */
	desc = HEADER_BYTES + div_round_up((uint64_t)note.name_bytes, 4) * 4;
	end = desc + note.desc_bytes;
	if (end > left)
		return 0;
	r = look(w, w->at + HEADER_BYTES, MIN(note.name_bytes, sizeof(note.name) - 1), &bytes, err);
	if (r < 0)
		return r;
	memcpy(note.name, bytes, MIN(note.name_bytes, sizeof(note.name) - 1));
	note.desc_at = w->at + desc;
	w->at += end + MIN(-end & 3, left - end);
	*note_ret = note;
	return 1;
}
