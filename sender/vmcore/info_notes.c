/* VMCOREINFO in the notes of the core, and in the notes of the dump.
 * Doesn't know which one is right. */
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "format/vmcoreinfo.h"
#include "sender/vmcore/vmcore.h"

static const char INFO_NAME[] = "VMCOREINFO";

/* The name in the dump of a VMCOREINFO note that wasn't chosen: readers find the note by its name,
 * and some take the last one. */
static const char OTHER_NAME[] = "STALE_INFO";

_Static_assert(sizeof(INFO_NAME) == sizeof(OTHER_NAME), "a note's name keeps its length");

void vmcore_info_of_none(struct vmcore *core)
{
	vmcoreinfo_free(core->info);
	free(core->info_text);
	core->info = NULL;
	core->info_text = NULL;
	core->info_bytes = 0;
	core->info_at = 0;
}

/* Parse core->info_text, of which at most n bytes count. An unusable one counts as none. */
static int parse(struct vmcore *core, size_t n, struct error *err)
{
	core->info_bytes = strnlen((const char *)core->info_text, n);
	return vmcoreinfo_new(core->info_text, core->info_bytes, &core->info, err) == -ENOMEM
		       ? err->code
		       : 0;
}

static int make_room(struct vmcore *core, size_t n, struct error *err)
{
	vmcore_info_of_none(core);
	core->info_text = malloc(n + 1);
	return core->info_text ? 0 : error_set(err, -ENOMEM, "out of memory for VMCOREINFO");
}

int vmcore_info_of_note(struct vmcore *core, unsigned number, struct error *err)
{
	const struct elf_note *note = &core->info_notes[number];
	int r;

	vmcore_info_of_none(core);
	if (note->desc_bytes > VMCOREINFO_MAX_BYTES)
		return 0;
	r = make_room(core, note->desc_bytes, err);
	if (r == 0)
		r = elf_notes_read(&core->elf.notes, note->desc_at, core->info_text,
				   note->desc_bytes, err);
	if (r < 0)
		return r;
	core->info_at = note->desc_at;
	return parse(core, note->desc_bytes, err);
}

int vmcore_info_of_memory(struct vmcore *core, const char *text, size_t n, struct error *err)
{
	const int r = make_room(core, n, err);

	if (r < 0)
		return r;
	memcpy(core->info_text, text, n);
	return parse(core, n, err);
}

int vmcore_settle_info(struct vmcore *core, struct error *err)
{
	int r = 0;

	for (unsigned i = 0; i < core->info_note_count && r == 0; i++)
		if (core->info_notes[i].desc_at != core->info_at)
			r = elf_note_rename(&core->elf.notes, &core->info_notes[i], OTHER_NAME,
					    err);
	if (r == 0 && core->info_text && core->info_at == 0)
		r = elf_notes_append(&core->elf.notes, INFO_NAME, ELF_NT_VMCOREINFO,
				     core->info_text, core->info_bytes, &core->info_at, err);
	return r == 0 ? vmcore_make_map(core, err) : r;
}
