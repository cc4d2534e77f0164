/* VMCOREINFO among the notes: which one a dump has under that name, however many there are. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "format/vmcoreinfo.h"
#include "sender/output/prologue.h"
#include "sender/vmcore/vmcore.h"
#include "tests/lib/corefile.h"

enum { LARGE_BYTES = 300 << 10 }; /* of a note: more than is held of them */

#define FIRST  "OSRELEASE=1\nPAGESIZE=4096\n"
#define SECOND "OSRELEASE=22\n"
#define FOUND  "OSRELEASE=333\nSYMBOL(a)=1\n"

/* The notes of a plan, one of n bytes (0: none) and a tail behind them, at the file's end; made for
 * good. */
static void make_notes(struct core *file, const struct core_plan *plan, uint32_t n,
		       const void *tail, size_t tail_bytes)
{
	const size_t note_bytes = n ? 12 + 8 + n : 0;
	const size_t notes_bytes = plan->notes_bytes + note_bytes + tail_bytes;
	uint8_t *grown = realloc(file->bytes, file->size_bytes + notes_bytes), *p;

	assert_non_null(grown);
	p = grown + file->size_bytes;
	memset(p, 0, notes_bytes);
	memcpy(p, plan->notes, plan->notes_bytes);
	if (n) {
		le32_put(p + plan->notes_bytes, 6);
		le32_put(p + plan->notes_bytes + 4, n);
		memcpy(p + plan->notes_bytes + 12, "LINUX", 6);
	}
	if (tail_bytes)
		memcpy(p + plan->notes_bytes + note_bytes, tail, tail_bytes);
	le64_put(grown + CORE_EHDR_BYTES + 8, file->size_bytes);
	le64_put(grown + CORE_EHDR_BYTES + 32, notes_bytes);
	le64_put(grown + CORE_EHDR_BYTES + 40, notes_bytes);
	*file = (struct core){grown, file->size_bytes + notes_bytes};
}

static struct vmcore *open_notes_with(bool large, const void *tail, size_t tail_bytes)
{
	struct core_plan plan = {0};
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	int fd;

	core_add_load(&plan, 0, CORE_PAGE, CORE_PAGE);
	core_add_note(&plan, "CORE", ELF_NT_PRSTATUS, "cpu 0", 5);
	core_add_vmcoreinfo(&plan, FIRST);
	core_add_vmcoreinfo(&plan, SECOND);
	file = core_make(&plan);
	if (large || tail_bytes)
		make_notes(&file, &plan, large ? LARGE_BYTES : 0, tail, tail_bytes);
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	close(fd);
	core_free(&file);
	assert_int_equal(core->elf.notes.held == NULL, large);
	assert_int_equal(core->info_note_count, 2);
	return core;
}

static struct vmcore *open_notes(bool large)
{
	return open_notes_with(large, NULL, 0);
}

/* All notes as they go into a dump, in pieces that end anywhere. */
struct output {
	uint8_t *bytes;
	size_t n;
};

static int take(void *ctx, uint64_t at, const uint8_t *bytes, size_t n, struct error *err UNUSED)
{
	struct output *o = ctx;

	assert_int_equal(at, o->n);
	o->bytes = realloc(o->bytes, o->n + n);
	assert_non_null(o->bytes);
	memcpy(o->bytes + o->n, bytes, n);
	o->n += n;
	return 0;
}

/* Of the notes one is VMCOREINFO, with that text, and the header points at it; `want` NULL: none.
 * As many others are called otherwise. */
static void check(const struct vmcore *core, const char *want, unsigned want_stale)
{
	unsigned found = 0, stale = 0;
	struct output o = {0};
	struct kdump_header h;
	struct error err;
	uint8_t piece[7];
	bool known;

	assert_int_equal(elf_notes_each(&core->elf.notes, piece, sizeof(piece), take, &o, &err), 0);
	assert_int_equal(o.n, core->elf.notes.bytes);
	assert_int_equal(prologue_header(core, 0, 0, &h, &known, &err), 0);
	assert_int_equal(h.notes_bytes, o.n);
	assert_int_equal(h.vmcoreinfo_bytes, want ? strlen(want) : 0);
	for (size_t at = 0; at < o.n;) {
		const uint8_t *note = o.bytes + at, *name = note + 12;
		const size_t name_bytes = (le32_get(note) + 3U) & ~(size_t)3;
		const size_t desc_bytes = le32_get(note + 4);

		stale += memcmp(name, "STALE_INFO", 11) == 0;
		if (memcmp(name, "VMCOREINFO", 11) == 0) {
			found++;
			assert_non_null(want);
			assert_int_equal(desc_bytes, strlen(want));
			assert_memory_equal(name + name_bytes, want, desc_bytes);
			assert_int_equal(h.vmcoreinfo_off - h.notes_off, at + 12 + name_bytes);
		}
		at += 12 + name_bytes + ((desc_bytes + 3) & ~(size_t)3);
	}
	assert_int_equal(found, want != NULL);
	assert_int_equal(stale, want_stale);
	free(o.bytes);
}

/* With notes that are held, and such as aren't. */
static const bool larges[] = {false, true};

static void test_first(void **state)
{
	struct vmcore *core = open_notes(*(const bool *)*state);
	struct error err;

	assert_int_equal(vmcore_settle_info(core, &err), 0);
	check(core, FIRST, 1);
	vmcore_free(core);
}

static void test_second(void **state)
{
	struct vmcore *core = open_notes(*(const bool *)*state);
	struct error err;

	assert_int_equal(vmcore_info_of_note(core, 1, &err), 0);
	assert_string_equal(vmcoreinfo_text(core->info, "OSRELEASE"), "22");
	assert_int_equal(vmcore_settle_info(core, &err), 0);
	check(core, SECOND, 1);
	vmcore_free(core);
}

static void test_memory(void **state)
{
	struct vmcore *core = open_notes(*(const bool *)*state);
	struct error err;

	assert_int_equal(vmcore_info_of_memory(core, FOUND, strlen(FOUND), &err), 0);
	assert_string_equal(vmcoreinfo_text(core->info, "OSRELEASE"), "333");
	assert_int_equal(vmcore_settle_info(core, &err), 0);
	check(core, FOUND, 2);
	vmcore_free(core);
}

static void test_none(void **state)
{
	struct vmcore *core = open_notes(*(const bool *)*state);
	struct error err;

	vmcore_info_of_none(core);
	assert_int_equal(vmcore_settle_info(core, &err), 0);
	check(core, NULL, 2);
	vmcore_free(core);
}

/* Memory's text has a note even where there was none, nor any padding of the last one. */
static void test_only(void **state UNUSED)
{
	struct core_plan plan = {0};
	struct vmcore *core;
	struct core file;
	struct error err;
	char path[32];
	int fd;

	core_add_load(&plan, 0, CORE_PAGE, CORE_PAGE);
	core_add_note(&plan, "CORE", ELF_NT_PRSTATUS, "cpu 0", 5);
	plan.notes_bytes -= 3;
	file = core_make(&plan);
	fd = core_file(file.bytes, file.size_bytes, path);
	assert_int_equal(vmcore_open(path, VMCORE_ACCESS_READ, &core, &err), 0);
	assert_int_equal(vmcore_info_of_memory(core, FOUND, strlen(FOUND), &err), 0);
	assert_int_equal(vmcore_settle_info(core, &err), 0);
	check(core, FOUND, 0);
	vmcore_free(core);
	close(fd);
	core_free(&file);
}

/* Bytes behind the last note that readers don't get beyond. */
static const struct tail {
	const char *name;
	uint32_t words[4];
	size_t bytes;
} tails[] = {
	{"vmcore_settle_info: adds it in place of a word of padding", {0}, 4},
	{"vmcore_settle_info: adds it in place of two words of padding", {0}, 8},
	{"vmcore_settle_info: adds it behind a note of padding", {0}, 12},
	{"vmcore_settle_info: adds it in place of a note that is cut short",
	 {5, 1 << 20, 1, 0},
	 16},
};

static void test_tail(void **state)
{
	const struct tail *row = *state;

	for (size_t i = 0; i < ARRAY_LEN(larges); i++) {
		struct vmcore *core = open_notes_with(larges[i], row->words, row->bytes);
		struct error err;

		assert_int_equal(vmcore_info_of_memory(core, FOUND, strlen(FOUND), &err), 0);
		assert_int_equal(vmcore_settle_info(core, &err), 0);
		check(core, FOUND, 2);
		vmcore_free(core);
	}
}

static void add(struct unit *u, const char *what, CMUnitTestFunction test)
{
	static char names[16][96];
	static size_t used;

	for (size_t i = 0; i < ARRAY_LEN(larges); i++, used++) {
		snprintf(names[used], sizeof(names[used]), "vmcore_settle_info: %s, %s", what,
			 larges[i] ? "of notes in the file" : "of notes in memory");
		unit_add(u, names[used], test, &larges[i]);
	}
}

int main(int argc, char **argv)
{
	static struct unit u;

	add(&u, "keeps the first note, and no other", test_first);
	add(&u, "keeps the one that was taken, and no other", test_second);
	add(&u, "adds what was found in memory", test_memory);
	add(&u, "keeps none where none was taken", test_none);
	unit_add(&u, "vmcore_settle_info: adds it behind a note without padding", test_only, NULL);
	UNIT_ADD_ROWS(&u, tails, test_tail);
	return unit_run(&u, "info_notes", argc, argv);
}
