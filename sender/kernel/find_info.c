/* VMCOREINFO against memory.
 * Doesn't know how notes are kept, nor what the keys are used for. */
#include "sender/kernel/find_info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "format/vmcoreinfo.h"
#include "sender/kernel/kernel.h"
#include "sender/kernel/paging.h"
#include "sender/kernel/warnings.h"
#include "sender/vmcore/vmcore.h"

enum {
	/* Of a text in memory: what has none of a kernel is seen long before. */
	TEXT_BYTES_MAX = 64 << 10,
	TEXTS_MAX = 256, /* that are judged: files in the page cache may have many */

	WORD_BYTES = 8,
	NAME_ROOM = 48, /* of a release, in a line */
};

/* How the kernel's text begins, in all versions, and the first eight bytes of that. Source: Linux
 * kernel/vmcore_info.c, crash_save_vmcoreinfo_init(). It lies in a page of its own; until 4.12 in
 * an array, and in the note in each case behind 24 bytes. */
static const char BEGIN[] = "OSRELEASE=";

/* --- judging one --- */

/* Whether the vmcore has bytes for all of [paddr, paddr + n); in *exists_ret whether it has such
 * memory at all. */
static bool has_data(const struct vmcore *core, uint64_t paddr, size_t n, bool *exists_ret)
{
	const struct memmap_piece *piece = memmap_find(&core->map, paddr);

	*exists_ret = false;
	for (size_t i = 0; i < core->elf.load_count; i++) {
		const struct elf_load *l = &core->elf.loads[i];

		*exists_ret |= paddr >= l->paddr && paddr - l->paddr < l->mem_bytes;
	}
	return piece && piece->paddr <= paddr && piece->end - paddr >= n;
}

/* Whether the page tables that it tells of map the kernel to where it says. */
static bool maps_image(const struct vmcore *core)
{
	struct paging paging;
	struct error unused;
	uint64_t vaddr, paddr, mapped, span;

	return paging_init(&paging, core, &unused) == 0 &&
	       vmcoreinfo_symbol(core->info, "_stext", &vaddr) &&
	       arch_image_paddr(core, vaddr, &paddr) &&
	       paging_translate(&paging, vaddr, &mapped, &span) && mapped == paddr;
}

enum info_fit info_check(const struct vmcore *core)
{
	const char *release = vmcoreinfo_text(core->info, "OSRELEASE");
	struct kdump_utsname uts;
	uint64_t paddr;
	bool exists;

	if (!release || !*release)
		return INFO_EMPTY;
	if (!kernel_utsname_paddr(core, &paddr))
		return INFO_UNPROVED;
	if (!has_data(core, paddr, sizeof(uts), &exists))
		return exists ? INFO_UNPROVED : INFO_CONTRADICTED;
	if (vmcore_read(core, paddr, &uts, sizeof(uts)) < 0)
		return INFO_UNPROVED;
	if (!kernel_utsname(core, &uts) || strncmp(uts.release, release, sizeof(uts.release)) != 0)
		return INFO_CONTRADICTED;
	return maps_image(core) ? INFO_MAPPED : INFO_NAMED;
}

/* --- in memory --- */

struct search {
	struct vmcore *core;
	struct page_source *source;
	char *text; /* TEXT_BYTES_MAX */
	unsigned texts;
	uint64_t bytes_left;
};

/* Whether the kernel's own VMCOREINFO is at `paddr`: core->info is that then. 1 or 0. */
static int try_text(struct search *s, uint64_t paddr, struct error *err)
{
	size_t n = TEXT_BYTES_MAX;
	int r;

	/* It may lie near memory that can't be read. */
	while (n > s->core->page_bytes && vmcore_read(s->core, paddr, s->text, n) < 0)
		n /= 2;
	if (vmcore_read(s->core, paddr, s->text, n) < 0 ||
	    strncmp(s->text, BEGIN, strlen(BEGIN)) != 0)
		return 0;
	s->texts++;
	r = vmcore_info_of_memory(s->core, s->text, strnlen(s->text, n), err);
	if (r < 0)
		return r;
	return info_check(s->core) >= INFO_NAMED;
}

/* The same of each text that begins in these bytes. */
static int try_bytes(struct search *s, uint64_t paddr, const uint8_t *bytes, size_t n,
		     struct error *err)
{
	const uint64_t begin = le64_get((const uint8_t *)BEGIN);
	int r = 0;

	for (size_t i = 0; i + WORD_BYTES <= n && r == 0 && s->texts < TEXTS_MAX; i += WORD_BYTES)
		if (le64_get(bytes + i) == begin)
			r = try_text(s, paddr + i, err);
	return r;
}

static int search_range(struct search *s, struct pfn_range range, struct error *err)
{
	const uint64_t page_bytes = s->core->page_bytes, most = PAGE_RUN_BYTES / page_bytes;
	int r = 0;

	for (uint64_t pfn = range.first, n;
	     pfn < range.end && s->bytes_left && s->texts < TEXTS_MAX && r == 0; pfn += n) {
		const uint8_t *bytes;
		uint64_t lost;

		if (stop_check(&s->core->stop, err) < 0)
			return err->code;
		n = MIN(range.end - pfn, most);
		bytes = page_source_get(s->source, pfn, (size_t)n, &lost);
		r = try_bytes(s, pfn * page_bytes, bytes, (size_t)(n * page_bytes), err);
		s->bytes_left -= MIN(s->bytes_left, n * page_bytes);
	}
	return r;
}

static uint64_t memory_bytes(const struct memmap *map, uint64_t page_bytes)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < map->data_count; i++)
		bytes += (map->data[i].end - map->data[i].first) * page_bytes;
	return bytes;
}

/* Look for the kernel's own text: 1 where core->info is that, else 0. */
static int search_memory(struct vmcore *core, find_info_tell *tell, struct error *err)
{
	const struct memmap *map = &core->map;
	AUTO(page_source_free) struct page_source *source = NULL;
	AUTO_FREE char *text = malloc(TEXT_BYTES_MAX);
	struct search s = {.core = core, .text = text, .bytes_left = FIND_INFO_BYTES_MAX};
	int r = page_source_new(core, &source, err);

	if (r < 0)
		return r;
	if (!text)
		return error_set(err, -ENOMEM, "out of memory for VMCOREINFO");
	s.source = source;
	if (tell)
		tell(MIN(memory_bytes(map, core->page_bytes), s.bytes_left));
	for (size_t i = 0; i < map->data_count && r == 0; i++)
		r = search_range(&s, map->data[i], err);
	return r;
}

/* --- choosing --- */

/* The best of the notes. */
struct choice {
	unsigned notes;	 /* that there are */
	unsigned note;	 /* the best one; the first of equals */
	unsigned equals; /* how many are as good */
	enum info_fit fit;
	char release[NAME_ROOM]; /* the best one's */
};

static void copy_release(const struct vmcore *core, char out[static NAME_ROOM])
{
	const char *release = vmcoreinfo_text(core->info, "OSRELEASE");

	snprintf(out, NAME_ROOM, "%s", release && *release ? release : "no release");
	for (char *c = out; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int choose_note(struct vmcore *core, struct choice *choice, struct error *err)
{
	int r = 0;

	*choice = (struct choice){.notes = core->info_note_count};
	for (unsigned i = 0; i < choice->notes && r == 0; i++) {
		enum info_fit fit;

		r = vmcore_info_of_note(core, i, err);
		fit = info_check(core);
		choice->equals += fit == choice->fit;
		if (i > 0 && fit <= choice->fit)
			continue;
		choice->note = i;
		choice->fit = fit;
		choice->equals = 1;
		copy_release(core, choice->release);
	}
	if (r == 0 && choice->notes)
		r = vmcore_info_of_note(core, choice->note, err);
	return r;
}

static void say_note(const struct choice *c, struct warnings *warnings)
{
	const char *why = c->fit == INFO_MAPPED
				  ? "the kernel's name and page tables are where it says"
			  : c->fit == INFO_NAMED ? "the kernel's name is where it says"
			  : c->equals > 1	 ? "memory doesn't tell which one is right"
					  : "the others are empty, or memory contradicts them";

	if (c->notes > 1)
		remark(warnings, "of %u VMCOREINFO notes number %u is taken, of %s: %s", c->notes,
		       c->note + 1, c->release, why);
}

/* What the notes are, instead of the right one. */
static void describe(const struct choice *c, char *out, size_t out_bytes)
{
	if (c->notes == 0)
		snprintf(out, out_bytes, "the vmcore has no note of it");
	else if (c->fit == INFO_EMPTY)
		snprintf(out, out_bytes, "the vmcore's note says nothing");
	else
		snprintf(out, out_bytes,
			 "the vmcore's note, of %s, is of another kernel or boot: its kernel isn't "
			 "where it says",
			 c->release);
}

static int look_elsewhere(struct vmcore *core, const struct choice *c, find_info_tell *tell,
			  struct warnings *warnings, struct error *err)
{
	char notes[200], release[NAME_ROOM];
	int r = search_memory(core, tell, err);

	if (r < 0)
		return r;
	describe(c, notes, sizeof(notes));
	if (r > 0) {
		copy_release(core, release);
		remark(warnings, "VMCOREINFO is taken from memory, that of %s: %s", release, notes);
		return 0;
	}
	if (c->notes && c->fit != INFO_CONTRADICTED) {
		r = vmcore_info_of_note(core, c->note, err);
		/* Readers take an empty one for damage. */
		if (r < 0 || core->info_bytes)
			return r;
	}
	vmcore_info_of_none(core);
	if (c->fit == INFO_CONTRADICTED)
		remark(warnings, "VMCOREINFO isn't used: %s, and memory has none", notes);
	return 0;
}

int find_info(struct vmcore *core, find_info_tell *tell, struct warnings *warnings,
	      struct error *err)
{
	struct choice choice;
	int r = choose_note(core, &choice, err);

	if (r == 0 && choice.fit >= INFO_UNPROVED)
		say_note(&choice, warnings);
	else if (r == 0)
		r = look_elsewhere(core, &choice, tell, warnings, err);
	return r == 0 ? vmcore_settle_info(core, err) : r;
}
