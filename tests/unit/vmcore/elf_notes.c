/* sender/vmcore/elf_notes.h: notes small and large, whole and torn. */
#include "tests/lib/unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "sender/vmcore/elf_notes.h"
#include "tests/lib/corefile.h"

/* Notes of `bytes`, from a file in which other bytes lie before and behind each segment. */
struct opened {
	struct elf_notes notes;
	int fd;
};

enum { BEFORE = 77 };

static void open_notes(struct opened *o, const uint8_t *bytes, size_t n)
{
	AUTO_FREE uint8_t *file = calloc(1, BEFORE + n + 1);
	struct error err;
	char path[32];

	assert_non_null(file);
	memcpy(file + BEFORE, bytes, n);
	o->fd = core_file(file, BEFORE + n, path);
	elf_notes_init(&o->notes, o->fd);
	assert_int_equal(elf_notes_add(&o->notes, BEFORE, n, &err), 0);
	assert_int_equal(elf_notes_hold(&o->notes, &err), 0);
}

static void close_notes(struct opened *o)
{
	elf_notes_deinit(&o->notes);
	close(o->fd);
}

static int next(struct elf_note_walk *walk, struct elf_note *note)
{
	struct error err;

	return elf_note_walk_next(walk, note, &err);
}

static void check_desc(const struct opened *o, const struct elf_note *note, const void *want,
		       size_t n)
{
	uint8_t got[64];
	struct error err;

	assert_int_equal(note->desc_bytes, n);
	assert_int_equal(elf_notes_read(&o->notes, note->desc_at, got, n, &err), 0);
	assert_memory_equal(got, want, n);
}

static void test_walk(void **state UNUSED)
{
	struct core_plan plan = {0};
	struct elf_note_walk walk;
	struct opened o;
	struct elf_note note;

	core_add_note(&plan, "CORE", 1, "abc", 3);
	core_add_note(&plan, "VMCOREINFO", 0, "", 0);
	core_add_note(&plan, "", 7, "12345678", 8);
	core_add_note(&plan, "a name of twenty-six bytes", 8, "x", 1);
	open_notes(&o, plan.notes, plan.notes_bytes);
	elf_note_walk_init(&walk, &o.notes);
	assert_int_equal(next(&walk, &note), 1);
	assert_true(elf_note_is(&note, "CORE"));
	assert_false(elf_note_is(&note, "COR"));
	assert_false(elf_note_is(&note, "CORES"));
	assert_int_equal(note.type, 1);
	check_desc(&o, &note, "abc", 3);
	assert_int_equal(next(&walk, &note), 1);
	assert_true(elf_note_is(&note, "VMCOREINFO"));
	check_desc(&o, &note, "", 0);
	assert_int_equal(next(&walk, &note), 1);
	assert_true(elf_note_is(&note, ""));
	check_desc(&o, &note, "12345678", 8);
	assert_int_equal(next(&walk, &note), 1);
	assert_false(elf_note_is(&note, "a name of twent"));
	assert_false(
		elf_note_is(&note, "a name of twenty-six bytes")); /* none that is looked for */
	check_desc(&o, &note, "x", 1);
	assert_int_equal(next(&walk, &note), 0);
	assert_int_equal(walk.at, plan.notes_bytes);
	close_notes(&o);
}

static void test_name_without_nul(void **state UNUSED)
{
	static const uint8_t notes[] = "\4\0\0\0\4\0\0\0\1\0\0\0CORE1234";
	struct elf_note_walk walk;
	struct opened o;
	struct elf_note note;

	open_notes(&o, notes, sizeof(notes) - 1);
	elf_note_walk_init(&walk, &o.notes);
	assert_int_equal(next(&walk, &note), 1);
	assert_true(elf_note_is(&note, "CORE"));
	assert_false(elf_note_is(&note, "COREX"));
	check_desc(&o, &note, "1234", 4);
	close_notes(&o);
}

static void test_torn(void **state UNUSED)
{
	struct core_plan plan = {0};
	size_t first;

	core_add_note(&plan, "CORE", 1, "abcde", 5);
	first = plan.notes_bytes;
	core_add_vmcoreinfo(&plan, "X=1\nYY=22\n");
	for (size_t n = 0; n <= plan.notes_bytes; n++) {
		/* A description may lack its padding. */
		const size_t want = (n >= first - 3) + (n >= plan.notes_bytes - 2);
		struct elf_note_walk walk;
		struct opened o;
		struct elf_note note;
		size_t found = 0;

		open_notes(&o, plan.notes, n);
		elf_note_walk_init(&walk, &o.notes);
		while (next(&walk, &note)) {
			assert_true(note.desc_at + note.desc_bytes <= n);
			found++;
		}
		assert_true(walk.at <= n);
		assert_int_equal(found, want);
		close_notes(&o);
	}
}

struct bad_note {
	const char *name;
	uint32_t name_bytes, desc_bytes;
};

/* clang-format off */
static const struct bad_note bad_notes[] = {
	{"elf_note_walk_next: ends at a name of 2^32 - 1 bytes", UINT32_MAX, 4},
	{"elf_note_walk_next: ends at a description of 2^32 - 1 bytes", 5, UINT32_MAX},
	{"elf_note_walk_next: ends at both", UINT32_MAX, UINT32_MAX},
	{"elf_note_walk_next: ends at a name that is a byte too long", 25, 0},
	{"elf_note_walk_next: ends at a description that is a byte too long", 5, 17},
	{"elf_note_walk_next: ends at padding that isn't there", 22, 0},
};
/* clang-format on */

static void test_bad_note(void **state)
{
	const struct bad_note *row = *state;
	uint8_t notes[12 + 22] = {0};
	struct elf_note_walk walk;
	struct opened o;
	struct elf_note note;

	le32_put(notes, row->name_bytes);
	le32_put(notes + 4, row->desc_bytes);
	open_notes(&o, notes, sizeof(notes));
	elf_note_walk_init(&walk, &o.notes);
	assert_int_equal(next(&walk, &note), 0);
	assert_int_equal(walk.at, 0);
	close_notes(&o);
}

/* Behind none, few, and many: what is found is what there was, and then ours. */
static void test_append(void **state UNUSED)
{
	struct core_plan plan = {0};
	struct error err;

	core_add_note(&plan, "CORE", 1, "abcd", 4);
	for (size_t n = 0; n <= plan.notes_bytes; n += plan.notes_bytes) {
		struct elf_note_walk walk;
		struct elf_note note;
		struct opened o;
		uint64_t at;

		open_notes(&o, plan.notes, n);
		assert_int_equal(elf_notes_append(&o.notes, "SNAP", 4, "12345678", 8, &at, &err),
				 0);
		assert_int_equal(at, n + 12 + 4);
		assert_int_equal(o.notes.bytes, n + 12 + 4 + 8);
		elf_note_walk_init(&walk, &o.notes);
		if (n)
			assert_int_equal(next(&walk, &note), 1);
		assert_int_equal(next(&walk, &note), 1);
		assert_true(elf_note_is(&note, "SNAP"));
		assert_int_equal(note.type, 4);
		assert_int_equal(note.name_bytes, 4); /* crash finds the descriptor by that */
		check_desc(&o, &note, "12345678", 8);
		assert_int_equal(next(&walk, &note), 0);
		close_notes(&o);
	}
}

/* --- large ones --- */

enum { DUMP_BYTES = 3 << 20, SEGMENTS = 5 };

/* CORE, a device dump, CORE: cut into segments that lie in the file with gaps, the last one first.
 */
struct large {
	uint8_t *bytes;
	size_t size;
	struct opened o;
};

static void put_note(uint8_t *at, uint32_t type, uint32_t desc_bytes)
{
	le32_put(at, 5);
	le32_put(at + 4, desc_bytes);
	le32_put(at + 8, type);
	memcpy(at + 12, "CORE\0\0\0", 8);
}

static void open_large(struct large *l)
{
	AUTO_FREE uint8_t *file = NULL;
	size_t at[SEGMENTS + 1];
	struct error err;
	char path[32];

	l->size = 24 + 20 + DUMP_BYTES + 24;
	l->bytes = calloc(1, l->size);
	file = calloc(2, l->size);
	assert_non_null(l->bytes);
	assert_non_null(file);
	for (size_t i = 0; i < l->size; i++)
		l->bytes[i] = (uint8_t)(i * 31 + i / 1000);
	put_note(l->bytes, 1, 4);
	put_note(l->bytes + 24, 0x700, DUMP_BYTES);
	put_note(l->bytes + 44 + DUMP_BYTES, 1, 4);
	for (size_t i = 0; i <= SEGMENTS; i++)
		at[i] = i * l->size / SEGMENTS;
	for (size_t i = 0; i < SEGMENTS; i++)
		memcpy(file + 2 * (l->size - at[i + 1]), l->bytes + at[i], at[i + 1] - at[i]);
	l->o.fd = core_file(file, 2 * l->size, path);
	elf_notes_init(&l->o.notes, l->o.fd);
	for (size_t i = 0; i < SEGMENTS; i++)
		assert_int_equal(elf_notes_add(&l->o.notes, 2 * (l->size - at[i + 1]),
					       at[i + 1] - at[i], &err),
				 0);
	assert_int_equal(elf_notes_hold(&l->o.notes, &err), 0);
}

static int compare_piece(void *ctx, uint64_t at, const uint8_t *bytes, size_t n,
			 struct error *err UNUSED)
{
	const struct large *l = ctx;

	assert_true(n <= 1000);
	assert_true(at + n <= l->size);
	assert_memory_equal(bytes, l->bytes + at, n);
	return at / 1000 == 2000 ? -ECANCELED : 0;
}

static void test_large(void **state UNUSED)
{
	uint8_t buf[1000];
	uint32_t random = unit_seed();
	struct elf_note_walk walk;
	struct large l;
	struct elf_note note;
	struct error err;
	size_t statuses = 0;

	open_large(&l);
	assert_int_equal(l.o.notes.bytes, l.size);
	assert_null(l.o.notes.held);
	assert_int_equal(elf_notes_memory(&l.o.notes), 0);
	for (int i = 0; i < 300; i++) {
		const size_t n = unit_random(&random) % sizeof(buf);
		const size_t at = unit_random(&random) % (l.size - n);

		assert_int_equal(elf_notes_read(&l.o.notes, at, buf, n, &err), 0);
		assert_memory_equal(buf, l.bytes + at, n);
	}
	elf_note_walk_init(&walk, &l.o.notes);
	while (next(&walk, &note))
		statuses += elf_note_is(&note, "CORE") && note.type == ELF_NT_PRSTATUS;
	assert_int_equal(statuses, 2);
	assert_int_equal(walk.at, l.size);
	assert_int_equal(elf_notes_each(&l.o.notes, buf, sizeof(buf), compare_piece, &l, &err),
			 -ECANCELED);
	close_notes(&l.o);
	free(l.bytes);
}

/* What is cut off later, or can't be read, is told as such. */
static void test_lost(void **state UNUSED)
{
	uint8_t buf[10];
	struct elf_note_walk walk;
	struct large l;
	struct elf_note note;
	struct error err;

	open_large(&l);
	assert_int_equal(ftruncate(l.o.fd, 4096), 0);
	assert_int_equal(elf_notes_read(&l.o.notes, 0, buf, sizeof(buf), &err), -ENODATA);
	assert_non_null(strstr(err.msg, "is cut short"));
	elf_note_walk_init(&walk, &l.o.notes);
	assert_int_equal(elf_note_walk_next(&walk, &note, &err), -ENODATA);
	assert_int_equal(elf_notes_add(&l.o.notes, 4000, 97, &err), -ENODATA);
	assert_non_null(strstr(err.msg, "is cut short: 96 of 97 bytes"));
	close_notes(&l.o);
	free(l.bytes);
}

int main(int argc, char **argv)
{
	static struct unit u;

	unit_add(&u, "elf_note_walk_next: walks notes", test_walk, NULL);
	unit_add(&u, "elf_note_is: takes a name without NUL", test_name_without_nul, NULL);
	unit_add(&u, "elf_note_walk_next: ends where notes are torn, at any byte", test_torn, NULL);
	UNIT_ADD_ROWS(&u, bad_notes, test_bad_note);
	unit_add(&u, "elf_notes_append: puts a note behind all others", test_append, NULL);
	unit_add(&u, "elf_notes: holds nothing of large ones, and gives every byte", test_large,
		 NULL);
	unit_add(&u, "elf_notes: says that they are cut short, now or later", test_lost, NULL);
	return unit_run(&u, "elf_notes", argc, argv);
}
