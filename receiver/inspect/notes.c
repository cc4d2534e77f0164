/* Walks the note area of a dump.
 * Knows of the notes' contents only where VMCOREINFO lies. */
#include "receiver/inspect/notes.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/reader.h"
#include "format/vmcoreinfo.h"
#include "receiver/inspect/kdump_file.h"

enum {
	WINDOW_BYTES = 64 << 10,
	HEADER_BYTES = 12,
	NAME_MAX_BYTES = 16, /* no note that we look for has a longer name */
};

struct note {
	uint32_t name_bytes, desc_bytes, type;
	char name[NAME_MAX_BYTES + 1];
	uint64_t desc_off, end; /* file offsets; `end` is where the next one begins */
};

/* Decode the note at `off`, which is inside of the area that ends at `area_end`. */
static int get_note(struct window *w, const struct kdump_file *d, uint64_t off, uint64_t area_end,
		    struct note *note_ret, struct error *err)
{
	struct note n = {0};
	const uint8_t *bytes;
	struct rd r;
	int result;

	if (area_end - off < HEADER_BYTES)
		return error_set(err, -EBADMSG,
				 "note at %" PRIu64 ": its header reaches out of the area", off);
	result = window_get(w, d, off, HEADER_BYTES, &bytes, err);
	if (result < 0)
		return result;
	r = rd_init(bytes, HEADER_BYTES);
	n.name_bytes = rd_le32(&r);
	n.desc_bytes = rd_le32(&r);
	n.type = rd_le32(&r);
	n.desc_off = off + HEADER_BYTES + div_round_up(n.name_bytes, 4) * 4;
	n.end = n.desc_off + div_round_up(n.desc_bytes, 4) * 4;
	/* The padding of the last note may be missing. */
	if (n.desc_off + n.desc_bytes > area_end)
		return error_set(err, -EBADMSG, "note at %" PRIu64 " reaches out of the area", off);
	if (n.name_bytes <= NAME_MAX_BYTES) {
		result = window_get(w, d, off + HEADER_BYTES, n.name_bytes, &bytes, err);
		if (result < 0)
			return result;
		memcpy(n.name, bytes, n.name_bytes);
	}
	*note_ret = n;
	return 0;
}

static void take_note(struct notes *notes, const struct note *n)
{
	notes->count++;
	if (n->type == NT_PRSTATUS && strcmp(n->name, "CORE") == 0)
		notes->prstatus++;
	if (n->type == NT_TASKSTRUCT && strcmp(n->name, "SNAP") == 0)
		notes->live = true;
	if (strcmp(n->name, "VMCOREINFO") == 0 && notes->vmcoreinfo_bytes == 0) {
		notes->vmcoreinfo_off = n->desc_off;
		notes->vmcoreinfo_bytes = n->desc_bytes;
	}
}

int notes_read(const struct kdump_file *d, struct notes *notes_ret, struct error *err)
{
	const struct kdump_header *h = kdump_file_header(d);
	const uint64_t end = h->notes_off + h->notes_bytes;
	struct notes notes = {0};
	struct window w;
	int r = window_init(&w, WINDOW_BYTES, err);

	if (r < 0)
		return r;
	if (h->notes_bytes > 0 && end > kdump_file_size(d))
		r = error_set(err, -ENODATA, "the file ends inside of the notes");
	for (uint64_t off = h->notes_off; r == 0 && off < end;) {
		struct note n;

		r = get_note(&w, d, off, end, &n, err);
		/* The kernel ends each CPU's notes with a header of zeros; here only the last note
		 * can be one. */
		if (r < 0 || (n.name_bytes == 0 && n.desc_bytes == 0 && n.type == 0))
			break;
		take_note(&notes, &n);
		off = n.end;
	}
	window_deinit(&w);
	if (r == 0)
		*notes_ret = notes;
	return r;
}

int notes_vmcoreinfo(const struct kdump_file *d, const struct notes *notes,
		     struct vmcoreinfo **vi_ret, struct error *err)
{
	const struct kdump_header *h = kdump_file_header(d);
	const bool by_header = h->vmcoreinfo_bytes > 0;
	const uint64_t off = by_header ? h->vmcoreinfo_off : notes->vmcoreinfo_off;
	const uint64_t size = by_header ? h->vmcoreinfo_bytes : notes->vmcoreinfo_bytes;
	const uint8_t *text;
	struct window w;
	int r;

	if (size == 0)
		return 0;
	if (size > VMCOREINFO_MAX_BYTES)
		return error_set(err, -EFBIG, "VMCOREINFO of %" PRIu64 " bytes is not plausible",
				 size);
	r = window_init(&w, (size_t)size, err);
	if (r < 0)
		return r;
	r = window_get(&w, d, off, (size_t)size, &text, err);
	if (r < 0)
		error_prefix(err, "VMCOREINFO");
	else
		r = vmcoreinfo_new(text, (size_t)size, vi_ret, err);
	window_deinit(&w);
	return r < 0 ? r : 1;
}
